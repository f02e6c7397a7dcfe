//! Telemetry in SQLite: beside the catalog, or in a file of its own where the catalog is another database.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use botloom_core::ids::BotId;
use botloom_core::ports::{Analytics, AnalyticsEvent, AnalyticsQuery, AnalyticsRow, StoreError, StoreResult};
use botloom_core::time::{Clock as _, SystemClock, TimestampMs};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _, query};

use super::{Dialect, statement};
use crate::error::ConnectError;
use crate::sql::{Database, RowExt, store_error};

/// Events written in one statement: a longer batch gives other writers their turn in between.
const ROWS_PER_STATEMENT: usize = 500;
/// How often events are looked for that have expired.
const SWEEP_EVERY_MS: i64 = 60 * 60 * 1_000;
/// Expired events deleted at once.
const SWEPT_AT_ONCE: i64 = 5_000;

const DIALECT: Dialect = Dialect {
    events: "analytics_events",
    chat_days: "(SELECT strftime('%Y-%m-%d', at / 1000, 'unixepoch') AS day, chat, at AS first_at, at AS last_at \
        FROM analytics_events WHERE bot_id = $1 AND at < $3 AND event = 'update_handled')",
    bot: "$1",
    from: "$2",
    to: "$3",
    flow: "$4",
    day: "strftime('%Y-%m-%d', {at} / 1000, 'unixepoch')",
    hour: "strftime('%Y-%m-%dT%H:00', {at} / 1000, 'unixepoch')",
    latency: "CAST(fields ->> '$.latencyMs' AS INTEGER)",
    reason: "COALESCE(fields ->> '$.reason', '')",
    epoch: "CAST(fields ->> '$.epoch' AS INTEGER)",
    step: "COALESCE(step, '')",
    id_length: "length(id)",
};

/// Telemetry in a [`Database`] that is SQLite. Clones share it.
#[derive(Debug, Clone)]
pub struct SqliteAnalytics {
    db: Database,
    /// When expired events were looked for last.
    swept_at: Arc<AtomicI64>,
}

impl SqliteAnalytics {
    /// The telemetry in `db`.
    pub fn new(db: &Database) -> Self {
        Self {
            db: db.clone(),
            swept_at: Arc::new(AtomicI64::new(i64::MIN)),
        }
    }

    /// Opens or makes a file for telemetry alone; `path` must be absolute. It has the tables of a whole installation,
    /// of which only those of the telemetry are used.
    pub async fn open(path: &Path) -> Result<Self, ConnectError> {
        Ok(Self::new(&Database::open_sqlite(path).await?))
    }

    pub(crate) const fn database(&self) -> &Database {
        &self.db
    }

    /// Waits for what is under way and closes the file; every later call fails.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// Deletes some of what has expired, if nobody looked for an hour. There is no task for it: a store that nobody
    /// writes to does not grow.
    async fn sweep(&self) -> StoreResult<()> {
        let (now, swept_at) = (SystemClock.now().0, self.swept_at.load(Ordering::Relaxed));
        if now.saturating_sub(swept_at) < SWEEP_EVERY_MS {
            return Ok(());
        }
        let delete = query(
            "DELETE FROM analytics_events WHERE id IN \
             (SELECT id FROM analytics_events WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        )
        .bind(now)
        .bind(SWEPT_AT_ONCE);
        if self.db.execute(delete).await? < SWEPT_AT_ONCE.unsigned_abs() {
            self.swept_at.store(now, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[async_trait]
impl Analytics for SqliteAnalytics {
    async fn record(&self, events: &[AnalyticsEvent]) -> StoreResult<()> {
        for batch in events.chunks(ROWS_PER_STATEMENT) {
            let rows: Vec<_> = batch.iter().map(event_json).collect();
            // `WHERE true` tells the parser that `ON` does not begin a join.
            let insert = query(
                "INSERT INTO analytics_events (id, bot_id, chat, rev, at, expires_at, event, flow, step, fields) \
                 SELECT e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4, e.value ->> 5, \
                 e.value ->> 6, e.value ->> 7, e.value ->> 8, e.value ->> 9 FROM json_each($1) AS e WHERE true \
                 ON CONFLICT (id) DO NOTHING",
            )
            .bind(serde_json::Value::from(rows).to_string());
            self.db.execute(insert).await?;
        }
        // The batch is stored, whatever becomes of old ones.
        if let Err(error) = self.sweep().await {
            tracing::warn!(error = %error, "expired telemetry could not be deleted");
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
        // The text is made of constants alone; what was asked for is bound.
        let text = AssertSqlSafe(statement(&DIALECT, question));
        let mut select = query(text).bind(bot.as_str()).bind(from.0).bind(to.0);
        if let AnalyticsQuery::Funnel { flow } = question {
            select = select.bind(&**flow);
        }
        let rows = select.fetch_all(self.db.questions()).await.map_err(store_error)?;
        rows.iter().map(answer).collect()
    }

    async fn expire(&self, bot: &BotId, before: TimestampMs) -> StoreResult<u64> {
        let delete = query("DELETE FROM analytics_events WHERE bot_id = $1 AND at < $2")
            .bind(bot.as_str())
            .bind(before.0);
        self.db.execute(delete).await
    }
}

fn answer(row: &AnyRow) -> StoreResult<AnalyticsRow> {
    let number = |column: usize| {
        let number: i64 = row.try_get(column).map_err(store_error)?;
        u64::try_from(number).map_err(|_| StoreError::Corrupt(format!("column {column} of an answer")))
    };
    Ok(AnalyticsRow {
        key: row.text("label")?,
        values: (1..row.len()).map(number).collect::<StoreResult<_>>()?,
    })
}

fn event_json(event: &AnalyticsEvent) -> serde_json::Value {
    json!([
        event.id,
        event.bot,
        event.chat,
        event.rev,
        event.at,
        event.expires_at,
        event.event,
        event.flow,
        event.step,
        event.fields,
    ])
}

#[cfg(test)]
mod tests {
    use std::task::Poll;
    use std::time::Duration;

    use botloom_core::ports::Bots as _;

    use super::*;
    use crate::catalog::SqlCatalog;

    /// Takes for ever.
    const ENDLESS: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

    fn event(number: u32) -> AnalyticsEvent {
        AnalyticsEvent {
            id: number.to_string(),
            bot: "a-bot".parse().unwrap(),
            chat: 1.into(),
            rev: None,
            at: SystemClock.now(),
            expires_at: SystemClock.now().plus(86_400_000),
            event: "update_handled".to_owned(),
            flow: None,
            step: None,
            fields: "{}".to_owned(),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn questions_that_never_end_hold_up_neither_catalog_nor_telemetry() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open_sqlite(&folder.path().join("control.db"))
            .await
            .unwrap();
        let (analytics, catalog) = (SqliteAnalytics::new(&db), SqlCatalog::new(&db));
        let both_busy = || db.questions().size() == 2 && db.questions().num_idle() == 0;
        let questions: Vec<_> = (0..2)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move { query(ENDLESS).fetch_all(db.questions()).await.is_ok() })
            })
            .collect();
        while !both_busy() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let bot: BotId = "a-bot".parse().unwrap();
        let (from, to) = (TimestampMs(0), SystemClock.now().plus(1_000));
        let waiting = analytics.query(&bot, from, to, &AnalyticsQuery::Totals);
        tokio::pin!(waiting);
        assert!(
            futures_util::poll!(&mut waiting).is_pending(),
            "a question has to wait for a place"
        );
        for number in 0..5 {
            assert_eq!(catalog.bot(&bot).await.unwrap(), None);
            analytics.record(&[event(number)]).await.unwrap();
        }
        assert!(both_busy() && questions.iter().all(|question| !question.is_finished()));
        // It may have given up by now.
        let waiting = futures_util::poll!(&mut waiting);
        assert!(!matches!(waiting, Poll::Ready(Ok(_))), "{waiting:?}");
    }
}
