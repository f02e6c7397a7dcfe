//! Staging bots: linking two bots, and how far production is behind.

use botloom_core::ids::BotId;
use botloom_core::model::{BotRow, SpecVersion};
use botloom_core::ports::StagingChange;
use botloom_spec::Accepted;
use botloom_spec::model::BotSpec;

use super::actor::{Actor, verb};
use super::{Error, access, audit, bots};
use crate::auth::policy::Action;
use crate::state::App;

/// A staging bot with its production bot.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) staging: BotRow,
    pub(crate) production: BotRow,
}

/// What is live on either side.
#[derive(Debug)]
pub(crate) struct Standing {
    /// Of the staging bot.
    pub(crate) staged: Option<SpecVersion>,
    /// The same content, as a spec of the production bot.
    pub(crate) wanted: Option<Accepted>,
    /// Of the production bot.
    pub(crate) live: Option<SpecVersion>,
}

impl Standing {
    /// Whether production runs something else than what is live on the staging bot.
    pub(crate) fn is_behind(&self) -> bool {
        let live = self.live.as_ref().map(|live| live.summary.spec_hash.to_string());
        let wanted = self.wanted.as_ref();
        wanted.is_some_and(|wanted| live.as_ref() != Some(&wanted.hash))
    }
}

/// Makes a bot the staging bot of another one, or of none.
pub(crate) async fn link(
    app: &App,
    actor: Actor,
    id: &BotId,
    production: Option<&BotId>,
) -> Result<BotRow, Error> {
    let bot = access::bot(app, actor, id, Action::EditBot).await?;
    if let Some(production) = production {
        access::bot(app, actor, production, Action::EditBot).await?;
    }
    match app.deps.ports.catalog.set_staging_of(id, production).await? {
        StagingChange::Changed => {
            let mut entry = actor.did_to_bot(app, verb::BOT_STAGING_SET, id, bot.project);
            entry.before = bot.staging_of.map(|bot| bot.to_string());
            entry.after = production.map(ToString::to_string);
            audit::note(app, entry).await;
        }
        StagingChange::Unchanged => {}
        StagingChange::Refused => return Err(Error::StagingInvalid),
    }
    bots::reread(app, id).await
}

/// Both bots of a link, if the caller may do this to both.
pub(crate) async fn pair(app: &App, actor: Actor, id: &BotId, action: Action) -> Result<Pair, Error> {
    let staging = access::bot(app, actor, id, action).await?;
    let production = staging.staging_of.as_ref().ok_or(Error::NoStagingBot)?;
    let production = access::bot(app, actor, production, action).await?;
    Ok(Pair { staging, production })
}

/// The version that the bot's active revision was built from.
pub(crate) async fn live(app: &App, bot: &BotRow) -> Result<Option<SpecVersion>, Error> {
    let catalog = &app.deps.ports.catalog;
    let Some(rev) = &bot.active_rev else {
        return Ok(None);
    };
    let Some(revision) = catalog.revision(rev).await? else {
        return Ok(None);
    };
    Ok(catalog.version(&bot.id, revision.spec_version).await?)
}

/// The content of a version as a spec of another bot: `meta.botId` names that one, all else is the same.
pub(crate) async fn of_another(app: &App, version: &SpecVersion, bot: &BotId) -> Result<Accepted, Error> {
    let (text, bot) = (version.canonical.clone(), bot.to_string());
    let rewrite = move || {
        let mut spec: BotSpec = serde_json::from_str(&text).ok()?;
        spec.meta.bot_id = bot;
        Some(botloom_spec::accept(spec))
    };
    let rewritten = app.specs.run(rewrite).await;
    rewritten
        .ok()
        .flatten()
        .ok_or(Error::Internal("a stored spec cannot be read"))
}

/// What is live on either side.
pub(crate) async fn standing(app: &App, pair: &Pair) -> Result<Standing, Error> {
    let staged = live(app, &pair.staging).await?;
    let wanted = match &staged {
        Some(staged) => Some(of_another(app, staged, &pair.production.id).await?),
        None => None,
    };
    Ok(Standing {
        staged,
        wanted,
        live: live(app, &pair.production).await?,
    })
}
