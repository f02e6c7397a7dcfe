//! What a slot is asked to do, and how much of it waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use botloom_core::Sha256Hash;
use tokio::sync::oneshot;

use super::meters::Meters;
use super::outcome::{Finished, Outcome, RanAt};
use super::pool::{CallOptions, Error};

/// A call that lost this many workers to others has waited enough.
const MAX_BOUNCES: u8 = 20;

/// What a slot is asked to do.
pub(super) struct Task {
    pub(super) key: Sha256Hash,
    pub(super) source: Arc<str>,
    /// Digest of the source, which names its bytecode.
    pub(super) digest: Sha256Hash,
    pub(super) work: Work,
    pub(super) reply: oneshot::Sender<Result<Done, Error>>,
    pub(super) ticket: Ticket,
    pub(super) bounces: u8,
    /// The worker that it was sent to last.
    pub(super) at: Option<RanAt>,
}

pub(super) enum Work {
    /// Have the revision loaded.
    Load,
    /// Call it.
    Call { input: String, options: CallOptions },
}

/// What came of it.
pub(super) enum Done {
    Loaded,
    Finished(Finished),
}

impl Task {
    pub(super) fn finish(self, meters: &Meters, outcome: Outcome, wall: Duration, json: String) {
        meters.outcome(&outcome);
        let at = self.at;
        self.reply(Ok(Done::Finished(Finished {
            outcome,
            wall,
            json,
            at,
        })));
    }

    pub(super) fn reply(self, done: Result<Done, Error>) {
        // Nobody listens if the caller went away.
        let _ = self.reply.send(done);
        drop(self.ticket);
    }

    /// The task, to be tried once more because another one ended its worker. Ends it if that happened too often.
    pub(super) fn again(mut self) -> Option<Self> {
        self.bounces += 1;
        if self.bounces > MAX_BOUNCES {
            self.reply(Err(Error::Unavailable));
            return None;
        }
        Some(self)
    }
}

/// How busy a slot is, for routing.
#[derive(Default)]
pub(super) struct Load {
    /// Calls queued or on their way.
    depth: AtomicUsize,
    /// Since when the request at the worker runs, in microseconds of the pool's clock; 0 is idle.
    busy_since: AtomicU64,
}

impl Load {
    pub(super) fn depth(&self) -> usize {
        self.depth.load(Ordering::Relaxed)
    }

    pub(super) fn busy_since(&self) -> u64 {
        self.busy_since.load(Ordering::Relaxed)
    }

    pub(super) fn set_busy_since(&self, micros: u64) {
        self.busy_since.store(micros, Ordering::Relaxed);
    }
}

/// Counts one call in a [`Load`] as long as it lives.
pub(super) struct Ticket(Arc<Load>);

impl Ticket {
    pub(super) fn new(load: &Arc<Load>) -> Self {
        load.depth.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.depth.fetch_sub(1, Ordering::Relaxed);
    }
}
