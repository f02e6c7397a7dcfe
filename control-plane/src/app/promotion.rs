//! From a staging bot to its production bot: the same spec, under the other name.

use botloom_core::ids::{BotId, TaskId};
use botloom_core::model::SpecVersionSummary;
use botloom_spec::model::BotSpec;
use botloom_spec::{Diff, Finding};
use bytes::Bytes;
use serde_json::Map;

use super::actor::{Actor, verb};
use super::generations::{self, COMPILER, Generation};
use super::specs::{self, Accompanied, Edited, Posted};
use super::staging::{self, Standing};
use super::{Error, audit};
use crate::auth::policy::Action;
use crate::state::App;

/// What somebody wants to promote.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The version of the staging bot; the one that is live there where absent.
    pub(crate) version: Option<u32>,
    /// Said about the version of the production bot, if it is a new one.
    pub(crate) note: Option<String>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Promoted {
    /// The rules have become stricter since the version was stored; nothing happened.
    Refused(Vec<Finding>),
    /// The production bot has the version, and it is being built.
    Version {
        /// The version of the staging bot.
        from: u32,
        summary: SpecVersionSummary,
        /// Whether it was stored now; else it was there.
        created: bool,
        /// The build.
        task: TaskId,
    },
}

/// Makes a version of the staging bot a version of its production bot and has it built. Promoting the same content again
/// finds the same version.
pub(crate) async fn promote(
    app: &App,
    actor: Actor,
    id: &BotId,
    wanted: Wanted,
    of_key: Option<TaskId>,
) -> Result<Promoted, Error> {
    let pair = staging::pair(app, actor, id, Action::PostSpec).await?;
    let version = match wanted.version {
        Some(number) => {
            let version = app.deps.ports.catalog.version(id, number).await?;
            version.ok_or(Error::NotFound)?
        }
        None => staging::live(app, &pair.staging)
            .await?
            .ok_or(Error::NothingToPromote)?,
    };
    let from = version.summary.version;
    let rewritten = staging::of_another(app, &version, &pair.production.id).await?;
    let note = wanted
        .note
        .unwrap_or_else(|| format!("Promoted from {id}, version {from}"));
    let with = Accompanied {
        note: Some(note),
        ..Accompanied::default()
    };
    let text = Bytes::from(rewritten.canonical);
    let (summary, created) = match specs::post(app, actor, text, &Edited::Unsaid, with).await? {
        Posted::Refused(findings) => return Ok(Promoted::Refused(findings)),
        Posted::Version { summary, created, .. } => (summary, created),
    };
    let production = &pair.production;
    let mut entry = actor.did_to_bot(app, verb::SPEC_PROMOTED, &production.id, production.project);
    entry.before = Some(format!("{id} version {from}"));
    entry.after = Some(format!("version {}", summary.version));
    audit::note(app, entry).await;
    let generation = Generation {
        bot: production.id.clone(),
        spec_version: summary.version,
        model: COMPILER.to_owned(),
        seed: 0,
        params: Map::new(),
    };
    let task = match generations::generate(app, actor, generation, of_key).await {
        Err(Error::GenerationInProgress(running)) => running,
        queued => queued?,
    };
    Ok(Promoted::Version {
        from,
        summary,
        created,
        task,
    })
}

/// What promoting would change.
#[derive(Debug)]
pub(crate) struct Promotion {
    pub(crate) production: BotId,
    pub(crate) standing: Standing,
    /// From what production runs to what it would run; `None` while nothing is live on one of the sides.
    pub(crate) diff: Option<Diff>,
}

/// Compares what is live on both sides, as specs of the production bot.
pub(crate) async fn preview(app: &App, actor: Actor, id: &BotId) -> Result<Promotion, Error> {
    let pair = staging::pair(app, actor, id, Action::Read).await?;
    let standing = staging::standing(app, &pair).await?;
    let diff = match (&standing.live, &standing.wanted) {
        (Some(live), Some(wanted)) => {
            let (live, wanted) = (live.canonical.clone(), wanted.spec.clone());
            let compare = move || {
                let live: BotSpec = serde_json::from_str(&live).ok()?;
                Some(botloom_spec::diff(&live, &wanted))
            };
            let diff = app.specs.run(compare).await.ok().flatten();
            Some(diff.ok_or(Error::Internal("a stored spec cannot be read"))?)
        }
        _ => None,
    };
    Ok(Promotion {
        production: pair.production.id,
        standing,
        diff,
    })
}
