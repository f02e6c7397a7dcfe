//! Port: telemetry of bots.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreResult;
use crate::hash::RevHash;
use crate::ids::{BotId, ChatId};
use crate::time::TimestampMs;

/// One recorded event.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalyticsEvent {
    /// Unique: the same id twice is counted once (`<bot>:<update>:<n>`).
    pub id: String,
    /// The bot.
    pub bot: BotId,
    /// The chat.
    pub chat: ChatId,
    /// The revision that ran, if one did.
    pub rev: Option<RevHash>,
    /// When.
    pub at: TimestampMs,
    /// Name: `flow_started`, `update_handled` …
    pub event: String,
    /// Flow, if the event belongs to one.
    pub flow: Option<String>,
    /// Step, if the event belongs to one.
    pub step: Option<String>,
    /// The rest, a JSON object.
    pub fields: String,
}

/// Named queries; there is no free-form query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnalyticsQuery {
    /// How often each event happened: rows `(event, count)`.
    Events,
    /// Different chats per UTC day: rows `(YYYY-MM-DD, count)`.
    ActiveChats,
    /// How many different chats completed each step of a flow: rows `(step, count)`.
    Funnel {
        /// The flow.
        flow: String,
    },
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyticsRow {
    /// What is counted.
    pub key: String,
    /// How many.
    pub count: u64,
}

/// Telemetry: batches in at least once, named queries out. Never on the path of an answer: losing it hurts nobody.
#[async_trait]
pub trait Analytics: Debug + Send + Sync {
    /// Stores a batch; ids that are stored already are skipped.
    async fn record(&self, events: &[AnalyticsEvent]) -> StoreResult<()>;

    /// Answers a named query over `from <= at < to`; rows by key.
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
