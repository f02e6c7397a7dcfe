//! Finds deployments that stopped moving because their nudge was lost, and nudges them again.

use botloom_core::ProjectId;
use botloom_core::model::{Deployment, TaskPayload};
use botloom_core::ports::{EnqueueOutcome, NewTask, StoreResult};
use tokio_util::sync::CancellationToken;

use crate::drive::drive;
use crate::{Deps, Options};

/// Looks every [`Options::sweep_every`] until `shutdown`.
pub async fn run(deps: &Deps, options: Options, shutdown: &CancellationToken) {
    loop {
        if let Err(error) = sweep(deps, options, shutdown).await {
            tracing::warn!(?error, "cannot look for deployments that stopped");
        }
        tokio::select! {
            () = tokio::time::sleep(options.sweep_every) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// One look.
pub async fn sweep(deps: &Deps, options: Options, shutdown: &CancellationToken) -> StoreResult<()> {
    let stale_before = deps
        .ports
        .clock
        .now()
        .plus(-i64::try_from(options.sweep_every.as_millis()).unwrap_or(0));
    for row in deps.ports.catalog.unfinished_deployments().await? {
        if row.updated_at <= stale_before {
            nudge(deps, options, &row, shutdown).await?;
        }
    }
    Ok(())
}

/// The task that says "look at this row".
pub(crate) fn task(row: &Deployment, project: ProjectId) -> NewTask {
    NewTask {
        id: row.task,
        project,
        bot: row.bot.clone(),
        payload: TaskPayload::Deploy {
            rev_hash: row.to_rev,
            strategy: "flip".to_owned(),
            prewarm: row.min_sandboxes,
        },
        exclusive: None,
        author: row.author,
        created_at: row.created_at,
    }
}

async fn nudge(
    deps: &Deps,
    options: Options,
    row: &Deployment,
    shutdown: &CancellationToken,
) -> StoreResult<()> {
    let Some(bot) = deps.ports.catalog.bot(&row.bot).await? else {
        return Ok(());
    };
    let outcome = deps.ports.tasks.enqueue(&task(row, bot.project)).await?;
    if outcome == EnqueueOutcome::Existing {
        let ended = deps
            .ports
            .tasks
            .task(&row.task)
            .await?
            .is_some_and(|task| task.status.is_final());
        if ended {
            // The task ended (poisoned, or its result was written and the row's was not): nobody else will go on.
            drive(deps, options, &row.task, shutdown).await?;
        }
    }
    Ok(())
}
