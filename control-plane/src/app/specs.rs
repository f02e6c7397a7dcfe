//! Versions of specs: posting, reading, comparing.

use botloom_core::ids::{BotId, ProjectId};
use botloom_core::model::{SpecVersion, SpecVersionSummary};
use botloom_core::ports::{NewVersion, NewVersionOutcome, Page, PageRequest};
use botloom_spec::model::BotSpec;
use botloom_spec::{Checked, Diff, Finding};
use bytes::Bytes;

use super::actor::{Actor, verb};
use super::{Error, access, audit};
use crate::auth::policy::Action;
use crate::state::App;

/// What the author says was edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edited {
    /// Nothing: last writer wins.
    Unsaid,
    /// Some version that exists.
    Any,
    /// One of these.
    Versions(Vec<u32>),
}

/// What became of a posted spec.
#[derive(Debug)]
pub(crate) enum Posted {
    /// It has errors; nothing was stored.
    Refused(Vec<Finding>),
    /// It is this version.
    Version {
        summary: SpecVersionSummary,
        /// Whether it was stored now; else it was there.
        created: bool,
        warnings: Vec<Finding>,
    },
}

/// Judges a spec, off the threads that serve requests.
pub(crate) async fn check(app: &App, bytes: Bytes) -> Result<Checked, Error> {
    let checked = app.specs.run(move || botloom_spec::check(&bytes)).await;
    checked.map_err(|_| Error::Internal("spec check"))
}

/// What a version comes with besides its content.
#[derive(Debug, Default)]
pub(crate) struct Accompanied {
    /// What is said about it.
    pub(crate) note: Option<String>,
    /// The older version whose content it is.
    pub(crate) restores: Option<u32>,
    /// The same request may come twice and must find the first one's effect.
    pub(crate) repeatable: bool,
}

/// Stores a spec as a version of the bot that it names.
pub(crate) async fn post(
    app: &App,
    actor: Actor,
    bytes: Bytes,
    edited: &Edited,
    with: Accompanied,
) -> Result<Posted, Error> {
    let Accompanied {
        note,
        restores,
        repeatable,
    } = with;
    let Checked { findings, spec } = check(app, bytes).await?;
    let Some(accepted) = spec else {
        return Ok(Posted::Refused(findings));
    };
    let id: BotId = accepted
        .spec
        .meta
        .bot_id
        .parse()
        .map_err(|_| Error::Internal("an accepted spec names no bot"))?;
    let bot = access::bot(app, actor, &id, Action::PostSpec).await?;
    let warnings = serde_json::to_string(&findings).map_err(|_| Error::Internal("findings"))?;
    let version = NewVersion {
        edited: precondition(app, &bot.id, edited).await?,
        bot: bot.id,
        spec_hash: accepted
            .hash
            .parse()
            .map_err(|_| Error::Internal("an accepted spec has no hash"))?,
        canonical: accepted.canonical,
        warnings,
        author: Some(actor.user),
        created_at: app.now(),
        note,
        restores,
    };
    let (summary, created) = match app.deps.ports.catalog.add_version(&version).await? {
        NewVersionOutcome::Created(summary) => {
            note_posted(app, actor, &summary, bot.project).await;
            (summary, true)
        }
        NewVersionOutcome::Existing(summary) => (summary, false),
        NewVersionOutcome::Stale { latest } => {
            match own_earlier_try(app, &version, latest, repeatable).await? {
                Some(summary) => (summary, true),
                None => return Err(Error::Stale { latest }),
            }
        }
    };
    Ok(Posted::Version {
        summary,
        created,
        warnings: findings,
    })
}

/// Notes a new version, with the hash of the one before.
async fn note_posted(app: &App, actor: Actor, posted: &SpecVersionSummary, project: ProjectId) {
    let catalog = &app.deps.ports.catalog;
    let before = match posted.version {
        1 => None,
        // Stored is stored: an entry that lacks the hash before is better than none.
        number => catalog.version(&posted.bot, number - 1).await.ok().flatten(),
    };
    let mut entry = actor.did_to_bot(app, verb::SPEC_POSTED, &posted.bot, project);
    entry.before = before.map(|version| version.summary.spec_hash.to_string());
    entry.after = Some(posted.spec_hash.to_string());
    audit::note(app, entry).await;
}

/// The version that the stated precondition means, for the store to compare once more when it writes.
async fn precondition(app: &App, bot: &BotId, edited: &Edited) -> Result<Option<u32>, Error> {
    let latest = || async {
        let latest = app.deps.ports.catalog.latest_version(bot).await?;
        Ok::<_, Error>(latest.map_or(0, |version| version.summary.version))
    };
    match edited {
        Edited::Unsaid => Ok(None),
        Edited::Any => match latest().await? {
            0 => Err(Error::Stale { latest: 0 }),
            _ => Ok(None),
        },
        Edited::Versions(versions) => match versions.as_slice() {
            [only] => Ok(Some(*only)),
            several => {
                let latest = latest().await?;
                if several.contains(&latest) {
                    Ok(Some(latest))
                } else {
                    Err(Error::Stale { latest })
                }
            }
        },
    }
}

/// The version that an earlier try of the same request stored before it could answer.
async fn own_earlier_try(
    app: &App,
    wanted: &NewVersion,
    latest: u32,
    repeatable: bool,
) -> Result<Option<SpecVersionSummary>, Error> {
    if !repeatable || wanted.edited.map(|edited| edited + 1) != Some(latest) {
        return Ok(None);
    }
    let stored = app
        .deps
        .ports
        .catalog
        .version(&wanted.bot, latest)
        .await?
        .map(|version| version.summary);
    Ok(stored.filter(|stored| stored.spec_hash == wanted.spec_hash && stored.author == wanted.author))
}

/// The version with the highest number.
pub(crate) async fn latest(app: &App, actor: Actor, bot: &BotId) -> Result<SpecVersion, Error> {
    access::bot(app, actor, bot, Action::Read).await?;
    app.deps
        .ports
        .catalog
        .latest_version(bot)
        .await?
        .ok_or(Error::NotFound)
}

/// One version.
pub(crate) async fn get(app: &App, actor: Actor, bot: &BotId, version: u32) -> Result<SpecVersion, Error> {
    access::bot(app, actor, bot, Action::Read).await?;
    app.deps
        .ports
        .catalog
        .version(bot, version)
        .await?
        .ok_or(Error::NotFound)
}

/// Versions, newest first.
pub(crate) async fn list(
    app: &App,
    actor: Actor,
    bot: &BotId,
    page: &PageRequest,
) -> Result<Page<SpecVersionSummary>, Error> {
    access::bot(app, actor, bot, Action::Read).await?;
    Ok(app.deps.ports.catalog.versions(bot, page).await?)
}

/// What changed between two versions.
pub(crate) async fn diff(app: &App, actor: Actor, bot: &BotId, from: u32, to: u32) -> Result<Diff, Error> {
    let from = get(app, actor, bot, from).await?;
    let to = get(app, actor, bot, to).await?;
    let compare = move || {
        let read = |version: &SpecVersion| serde_json::from_str::<BotSpec>(&version.canonical);
        Ok(botloom_spec::diff(&read(&from)?, &read(&to)?))
    };
    let compared = app
        .specs
        .run(compare)
        .await
        .map_err(|_| Error::Internal("diff"))?;
    compared.map_err(|_: serde_json::Error| Error::Internal("a stored spec cannot be read"))
}
