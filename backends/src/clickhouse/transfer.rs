//! Telemetry told as a whole, for a move.

use std::time::Duration;

use async_trait::async_trait;
use botloom_core::TimestampMs;
use botloom_core::ports::{AnalyticsEvent, StoreError, StoreResult};
use serde::Deserialize;

use super::{ClickHouseAnalytics, QUERY_WAIT, within};
use crate::transfer::AnalyticsTransfer;

/// How long everything that was recorded may take to arrive. Nobody else uses the store meanwhile.
const FLUSH_WITHIN: Duration = Duration::from_mins(10);

#[derive(Debug, Deserialize)]
struct Told {
    id: String,
    bot_id: String,
    chat: String,
    rev: String,
    at: i64,
    expires_at: i64,
    event: String,
    flow: String,
    step: String,
    fields: String,
}

#[async_trait]
impl AnalyticsTransfer for ClickHouseAnalytics {
    async fn events_behind(&self, after: Option<&str>, limit: usize) -> StoreResult<Vec<AnalyticsEvent>> {
        let select = self
            .client
            .query_raw(
                "SELECT id, bot_id, chat, rev, at, expires_at, event, flow, step, fields FROM analytics_events FINAL \
                 WHERE id > {after:String} ORDER BY id LIMIT {limit:UInt64}",
            )
            .with_setting("wait_end_of_query", "1")
            .with_setting("output_format_json_quote_64bit_integers", "0")
            .param("after", after.unwrap_or_default())
            .param("limit", limit as u64);
        let answer = within(QUERY_WAIT, async {
            select.fetch_bytes("JSONEachRow")?.collect().await
        });
        let answer = answer.await?;
        answer
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(event)
            .collect()
    }

    async fn flush(&self) -> StoreResult<()> {
        Self::flush(self, FLUSH_WITHIN).await
    }
}

fn event(line: &[u8]) -> StoreResult<AnalyticsEvent> {
    let corrupt = || StoreError::Corrupt("a row of telemetry has another form".to_owned());
    let told: Told = serde_json::from_slice(line).map_err(|_| corrupt())?;
    let given = |text: String| (!text.is_empty()).then_some(text);
    Ok(AnalyticsEvent {
        id: told.id,
        bot: told.bot_id.parse().map_err(|_| corrupt())?,
        chat: told.chat.parse().map_err(|_| corrupt())?,
        rev: given(told.rev)
            .map(|rev| rev.parse().map_err(|_| corrupt()))
            .transpose()?,
        at: TimestampMs(told.at),
        expires_at: TimestampMs(told.expires_at),
        event: told.event,
        flow: given(told.flow),
        step: given(told.step),
        fields: told.fields,
    })
}
