//! The contracts of the ports as executable suites: every backend runs every case.
//!
//! A backend's test file makes one test per case with the macro of the suite:
//! `accounts_conformance!(fresh_catalog().await)`.

pub mod analytics;
pub mod artifacts;
pub mod bus;
mod cases;
pub mod catalog;
pub mod chats;
pub mod dead_letters;
pub mod event_log;
pub mod lanes;
pub mod nodes;
pub mod outbox;
pub mod outcomes;
pub mod tasks;

pub use cases::CaseResult;
