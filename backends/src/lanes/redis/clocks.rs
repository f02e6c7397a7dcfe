//! What the servers' clocks show, as far as a node must know it: until when the answer of a call is heard.
//!
//! A call that its caller gave up may still lie in a socket, and runs when a stalled server goes on. What it would lease
//! then is held by nobody until the lease runs out. Scripts that lease are therefore told the last moment at which it
//! makes sense.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// A moment that does not come: the largest that is exact in Lua.
pub(super) const ALWAYS: i64 = 1 << 53;
/// A moment that is over.
pub(super) const NEVER: i64 = 0;
/// What is not known yet.
const UNKNOWN: i64 = i64::MIN;

/// The server's clock for each shard: servers of a cluster may differ.
#[derive(Debug)]
pub(super) struct Clocks {
    began: Instant,
    /// By how many ms the server's clock is ahead of the time since `began`.
    ahead: Vec<AtomicI64>,
}

impl Clocks {
    pub(super) fn new(shards: u16) -> Self {
        Self {
            began: Instant::now(),
            ahead: (0..shards).map(|_| AtomicI64::new(UNKNOWN)).collect(),
        }
    }

    fn since_began(&self, moment: Instant) -> i64 {
        let passed = moment.saturating_duration_since(self.began);
        i64::try_from(passed.as_millis()).unwrap_or(i64::MAX)
    }

    /// A call that was made at `asked` ran when the server's clock showed `shown`. The clock is taken to be ahead by the
    /// way there as well: a slow way must not make a call late that is not.
    pub(super) fn learn(&self, shard: u16, asked: Instant, shown: i64) {
        if let Some(ahead) = self.ahead.get(usize::from(shard)) {
            ahead.store(shown.saturating_sub(self.since_began(asked)), Ordering::Relaxed);
        }
    }

    /// What the server's clock shows after a while from now; [`ALWAYS`] if nothing is known of it.
    pub(super) fn in_a_while(&self, shard: u16, wait: Duration) -> i64 {
        let ahead = self.ahead.get(usize::from(shard));
        match ahead.map_or(UNKNOWN, |ahead| ahead.load(Ordering::Relaxed)) {
            UNKNOWN => ALWAYS,
            ahead => self.since_began(Instant::now() + wait).saturating_add(ahead),
        }
    }
}
