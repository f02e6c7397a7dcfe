//! What the tests need of real services.

pub(crate) mod postgres;

/// A setting that says where a service for tests is.
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run the tests with `make test`, or with `scripts/services/with cargo nextest run`")
    })
}
