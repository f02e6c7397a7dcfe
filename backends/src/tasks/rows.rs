//! Tasks as rows, the truth of every queue. Each step is one compare-and-set statement: the fence says who holds a task,
//! `due` says until when.

use std::time::Duration;

use botloom_core::hash::RevHash;
use botloom_core::ids::TaskId;
use botloom_core::model::{Task, TaskError, TaskKind, TaskStatus};
use botloom_core::ports::{NewTask, StoreError, StoreResult, TaskLease};
use botloom_core::time::TimestampMs;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, query};

use crate::sql::{Database, RowExt, Statement};

const COLUMNS: &str = "id, kind, project_id, bot_id, payload, status, progress, rev_hash, error_code, error_detail, \
    author, attempts, fence, due, created_at, updated_at";

/// The table of tasks in a [`Database`].
#[derive(Debug, Clone)]
pub(crate) struct TaskRows {
    db: Database,
}

/// What became of a row that was to be queued.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Queued {
    /// There is a row now.
    New,
    /// There was one with this id; if it waits, it is due now.
    Known,
    /// Another one with the same `exclusive` text has not ended.
    Busy(TaskId),
}

/// A task as it was read, with what must not have changed when it is taken.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) task: Task,
    fence: i64,
    due: i64,
}

impl Candidate {
    /// Whether nobody holds the task at `now` and it has not ended.
    pub(crate) fn is_due(&self, now: TimestampMs) -> bool {
        !self.has_ended() && self.due <= now.0
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.task.status, TaskStatus::Succeeded | TaskStatus::Failed)
    }
}

impl TaskRows {
    pub(crate) fn new(db: &Database) -> Self {
        Self { db: db.clone() }
    }

    /// Makes every task that somebody holds free to be taken.
    pub(crate) async fn end_leases(&self) -> StoreResult<()> {
        let update = query("UPDATE tasks SET due = 0 WHERE status = 'running'");
        self.db.execute(update).await.map(drop)
    }

    /// Makes the row of a task, unless it or one that excludes it is there.
    pub(crate) async fn queue(&self, new: &NewTask) -> StoreResult<Queued> {
        loop {
            // The unique indexes decide; the statements after this one only find out why.
            if self.insert(new).await? {
                return Ok(Queued::New);
            }
            if self.read(&new.id).await?.is_some() {
                let show =
                    query("UPDATE tasks SET due = $2 WHERE id = $1 AND status = 'queued' AND due > $2")
                        .bind(new.id.to_string())
                        .bind(new.created_at.0);
                self.db.execute(show).await?;
                return Ok(Queued::Known);
            }
            if let Some(exclusive) = &new.exclusive
                && let Some(other) = self.holder_of(exclusive).await?
            {
                return Ok(Queued::Busy(other));
            }
            // The other one ended between the two statements: there is room now.
        }
    }

    pub(crate) async fn read(&self, id: &TaskId) -> StoreResult<Option<Candidate>> {
        query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM tasks WHERE id = $1"
        )))
        .bind(id.to_string())
        .optional(&self.db)
        .await?
        .map(|row| candidate(&row))
        .transpose()
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
            .optional(&self.db)
            .await?
            .map(|row| row.parsed("id"))
            .transpose()
    }

    /// The oldest task that nobody holds at `now`.
    pub(crate) async fn oldest_due(
        &self,
        kind: TaskKind,
        now: TimestampMs,
    ) -> StoreResult<Option<Candidate>> {
        let row = query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM tasks WHERE kind = $1 AND status IN ('queued', 'running') AND due <= $2 \
             ORDER BY created_at, id LIMIT 1"
        )))
        .bind(kind.as_str())
        .bind(now.0)
        .optional(&self.db)
        .await?;
        row.map(|row| candidate(&row)).transpose()
    }

    /// Takes a task that is due, or sets it aside if it was taken `max_attempts` times. `None`: nothing was taken,
    /// because of that or because somebody moved it since it was read.
    pub(crate) async fn take(
        &self,
        seen: Candidate,
        now: TimestampMs,
        lease: Duration,
        max_attempts: u32,
    ) -> StoreResult<Option<TaskLease>> {
        if seen.task.attempts < max_attempts {
            return self.take_row(seen, now, end_of(now, lease)).await;
        }
        self.poison(&seen, now).await?;
        Ok(None)
    }

    /// Takes a candidate unless somebody moved it since it was read.
    async fn take_row(
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

    /// Prolongs a lease and notes progress; `false`: it was lost.
    pub(crate) async fn heartbeat(
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

    /// Ends a task; `false`: the lease was lost.
    pub(crate) async fn finish(
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

    /// Gives a task back to be taken not before `due`; `false`: the lease was lost.
    pub(crate) async fn give_back(&self, id: &TaskId, fence: i64, due: TimestampMs) -> StoreResult<bool> {
        let update = query(
            "UPDATE tasks SET status = 'queued', due = $3, attempts = attempts - 1 \
             WHERE id = $1 AND fence = $2 AND status = 'running'",
        )
        .bind(id.to_string())
        .bind(fence)
        .bind(due.0);
        Ok(self.db.execute(update).await? > 0)
    }
}

fn candidate(row: &AnyRow) -> StoreResult<Candidate> {
    Ok(Candidate {
        task: task(row)?,
        fence: row.int("fence")?,
        due: row.int("due")?,
    })
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
