//! Live events with replay: a stream per project, `ev:<project>`, whose entries are numbered 1, 2, 3 …
//!
//! The number of the newest event is kept apart (`ev:<project>:last`), for ever: when a silent log is forgotten, its
//! numbers must not be given out again, or a reader that comes back would miss events without being told.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use botloom_core::event::{BotEvent, LoggedEvent};
use botloom_core::ids::{BotId, ProjectId};
use botloom_core::ports::{Bus, EventLog, EventPage, Notice, StoreError, StoreResult};
use botloom_core::time::TimestampMs;
use redis::cmd;

use super::{RedisLink, Script};

static APPEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/event_append.lua")));
static READ: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/event_read.lua")));

/// Events of a project that always stay.
const KEEP_EVENTS: u32 = 1_000;
/// Milliseconds for which events stay, however many they are.
const KEEP_MS: i64 = 3_600_000;
/// A log in which nothing happened for so many milliseconds is forgotten: even one with a single event takes 4 KiB.
const SILENT_MS: i64 = 7 * 24 * 3_600_000;

/// Event logs in a Redis.
#[derive(Debug, Clone)]
pub struct RedisEventLog {
    link: RedisLink,
    bus: Arc<dyn Bus>,
}

impl RedisEventLog {
    /// The logs behind `link`; what is appended is told to `bus`.
    pub fn new(link: &RedisLink, bus: Arc<dyn Bus>) -> Self {
        Self {
            link: link.clone(),
            bus,
        }
    }

    /// The log and the number of its newest event, on a cluster in one slot.
    fn keys(&self, project: ProjectId) -> [String; 2] {
        let log = if self.link.is_cluster() {
            format!("ev:{{{project}}}")
        } else {
            format!("ev:{project}")
        };
        let last = format!("{log}:last");
        [log, last]
    }
}

impl RedisEventLog {
    /// Appends an event under the number that it has, which must be higher than all others.
    pub(crate) async fn put(&self, project: ProjectId, event: &LoggedEvent) -> StoreResult<()> {
        let json =
            serde_json::to_string(&event.event).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let [log, last] = self.keys(project);
        let mut add = cmd("XADD");
        add.arg(&log).arg(format!("{}-0", event.id));
        add.arg("bot")
            .arg(event.bot_id.as_str())
            .arg("at")
            .arg(event.at.0)
            .arg("event")
            .arg(json);
        self.link.run::<String>(&add).await?;
        self.link.run::<()>(cmd("SET").arg(&last).arg(event.id)).await?;
        self.link
            .run::<u8>(cmd("PEXPIRE").arg(&log).arg(SILENT_MS))
            .await
            .map(drop)
    }
}

#[async_trait]
impl EventLog for RedisEventLog {
    async fn append(
        &self,
        project: ProjectId,
        bot: &BotId,
        at: TimestampMs,
        event: &BotEvent,
    ) -> StoreResult<LoggedEvent> {
        let json = serde_json::to_string(event).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let args = (
            bot.as_str(),
            at.0,
            json,
            KEEP_EVENTS,
            at.plus(-KEEP_MS).0,
            SILENT_MS,
        );
        let id: u64 = self.link.script(&APPEND, &self.keys(project), args).await?;
        self.bus.publish(Notice::EventLogged { project }).await;
        Ok(LoggedEvent {
            id,
            project,
            bot_id: bot.clone(),
            at,
            event: event.clone(),
        })
    }

    async fn events_after(&self, project: ProjectId, after: u64, limit: u32) -> StoreResult<EventPage> {
        let args = (after.saturating_add(1), limit);
        let (latest, oldest, entries): (u64, u64, Vec<(String, Vec<String>)>) =
            self.link.script(&READ, &self.keys(project), args).await?;
        Ok(EventPage {
            events: entries
                .iter()
                .map(|(id, fields)| logged(project, id, fields))
                .collect::<StoreResult<_>>()?,
            gap: after > latest || after + 1 < oldest,
            latest,
        })
    }
}

fn logged(project: ProjectId, id: &str, fields: &[String]) -> StoreResult<LoggedEvent> {
    let read = || {
        // A newer version may write more behind them.
        let [_, bot, _, at, _, event, ..] = fields else {
            return None;
        };
        Some(LoggedEvent {
            id: id.split_once('-')?.0.parse().ok()?,
            project,
            bot_id: bot.parse().ok()?,
            at: TimestampMs(at.parse().ok()?),
            event: serde_json::from_str(event).ok()?,
        })
    };
    read().ok_or_else(|| StoreError::Corrupt(format!("event {id} of project {project}")))
}
