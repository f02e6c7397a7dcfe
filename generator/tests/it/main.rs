//! Tests of the generator.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod attacks;
mod build;
mod conversations;
mod examples;
mod filter;
mod golden;
mod messages;
mod prelude;
mod printing;
mod semantics;
mod support;
mod worker;
