//! What must survive a restart, as the model asks for it. No rules live here.

use std::fmt::Debug;

use botloom_core::ports::{
    ActiveRevision, ChatState, DedupKey, Direction, LetterQuery, OutClass, OutMessage, QueuedMessage,
    QueuedUpdate, StoreResult,
};
use botloom_core::{BotId, ChatId, Lane, TimestampMs};
use bytes::Bytes;

/// An update with its place in its lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredUpdate {
    /// Grows with every update; unique for ever.
    pub(crate) seq: u64,
    pub(crate) update: QueuedUpdate,
}

/// Place of a message in its outbox: urgent ones first, then in the order they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MessageKey {
    pub(crate) rank: u8,
    pub(crate) seq: u64,
}

impl MessageKey {
    pub(crate) const fn new(class: OutClass, seq: u64) -> Self {
        let rank = match class {
            OutClass::Urgent => 0,
            OutClass::Reply | OutClass::Bulk => 1,
        };
        Self { rank, seq }
    }
}

/// A message with what is known about its sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredMessage {
    pub(crate) key: MessageKey,
    pub(crate) queued: QueuedMessage,
    /// Whether its holder noted that it starts to send it.
    pub(crate) begun: bool,
}

/// A lane with updates, as a restart finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LaneSummary {
    pub(crate) lane: Lane,
    pub(crate) updates: usize,
    /// When the first update came.
    pub(crate) oldest: TimestampMs,
    /// Tries of the first update.
    pub(crate) attempts: u32,
}

/// An outbox with messages, as a restart finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutboxSummary {
    pub(crate) lane: Lane,
    pub(crate) messages: usize,
    pub(crate) delay: Option<OutDelay>,
}

/// Until when an outbox must not be sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutDelay {
    pub(crate) until: TimestampMs,
    /// Whether Telegram asked for it.
    pub(crate) flood_wait: bool,
}

/// What a dead letter holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Payload {
    Update(Bytes),
    Message(OutMessage),
}

impl Payload {
    pub(crate) const fn direction(&self) -> Direction {
        match self {
            Self::Update(_) => Direction::In,
            Self::Message(_) => Direction::Out,
        }
    }
}

/// A dead letter as stored, apart from its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) bot: BotId,
    pub(crate) chat: Option<ChatId>,
    pub(crate) reason: String,
    pub(crate) detail: String,
    pub(crate) at: TimestampMs,
    pub(crate) attempts: u32,
    pub(crate) payload: Payload,
}

/// Storage under the model. A method that fails leaves the whole group of changes to be rolled back by the caller; the
/// model has not changed its own memory for that step then.
pub(crate) trait Records: Debug + Send + 'static {
    /// Counts the starts of the store and answers the number of this one, unique for ever.
    fn begin_run(&mut self) -> StoreResult<u64>;
    /// Marks what may have been in flight when the last run ended: messages whose sending had begun, and the first
    /// [`botloom_core::bot_js::Ambiguous::Resend`] message of each rank of each outbox.
    fn suspect_heads(&mut self) -> StoreResult<()>;
    /// All lanes with updates.
    fn lanes(&mut self) -> StoreResult<Vec<LaneSummary>>;
    /// All outboxes with messages.
    fn outboxes(&mut self) -> StoreResult<Vec<OutboxSummary>>;
    fn revisions(&mut self) -> StoreResult<Vec<(BotId, ActiveRevision)>>;
    fn parks(&mut self) -> StoreResult<Vec<(BotId, TimestampMs)>>;
    fn dead_counts(&mut self) -> StoreResult<Vec<(BotId, Direction, u64)>>;

    /// Notes an update id until `until`; `false` if it is noted already.
    fn see(&mut self, bot: &BotId, key: &DedupKey, now: TimestampMs, until: TimestampMs)
    -> StoreResult<bool>;
    fn seen(&mut self, bot: &BotId, key: &DedupKey, now: TimestampMs) -> StoreResult<bool>;

    fn push_update(&mut self, lane: &Lane, seq: u64, update: &QueuedUpdate) -> StoreResult<()>;
    /// Updates behind `after` in order.
    fn updates(&mut self, lane: &Lane, after: u64, limit: usize) -> StoreResult<Vec<StoredUpdate>>;
    /// Deletes the updates up to `through`.
    fn pop_updates(&mut self, lane: &Lane, through: u64) -> StoreResult<()>;
    fn set_attempts(&mut self, lane: &Lane, attempts: u32) -> StoreResult<()>;

    fn state(&mut self, lane: &Lane, now: TimestampMs) -> StoreResult<Option<Bytes>>;
    fn put_state(&mut self, lane: &Lane, document: &Bytes, until: Option<TimestampMs>) -> StoreResult<()>;
    /// Sets the expiry of a document that has not expired.
    fn touch_state(&mut self, lane: &Lane, now: TimestampMs, until: TimestampMs) -> StoreResult<()>;
    fn delete_state(&mut self, lane: &Lane) -> StoreResult<()>;
    /// Documents of a bot that have not expired, by chat, behind `after`.
    fn states(
        &mut self,
        bot: &BotId,
        after: Option<&ChatId>,
        now: TimestampMs,
        limit: usize,
    ) -> StoreResult<Vec<ChatState>>;

    fn push_message(&mut self, lane: &Lane, message: &StoredMessage) -> StoreResult<()>;
    /// First messages in order.
    fn messages(&mut self, lane: &Lane, limit: usize) -> StoreResult<Vec<StoredMessage>>;
    /// Writes attempts and marks of a message.
    fn mark_message(&mut self, lane: &Lane, message: &StoredMessage) -> StoreResult<()>;
    fn pop_message(&mut self, lane: &Lane, key: MessageKey) -> StoreResult<()>;
    fn set_out_delay(&mut self, lane: &Lane, delay: Option<OutDelay>) -> StoreResult<()>;

    fn put_revision(&mut self, bot: &BotId, revision: ActiveRevision) -> StoreResult<()>;
    fn put_park(&mut self, bot: &BotId, until: Option<TimestampMs>) -> StoreResult<()>;

    /// Stores a dead letter and answers its number, unique for ever.
    fn add_letter(&mut self, letter: &Letter) -> StoreResult<u64>;
    fn letter(&mut self, bot: &BotId, number: u64) -> StoreResult<Option<Letter>>;
    /// Those that are meant, in the order asked for, beyond `from`.
    fn letters(
        &mut self,
        bot: &BotId,
        query: &LetterQuery,
        from: Option<u64>,
        limit: usize,
    ) -> StoreResult<Vec<(u64, Letter)>>;
    /// How many are meant.
    fn count_letters(&mut self, bot: &BotId, query: &LetterQuery) -> StoreResult<u64>;
    fn delete_letter(&mut self, bot: &BotId, number: u64) -> StoreResult<()>;
    /// Deletes the `count` oldest.
    fn delete_oldest_letters(&mut self, bot: &BotId, direction: Direction, count: u64) -> StoreResult<()>;

    /// Forgets everything of a bot.
    fn purge(&mut self, bot: &BotId) -> StoreResult<()>;
}
