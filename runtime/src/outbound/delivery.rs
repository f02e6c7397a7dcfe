//! How long people wait: from accepting an update to Telegram's answer that a message of it was sent.
//!
//! The outbox does not keep when the update of a message came in, so this node remembers it for the updates that it ran
//! itself. What another node sends is not measured.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use botloom_core::ids::Lane;
use botloom_core::time::TimestampMs;
use metrics::Histogram;
use moka::sync::Cache;

/// Updates remembered; the least used go first.
const KEPT: u64 = 50_000;
/// How long one is remembered. Slower deliveries show as dead letters and as messages that wait.
const KEPT_FOR: Duration = Duration::from_mins(10);

/// When updates came in whose messages are not all sent.
#[derive(Debug)]
pub(super) struct Deliveries {
    /// By a hash of lane and update: two that collide spoil one measurement.
    accepted: Cache<u64, TimestampMs>,
    hasher: RandomState,
    seconds: Histogram,
}

impl Deliveries {
    pub(super) fn new(seconds: Histogram) -> Self {
        Self {
            accepted: Cache::builder().max_capacity(KEPT).time_to_live(KEPT_FOR).build(),
            hasher: RandomState::new(),
            seconds,
        }
    }

    /// An update was committed with messages.
    pub(super) fn expect(&self, lane: &Lane, cause: &str, accepted_at: TimestampMs) {
        self.accepted
            .insert(self.hasher.hash_one((lane, cause)), accepted_at);
    }

    /// A message of an update was sent.
    pub(super) fn sent(&self, lane: &Lane, cause: &str, now: TimestampMs) {
        if let Some(accepted_at) = self.accepted.get(&self.hasher.hash_one((lane, cause))) {
            let ms = u64::try_from(now.since(accepted_at)).unwrap_or(0);
            self.seconds.record(Duration::from_millis(ms));
        }
    }
}
