//! Queues of tasks in a table.

pub(crate) mod rows;

use std::time::Duration;

use async_trait::async_trait;
use botloom_core::hash::RevHash;
use botloom_core::ids::TaskId;
use botloom_core::model::{Task, TaskError, TaskKind};
use botloom_core::ports::{EnqueueOutcome, NewTask, StoreResult, TaskLease, Tasks};
use botloom_core::time::TimestampMs;
use tokio::sync::Notify;

use crate::sql::Database;
use rows::{Queued, TaskRows};

/// Tasks in a [`Database`]; wakes the workers of this process.
#[derive(Debug)]
pub struct SqlTasks {
    rows: TaskRows,
    nudges: Nudges,
}

/// Wakes who waits for tasks of a kind. One nudge is kept for whoever comes next.
#[derive(Debug, Default)]
pub(crate) struct Nudges {
    generate: Notify,
    deploy: Notify,
}

impl Nudges {
    pub(crate) fn of(&self, kind: TaskKind) -> &Notify {
        match kind {
            TaskKind::Generate => &self.generate,
            TaskKind::Deploy => &self.deploy,
        }
    }
}

impl SqlTasks {
    /// The tasks in `db`.
    pub fn new(db: &Database) -> Self {
        Self {
            rows: TaskRows::new(db),
            nudges: Nudges::default(),
        }
    }

    /// Ends every lease. For the start of the only process that works on these tasks: whoever held one is gone, and
    /// waiting for the lease to run out would only delay what it left behind.
    pub async fn end_leases(&self) -> StoreResult<()> {
        self.rows.end_leases().await
    }
}

#[async_trait]
impl Tasks for SqlTasks {
    async fn enqueue(&self, task: &NewTask) -> StoreResult<EnqueueOutcome> {
        let outcome = match self.rows.queue(task).await? {
            Queued::New => EnqueueOutcome::Queued,
            Queued::Known => EnqueueOutcome::Existing,
            Queued::Busy(other) => return Ok(EnqueueOutcome::Busy(other)),
        };
        self.nudges.of(task.payload.kind()).notify_one();
        Ok(outcome)
    }

    async fn task(&self, id: &TaskId) -> StoreResult<Option<Task>> {
        Ok(self.rows.read(id).await?.map(|row| row.task))
    }

    async fn lease(
        &self,
        kind: TaskKind,
        now: TimestampMs,
        lease: Duration,
        max_attempts: u32,
    ) -> StoreResult<Option<TaskLease>> {
        while let Some(candidate) = self.rows.oldest_due(kind, now).await? {
            if let Some(taken) = self.rows.take(candidate, now, lease, max_attempts).await? {
                // Hints come together where nobody waits for them: let the next worker look for the next task.
                self.nudges.of(kind).notify_one();
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    async fn heartbeat(
        &self,
        id: &TaskId,
        fence: i64,
        progress: u8,
        now: TimestampMs,
        lease: Duration,
    ) -> StoreResult<bool> {
        self.rows.heartbeat(id, fence, progress, now, lease).await
    }

    async fn finish(
        &self,
        id: &TaskId,
        fence: i64,
        result: Result<Option<RevHash>, TaskError>,
        now: TimestampMs,
    ) -> StoreResult<bool> {
        self.rows.finish(id, fence, result, now).await
    }

    async fn give_back(&self, id: &TaskId, fence: i64, due: TimestampMs) -> StoreResult<bool> {
        let given_back = self.rows.give_back(id, fence, due).await?;
        if given_back && let Some(row) = self.rows.read(id).await? {
            self.nudges.of(row.task.payload.kind()).notify_one();
        }
        Ok(given_back)
    }

    async fn due(&self, kind: TaskKind) {
        self.nudges.of(kind).notified().await;
    }
}
