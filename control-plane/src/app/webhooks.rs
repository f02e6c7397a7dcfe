//! Whether Telegram delivers: looking at it, and taking a bot's updates back.

use botloom_core::ids::{BotId, ProjectId};
use botloom_core::model::{
    BotRow, WebhookCheck, WebhookPaceState, WebhookStatus, WebhookSurvey, WebhookTally,
};
use botloom_core::ports::{Page, PageRequest};

use super::actor::{Actor, verb};
use super::{Error, access, audit, connection};
use crate::auth::policy::{self, Action};
use crate::doctor;
use crate::state::{App, see_through};

/// How far an installation is with setting its webhooks right.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The caller's bots.
    pub(crate) tally: Vec<WebhookTally>,
    /// Those that wait for their turn.
    pub(crate) left: u64,
    /// Until all bots of the installation that wait have had their turn, s.
    pub(crate) eta_secs: u64,
    pub(crate) pace: WebhookPaceState,
    /// Of all bots of the installation.
    pub(crate) survey: WebhookSurvey,
}

/// Checks of the connected bots of the caller's projects, by id of the bot.
pub(crate) async fn list(
    app: &App,
    actor: Actor,
    status: Option<WebhookStatus>,
    page: &PageRequest,
) -> Result<Page<WebhookCheck>, Error> {
    let projects = readable(app, actor).await?;
    let catalog = &app.deps.ports.catalog;
    Ok(catalog.webhook_checks(&projects, status, page).await?)
}

/// How the caller's bots are.
pub(crate) async fn progress(app: &App, actor: Actor) -> Result<Progress, Error> {
    let projects = readable(app, actor).await?;
    let catalog = &app.deps.ports.catalog;
    let tally = catalog.webhook_tally(Some(&projects)).await?;
    let all = catalog.webhook_tally(None).await?;
    let pace = catalog.webhook_pace(app.now()).await?;
    let survey = catalog.webhook_survey(app.now()).await?;
    Ok(Progress {
        left: left(&tally),
        eta_secs: doctor::eta_secs(left(&all), pace.last_hour),
        tally,
        pace,
        survey,
    })
}

fn left(tally: &[WebhookTally]) -> u64 {
    let waiting = tally.iter().filter(|entry| doctor::is_left(entry));
    waiting.map(|entry| entry.bots).sum()
}

async fn readable(app: &App, actor: Actor) -> Result<Vec<ProjectId>, Error> {
    let memberships = access::memberships(app, actor).await?;
    let readable = memberships
        .into_iter()
        .filter(|membership| policy::allows(membership.role, Action::Read));
    Ok(readable.map(|membership| membership.project.id).collect())
}

/// What is known of one bot; `None`: it was not checked yet.
pub(crate) async fn of_bot(app: &App, bot: &BotRow) -> Result<Option<WebhookCheck>, Error> {
    if bot.ingress.is_none() {
        return Ok(None);
    }
    Ok(app.deps.ports.catalog.webhook_check(&bot.id).await?)
}

/// Has Telegram give the updates of a connected bot to us, whoever gets them now. May be repeated.
pub(crate) async fn reclaim(app: &App, actor: Actor, id: &BotId) -> Result<BotRow, Error> {
    let bot = access::bot(app, actor, id, Action::Connect).await?;
    let ingress = bot.ingress.ok_or(Error::BotNotConnected)?;
    see_through(app, async {
        let bot = connection::establish(app, actor, bot, ingress).await?;
        let entry = actor.did_to_bot(app, verb::WEBHOOK_RECLAIMED, &bot.id, bot.project);
        audit::note(app, entry).await;
        let catalog = &app.deps.ports.catalog;
        catalog.hasten_webhook_check(&bot.id, app.now()).await?;
        Ok(bot)
    })
    .await
}
