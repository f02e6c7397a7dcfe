//! Asking for builds.

use botloom_core::ids::{BotId, TaskId};
use botloom_core::model::TaskPayload;
use botloom_core::ports::{EnqueueOutcome, NewTask};
use serde_json::{Map, Value};

use super::actor::{Actor, verb};
use super::{Error, access, audit, tasks};
use crate::auth::policy::Action;
use crate::state::App;

/// The deterministic generator, the only model there is.
pub(crate) const COMPILER: &str = "compiler";

/// A build that somebody wants.
#[derive(Debug, Clone)]
pub(crate) struct Generation {
    pub(crate) bot: BotId,
    pub(crate) spec_version: u32,
    pub(crate) model: String,
    pub(crate) seed: u64,
    pub(crate) params: Map<String, Value>,
}

/// Queues a build.
pub(crate) async fn generate(
    app: &App,
    actor: Actor,
    wanted: Generation,
    of_key: Option<TaskId>,
) -> Result<TaskId, Error> {
    let bot = access::bot(app, actor, &wanted.bot, Action::Generate).await?;
    if wanted.model != COMPILER {
        return Err(Error::UnsupportedModel(wanted.model));
    }
    let version = wanted.spec_version;
    app.deps
        .ports
        .catalog
        .version(&bot.id, version)
        .await?
        .ok_or(Error::NotFound)?;
    if app.deps.watch.readiness.live_generators().await == 0 {
        return Err(Error::NoGenerator);
    }
    let task = NewTask {
        id: tasks::new_id(app, of_key).await?,
        project: bot.project,
        exclusive: Some(format!("gen:{}:{version}", bot.id)),
        bot: bot.id,
        payload: TaskPayload::Generate {
            spec_version: version,
            model: wanted.model,
            seed: wanted.seed,
            params: wanted.params,
        },
        author: Some(actor.user),
        created_at: app.now(),
    };
    match app.deps.ports.tasks.enqueue(&task).await? {
        EnqueueOutcome::Queued => {
            let mut entry = actor.did_to_bot(app, verb::GENERATION_STARTED, &task.bot, task.project);
            entry.after = Some(format!("version {version}"));
            audit::note(app, entry).await;
            Ok(task.id)
        }
        EnqueueOutcome::Existing => Ok(task.id),
        EnqueueOutcome::Busy(running) => Err(Error::GenerationInProgress(running)),
    }
}
