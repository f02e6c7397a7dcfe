//! Bots: making, naming, giving a token, deleting.

use botloom_core::event::BotEvent;
use botloom_core::ids::{BotId, ProjectId};
use botloom_core::model::{BotRow, SealedToken, TelegramIdentity};
use botloom_core::ports::{NewBot, Notice, Page, PageRequest, TokenChange};
use botloom_core::secret::Secret;
use botloom_core::time::TimestampMs;
use botloom_telegram::Token;

use super::actor::{Actor, verb};
use super::{Error, access, audit, connection, telegram};
use crate::auth::policy::{self, Action};
use crate::state::{App, see_through};

/// Bots of the user's projects, by id.
pub(crate) async fn list(app: &App, actor: Actor, page: &PageRequest) -> Result<Page<BotRow>, Error> {
    let catalog = &app.deps.ports.catalog;
    let memberships = access::memberships(app, actor).await?;
    let readable = memberships
        .iter()
        .filter(|membership| policy::allows(membership.role, Action::Read));
    let projects: Vec<ProjectId> = readable.map(|membership| membership.project.id).collect();
    Ok(catalog.bots(&projects, page).await?)
}

/// Makes a bot in a project; without one, in the only project in which the user may make bots.
pub(crate) async fn create(
    app: &App,
    actor: Actor,
    id: BotId,
    name: String,
    project: Option<ProjectId>,
) -> Result<BotRow, Error> {
    let catalog = &app.deps.ports.catalog;
    let project = if let Some(project) = project {
        access::project(app, actor, project, Action::CreateBot).await?;
        project
    } else {
        let memberships = access::memberships(app, actor).await?;
        let mut fitting = memberships
            .iter()
            .filter(|one| policy::allows(one.role, Action::CreateBot));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => only.project.id,
            _ => return Err(Error::ProjectRequired),
        }
    };
    let bot = NewBot {
        id: id.clone(),
        project,
        name,
        created_at: app.now(),
    };
    if !catalog.create_bot(&bot).await? {
        return Err(Error::BotExists(id));
    }
    audit::note(app, actor.did_to_bot(app, verb::BOT_CREATED, &id, project)).await;
    changed(app, &id).await;
    reread(app, &id).await
}

/// Renames.
pub(crate) async fn rename(app: &App, actor: Actor, id: &BotId, name: &str) -> Result<BotRow, Error> {
    let bot = access::bot(app, actor, id, Action::EditBot).await?;
    app.deps.ports.catalog.rename_bot(id, name).await?;
    let mut entry = actor.did_to_bot(app, verb::BOT_RENAMED, id, bot.project);
    entry.before = Some(bot.name);
    entry.after = Some(name.to_owned());
    audit::note(app, entry).await;
    changed(app, id).await;
    reread(app, id).await
}

/// Lets a bot's updates wait, or go on. Repeating it changes nothing.
pub(crate) async fn set_paused(app: &App, actor: Actor, id: &BotId, paused: bool) -> Result<BotRow, Error> {
    let bot = access::bot(app, actor, id, Action::Pause).await?;
    let ports = &app.deps.ports;
    let at = paused.then(|| app.now());
    if ports.catalog.set_paused(id, at).await? {
        changed(app, id).await;
        let (event, verb) = if paused {
            (BotEvent::BotPaused {}, verb::BOT_PAUSED)
        } else {
            (BotEvent::BotResumed {}, verb::BOT_RESUMED)
        };
        audit::note(app, actor.did_to_bot(app, verb, id, bot.project)).await;
        ports.events.append(bot.project, id, app.now(), &event).await?;
    }
    reread(app, id).await
}

/// Updates of a bot that wait for it, in all its chats; `None` while the queues are away.
pub(crate) async fn waiting(app: &App, id: &BotId) -> Option<u64> {
    let stats = app.deps.ports.lanes.stats().await.ok()?;
    Some(stats.updates_by_bot.get(id).copied().unwrap_or_default())
}

/// How publishing a bot's commands and descriptions does; `None`: nothing is to be published.
pub(crate) async fn profile(app: &App, bot: &BotRow) -> Result<Option<ProfileState>, Error> {
    let (Some(identity), Some(active)) = (&bot.identity, bot.active_rev) else {
        return Ok(None);
    };
    let row = app.deps.ports.catalog.profile(identity.id).await?;
    if row.is_none() && bot.ingress.is_none() {
        return Ok(None);
    }
    let settled = row.as_ref().is_some_and(|row| row.settled == Some(active));
    let failure = row.as_ref().and_then(|row| row.failure.clone());
    Ok(Some(ProfileState {
        state: match (settled, &failure) {
            (false, _) => "pending",
            (true, Some(_)) => "failed",
            (true, None) => "published",
        },
        published_at: row.as_ref().and_then(|row| row.published_at),
        failure,
        version: row.map_or(0, |row| row.version),
    }))
}

/// How publishing a bot's commands and descriptions does.
#[derive(Debug)]
pub(crate) struct ProfileState {
    pub(crate) state: &'static str,
    pub(crate) published_at: Option<TimestampMs>,
    /// In words.
    pub(crate) failure: Option<String>,
    /// Changes with everything else.
    pub(crate) version: i64,
}

/// Checks a token with Telegram and keeps it sealed.
pub(crate) async fn set_token(app: &App, actor: Actor, id: &BotId, text: &Secret) -> Result<BotRow, Error> {
    let bot = access::bot(app, actor, id, Action::SetToken).await?;
    let token = Token::new(text.expose()).map_err(|_| Error::TokenInvalid)?;
    let now = "The token was not stored.";
    let me = telegram::ask(app, "getMe", now, app.deps.telegram.get_me(&token)).await?;
    let another = bot.identity.as_ref().is_some_and(|identity| identity.id != me.id);
    if bot.ingress.is_some() && another {
        return Err(Error::BotConnected);
    }
    let identity = TelegramIdentity {
        id: me.id,
        username: me.username,
    };
    // A bot whose token is stored and whose webhook is not set under it would be silent.
    see_through(app, async {
        store_token(app, &bot, text, &identity).await?;
        go_on_with_token(app, actor, &bot, verb::BOT_TOKEN_SET).await
    })
    .await
}

/// Keeps a token of this Telegram bot sealed, in the place of the one that the bot was `seen` with. Another one that somebody
/// else gave the bot since stays: [`Error::TokenBeingReplaced`]. May be repeated.
pub(crate) async fn store_token(
    app: &App,
    seen: &BotRow,
    text: &Secret,
    identity: &TelegramIdentity,
) -> Result<(), Error> {
    let catalog = &app.deps.ports.catalog;
    let sealed = SealedToken(app.deps.vault.seal(text, &seen.token_context()));
    let mut replaced = seen.token.clone();
    loop {
        let change = catalog.set_token(&seen.id, replaced.as_ref(), &sealed, identity);
        match change.await? {
            TokenChange::Set => return Ok(()),
            TokenChange::Taken => return Err(Error::BotAlreadyRegistered),
            TokenChange::Connected => return Err(Error::BotConnected),
            TokenChange::Stale => {}
        }
        let now = reread(app, &seen.id).await?;
        let present = telegram::token(app, &now).map_err(|_| Error::TokenBeingReplaced)?;
        if present.expose() == text.expose() {
            return Ok(());
        }
        // The same one, sealed anew: the key was changed, or it was given once more.
        if !telegram::token(app, seen).is_ok_and(|before| before.expose() == present.expose()) {
            return Err(Error::TokenBeingReplaced);
        }
        replaced = now.token;
    }
}

/// A bot has another token: if it takes updates, it goes on under that one. `verb`: how the audit log tells of it.
pub(crate) async fn go_on_with_token(
    app: &App,
    actor: Actor,
    bot: &BotRow,
    verb: &'static str,
) -> Result<BotRow, Error> {
    let id = &bot.id;
    audit::note(app, actor.did_to_bot(app, verb, id, bot.project)).await;
    changed(app, id).await;
    let bot = reread(app, id).await?;
    match bot.ingress {
        // A fresh token of the same bot: have Telegram deliver under it.
        Some(mode) => connection::establish(app, actor, bot, mode).await,
        None => Ok(bot),
    }
}

/// Deletes a bot with its chats. Its id stays taken. Telegram is told if it listens.
pub(crate) async fn delete(app: &App, actor: Actor, id: &BotId) -> Result<(), Error> {
    let catalog = &app.deps.ports.catalog;
    let bot = catalog.bot(id).await?.ok_or(Error::NotFound)?;
    access::project(app, actor, bot.project, Action::DeleteBot).await?;
    see_through(app, delete_bot(app, actor, &bot)).await
}

async fn delete_bot(app: &App, actor: Actor, bot: &BotRow) -> Result<(), Error> {
    let (catalog, id) = (&app.deps.ports.catalog, &bot.id);
    if bot.deleted_at.is_none() && bot.ingress.is_some() {
        // First, so that no check sets the webhook once more.
        catalog.set_connection(id, None).await?;
        changed(app, id).await;
        let removed = connection::remove_webhook(app, bot).await;
        if let Err(error) = removed {
            tracing::warn!(bot = %id, ?error, "the webhook of a bot that is being deleted stays set");
        }
    }
    let deleted = catalog.delete_bot(id, app.now()).await?;
    if deleted {
        audit::note(app, actor.did_to_bot(app, verb::BOT_DELETED, id, bot.project)).await;
    }
    // Also for a bot that was deleted before: that deletion may have ended between these two steps.
    app.deps.ports.lanes.purge(id).await?;
    changed(app, id).await;
    if deleted { Ok(()) } else { Err(Error::NotFound) }
}

/// Tells the runtime to look at the bot's row.
pub(crate) async fn changed(app: &App, id: &BotId) {
    app.deps
        .ports
        .bus
        .publish(Notice::BotChanged { bot: id.clone() })
        .await;
}

/// The row as it is now.
pub(crate) async fn reread(app: &App, id: &BotId) -> Result<BotRow, Error> {
    app.deps.ports.catalog.bot(id).await?.ok_or(Error::NotFound)
}
