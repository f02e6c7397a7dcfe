//! Port: work for the generator and the deployer.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use super::StoreResult;
use crate::hash::RevHash;
use crate::ids::{BotId, ProjectId, TaskId, UserId};
use crate::model::{Task, TaskError, TaskKind, TaskPayload};
use crate::time::TimestampMs;

/// A task to be queued.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Id. The same id again is the same task.
    pub id: TaskId,
    /// Whose.
    pub project: ProjectId,
    /// The bot.
    pub bot: BotId,
    /// What is to be done.
    pub payload: TaskPayload,
    /// While a task with the same text has not ended, another one is refused (`gen:<bot>:<version>`).
    pub exclusive: Option<String>,
    /// Who asks.
    pub author: Option<UserId>,
    /// When.
    pub created_at: TimestampMs,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnqueueOutcome {
    /// Queued.
    Queued,
    /// The same id was queued before; nothing changed. A task that has not ended becomes visible to workers again at
    /// once, if nobody holds it.
    Existing,
    /// A task with the same `exclusive` text has not ended.
    Busy(TaskId),
}

/// A task in a worker's hands.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskLease {
    /// The task, `attempts` counted up.
    pub task: Task,
    /// Proof of the lease: results with another one are dropped.
    pub fence: i64,
}

/// Queues of tasks: at least once, leased, fenced. A task whose worker dies comes back when its lease runs out; one that
/// was taken more than `max_attempts` times is failed with code `poisoned` instead.
#[async_trait]
pub trait Tasks: Debug + Send + Sync {
    /// Queues a task: one atomic step.
    async fn enqueue(&self, task: &NewTask) -> StoreResult<EnqueueOutcome>;

    /// By id.
    async fn task(&self, id: &TaskId) -> StoreResult<Option<Task>>;

    /// Leases the oldest task of a kind that nobody holds. Of concurrent calls each task goes to one.
    async fn lease(
        &self,
        kind: TaskKind,
        now: TimestampMs,
        lease: Duration,
        max_attempts: u32,
    ) -> StoreResult<Option<TaskLease>>;

    /// Prolongs a lease and notes progress (0 to 100); `false`: the lease was lost, stop.
    async fn heartbeat(
        &self,
        id: &TaskId,
        fence: i64,
        progress: u8,
        now: TimestampMs,
        lease: Duration,
    ) -> StoreResult<bool>;

    /// Ends a task; `false`: the lease was lost, the result was dropped.
    async fn finish(
        &self,
        id: &TaskId,
        fence: i64,
        result: Result<Option<RevHash>, TaskError>,
        now: TimestampMs,
    ) -> StoreResult<bool>;

    /// Gives a task back to be taken again not before `due`; `false`: the lease was lost. A task that was given back did
    /// not kill its worker: the lease does not count as an attempt.
    async fn give_back(&self, id: &TaskId, fence: i64, due: TimestampMs) -> StoreResult<bool>;

    /// Resolves when tasks of a kind may have become due since the last call: a hint, may be late, early or lost.
    async fn due(&self, kind: TaskKind);
}
