//! Queues of tasks: rows in SQL are the truth, streams (`gen:tasks`, `deploy:tasks`, one consumer group each) spread them
//! over the workers of all nodes.
//!
//! An entry holds the whole task and says "look at this row"; what a worker may do is decided by the row alone, with its
//! fence. So an entry may come twice, late, or never: what is due by its row and has no entry is found by the look at the
//! rows that every worker takes when its stream is empty, and every few seconds when it is not. With Redis away, tasks
//! are queued, taken and ended as ever, only more slowly.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use botloom_core::hash::RevHash;
use botloom_core::ids::TaskId;
use botloom_core::model::{NodeId, Task, TaskError, TaskKind};
use botloom_core::ports::{EnqueueOutcome, NewTask, StoreError, StoreResult, TaskLease, Tasks};
use botloom_core::time::TimestampMs;

use super::task_stream::{Entry, TaskStream};
use super::{RedisBus, RedisLink};
use crate::sql::Database;
use crate::tasks::Nudges;
use crate::tasks::rows::{Queued, TaskRows};

/// How often the rows are looked at although the stream has entries, and the stream is tidied.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Tasks of an installation with several processes.
#[derive(Debug)]
pub struct RedisTasks {
    rows: TaskRows,
    bus: Arc<RedisBus>,
    nudges: Arc<Nudges>,
    generate: Queue,
    deploy: Queue,
    /// Entries of the tasks that workers of this process hold.
    held: Mutex<HashMap<TaskId, Held>>,
}

#[derive(Debug)]
struct Queue {
    stream: TaskStream,
    swept: Mutex<Option<Instant>>,
}

#[derive(Debug, Clone)]
struct Held {
    fence: i64,
    kind: TaskKind,
    entry: String,
}

impl Queue {
    fn new(link: &RedisLink, key: &'static str, node: NodeId) -> Self {
        Self {
            stream: TaskStream::new(link, key, node),
            swept: Mutex::default(),
        }
    }

    /// Whether it is time for a sweep; says so once per [`SWEEP_EVERY`].
    fn sweep_is_due(&self) -> bool {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let due = swept.is_none_or(|last| last.elapsed() >= SWEEP_EVERY);
        if due {
            *swept = Some(Instant::now());
        }
        due
    }
}

impl RedisTasks {
    /// The tasks in `db`, spread through the streams behind `link`; `node` names this process among the consumers.
    pub fn new(link: &RedisLink, db: &Database, bus: &Arc<RedisBus>, node: NodeId) -> Self {
        Self {
            rows: TaskRows::new(db),
            bus: Arc::clone(bus),
            nudges: bus.nudges(),
            generate: Queue::new(link, "gen:tasks", node),
            deploy: Queue::new(link, "deploy:tasks", node),
            held: Mutex::default(),
        }
    }

    const fn queue(&self, kind: TaskKind) -> &Queue {
        match kind {
            TaskKind::Generate => &self.generate,
            TaskKind::Deploy => &self.deploy,
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<TaskId, Held>> {
        // No change of the map can panic half-way.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry of a lease of this process.
    fn held_by(&self, id: &TaskId, fence: i64) -> Option<Held> {
        self.held().get(id).filter(|held| held.fence == fence).cloned()
    }

    fn forget(&self, id: &TaskId, fence: i64) -> Option<Held> {
        let mut held = self.held();
        if held.get(id)?.fence != fence {
            return None;
        }
        held.remove(id)
    }

    /// Tells the workers of a row. The row is found without this too.
    async fn announce(&self, kind: TaskKind, id: &TaskId, entry: &str) {
        if let Err(error) = self.queue(kind).stream.add(id, entry).await {
            tracing::warn!(task = %id, ?error, "task without an entry in the stream");
        }
        self.bus.tasks_queued(kind);
    }

    /// Takes the task of an entry, if it is due by its row. An entry that leads nowhere is dropped.
    async fn take_entry(
        &self,
        kind: TaskKind,
        entry: Entry,
        now: TimestampMs,
        lease: Duration,
        max_attempts: u32,
    ) -> StoreResult<Option<TaskLease>> {
        let row = match &entry.task {
            Some(id) => self.rows.read(id).await?,
            None => None,
        };
        if let Some(seen) = row
            && seen.is_due(now)
            && let Some(taken) = self.rows.take(seen, now, lease, max_attempts).await?
        {
            let held = Held {
                fence: taken.fence,
                kind,
                entry: entry.id,
            };
            self.held().insert(taken.task.id, held);
            return Ok(Some(taken));
        }
        self.drop_entry(kind, &entry.id).await;
        Ok(None)
    }

    async fn drop_entry(&self, kind: TaskKind, entry: &str) {
        if let Err(error) = self.queue(kind).stream.drop_entry(entry).await {
            // It comes again when its holder has been silent for long enough, and leads nowhere then.
            tracing::debug!(entry, ?error, "entry not dropped");
        }
    }

    /// Takes the oldest task that is due, entry or not.
    async fn take_row(
        &self,
        kind: TaskKind,
        now: TimestampMs,
        lease: Duration,
        max_attempts: u32,
    ) -> StoreResult<Option<TaskLease>> {
        while let Some(seen) = self.rows.oldest_due(kind, now).await? {
            if let Some(taken) = self.rows.take(seen, now, lease, max_attempts).await? {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    async fn take_any(
        &self,
        kind: TaskKind,
        now: TimestampMs,
        lease: Duration,
        max_attempts: u32,
    ) -> StoreResult<Option<TaskLease>> {
        let queue = self.queue(kind);
        if queue.sweep_is_due() {
            if let Err(error) = queue.stream.tidy().await {
                tracing::warn!(?error, "stream of tasks not tidied");
            }
            if let Some(taken) = self.take_row(kind, now, lease, max_attempts).await? {
                return Ok(Some(taken));
            }
        }
        loop {
            match queue.stream.next(lease).await {
                Ok(Some(entry)) => {
                    if let Some(taken) = self.take_entry(kind, entry, now, lease, max_attempts).await? {
                        return Ok(Some(taken));
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(?error, "stream of tasks not read, looking at the rows");
                    break;
                }
            }
        }
        self.take_row(kind, now, lease, max_attempts).await
    }
}

#[async_trait]
impl Tasks for RedisTasks {
    async fn enqueue(&self, task: &NewTask) -> StoreResult<EnqueueOutcome> {
        let outcome = match self.rows.queue(task).await? {
            Queued::New => EnqueueOutcome::Queued,
            Queued::Known => EnqueueOutcome::Existing,
            Queued::Busy(other) => return Ok(EnqueueOutcome::Busy(other)),
        };
        let entry = entry_json(&task.id, task.bot.as_str(), &task.payload)?;
        self.announce(task.payload.kind(), &task.id, &entry).await;
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
        let taken = self.take_any(kind, now, lease, max_attempts).await?;
        if taken.is_some() {
            // Hints come together where nobody waits for them: let the next worker look for the next task.
            self.nudges.of(kind).notify_one();
        }
        Ok(taken)
    }

    async fn heartbeat(
        &self,
        id: &TaskId,
        fence: i64,
        progress: u8,
        now: TimestampMs,
        lease: Duration,
    ) -> StoreResult<bool> {
        let kept = self.rows.heartbeat(id, fence, progress, now, lease).await?;
        if !kept {
            self.forget(id, fence);
        } else if let Some(held) = self.held_by(id, fence)
            && let Err(error) = self.queue(held.kind).stream.hold(&held.entry).await
        {
            tracing::debug!(task = %id, ?error, "entry not held; the row is");
        }
        Ok(kept)
    }

    async fn finish(
        &self,
        id: &TaskId,
        fence: i64,
        result: Result<Option<RevHash>, TaskError>,
        now: TimestampMs,
    ) -> StoreResult<bool> {
        let ended = self.rows.finish(id, fence, result, now).await?;
        if let Some(held) = self.forget(id, fence) {
            self.drop_entry(held.kind, &held.entry).await;
        }
        Ok(ended)
    }

    async fn give_back(&self, id: &TaskId, fence: i64, due: TimestampMs) -> StoreResult<bool> {
        let given_back = self.rows.give_back(id, fence, due).await?;
        if let Some(held) = self.forget(id, fence) {
            self.drop_entry(held.kind, &held.entry).await;
        }
        if given_back && let Some(row) = self.rows.read(id).await? {
            let task = row.task;
            let entry = entry_json(&task.id, task.bot.as_str(), &task.payload)?;
            self.announce(task.payload.kind(), id, &entry).await;
        }
        Ok(given_back)
    }

    async fn due(&self, kind: TaskKind) {
        self.nudges.of(kind).notified().await;
    }
}

/// The whole task: its payload with its id and its bot.
fn entry_json(id: &TaskId, bot: &str, payload: &impl serde::Serialize) -> StoreResult<String> {
    let corrupt = |error: serde_json::Error| StoreError::Corrupt(error.to_string());
    let mut entry = serde_json::json!({ "taskId": id, "botId": bot });
    if let (Some(entry), serde_json::Value::Object(payload)) = (
        entry.as_object_mut(),
        serde_json::to_value(payload).map_err(corrupt)?,
    ) {
        entry.extend(payload);
    }
    serde_json::to_string(&entry).map_err(corrupt)
}
