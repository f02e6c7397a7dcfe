//! Port: live events with replay.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreResult;
use crate::event::{BotEvent, LoggedEvent};
use crate::ids::{BotId, ProjectId};
use crate::time::TimestampMs;

/// A piece of a project's log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventPage {
    /// Events after the id asked for, in order.
    pub events: Vec<LoggedEvent>,
    /// Events between the id asked for and the first of `events` are gone, or the id was never given out: the reader
    /// must fetch everything anew.
    pub gap: bool,
    /// Id of the newest event in the log, 0 if there never was one.
    pub latest: u64,
}

/// Events per project. Keeps at least the last 1,000 events of a project, or those of the last hour if they are more; a
/// log in which nothing happened for 7 days may be forgotten, its ids are not given out again.
#[async_trait]
pub trait EventLog: Debug + Send + Sync {
    /// Appends an event; ids of a project are 1, 2, 3 … in the order in which they become readable. Publishes
    /// [`super::Notice::EventLogged`].
    async fn append(
        &self,
        project: ProjectId,
        bot: &BotId,
        at: TimestampMs,
        event: &BotEvent,
    ) -> StoreResult<LoggedEvent>;

    /// Up to `limit` events after `after`.
    async fn events_after(&self, project: ProjectId, after: u64, limit: u32) -> StoreResult<EventPage>;
}
