//! Telemetry in SQLite. Its dialect may be used here: installations with services keep telemetry in another engine.

use async_trait::async_trait;
use botloom_core::ids::BotId;
use botloom_core::ports::{Analytics, AnalyticsEvent, AnalyticsQuery, AnalyticsRow, StoreResult};
use botloom_core::time::TimestampMs;
use serde_json::json;
use sqlx::query;

use crate::sql::{Database, RowExt, store_error};

/// Events written in one statement: a longer batch gives other writers their turn in between.
const ROWS_PER_STATEMENT: usize = 500;

/// The event that the compiler's programs record when a step of a flow is done.
const STEP_COMPLETED: &str = "step_completed";

/// Telemetry in a [`Database`].
#[derive(Debug, Clone)]
pub struct SqliteAnalytics {
    db: Database,
}

impl SqliteAnalytics {
    /// The telemetry in `db`.
    pub fn new(db: &Database) -> Self {
        Self { db: db.clone() }
    }

    pub(crate) const fn database(&self) -> &Database {
        &self.db
    }
}

#[async_trait]
impl Analytics for SqliteAnalytics {
    async fn record(&self, events: &[AnalyticsEvent]) -> StoreResult<()> {
        for batch in events.chunks(ROWS_PER_STATEMENT) {
            let rows: Vec<_> = batch.iter().map(event_json).collect();
            // `WHERE true` tells the parser that `ON` does not begin a join.
            let insert = query(
                "INSERT INTO analytics_events (id, bot_id, chat, rev, at, event, flow, step, fields) \
                 SELECT e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4, e.value ->> 5, \
                 e.value ->> 6, e.value ->> 7, e.value ->> 8 FROM json_each($1) AS e WHERE true \
                 ON CONFLICT (id) DO NOTHING",
            )
            .bind(serde_json::Value::from(rows).to_string());
            self.db.execute(insert).await?;
        }
        Ok(())
    }

    async fn query(
        &self,
        bot: &BotId,
        from: TimestampMs,
        to: TimestampMs,
        question: &AnalyticsQuery,
    ) -> StoreResult<Vec<AnalyticsRow>> {
        let select = match question {
            AnalyticsQuery::Events => query(
                "SELECT event AS label, COUNT(*) AS counted FROM analytics_events \
                 WHERE bot_id = $1 AND at >= $2 AND at < $3 GROUP BY event ORDER BY event",
            ),
            AnalyticsQuery::ActiveChats => query(
                "SELECT strftime('%Y-%m-%d', at / 1000, 'unixepoch') AS label, COUNT(DISTINCT chat) AS counted \
                 FROM analytics_events WHERE bot_id = $1 AND at >= $2 AND at < $3 GROUP BY 1 ORDER BY 1",
            ),
            AnalyticsQuery::Funnel { .. } => query(
                "SELECT step AS label, COUNT(DISTINCT chat) AS counted FROM analytics_events \
                 WHERE bot_id = $1 AND at >= $2 AND at < $3 AND event = $4 AND flow = $5 AND step IS NOT NULL \
                 GROUP BY step ORDER BY step",
            ),
        };
        let mut select = select.bind(bot.as_str()).bind(from.0).bind(to.0);
        if let AnalyticsQuery::Funnel { flow } = question {
            select = select.bind(STEP_COMPLETED).bind(&**flow);
        }
        let rows = select.fetch_all(self.db.reader()).await.map_err(store_error)?;
        rows.iter()
            .map(|row| {
                Ok(AnalyticsRow {
                    key: row.text("label")?,
                    count: row.number("counted")?,
                })
            })
            .collect()
    }

    async fn expire(&self, bot: &BotId, before: TimestampMs) -> StoreResult<u64> {
        let delete = query("DELETE FROM analytics_events WHERE bot_id = $1 AND at < $2")
            .bind(bot.as_str())
            .bind(before.0);
        self.db.execute(delete).await
    }
}

fn event_json(event: &AnalyticsEvent) -> serde_json::Value {
    json!([
        event.id,
        event.bot,
        event.chat,
        event.rev,
        event.at,
        event.event,
        event.flow,
        event.step,
        event.fields,
    ])
}
