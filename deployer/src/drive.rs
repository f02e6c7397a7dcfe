//! Moves one deployment from where it stands to its end.

use std::time::Instant;

use botloom_core::TaskId;
use botloom_core::event::BotEvent;
use botloom_core::fault;
use botloom_core::model::{BotRow, DeployError, Deployment, Stage, TaskStatus};
use botloom_core::ports::{StoreError, StoreResult};
use botloom_core::trace::TARGET;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing::field::Empty;

use crate::machine::{self, Action, Event};
use crate::steps::{self, StepDone, StepFailed};
use crate::{Deps, Options, code, events, faults, watch};

/// How a drive ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Driven {
    /// The deployment has ended; this is its row.
    Ended(Box<Deployment>),
    /// Shut down, or a store is away after the flip: somebody must go on later.
    Paused,
    /// There is no such deployment.
    Missing,
}

/// Drives a deployment. `shutdown` is looked at between steps.
pub(crate) async fn drive(
    deps: &Deps,
    options: Options,
    task: &TaskId,
    shutdown: &CancellationToken,
) -> StoreResult<Driven> {
    let Some(mut row) = deps.ports.catalog.deployment(task).await? else {
        return Ok(Driven::Missing);
    };
    let Some(bot) = deps.ports.catalog.bot(&row.bot).await? else {
        return Err(StoreError::Missing("bot"));
    };
    if row.status == TaskStatus::Queued {
        let started = BotEvent::DeployStarted {
            task_id: row.task,
            rev_hash: row.to_rev,
        };
        events::tell(&deps.ports, &bot, started).await;
    }
    let mut event = Event::Begin;
    loop {
        let now = deps.ports.clock.now();
        let (mut moved, action) = machine::next(row.clone(), event, now);
        if moved != row {
            if moved.status == TaskStatus::Succeeded && options.auto_rollback {
                moved.watch_until = watch::until(&moved, now);
            }
            if !deps.ports.catalog.save_deployment(&moved).await? {
                // Another worker moved it: its lease is newer than ours, leave it alone.
                return Ok(Driven::Paused);
            }
            fault::point(faults::saved(moved.stage));
            announce(deps, &bot, &row, &moved).await;
            row = Deployment {
                version: moved.version + 1,
                ..moved
            };
        }
        let Action::Run(stage) = action else {
            return Ok(Driven::Ended(Box::new(row)));
        };
        if shutdown.is_cancelled() {
            return Ok(Driven::Paused);
        }
        event = match step(deps, options, &row).await? {
            Ok(StepDone::Plain(detail)) => Event::Done { detail },
            Ok(StepDone::Flipped(epoch)) => Event::Flipped { epoch },
            // Whether the compare-and-set happened is unknown as long as the store is away: only asking again tells.
            Err(StepFailed::Away(_)) if stage == Stage::Flip => return Ok(Driven::Paused),
            // The revision is live: what is left is repeated until it succeeds.
            Err(_) if stage > Stage::Flip => return Ok(Driven::Paused),
            Err(failed) => Event::Failed(failed.into_error()),
        };
        fault::point(faults::done(stage));
    }
}

/// One step with its deadline and its tries.
async fn step(deps: &Deps, options: Options, row: &Deployment) -> StoreResult<Result<StepDone, StepFailed>> {
    let mut tried = 0;
    loop {
        tried += 1;
        // Read anew for every try: after a lost answer the row says whether the flip happened.
        let Some(bot) = deps.ports.catalog.bot(&row.bot).await? else {
            return Err(StoreError::Missing("bot"));
        };
        // After the flip there is nothing left to refuse.
        if bot.deleted_at.is_some() && row.stage <= Stage::Flip {
            return Ok(Err(StepFailed::final_(code::BOT_DELETED, "The bot was deleted.")));
        }
        let span = tracing::info_span!(
            target: TARGET,
            "stage",
            otel.name = row.stage.as_str(),
            otel.status_code = Empty,
            botloom.revision = %row.to_rev,
            botloom.attempt = tried,
            botloom.result = Empty,
        );
        let run = steps::run(deps, options.barrier, row, &bot).instrument(span.clone());
        let started = Instant::now();
        let result = tokio::time::timeout(options.step_timeout, run)
            .await
            .unwrap_or_else(|_| {
                let detail = format!(
                    "The {} step took longer than {:?}.",
                    row.stage, options.step_timeout
                );
                Err(StepFailed::Away(DeployError {
                    code: code::RUNTIME_TIMEOUT.to_owned(),
                    detail,
                }))
            });
        let ended = match &result {
            Ok(_) => "ok",
            Err(StepFailed::Away(_)) => "away",
            Err(StepFailed::Final(_)) => "failed",
        };
        span.record("botloom.result", ended);
        if result.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        let labels = [("stage", row.stage.as_str()), ("result", ended)];
        metrics::histogram!("botloom_deploy_stage_seconds", &labels).record(started.elapsed());
        match result {
            Err(StepFailed::Away(error)) if tried < options.step_tries => {
                tracing::warn!(bot = %row.bot, deploy = %row.task, stage = %row.stage, code = error.code, "step will be tried again");
                tokio::time::sleep(options.retry_pause).await;
            }
            result => return Ok(result),
        }
    }
}

/// Logs and tells what changed between two rows of a deployment.
async fn announce(deps: &Deps, bot: &BotRow, before: &Deployment, after: &Deployment) {
    let (ports, task_id) = (&deps.ports, after.task);
    if let Some(epoch) = after.epoch.filter(|_| before.epoch.is_none()) {
        let flipped = BotEvent::DeployFlipped {
            task_id,
            rev_hash: after.to_rev,
            epoch,
        };
        events::tell(ports, bot, flipped).await;
    }
    if after.status.is_final() {
        let kind = if after.rollback { "rollback" } else { "deploy" };
        metrics::counter!("botloom_deployments_total", "kind" => kind, "result" => after.status.as_str())
            .increment(1);
    }
    match after.status {
        TaskStatus::Failed => {
            let code = after.error.as_ref().map(|error| error.code.as_str());
            tracing::warn!(bot = %bot.id, deploy = %task_id, stage = %after.stage, code, "deployment failed");
            events::tell(ports, bot, events::failed(after)).await;
        }
        TaskStatus::Succeeded => {
            tracing::info!(bot = %bot.id, deploy = %task_id, rev = %after.to_rev, "deployment succeeded");
        }
        TaskStatus::Queued | TaskStatus::Running => {
            tracing::info!(bot = %bot.id, deploy = %task_id, stage = %after.stage, "deployment entered a stage");
            let progress = BotEvent::DeployProgress {
                task_id,
                stage: after.stage.to_string(),
            };
            events::tell(ports, bot, progress).await;
        }
    }
}
