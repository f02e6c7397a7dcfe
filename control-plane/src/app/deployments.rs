//! Asking for deployments and rollbacks; the deployer does them.

use botloom_core::hash::RevHash;
use botloom_core::ids::{BotId, TaskId};
use botloom_core::model::{BotRow, Deployment, Stage, TaskPayload, TaskStatus};
use botloom_core::ports::{EnqueueOutcome, NewDeploymentOutcome, NewTask, Page, PageRequest, SandboxError};

use super::actor::{Actor, verb};
use super::{Error, access, audit, tasks};
use crate::auth::policy::Action;
use crate::state::App;

/// The one way to go live.
pub(crate) const FLIP: &str = "flip";

/// Starts a deployment of a revision of the bot.
pub(crate) async fn deploy(
    app: &App,
    actor: Actor,
    bot: &BotId,
    rev: RevHash,
    min_sandboxes: u32,
    of_key: Option<TaskId>,
) -> Result<TaskId, Error> {
    let bot = access::bot(app, actor, bot, Action::Deploy).await?;
    let id = tasks::new_id(app, of_key).await?;
    if let Some(begun) = app.deps.ports.catalog.deployment(&id).await? {
        return enqueue(app, &bot, begun).await;
    }
    own_revision(app, &bot, &rev).await?;
    start(app, actor, bot, id, rev, false, min_sandboxes).await
}

/// Starts a deployment of the revision before the active one, or of the one named.
pub(crate) async fn roll_back(
    app: &App,
    actor: Actor,
    bot: &BotId,
    rev: Option<RevHash>,
    of_key: Option<TaskId>,
) -> Result<TaskId, Error> {
    let bot = access::bot(app, actor, bot, Action::Deploy).await?;
    let id = tasks::new_id(app, of_key).await?;
    // Looked for first: once the first try has flipped, "the previous revision" is another one.
    if let Some(begun) = app.deps.ports.catalog.deployment(&id).await? {
        return enqueue(app, &bot, begun).await;
    }
    let rev = match rev {
        Some(rev) => {
            own_revision(app, &bot, &rev).await?;
            rev
        }
        None => app
            .deps
            .ports
            .catalog
            .previous_revision(&bot.id)
            .await?
            .ok_or(Error::NoPreviousRevision)?,
    };
    if bot.active_rev.is_none() {
        return Err(Error::NoPreviousRevision);
    }
    start(app, actor, bot, id, rev, true, 1).await
}

async fn own_revision(app: &App, bot: &BotRow, rev: &RevHash) -> Result<(), Error> {
    let revision = app.deps.ports.catalog.revision(rev).await?;
    if revision.is_some_and(|revision| revision.bot == bot.id) {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

async fn start(
    app: &App,
    actor: Actor,
    bot: BotRow,
    task: TaskId,
    to_rev: RevHash,
    rollback: bool,
    min_sandboxes: u32,
) -> Result<TaskId, Error> {
    if app.deps.sandboxes.live_nodes().await == 0 {
        return Err(SandboxError::NoNode.into());
    }
    let now = app.now();
    let deployment = Deployment {
        task,
        bot: bot.id.clone(),
        status: TaskStatus::Queued,
        stage: Stage::Preflight,
        stages: Vec::new(),
        from_rev: bot.active_rev,
        to_rev,
        seen_epoch: bot.epoch,
        epoch: None,
        rollback,
        min_sandboxes,
        error: None,
        watch_until: None,
        reason: None,
        author: Some(actor.user),
        created_at: now,
        updated_at: now,
        version: 0,
    };
    match app.deps.ports.catalog.create_deployment(&deployment).await? {
        NewDeploymentOutcome::Created => {
            let verb = if rollback {
                verb::ROLLBACK_STARTED
            } else {
                verb::DEPLOYMENT_STARTED
            };
            let mut entry = actor.did_to_bot(app, verb, &bot.id, bot.project);
            entry.before = deployment.from_rev.map(|rev| rev.to_string());
            entry.after = Some(deployment.to_rev.to_string());
            audit::note(app, entry).await;
            enqueue(app, &bot, deployment).await
        }
        NewDeploymentOutcome::Existing => enqueue(app, &bot, deployment).await,
        NewDeploymentOutcome::Busy(running) => Err(Error::DeploymentInProgress(running)),
    }
}

/// Puts the task beside the row. A process that ends between the two leaves the row to the deployer's sweeper.
async fn enqueue(app: &App, bot: &BotRow, deployment: Deployment) -> Result<TaskId, Error> {
    let task = NewTask {
        id: deployment.task,
        project: bot.project,
        bot: bot.id.clone(),
        payload: TaskPayload::Deploy {
            rev_hash: deployment.to_rev,
            strategy: FLIP.to_owned(),
            prewarm: deployment.min_sandboxes,
        },
        exclusive: None,
        author: deployment.author,
        created_at: deployment.created_at,
    };
    match app.deps.ports.tasks.enqueue(&task).await? {
        EnqueueOutcome::Queued | EnqueueOutcome::Existing => Ok(task.id),
        EnqueueOutcome::Busy(running) => Err(Error::DeploymentInProgress(running)),
    }
}

/// A deployment of a bot that the user may read.
pub(crate) async fn get(app: &App, actor: Actor, task: &TaskId) -> Result<Deployment, Error> {
    let deployment = app
        .deps
        .ports
        .catalog
        .deployment(task)
        .await?
        .ok_or(Error::NotFound)?;
    access::bot(app, actor, &deployment.bot, Action::Read).await?;
    Ok(deployment)
}

/// Deployments of a bot, newest first.
pub(crate) async fn list(
    app: &App,
    actor: Actor,
    bot: &BotId,
    page: &PageRequest,
) -> Result<Page<Deployment>, Error> {
    access::bot(app, actor, bot, Action::Read).await?;
    Ok(app.deps.ports.catalog.deployments(bot, page).await?)
}
