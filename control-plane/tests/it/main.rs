//! The API over real sockets, with the embedded stores and a simulator of Telegram.

#![expect(
    clippy::unwrap_used,
    reason = "the whole crate is a test, and clippy counts only the bodies of tests themselves as such"
)]

mod abuse;
mod doctor;
mod heavy;
mod idempotency;
mod managed;
mod matrix;
mod openapi;
mod profiles;
mod routes;
mod support;
