//! Port: updates in order, per chat.
//!
//! A *lane* is one chat of one bot. Its queue is popped only by [`Lanes::commit`] and [`Lanes::fail`], under a lease
//! whose [`Token`] is the fence: a commit with another token writes nothing. Between these two rules lies everything
//! the runtime promises: once, in order, nothing acknowledged is lost.
//!
//! **Place invariant.** A lane with queued updates is in exactly one place: ready, leased, or delayed.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{ChatStates, OutMessage, OutTurn, StoreResult};
use crate::hash::RevHash;
use crate::ids::{BotId, Epoch, Lane};
use crate::time::TimestampMs;
use crate::trace::TraceParent;

/// Numbers every implementation shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneLimits {
    /// Most updates that wait in one lane.
    pub queue_cap: usize,
    /// How long an update id is remembered, ms. At least 25 h: Telegram repeats for 24 h.
    pub dedup_ttl_ms: i64,
    /// Life of a lease without renewal, ms.
    pub lease_ms: i64,
    /// Life of a sender's lease without renewal, ms.
    pub out_lease_ms: i64,
    /// Most updates handed out in one turn.
    pub turn_updates: usize,
    /// Most dead letters kept per bot and direction; the oldest go first.
    pub dead_letter_cap: usize,
}

impl Default for LaneLimits {
    fn default() -> Self {
        Self {
            queue_cap: 500,
            dedup_ttl_ms: 25 * 3_600_000,
            lease_ms: 5_000,
            out_lease_ms: 15_000,
            turn_updates: 16,
            dead_letter_cap: 10_000,
        }
    }
}

/// What makes two updates the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DedupKey {
    /// Telegram's `update_id`.
    Update(i64),
    /// An update of our own: `replay:<dead letter>`, `migrate:<chat>` …
    Synthetic(Arc<str>),
}

impl std::fmt::Display for DedupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Update(id) => write!(f, "{id}"),
            Self::Synthetic(name) => f.write_str(name),
        }
    }
}

/// An update at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingest {
    /// Where it queues.
    pub lane: Lane,
    /// What makes it a duplicate.
    pub dedup: DedupKey,
    /// The update, JSON text.
    pub envelope: Bytes,
    /// When it came.
    pub accepted_at: TimestampMs,
    /// The span in which it came, if the trace is recorded.
    pub trace: Option<TraceParent>,
    /// Whether the caller would execute it at once if nobody holds the lane.
    pub want_turn: bool,
}

/// What became of an update at the door. All but `Full` mean: durable, acknowledge it.
#[derive(Debug, Clone, PartialEq)]
pub enum IngestOutcome {
    /// Seen within the dedup window; nothing was queued.
    Duplicate,
    /// The lane is at its cap; nothing was queued and the id was not marked as seen.
    Full,
    /// Behind others of the lane.
    Queued,
    /// First of its lane, which is ready now.
    Ready {
        /// Turns that wait for the bot.
        backlog: u64,
    },
    /// First of its lane, which is leased to the caller.
    Granted(Box<Turn>),
}

/// Proof of a lease. Unique to the lease for ever; a renewal may answer another one for the same lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A lane held by its holder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LaneLease {
    /// Which lane.
    pub lane: Lane,
    /// The fence.
    pub token: Token,
}

/// The revision on which updates of a bot start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ActiveRevision {
    /// Number of the activation.
    pub epoch: Epoch,
    /// The revision.
    pub rev: RevHash,
}

/// An update in a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedUpdate {
    /// As it came in.
    pub dedup: DedupKey,
    /// The update, JSON text.
    pub envelope: Bytes,
    /// When it came in.
    pub accepted_at: TimestampMs,
    /// The span in which it came in, if the trace is recorded.
    pub trace: Option<TraceParent>,
}

/// Work: the first updates of a lane, with what is needed to execute them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The lease.
    pub lease: LaneLease,
    /// The bot's active revision at this moment; `None` before its first deployment.
    pub revision: Option<ActiveRevision>,
    /// How often the first update was tried and not committed.
    pub attempts: u32,
    /// First updates of the lane in order, at least one, at most [`LaneLimits::turn_updates`].
    pub updates: Vec<QueuedUpdate>,
    /// The chat's document, JSON text.
    pub state: Option<Bytes>,
}

/// Answer to [`Lanes::claim`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Claims {
    /// Work.
    pub turns: Vec<Turn>,
    /// When a delayed lane or an expiring lease is due next.
    pub next_due: Option<TimestampMs>,
}

/// What happens to a chat's document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateChange {
    /// Stays; its time to live starts anew if there is one.
    Keep {
        /// Milliseconds; `None` leaves the expiry as it is.
        ttl_ms: Option<i64>,
    },
    /// Replaced.
    Put {
        /// JSON text, at most 64 KiB.
        document: Bytes,
        /// Milliseconds until it is forgotten; `None`: never.
        ttl_ms: Option<i64>,
    },
    /// Deleted.
    Delete,
}

/// What the holder of a lease does after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextTurn {
    /// Wants to go on with the lane.
    Keep,
    /// Gives the lane back.
    Release,
}

/// The end of a turn: one atomic step.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The lease.
    pub lease: LaneLease,
    /// The revision it ran on; `None` where no revision was involved (updates that need no bot code).
    pub revision: Option<ActiveRevision>,
    /// How many updates to take off the lane; at least 1.
    pub updates: usize,
    /// What happens to the document.
    pub state: StateChange,
    /// Messages to append to the lane's outbox, in order.
    pub messages: Vec<OutMessage>,
    /// Whether the caller would send at once if nobody sends for the lane.
    pub want_out: bool,
    /// What the holder wants next.
    pub next: NextTurn,
    /// Turns that the run cost beyond the one counted at its start (run time / 5 ms), for fairness.
    pub charge: u32,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq)]
pub enum CommitOutcome {
    /// Everything was written.
    Committed {
        /// The next turn of the lane, under a new token; only with [`NextTurn::Keep`] and a lane that is not empty.
        next: Option<Box<Turn>>,
        /// The sender's lease of the lane; only with `want_out` and an outbox that was empty and not leased.
        out: Option<Box<OutTurn>>,
    },
    /// Nothing was written: the lease is somebody else's, or this commit happened before. Drop the work.
    Fenced,
    /// Nothing was written: the bot flipped. The lease is kept: run again on this revision.
    Stale(Option<ActiveRevision>),
}

/// An update that could not be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fail {
    /// The lease.
    pub lease: LaneLease,
    /// Tries that an update has in all; the one that reaches it goes to the dead letters.
    pub max_attempts: u32,
    /// When to try again, otherwise.
    pub retry_at: TimestampMs,
    /// Stable reason for the dead letter.
    pub reason: String,
    /// In words for the author.
    pub detail: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailOutcome {
    /// The lane waits until `retry_at`.
    Delayed,
    /// The update is a dead letter with this id; the lane goes on with the next.
    DeadLettered(String),
    /// Nothing was written: the lease is somebody else's.
    Fenced,
}

/// Answer to [`Lanes::set_revision`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetRevision {
    /// Updates start on it from now on.
    Set,
    /// A revision with this or a higher epoch is set; nothing changed.
    Superseded(ActiveRevision),
}

/// Sizes, for metrics and for people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneStats {
    /// Lanes that wait for a worker.
    pub ready: u64,
    /// Lanes held.
    pub leased: u64,
    /// Lanes that wait for a time.
    pub delayed: u64,
    /// Updates in all lanes.
    pub updates: u64,
    /// Messages in all outboxes.
    pub messages: u64,
    /// When the oldest update that waits came in.
    pub oldest_update: Option<TimestampMs>,
    /// Updates that wait, by bot; bots without any are absent.
    pub updates_by_bot: HashMap<BotId, u64>,
}

/// Lanes. A future that resolves with `Ok` means: durable. Every method is one atomic step per item.
#[async_trait]
pub trait Lanes: ChatStates + Debug + Send + Sync {
    /// Queues updates; answers in the same order. Items of one lane take their places in the order given; order between
    /// concurrent calls is the order in which they become durable. Asked twice, the second is a `Duplicate`. After an
    /// error some may be queued: of each lane none before those that stand in front of it.
    async fn ingest(&self, updates: Vec<Ingest>) -> StoreResult<Vec<IngestOutcome>>;

    /// Leases up to `max` ready lanes, fair between bots (start-time fair queueing), and takes back leases that ran
    /// out (their attempts grow by one) and delays that are due.
    async fn claim(&self, max: usize) -> StoreResult<Claims>;

    /// Prolongs leases; answers the tokens to use from now on in the same order, `None` where the lease was lost.
    ///
    /// The answer may be lost on its way and the lease be prolonged all the same: an earlier token of a lease stays good
    /// everywhere, here as well, if the lease was prolonged before the time at which that token alone would have run
    /// out, and is held.
    async fn renew(&self, leases: &[LaneLease]) -> StoreResult<Vec<Option<Token>>>;

    /// Gives back lanes whose work was not started; attempts do not grow. Lost leases are ignored.
    async fn release(&self, leases: &[LaneLease]) -> StoreResult<()>;

    /// Ends turns; answers in the same order. Asked twice, the second is `Fenced`.
    async fn commit(&self, commits: Vec<Commit>) -> StoreResult<Vec<CommitOutcome>>;

    /// Ends a turn without its effects.
    async fn fail(&self, fail: Fail) -> StoreResult<FailOutcome>;

    /// Sets the revision on which updates of a bot start from the moment this returns. Monotone in the epoch; asked
    /// twice with the same, the second is `Superseded` by itself.
    async fn set_revision(&self, bot: &BotId, revision: ActiveRevision) -> StoreResult<SetRevision>;

    /// The revision on which updates of a bot start.
    async fn revision(&self, bot: &BotId) -> StoreResult<Option<ActiveRevision>>;

    /// The document of a lane, JSON text.
    async fn state(&self, lane: &Lane) -> StoreResult<Option<Bytes>>;

    /// Forgets all lanes, documents, messages, dead letters, known update ids, the park and the revision of a bot.
    /// Leases of the bot are lost.
    async fn purge(&self, bot: &BotId) -> StoreResult<()>;

    /// Sizes.
    async fn stats(&self) -> StoreResult<LaneStats>;

    /// Resolves when lanes may have become ready since the last call: a hint, may be late, early or lost.
    async fn ready(&self);
}
