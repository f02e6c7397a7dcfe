//! Queues of tasks in a table. Every step is one compare-and-set statement: the fence says who holds a task, `due`
//! says until when.

use std::time::Duration;

use async_trait::async_trait;
use botloom_core::hash::RevHash;
use botloom_core::ids::TaskId;
use botloom_core::model::{Task, TaskError, TaskKind, TaskStatus};
use botloom_core::ports::{EnqueueOutcome, NewTask, StoreError, StoreResult, TaskLease, Tasks};
use botloom_core::time::TimestampMs;
use sqlx::any::AnyRow;
use sqlx::query;
use tokio::sync::Notify;

use crate::sql::{Database, RowExt, store_error};

/// Tasks in a [`Database`]; wakes the workers of this process.
#[derive(Debug)]
pub struct SqlTasks {
    db: Database,
    generate: Notify,
    deploy: Notify,
}

impl SqlTasks {
    /// The tasks in `db`.
    pub fn new(db: &Database) -> Self {
        Self {
            db: db.clone(),
            generate: Notify::new(),
            deploy: Notify::new(),
        }
    }

    /// Ends every lease. For the start of the only process that works on these tasks: whoever held one is gone, and
    /// waiting for the lease to run out would only delay what it left behind.
    pub async fn end_leases(&self) -> StoreResult<()> {
        let update = query("UPDATE tasks SET due = 0 WHERE status = 'running'");
        self.db.execute(update).await.map(drop)
    }

    fn nudge(&self, kind: TaskKind) -> &Notify {
        match kind {
            TaskKind::Generate => &self.generate,
            TaskKind::Deploy => &self.deploy,
        }
    }

    async fn row(&self, id: &TaskId) -> StoreResult<Option<AnyRow>> {
        query("SELECT * FROM tasks WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.db.reader())
            .await
            .map_err(store_error)
    }

    async fn insert(&self, task: &NewTask) -> StoreResult<bool> {
        let payload =
            serde_json::to_string(&task.payload).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let insert = query(
            "INSERT INTO tasks (id, kind, project_id, bot_id, payload, status, progress, author, attempts, fence, due, \
             exclusive, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, 0, $7, 0, 0, $8, $9, $8, $8) \
             ON CONFLICT DO NOTHING",
        )
        .bind(task.id.to_string())
        .bind(task.payload.kind().as_str())
        .bind(task.project.to_string())
        .bind(task.bot.as_str())
        .bind(payload)
        .bind(TaskStatus::Queued.as_str())
        .bind(task.author.map(|author| author.to_string()))
        .bind(task.created_at.0)
        .bind(task.exclusive.as_deref());
        Ok(self.db.execute(insert).await? > 0)
    }

    async fn holder_of(&self, exclusive: &str) -> StoreResult<Option<TaskId>> {
        query("SELECT id FROM tasks WHERE exclusive = $1 AND status IN ('queued', 'running')")
            .bind(exclusive)
            .fetch_optional(self.db.reader())
            .await
            .map_err(store_error)?
            .map(|row| row.parsed("id"))
            .transpose()
    }

    /// The oldest task that nobody holds at `now`.
    async fn oldest_due(&self, kind: TaskKind, now: TimestampMs) -> StoreResult<Option<Candidate>> {
        let row = query(
            "SELECT * FROM tasks WHERE kind = $1 AND status IN ('queued', 'running') AND due <= $2 \
             ORDER BY created_at, id LIMIT 1",
        )
        .bind(kind.as_str())
        .bind(now.0)
        .fetch_optional(self.db.reader())
        .await
        .map_err(store_error)?;
        row.map(|row| {
            Ok(Candidate {
                task: task(&row)?,
                fence: row.int("fence")?,
                due: row.int("due")?,
            })
        })
        .transpose()
    }

    /// Takes a candidate unless somebody moved it since it was read.
    async fn take(
        &self,
        seen: Candidate,
        now: TimestampMs,
        until: TimestampMs,
    ) -> StoreResult<Option<TaskLease>> {
        let update = query(
            "UPDATE tasks SET status = 'running', attempts = attempts + 1, fence = fence + 1, due = $4, updated_at = $5 \
             WHERE id = $1 AND fence = $2 AND due = $3 AND status IN ('queued', 'running')",
        )
        .bind(seen.task.id.to_string())
        .bind(seen.fence)
        .bind(seen.due)
        .bind(until.0)
        .bind(now.0);
        if self.db.execute(update).await? == 0 {
            return Ok(None);
        }
        let task = Task {
            status: TaskStatus::Running,
            attempts: seen.task.attempts + 1,
            updated_at: now,
            ..seen.task
        };
        Ok(Some(TaskLease {
            task,
            fence: seen.fence + 1,
        }))
    }

    /// Sets a task aside that was taken too often, unless somebody moved it since it was read.
    async fn poison(&self, seen: &Candidate, now: TimestampMs) -> StoreResult<()> {
        let detail = format!(
            "The task was started {} times and never came to an end.",
            seen.task.attempts
        );
        let update = query(
            "UPDATE tasks SET status = 'failed', fence = fence + 1, error_code = 'poisoned', error_detail = $4, \
             updated_at = $5 WHERE id = $1 AND fence = $2 AND due = $3 AND status IN ('queued', 'running')",
        )
        .bind(seen.task.id.to_string())
        .bind(seen.fence)
        .bind(seen.due)
        .bind(detail)
        .bind(now.0);
        if self.db.execute(update).await? > 0 {
            tracing::warn!(task = %seen.task.id, attempts = seen.task.attempts, "task poisoned");
        }
        Ok(())
    }
}

/// A task as it was read, with what must not have changed when it is taken.
#[derive(Debug)]
struct Candidate {
    task: Task,
    fence: i64,
    due: i64,
}

#[async_trait]
impl Tasks for SqlTasks {
    async fn enqueue(&self, task: &NewTask) -> StoreResult<EnqueueOutcome> {
        let kind = task.payload.kind();
        loop {
            // The unique indexes decide; the statements after this one only find out why.
            if self.insert(task).await? {
                self.nudge(kind).notify_one();
                return Ok(EnqueueOutcome::Queued);
            }
            if self.row(&task.id).await?.is_some() {
                let show =
                    query("UPDATE tasks SET due = $2 WHERE id = $1 AND status = 'queued' AND due > $2")
                        .bind(task.id.to_string())
                        .bind(task.created_at.0);
                self.db.execute(show).await?;
                self.nudge(kind).notify_one();
                return Ok(EnqueueOutcome::Existing);
            }
            if let Some(exclusive) = &task.exclusive
                && let Some(other) = self.holder_of(exclusive).await?
            {
                return Ok(EnqueueOutcome::Busy(other));
            }
            // The other one ended between the two statements: there is room now.
        }
    }

    async fn task(&self, id: &TaskId) -> StoreResult<Option<Task>> {
        self.row(id).await?.map(|row| task(&row)).transpose()
    }

    async fn lease(
        &self,
        kind: TaskKind,
        now: TimestampMs,
        lease: Duration,
        max_attempts: u32,
    ) -> StoreResult<Option<TaskLease>> {
        while let Some(candidate) = self.oldest_due(kind, now).await? {
            if candidate.task.attempts >= max_attempts {
                self.poison(&candidate, now).await?;
            } else if let Some(taken) = self.take(candidate, now, end_of(now, lease)).await? {
                // Hints come together where nobody waits for them: let the next worker look for the next task.
                self.nudge(kind).notify_one();
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
        let update = query(
            "UPDATE tasks SET due = $3, progress = $4, updated_at = $5 \
             WHERE id = $1 AND fence = $2 AND status = 'running'",
        )
        .bind(id.to_string())
        .bind(fence)
        .bind(end_of(now, lease).0)
        .bind(i64::from(progress.min(100)))
        .bind(now.0);
        Ok(self.db.execute(update).await? > 0)
    }

    async fn finish(
        &self,
        id: &TaskId,
        fence: i64,
        result: Result<Option<RevHash>, TaskError>,
        now: TimestampMs,
    ) -> StoreResult<bool> {
        let update = match result {
            Ok(rev) => query(
                "UPDATE tasks SET status = 'succeeded', progress = 100, rev_hash = $3, updated_at = $4 \
                 WHERE id = $1 AND fence = $2 AND status = 'running'",
            )
            .bind(id.to_string())
            .bind(fence)
            .bind(rev.map(|rev| rev.to_string()))
            .bind(now.0),
            Err(error) => query(
                "UPDATE tasks SET status = 'failed', error_code = $3, error_detail = $4, updated_at = $5 \
                 WHERE id = $1 AND fence = $2 AND status = 'running'",
            )
            .bind(id.to_string())
            .bind(fence)
            .bind(error.code)
            .bind(error.detail)
            .bind(now.0),
        };
        Ok(self.db.execute(update).await? > 0)
    }

    async fn give_back(&self, id: &TaskId, fence: i64, due: TimestampMs) -> StoreResult<bool> {
        let update = query(
            "UPDATE tasks SET status = 'queued', due = $3, attempts = attempts - 1 \
             WHERE id = $1 AND fence = $2 AND status = 'running'",
        )
        .bind(id.to_string())
        .bind(fence)
        .bind(due.0);
        let given_back = self.db.execute(update).await? > 0;
        if given_back && let Some(row) = self.row(id).await? {
            self.nudge(row.parsed("kind")?).notify_one();
        }
        Ok(given_back)
    }

    async fn due(&self, kind: TaskKind) {
        self.nudge(kind).notified().await;
    }
}

fn end_of(now: TimestampMs, lease: Duration) -> TimestampMs {
    now.plus(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

fn task(row: &AnyRow) -> StoreResult<Task> {
    let error = match (row.opt_text("error_code")?, row.opt_text("error_detail")?) {
        (Some(code), Some(detail)) => Some(TaskError { code, detail }),
        _ => None,
    };
    Ok(Task {
        id: row.parsed("id")?,
        project: row.parsed("project_id")?,
        bot: row.parsed("bot_id")?,
        payload: row.json("payload")?,
        status: row.parsed("status")?,
        progress: row.number("progress")?,
        rev_hash: row.opt_parsed("rev_hash")?,
        error,
        author: row.opt_parsed("author")?,
        attempts: row.number("attempts")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
