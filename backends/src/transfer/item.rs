//! What lanes hold, item by item: how one store tells it and another takes it.

use async_trait::async_trait;
use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{
    ActiveRevision, DedupKey, Direction, NewDeadLetter, OutClass, OutMessage, QueuedMessage, QueuedUpdate,
    StoreResult,
};
use botloom_core::{BotId, Lane, TimestampMs, TraceParent};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::tally::Tally;

/// One thing that lanes, outboxes or dead letters hold. Leases are none: they end with the process that held them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LaneItem {
    /// The revision on which updates of a bot start.
    Revision { bot: BotId, revision: ActiveRevision },
    /// An update id that came.
    Seen {
        bot: BotId,
        key: DedupKey,
        until: TimestampMs,
    },
    /// A chat's document.
    State {
        lane: Lane,
        document: Bytes,
        until: Option<TimestampMs>,
    },
    /// A queued update; those of a lane follow each other in order, `position` counts them from 0.
    Update {
        lane: Lane,
        position: u64,
        update: QueuedUpdate,
    },
    /// Tries of the first update of a lane; absent for 0.
    Attempts { lane: Lane, attempts: u32 },
    /// A message; those of an outbox follow each other in order, `position` counts them from 0.
    Message {
        lane: Lane,
        position: u64,
        message: QueuedMessage,
    },
    /// An outbox that must not be sent from before a moment. Comes before or behind its messages, as the store has them.
    OutDelay {
        lane: Lane,
        until: TimestampMs,
        /// Whether Telegram asked for it.
        flood_wait: bool,
    },
    /// A bot that sends nothing before a moment.
    Park { bot: BotId, until: TimestampMs },
    /// A dead letter; those of a bot and direction follow each other, oldest first. Its id is the store's own.
    Letter {
        position: u64,
        attempts: u32,
        letter: NewDeadLetter,
        /// For a message: all of it, and `letter.body` is empty.
        message: Option<OutMessage>,
    },
}

/// Update ids whose time ends within this time are not told: they are remembered for an hour longer than Telegram repeats
/// an update.
pub(crate) const SEEN_MARGIN_MS: i64 = 3_600_000;

/// Items that expire within this time are moved and not compared: they may be gone before the comparison is made.
const FLEETING_MS: i64 = 3_600_000;

/// Whether what expires at `until` may be gone before anybody compares.
pub(super) fn is_fleeting(until: TimestampMs, now: TimestampMs) -> bool {
    until.since(now) < FLEETING_MS
}

impl LaneItem {
    /// Which count it belongs to.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Revision { .. } => "active revisions",
            Self::Seen { .. } => "known update ids",
            Self::State { .. } => "chat documents",
            Self::Update { .. } | Self::Attempts { .. } => "queued updates",
            Self::Message { .. } | Self::OutDelay { .. } => "queued messages",
            Self::Park { .. } => "parked bots",
            Self::Letter { .. } => "dead letters",
        }
    }

    /// Whether it may be gone before anybody compares.
    pub(crate) fn is_fleeting(&self, now: TimestampMs) -> bool {
        let until = match self {
            Self::OutDelay { until, .. } | Self::Park { until, .. } => Some(*until),
            Self::State { until, .. } => *until,
            _ => None,
        };
        until.is_some_and(|until| is_fleeting(until, now))
    }

    /// Adds it to a tally: everything of it counts, its place in its queue included.
    pub(crate) fn add_to(&self, tally: &mut Tally) {
        let mut fields = Fields(Sha256::new());
        match self {
            Self::Revision { bot, revision } => {
                fields.text("revision").text(bot.as_str());
                fields
                    .number(revision.epoch.0.cast_signed())
                    .text(&revision.rev.to_string());
            }
            // Stores that keep ids in blocks keep them a little longer.
            Self::Seen { bot, key, .. } => {
                fields.text("seen").text(bot.as_str()).dedup(key);
            }
            Self::State {
                lane,
                document,
                until,
            } => {
                fields.text("state").lane(lane).bytes(document);
                fields.option(until.map(|until| until.0));
            }
            Self::Update {
                lane,
                position,
                update,
            } => {
                fields.text("update").lane(lane).number(position.cast_signed());
                fields.dedup(&update.dedup).bytes(&update.envelope);
                fields.number(update.accepted_at.0).trace(update.trace.as_ref());
            }
            Self::Attempts { lane, attempts } => {
                fields.text("attempts").lane(lane).number(i64::from(*attempts));
            }
            Self::Message {
                lane,
                position,
                message,
            } => {
                fields.text("message").lane(lane).number(position.cast_signed());
                fields.message(&message.message);
                fields
                    .number(i64::from(message.attempts))
                    .number(i64::from(message.maybe_sent));
            }
            Self::OutDelay {
                lane,
                until,
                flood_wait,
            } => {
                fields.text("delay").lane(lane).number(until.0);
                fields.number(i64::from(*flood_wait));
            }
            Self::Park { bot, until } => {
                fields.text("park").text(bot.as_str()).number(until.0);
            }
            Self::Letter {
                position,
                attempts,
                letter,
                message,
            } => {
                fields
                    .text("letter")
                    .text(letter.bot.as_str())
                    .number(position.cast_signed());
                fields.text(letter.chat.as_ref().map_or("", |chat| chat.as_str()));
                fields
                    .text(&letter.reason)
                    .text(&letter.detail)
                    .bytes(&letter.body);
                fields.number(letter.at.0).number(i64::from(*attempts));
                if let Some(message) = message {
                    fields.message(message);
                }
            }
        }
        tally.add(fields.0.finalize().into());
    }

    /// Which way a dead letter was going.
    pub(crate) const fn direction(message: Option<&OutMessage>) -> Direction {
        match message {
            None => Direction::In,
            Some(_) => Direction::Out,
        }
    }
}

/// Hashes fields with their lengths, so that no two lists of fields look alike.
struct Fields(Sha256);

impl Fields {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn number(&mut self, number: i64) -> &mut Self {
        self.0.update(number.to_le_bytes());
        self
    }

    fn option(&mut self, number: Option<i64>) -> &mut Self {
        self.number(i64::from(number.is_some()))
            .number(number.unwrap_or(0))
    }

    fn lane(&mut self, lane: &Lane) -> &mut Self {
        self.text(lane.bot.as_str()).text(lane.chat.as_str())
    }

    fn dedup(&mut self, key: &DedupKey) -> &mut Self {
        match key {
            DedupKey::Update(id) => self.text("update").number(*id),
            DedupKey::Synthetic(name) => self.text("synthetic").text(name),
        }
    }

    fn trace(&mut self, trace: Option<&TraceParent>) -> &mut Self {
        self.text(trace.map_or("", TraceParent::as_str))
    }

    fn message(&mut self, message: &OutMessage) -> &mut Self {
        let class = match message.class {
            OutClass::Urgent => "urgent",
            OutClass::Reply => "reply",
            OutClass::Bulk => "bulk",
        };
        let ambiguous = match message.ambiguous {
            Ambiguous::Resend => "resend",
            Ambiguous::Skip => "skip",
        };
        self.text(&message.method)
            .bytes(&message.params)
            .text(class)
            .text(ambiguous);
        self.option(message.not_after.map(|until| until.0))
            .text(&message.cause);
        self
    }
}

/// A store of lanes that nobody uses at the moment, and that can be told and filled as a whole.
#[async_trait]
pub(crate) trait LaneTransfer: Send + Sync {
    /// Whether it holds nothing that could be told.
    async fn is_empty(&self) -> StoreResult<bool>;

    /// Sends everything that is valid at `now`. Ends early without an error when nobody receives.
    async fn export(&self, now: TimestampMs, out: mpsc::Sender<LaneItem>) -> StoreResult<()>;

    /// Takes items in the order in which they were told. What was taken before an error stays.
    async fn import(&self, items: Vec<LaneItem>) -> StoreResult<()>;

    /// Makes what was imported ready to be used. Called once, after the last item.
    async fn finish(&self) -> StoreResult<()>;
}
