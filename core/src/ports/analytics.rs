//! Port: telemetry of bots.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreResult;
use crate::grid::Grid;
use crate::hash::RevHash;
use crate::ids::{BotId, ChatId};
use crate::time::TimestampMs;

/// How long an event is kept whose bot says nothing about it: 400 days, so that a year can be compared with the one before.
pub const DEFAULT_RETENTION_MS: i64 = 400 * 24 * 60 * 60 * 1_000;

/// Names of events that the platform records itself, and of the events of bot code that queries know.
pub mod event {
    /// An update took effect. Field `latencyMs`: milliseconds from its acceptance to its commit.
    pub const UPDATE_HANDLED: &str = "update_handled";
    /// Telegram took a message.
    pub const MESSAGE_SENT: &str = "message_sent";
    /// An update or a message was set aside. Field `reason`: its code.
    pub const ERROR: &str = "error";
    /// A revision went live. Field `epoch`: its epoch.
    pub const DEPLOYED: &str = "deployed";
    /// A chat entered a flow.
    pub const FLOW_STARTED: &str = "flow_started";
    /// A chat came to the end of a flow.
    pub const FLOW_COMPLETED: &str = "flow_completed";
    /// An `apiCall` ended. Fields `reason`: `ok`, `status-<code>` or why there was no answer; `latencyMs`: milliseconds with
    /// all its retries; `host`.
    pub const API_CALL: &str = "api_call";
    /// [`API_CALL`]'s reason of a call that went well.
    pub const API_CALL_OK: &str = "ok";
    /// A step of a flow is done.
    pub const STEP_COMPLETED: &str = "step_completed";
}

/// One recorded event.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalyticsEvent {
    /// Unique in the bot: the same id twice is counted once, and the first one counts (`<bot>:<update>:<n>`).
    pub id: String,
    /// The bot.
    pub bot: BotId,
    /// The chat; `-` where there is none.
    pub chat: ChatId,
    /// The revision that ran, if one did.
    pub rev: Option<RevHash>,
    /// When.
    pub at: TimestampMs,
    /// From when on it may be deleted: some hours or days later it is.
    pub expires_at: TimestampMs,
    /// Name, one of [`event`] or of the bot's own.
    pub event: String,
    /// Flow, if the event belongs to one.
    pub flow: Option<String>,
    /// Step, if the event belongs to one.
    pub step: Option<String>,
    /// The rest, a JSON object.
    pub fields: String,
}

/// Named queries; there is no free-form query. Where time is cut by a [`Grid`], keys are the labels of its pieces, and pieces
/// in which nothing happened are absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnalyticsQuery {
    /// How often each event happened: `event | count`.
    Events,
    /// All in one row, whose key is empty: updates that took effect, messages that Telegram took, errors, different chats
    /// whose updates took effect, `apiCall`s and those of them that failed.
    Totals,
    /// Updates that took effect and messages that Telegram took: `time | in, out`.
    Messages(Grid),
    /// Different chats whose updates took effect, and those of them whose first stored update is of that piece and within
    /// the time asked for: `time | active, new`.
    Chats(Grid),
    /// How often each flow was started and completed, and by how many different chats it was started:
    /// `flow | started, completed, chats`.
    Flows,
    /// How far chats came in a flow: `step | chats, left`. `chats` is how many different chats completed the step,
    /// `left` how many of them did nothing later in the flow: neither completed a step or the flow, nor started it
    /// again. A first row with an empty key counts chats that started the flow and those that left before any step.
    /// Of events of one moment, the one with the longer id is later, then the one with the greater id.
    Funnel {
        /// The flow.
        flow: String,
    },
    /// Errors by reason: `reason | count`.
    Errors,
    /// Errors: `time | count`.
    ErrorsOver(Grid),
    /// Milliseconds from the acceptance of an update to its commit: `time | updates, p50, p95, p99`. A percentile is the
    /// smallest value that at least so many percent of the updates do not exceed (nearest rank), so that it is always a
    /// time that really was.
    Latency(Grid),
    /// `apiCall`s by how they ended, and how long they took: `outcome | calls, p50, p95, p99`.
    ApiCalls,
    /// The same by time, however they ended, with those that failed: `time | calls, failed`.
    ApiCallsOver(Grid),
    /// Which revision went live when, in order of time: `revision | atMs, epoch`.
    Deploys,
}

impl AnalyticsQuery {
    /// Names of the columns of the answer: the key's, then those of the values.
    pub const fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::Events => &["event", "count"],
            Self::Totals => &[
                "",
                "updates",
                "messages",
                "errors",
                "chats",
                "apiCalls",
                "apiCallsFailed",
            ],
            Self::Messages(_) => &["time", "in", "out"],
            Self::Chats(_) => &["time", "active", "new"],
            Self::Flows => &["flow", "started", "completed", "chats"],
            Self::Funnel { .. } => &["step", "chats", "left"],
            Self::Errors => &["reason", "count"],
            Self::ErrorsOver(_) => &["time", "count"],
            Self::Latency(_) => &["time", "updates", "p50", "p95", "p99"],
            Self::ApiCalls => &["outcome", "calls", "p50", "p95", "p99"],
            Self::ApiCallsOver(_) => &["time", "calls", "failed"],
            Self::Deploys => &["revision", "atMs", "epoch"],
        }
    }
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyticsRow {
    /// What the numbers are about.
    pub key: String,
    /// One number for each of [`AnalyticsQuery::columns`] but the first.
    pub values: Vec<u64>,
}

/// Telemetry: batches in at least once, named queries out. Never on the path of an answer: losing it hurts nobody.
#[async_trait]
pub trait Analytics: Debug + Send + Sync {
    /// Takes a batch over; ids that are stored already are skipped. Queries may see it a little later (a second or two;
    /// longer while a store behind a buffer is away).
    async fn record(&self, events: &[AnalyticsEvent]) -> StoreResult<()>;

    /// Answers a named query over `from <= at < to`; rows by key, unless the query says otherwise.
    async fn query(
        &self,
        bot: &BotId,
        from: TimestampMs,
        to: TimestampMs,
        query: &AnalyticsQuery,
    ) -> StoreResult<Vec<AnalyticsRow>>;

    /// Deletes events of a bot older than `before`; answers how many.
    async fn expire(&self, bot: &BotId, before: TimestampMs) -> StoreResult<u64>;
}
