//! What tests of every crate share: a clock that stands still until told, and the conformance suites of the ports.

mod clock;
pub mod conformance;

pub use clock::ManualClock;
