//! Events and telemetry in SQL, told and filled as a whole.

use async_trait::async_trait;
use botloom_core::event::LoggedEvent;
use botloom_core::ids::ProjectId;
use botloom_core::ports::{AnalyticsEvent, StoreError, StoreResult};
use sqlx::query;

use super::{AnalyticsTransfer, EventTransfer};
use crate::analytics::SqliteAnalytics;
use crate::event_log::SqlEventLog;
use crate::sql::{RowExt as _, store_error};

#[async_trait]
impl EventTransfer for SqlEventLog {
    async fn restore(&self, project: ProjectId, events: &[LoggedEvent]) -> StoreResult<()> {
        let mut tx = self.database().write().await?;
        for event in events {
            let json = serde_json::to_string(&event.event)
                .map_err(|error| StoreError::Corrupt(error.to_string()))?;
            query("INSERT INTO events (project_id, seq, bot_id, at, event) VALUES ($1, $2, $3, $4, $5)")
                .bind(project.to_string())
                .bind(event.id.cast_signed())
                .bind(event.bot_id.as_str())
                .bind(event.at.0)
                .bind(json)
                .execute(tx.connection())
                .await
                .map_err(store_error)?;
        }
        tx.commit().await
    }
}

#[async_trait]
impl AnalyticsTransfer for SqliteAnalytics {
    async fn events_behind(&self, after: Option<&str>, limit: usize) -> StoreResult<Vec<AnalyticsEvent>> {
        let rows = query(
            "SELECT id, bot_id, chat, rev, at, expires_at, event, flow, step, fields FROM analytics_events \
             WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after.unwrap_or_default())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.database().reader())
        .await
        .map_err(store_error)?;
        rows.iter()
            .map(|row| {
                Ok(AnalyticsEvent {
                    id: row.text("id")?,
                    bot: row.parsed("bot_id")?,
                    chat: row.parsed("chat")?,
                    rev: row.opt_parsed("rev")?,
                    at: row.time("at")?,
                    expires_at: row.time("expires_at")?,
                    event: row.text("event")?,
                    flow: row.opt_text("flow")?,
                    step: row.opt_text("step")?,
                    fields: row.text("fields")?,
                })
            })
            .collect()
    }

    async fn flush(&self) -> StoreResult<()> {
        // What was recorded is in the database when recording ends.
        Ok(())
    }
}
