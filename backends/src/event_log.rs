//! Live events with replay, in a table.

use std::sync::Arc;

use async_trait::async_trait;
use botloom_core::event::{BotEvent, LoggedEvent};
use botloom_core::ids::{BotId, ProjectId};
use botloom_core::ports::{Bus, EventLog, EventPage, Notice, StoreError, StoreResult};
use botloom_core::time::TimestampMs;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query};

use crate::sql::{Database, RowExt, Statement};

/// Events of a project that always stay.
const KEEP_EVENTS: i64 = 1_000;
/// Milliseconds for which events stay, however many they are.
const KEEP_MS: i64 = 3_600_000;
/// Old events are looked for at every one of so many appends: at each one it would cost more than the append.
const PRUNE_EVERY: i64 = 64;

/// Event logs in a [`Database`].
#[derive(Debug, Clone)]
pub struct SqlEventLog {
    db: Database,
    bus: Arc<dyn Bus>,
}

impl SqlEventLog {
    /// The logs in `db`; what is appended is told to `bus`.
    pub fn new(db: &Database, bus: Arc<dyn Bus>) -> Self {
        Self { db: db.clone(), bus }
    }

    pub(crate) const fn database(&self) -> &Database {
        &self.db
    }
}

#[async_trait]
impl EventLog for SqlEventLog {
    async fn append(
        &self,
        project: ProjectId,
        bot: &BotId,
        at: TimestampMs,
        event: &BotEvent,
    ) -> StoreResult<LoggedEvent> {
        let json = serde_json::to_string(event).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let mut tx = self.db.write().await?;
        let seq = loop {
            // Where transactions run side by side, two may come to the same number; the key makes the second one wait
            // until the first is readable, then it looks again.
            let inserted = query(
                "INSERT INTO events (project_id, seq, bot_id, at, event) \
                 SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4 FROM events WHERE project_id = $1 \
                 ON CONFLICT DO NOTHING RETURNING seq",
            )
            .bind(project.to_string())
            .bind(bot.as_str())
            .bind(at.0)
            .bind(&*json)
            .optional_in(tx.connection())
            .await?;
            if let Some(row) = inserted {
                break row.int("seq")?;
            }
        };
        if seq % PRUNE_EVERY == 0 {
            prune(tx.connection(), project, seq - KEEP_EVENTS, at.plus(-KEEP_MS)).await?;
        }
        tx.commit().await?;
        self.bus.publish(Notice::EventLogged { project }).await;
        Ok(LoggedEvent {
            id: seq.cast_unsigned(),
            project,
            bot_id: bot.clone(),
            at,
            event: event.clone(),
        })
    }

    async fn events_after(&self, project: ProjectId, after: u64, limit: u32) -> StoreResult<EventPage> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let rows = query(
            "SELECT project_id, seq, bot_id, at, event FROM events WHERE project_id = $1 AND seq > $2 \
             ORDER BY seq LIMIT $3",
        )
        .bind(project.to_string())
        .bind(after)
        .bind(i64::from(limit))
        .all(&self.db)
        .await?;
        // Read after the events: pruning in between can then report a gap that is none, never hide one.
        let (oldest, latest) = self.bounds(project).await?;
        Ok(EventPage {
            events: rows.iter().map(logged).collect::<StoreResult<_>>()?,
            gap: after > latest || after < oldest - 1,
            latest: latest.cast_unsigned(),
        })
    }
}

impl SqlEventLog {
    /// Ids of the oldest and the newest event that are kept; 0 and 0 if there are none.
    async fn bounds(&self, project: ProjectId) -> StoreResult<(i64, i64)> {
        let row = query(
            "SELECT COALESCE(MIN(seq), 0) AS oldest, COALESCE(MAX(seq), 0) AS latest FROM events WHERE project_id = $1",
        )
        .bind(project.to_string())
        .optional(&self.db)
        .await?
        .ok_or_else(|| StoreError::Corrupt("an aggregate without a row".to_owned()))?;
        Ok((row.int("oldest")?, row.int("latest")?))
    }
}

/// Forgets what is both older than the events that stay and older than the time that stays.
async fn prune(
    connection: &mut AnyConnection,
    project: ProjectId,
    up_to: i64,
    before: TimestampMs,
) -> StoreResult<()> {
    query("DELETE FROM events WHERE project_id = $1 AND seq <= $2 AND at < $3")
        .bind(project.to_string())
        .bind(up_to)
        .bind(before.0)
        .execute_in(connection)
        .await
        .map(drop)
}

fn logged(row: &AnyRow) -> StoreResult<LoggedEvent> {
    Ok(LoggedEvent {
        id: row.number("seq")?,
        project: row.parsed("project_id")?,
        bot_id: row.parsed("bot_id")?,
        at: row.time("at")?,
        event: row.json("event")?,
    })
}
