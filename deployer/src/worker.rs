//! Takes tasks from `deploy:tasks`. The task is a nudge; the row of the deployment is the truth.

use std::sync::Arc;
use std::time::Duration;

use botloom_core::model::{Deployment, TaskError, TaskKind, TaskStatus};
use botloom_core::ports::{StoreResult, TaskLease};
use botloom_core::trace::TARGET;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::drive::{Driven, drive};
use crate::{Deps, Options, code};

/// A deployment task that was taken this often has killed its worker this often.
const MAX_ATTEMPTS: u32 = 20;
/// How long a task rests that cannot go on, in milliseconds.
const PAUSE_MS: i64 = 1_000;
/// How long to wait before a look without a nudge, and after a failure of the store.
const IDLE: Duration = Duration::from_secs(1);

/// Takes and drives tasks until `shutdown`, then waits for the steps under way.
pub async fn run(deps: &Deps, options: Options, shutdown: &CancellationToken) {
    let slots = Arc::new(Semaphore::new(options.concurrency));
    let mut running = JoinSet::new();
    while !shutdown.is_cancelled() {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            break;
        };
        let now = deps.ports.clock.now();
        match deps
            .ports
            .tasks
            .lease(TaskKind::Deploy, now, options.lease, MAX_ATTEMPTS)
            .await
        {
            Ok(Some(lease)) => {
                let (deps, shutdown) = (deps.clone(), shutdown.clone());
                running.spawn(async move {
                    let span = tracing::info_span!(
                        target: TARGET,
                        "deploy",
                        otel.kind = "consumer",
                        botloom.bot = %lease.task.bot,
                        botloom.task = %lease.task.id,
                        botloom.attempt = lease.task.attempts,
                    );
                    let working = work(&deps, options, &lease, &shutdown).instrument(span);
                    if let Err(error) = working.await {
                        tracing::warn!(deploy = %lease.task.id, ?error, "deployment interrupted by a store");
                    }
                    drop(slot);
                });
            }
            Ok(None) => idle(deps, shutdown).await,
            Err(error) => {
                tracing::warn!(?error, "cannot take deployments");
                idle(deps, shutdown).await;
            }
        }
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
}

async fn idle(deps: &Deps, shutdown: &CancellationToken) {
    tokio::select! {
        () = deps.ports.tasks.due(TaskKind::Deploy) => {}
        () = tokio::time::sleep(IDLE) => {}
        () = shutdown.cancelled() => {}
    }
}

/// Drives the deployment of a task under a lease that is renewed meanwhile, and ends the task with it.
async fn work(
    deps: &Deps,
    options: Options,
    lease: &TaskLease,
    shutdown: &CancellationToken,
) -> StoreResult<()> {
    let (tasks, clock, id) = (&deps.ports.tasks, &deps.ports.clock, &lease.task.id);
    let lost = CancellationToken::new();
    let stop = CancellationToken::new();
    let renewing = async {
        loop {
            tokio::select! {
                () = tokio::time::sleep(options.lease / 3) => {}
                () = lost.cancelled() => return,
            }
            let progress = lease.task.progress;
            if !tasks
                .heartbeat(id, lease.fence, progress, clock.now(), options.lease)
                .await
                .unwrap_or(true)
            {
                stop.cancel();
                return;
            }
        }
    };
    let driving = async {
        let either = shutdown.child_token();
        let driven = tokio::select! {
            driven = drive(deps, options, id, &either) => driven,
            // The lease is lost: whoever has it now goes on from the row.
            () = stop.cancelled() => Ok(Driven::Paused),
        };
        lost.cancel();
        driven
    };
    let (driven, ()) = tokio::join!(driving, renewing);
    let now = clock.now();
    match driven {
        Ok(Driven::Ended(row)) => {
            tasks.finish(id, lease.fence, outcome(&row), now).await?;
        }
        Ok(Driven::Missing) => {
            let error = TaskError {
                code: code::NOT_FOUND.to_owned(),
                detail: "The deployment does not exist.".to_owned(),
            };
            tasks.finish(id, lease.fence, Err(error), now).await?;
        }
        Ok(Driven::Paused) => {
            // What it waits for is away; the next life takes it at once.
            let due = if shutdown.is_cancelled() {
                now
            } else {
                now.plus(PAUSE_MS)
            };
            tasks.give_back(id, lease.fence, due).await?;
        }
        Err(error) => {
            tasks.give_back(id, lease.fence, now.plus(PAUSE_MS)).await?;
            return Err(error);
        }
    }
    Ok(())
}

fn outcome(row: &Deployment) -> Result<Option<botloom_core::RevHash>, TaskError> {
    match (&row.error, row.status) {
        (Some(error), TaskStatus::Failed) => Err(TaskError {
            code: error.code.clone(),
            detail: error.detail.clone(),
        }),
        _ => Ok(Some(row.to_rev)),
    }
}
