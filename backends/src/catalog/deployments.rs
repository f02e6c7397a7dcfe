//! Deployments.

use async_trait::async_trait;
use botloom_core::hash::RevHash;
use botloom_core::ids::{BotId, Epoch, TaskId};
use botloom_core::model::{DeployError, Deployment, StageRecord};
use botloom_core::ports::{Deployments, NewDeploymentOutcome, Page, PageRequest, StoreError, StoreResult};
use botloom_core::time::TimestampMs;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, query};

use super::SqlCatalog;
use crate::sql::cursor;
use crate::sql::{RowExt, Statement, readable};

const COLUMNS: &str = "task_id, bot_id, status, stage, stages, from_rev, to_rev, seen_epoch, epoch, is_rollback, \
    min_sandboxes, error_code, error_detail, author, created_at, updated_at, version, watch_until, reason";

#[async_trait]
impl Deployments for SqlCatalog {
    async fn create_deployment(&self, deployment: &Deployment) -> StoreResult<NewDeploymentOutcome> {
        let stages = stages_json(&deployment.stages)?;
        loop {
            // The unique indexes decide; the statements after this one only find out why.
            let insert = query(
                "INSERT INTO deployments (task_id, bot_id, status, stage, stages, from_rev, to_rev, seen_epoch, epoch, \
                 is_rollback, min_sandboxes, error_code, error_detail, author, updated_at, version, watch_until, reason, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
                 ON CONFLICT DO NOTHING",
            );
            let insert = bind_row(insert, deployment, &stages).bind(deployment.created_at.0);
            if self.db.execute_for("bot", insert).await? > 0 {
                return Ok(NewDeploymentOutcome::Created);
            }
            if self.deployment(&deployment.task).await?.is_some() {
                return Ok(NewDeploymentOutcome::Existing);
            }
            if let Some(other) = self.under_way(&deployment.bot).await? {
                return Ok(NewDeploymentOutcome::Busy(other));
            }
            // The other one ended between the two statements: there is room now.
        }
    }

    async fn deployment(&self, task: &TaskId) -> StoreResult<Option<Deployment>> {
        query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM deployments WHERE task_id = $1"
        )))
        .bind(task.to_string())
        .optional(&self.db)
        .await?
        .map(|row| deployment(&row))
        .transpose()
    }

    async fn deployments(&self, bot: &BotId, page: &PageRequest) -> StoreResult<Page<Deployment>> {
        let list = format!("deployments:{bot}");
        let Some((before, task)) = cursor::before(cursor::start(&list, page)) else {
            return Ok(cursor::empty());
        };
        let rows = query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM deployments WHERE bot_id = $1 AND (created_at, task_id) < ($2, $3) \
             ORDER BY created_at DESC, task_id DESC LIMIT $4"
        )))
        .bind(bot.as_str())
        .bind(before)
        .bind(task)
        .bind(cursor::rows_to_fetch(page))
        .all(&self.db)
        .await?;
        cursor::page(&list, page, &rows, deployment, |row| {
            [row.created_at.0.to_string(), row.task.to_string()]
        })
    }

    async fn save_deployment(&self, deployment: &Deployment) -> StoreResult<bool> {
        let stages = stages_json(&deployment.stages)?;
        let update = query(
            "UPDATE deployments SET bot_id = $2, status = $3, stage = $4, stages = $5, from_rev = $6, to_rev = $7, \
             seen_epoch = $8, epoch = $9, is_rollback = $10, min_sandboxes = $11, error_code = $12, \
             error_detail = $13, author = $14, updated_at = $15, version = version + 1, \
             watch_until = $17, reason = $18 \
             WHERE task_id = $1 AND version = $16",
        );
        Ok(self.db.execute(bind_row(update, deployment, &stages)).await? > 0)
    }

    async fn unfinished_deployments(&self) -> StoreResult<Vec<Deployment>> {
        let rows = query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM deployments WHERE status IN ('queued', 'running') ORDER BY created_at, task_id")))
        .all(&self.db)
.await?;
        readable("unfinished deployments", &rows, deployment)
    }

    async fn watched_deployments(&self) -> StoreResult<Vec<Deployment>> {
        let rows = query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM deployments WHERE watch_until IS NOT NULL ORDER BY watch_until, task_id"
        )))
        .all(&self.db)
        .await?;
        readable("watched deployments", &rows, deployment)
    }

    async fn previous_revision(&self, bot: &BotId) -> StoreResult<Option<RevHash>> {
        let last_flip = query(
            // What was found unhealthy, and its way back, count as if they had not been; so does a revision that was deployed
            // while it was live.
            "SELECT from_rev FROM deployments WHERE bot_id = $1 AND epoch IS NOT NULL AND reason IS NULL \
             AND from_rev IS DISTINCT FROM to_rev ORDER BY epoch DESC LIMIT 1",
        )
        .bind(bot.as_str())
        .optional(&self.db)
        .await?;
        last_flip.map_or(Ok(None), |row| row.opt_parsed("from_rev"))
    }
}

impl SqlCatalog {
    async fn under_way(&self, bot: &BotId) -> StoreResult<Option<TaskId>> {
        query("SELECT task_id FROM deployments WHERE bot_id = $1 AND status IN ('queued', 'running')")
            .bind(bot.as_str())
            .optional(&self.db)
            .await?
            .map(|row| row.parsed("task_id"))
            .transpose()
    }
}

fn stages_json(stages: &[StageRecord]) -> StoreResult<String> {
    serde_json::to_string(stages).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Binds `$1` to `$18`, the same in both statements that write a whole row.
fn bind_row<'q>(
    statement: Query<'q, Any, AnyArguments>,
    deployment: &Deployment,
    stages: &str,
) -> Query<'q, Any, AnyArguments> {
    let error = deployment.error.clone();
    let (code, detail) = error.map(|error| (error.code, error.detail)).unzip();
    statement
        .bind(deployment.task.to_string())
        .bind(deployment.bot.to_string())
        .bind(deployment.status.as_str())
        .bind(deployment.stage.as_str())
        .bind(stages.to_owned())
        .bind(deployment.from_rev.map(|rev| rev.to_string()))
        .bind(deployment.to_rev.to_string())
        .bind(deployment.seen_epoch.0.cast_signed())
        .bind(deployment.epoch.map(|epoch| epoch.0.cast_signed()))
        .bind(i64::from(deployment.rollback))
        .bind(i64::from(deployment.min_sandboxes))
        .bind(code)
        .bind(detail)
        .bind(deployment.author.map(|author| author.to_string()))
        .bind(deployment.updated_at.0)
        .bind(deployment.version)
        .bind(deployment.watch_until.map(|until| until.0))
        .bind(deployment.reason.clone())
}

fn deployment(row: &AnyRow) -> StoreResult<Deployment> {
    let error = match (row.opt_text("error_code")?, row.opt_text("error_detail")?) {
        (Some(code), Some(detail)) => Some(DeployError { code, detail }),
        _ => None,
    };
    Ok(Deployment {
        task: row.parsed("task_id")?,
        bot: row.parsed("bot_id")?,
        status: row.parsed("status")?,
        stage: row.parsed("stage")?,
        stages: row.json("stages")?,
        from_rev: row.opt_parsed("from_rev")?,
        to_rev: row.parsed("to_rev")?,
        seen_epoch: Epoch(row.number("seen_epoch")?),
        epoch: row.opt_number("epoch")?.map(Epoch),
        rollback: row.int("is_rollback")? != 0,
        min_sandboxes: row.number("min_sandboxes")?,
        error,
        author: row.opt_parsed("author")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.int("version")?,
        watch_until: row.opt_int("watch_until")?.map(TimestampMs),
        reason: row.opt_text("reason")?,
    })
}
