//! Where the servers are that tests need.

/// A setting of the environment that `make test` makes. A test without its server fails: it is never skipped.
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run the tests with `make test`, or one command with `scripts/services/with`"
        )
    })
}
