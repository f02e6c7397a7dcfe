//! Counting calls that failed because a service was away.

/// Counts one for a store: `database`, `redis`, `artifacts`, `analytics`.
pub(crate) fn note_failure(store: &'static str) {
    metrics::counter!("botloom_store_errors_total", "store" => store).increment(1);
}
