//! Port: messages out in order, per chat.
//!
//! Messages enter only through [`super::Lanes::commit`] (and by replaying a dead letter), so a message exists if and
//! only if the update that produced it took effect.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{LaneLease, StoreResult, Token};
use crate::bot_js::Ambiguous;
use crate::ids::BotId;
use crate::time::TimestampMs;
use crate::trace::TraceParent;

/// How a message queues and what limits bind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutClass {
    /// Before the others of the chat: `answerCallbackQuery` and what else Telegram waits for.
    Urgent,
    /// An answer, in the order of the chat.
    Reply,
    /// A broadcast.
    Bulk,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutMessage {
    /// Method of the Bot API.
    pub method: String,
    /// Its parameters, JSON text of an object, `chat_id` included.
    pub params: Bytes,
    /// How it queues.
    pub class: OutClass,
    /// Not worth sending later.
    pub not_after: Option<TimestampMs>,
    /// What to do when nobody knows whether it was sent.
    pub ambiguous: Ambiguous,
    /// `update_id` (or synthetic id) that produced it, for traces.
    pub cause: String,
    /// The span that produced it, if the trace is recorded.
    pub trace: Option<TraceParent>,
}

/// A message in an outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMessage {
    /// The message.
    pub message: OutMessage,
    /// Sends that failed without ambiguity or were answered 5xx.
    pub attempts: u32,
    /// Whether a send of it had begun under a lease that was lost, or before a restart: it may have been sent.
    pub maybe_sent: bool,
}

/// Work for a sender: the first messages of a lane's outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutTurn {
    /// The sender's lease; apart from the lane's own lease.
    pub lease: LaneLease,
    /// First messages in order (urgent ones first), at least one, at most [`super::LaneLimits::turn_updates`]. Later
    /// urgent ones stand behind these until the next acknowledgement.
    pub messages: Vec<QueuedMessage>,
}

/// What happens to the lane after an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterAck {
    /// The sender goes on.
    Keep,
    /// The sender gives the lane back; it is ready again if messages are left.
    Release,
    /// Not before this moment (backoff, pace). The attempts of the first message grow by `attempt`.
    Delay {
        /// When.
        until: TimestampMs,
        /// 1 for a failed send, 0 for a send that was not tried or says nothing about the message.
        attempt: u32,
    },
    /// Not before this moment, because Telegram said so (`retry_after`): whatever the chat sends next waits until then, and
    /// nobody can end the wait, not even [`super::Chats::free_messages`] for a message that had failed before.
    FloodWait {
        /// When.
        until: TimestampMs,
    },
}

/// Acknowledgement of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckOut {
    /// The lease.
    pub lease: LaneLease,
    /// Messages to take off the front; may be 0.
    pub sent: usize,
    /// Puts the first message (after `sent` were taken off) into the dead letters with reason and detail.
    pub dead: Option<(String, String)>,
    /// Puts all messages of the lane into the dead letters: the chat is gone. Needs `dead`.
    pub dead_all: bool,
    /// What happens next.
    pub after: AfterAck,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AckOutOutcome {
    /// Written.
    Done {
        /// With [`AfterAck::Keep`] and messages left: the next turn, under a new token.
        next: Option<Box<OutTurn>>,
        /// Ids of dead letters made.
        dead_letters: Vec<String>,
    },
    /// Nothing was written: the lease is somebody else's.
    Fenced,
}

/// Outboxes. A future that resolves with `Ok` means: durable. Every method is one atomic step per item.
#[async_trait]
pub trait Outbox: Debug + Send + Sync {
    /// Leases up to `max` lanes with messages to send, fair between bots. Lanes of parked bots are left alone.
    async fn claim_out(&self, max: usize) -> StoreResult<(Vec<OutTurn>, Option<TimestampMs>)>;

    /// Notes that the first message is about to be sent, so that a crash leaves it `maybe_sent`. Needed before messages
    /// with [`Ambiguous::Skip`]; others are taken as begun when their lease is lost. `false`: the lease was lost.
    async fn begin_send(&self, lease: &LaneLease) -> StoreResult<bool>;

    /// Acknowledges sends; answers in the same order. Asked twice, the second is `Fenced`.
    async fn ack_out(&self, acks: Vec<AckOut>) -> StoreResult<Vec<AckOutOutcome>>;

    /// Prolongs leases while sends are in flight; answers the tokens to use from now on in the same order, `None` where
    /// the lease was lost. Earlier tokens stay good as at [`super::Lanes::renew`].
    async fn renew_out(&self, leases: &[LaneLease]) -> StoreResult<Vec<Option<Token>>>;

    /// Sends nothing for a bot until then (flood wait of the whole bot, revoked token). `None` lifts it. Survives
    /// restarts.
    async fn park(&self, bot: &BotId, until: Option<TimestampMs>) -> StoreResult<()>;

    /// Says how many messages of each bot wait at this node for the bot's rate, and answers the share of that rate
    /// which the node may use until it asks again, in the same order, above 0 and at most 1. The shares of all nodes
    /// add up to 1 or less as soon as all have asked. Asked every second; a node that stops asking has no share.
    /// A backend that serves one node gives it everything.
    async fn rate_shares(&self, backlogs: &[(BotId, u64)]) -> StoreResult<Vec<f64>> {
        Ok(vec![1.0; backlogs.len()])
    }

    /// Resolves when outboxes may have become ready since the last call: a hint, may be late, early or lost.
    async fn out_ready(&self);
}
