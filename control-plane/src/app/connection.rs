//! Connecting a bot to Telegram, and taking it off.

use botloom_core::Coded as _;
use botloom_core::event::BotEvent;
use botloom_core::ids::BotId;
use botloom_core::model::{BotRow, IngressMode, SealedToken};
use botloom_core::ports::{Connection, Registrar};
use botloom_telegram::Token;

use super::actor::{Actor, verb};
use super::bots::{changed, reread};
use super::webhook::{Wanted, fresh_secret, register, take_back, wants_webhook};
use super::{Error, access, audit, telegram};
use crate::auth::policy::Action;
use crate::state::{App, see_through};

/// How often a webhook is asked for while others ask for the same.
const WEBHOOK_TRIES: u32 = 3;

/// Connects a bot, or connects it anew.
pub(crate) async fn connect(app: &App, actor: Actor, id: &BotId, mode: IngressMode) -> Result<BotRow, Error> {
    let bot = access::bot(app, actor, id, Action::Connect).await?;
    // What is set at Telegram for a bot that was disconnected meanwhile has to be taken back.
    see_through(app, connected(app, actor, bot, mode)).await
}

async fn connected(app: &App, actor: Actor, bot: BotRow, mode: IngressMode) -> Result<BotRow, Error> {
    let before = bot.ingress;
    let bot = establish(app, actor, bot, mode).await?;
    let mut entry = actor.did_to_bot(app, verb::BOT_CONNECTED, &bot.id, bot.project);
    entry.before = before.map(|ingress| ingress.as_str().to_owned());
    entry.after = Some(mode.as_str().to_owned());
    audit::note(app, entry).await;
    let event = BotEvent::BotConnected { ingress: mode };
    app.deps
        .ports
        .events
        .append(bot.project, &bot.id, app.now(), &event)
        .await?;
    Ok(bot)
}

/// Makes store and Telegram agree that the bot takes updates in this way. May be repeated, and must be seen through
/// ([`see_through`]). `bot`: as it was seen; what somebody else made of its connection since holds. What Telegram refuses, or
/// leaves open, is noted with how the bot takes updates since.
pub(crate) async fn establish(
    app: &App,
    actor: Actor,
    bot: BotRow,
    mode: IngressMode,
) -> Result<BotRow, Error> {
    let token = telegram::token(app, &bot)?;
    let outcome = match mode {
        IngressMode::Webhook => by_webhook(app, &bot, &token).await,
        IngressMode::Polling => by_polling(app, &bot, &token).await,
    };
    if let Err(error) = &outcome
        && asked_telegram(error)
    {
        let now = app.deps.ports.catalog.bot(&bot.id).await.ok().flatten();
        let now = now.map_or("unknown", |bot| shown(bot.ingress));
        let mut entry = actor.did_to_bot(app, verb::BOT_CONNECT_FAILED, &bot.id, bot.project);
        entry.before = Some(shown(bot.ingress).to_owned());
        entry.after = Some(format!("{now}, {mode} failed: {}", error.code()));
        audit::note(app, entry).await;
    }
    outcome?;
    if let Some(identity) = &bot.identity {
        // What stopped its commands and descriptions may be over: a wrong token, a refusal.
        app.deps.ports.catalog.reopen_profile(identity.id).await?;
        changed(app, &bot.id).await;
    }
    reread(app, &bot.id).await
}

/// Whether it is Telegram's answer, the lack of one, or what happened before it came.
const fn asked_telegram(error: &Error) -> bool {
    matches!(
        error,
        Error::TelegramRefused(_)
            | Error::TelegramUnavailable { .. }
            | Error::TokenRejected
            | Error::ConnectionChanged
    )
}

fn shown(ingress: Option<IngressMode>) -> &'static str {
    ingress.map_or("disconnected", IngressMode::as_str)
}

/// Asks for the webhook; once more where the row is another one by then, and still wants it: somebody else connected the bot in
/// the same way, or what is sealed was sealed anew.
async fn by_webhook(app: &App, bot: &BotRow, token: &Token) -> Result<(), Error> {
    let (mut seen, mut token) = (bot.clone(), token.clone());
    for _ in 0..WEBHOOK_TRIES {
        match webhook_once(app, &seen, &token).await? {
            Some(()) => return Ok(()),
            None => seen = reread(app, &bot.id).await?,
        }
        if !wants_webhook(&seen, bot) {
            break;
        }
        token = telegram::token(app, &seen)?;
    }
    Err(Error::ConnectionChanged)
}

/// `None`: the bot's connection is not the one that was `seen`.
async fn webhook_once(app: &App, bot: &BotRow, token: &Token) -> Result<Option<()>, Error> {
    let catalog = &app.deps.ports.catalog;
    let context = bot.webhook_context();
    // Telegram may still deliver under the secret it has: keep it while the bot is connected. One that cannot be opened
    // any more serves nobody.
    let kept = bot
        .webhook_secret
        .as_ref()
        .filter(|_| bot.ingress == Some(IngressMode::Webhook))
        .and_then(|sealed| telegram::open(app, sealed, &context).ok());
    let is_kept = kept.is_some();
    let secret = kept.unwrap_or_else(fresh_secret);
    // Sealed anew also where it is kept: no two connections look the same, so that this one can be told from others.
    let sealed = SealedToken(app.deps.vault.seal(&secret, &context));
    let wanted = Wanted::of(app, bot, secret).await?;
    // Before Telegram knows the secret: the first delivery may come before the call returns.
    let connection = Connection {
        ingress: IngressMode::Webhook,
        webhook_secret: Some(sealed),
    };
    if !catalog
        .replace_connection(&bot.id, connection_of(bot).as_ref(), Some(&connection))
        .await?
    {
        return Ok(None);
    }
    changed(app, &bot.id).await;
    let now = "Whether the webhook is set is not known; connect again.";
    let registered = register(app, &bot.id, token, &wanted, Registrar::Person).await?;
    let outcome = registered.map_or(Ok(()), |outcome| telegram::judge("setWebhook", now, outcome));
    let error = match outcome {
        // Nothing changed at Telegram, so nothing changes here.
        Err(error @ (Error::TelegramRefused(_) | Error::TokenRejected)) => error,
        outcome => {
            if !take_back(app, bot, token).await? {
                return outcome.map(Some);
            }
            Error::ConnectionChanged
        }
    };
    let before = bot.ingress.map(|ingress| Connection {
        ingress,
        webhook_secret: connection.webhook_secret.clone().filter(|_| is_kept),
    });
    // Only what this call wrote is undone: whoever came later knows better.
    let undone = catalog
        .replace_connection(&bot.id, Some(&connection), before.as_ref())
        .await?;
    if undone {
        changed(app, &bot.id).await;
    }
    Err(error)
}

async fn by_polling(app: &App, bot: &BotRow, token: &Token) -> Result<(), Error> {
    let now = "The connection is as it was.";
    telegram::ask(
        app,
        "deleteWebhook",
        now,
        app.deps.telegram.delete_webhook(token, false),
    )
    .await?;
    let connection = Connection {
        ingress: IngressMode::Polling,
        webhook_secret: None,
    };
    let replaced = app
        .deps
        .ports
        .catalog
        .replace_connection(&bot.id, connection_of(bot).as_ref(), Some(&connection))
        .await?;
    if replaced {
        changed(app, &bot.id).await;
        return Ok(());
    }
    let now = reread(app, &bot.id).await?;
    if now.ingress == Some(IngressMode::Polling) {
        return Ok(());
    }
    if wants_webhook(&now, bot) {
        set_again(app, &now).await?;
    }
    Err(Error::ConnectionChanged)
}

fn connection_of(bot: &BotRow) -> Option<Connection> {
    bot.ingress.map(|ingress| Connection {
        ingress,
        webhook_secret: bot.webhook_secret.clone(),
    })
}

/// Has Telegram take the webhook of a bot once more: it may have been set just before we had it removed.
async fn set_again(app: &App, bot: &BotRow) -> Result<(), Error> {
    let (token, sealed) = (telegram::token(app, bot)?, bot.webhook_secret.as_ref());
    let sealed = sealed.ok_or(Error::Internal("a webhook without a secret"))?;
    let secret = telegram::open(app, sealed, &bot.webhook_context())?;
    let wanted = Wanted::of(app, bot, secret).await?;
    let outcome = register(app, &bot.id, &token, &wanted, Registrar::Person).await?;
    if let Some(Err(error)) = outcome {
        tracing::warn!(bot = %bot.id, %error, "a webhook that was removed by mistake is left to its next check");
    }
    take_back(app, bot, &token).await.map(drop)
}

/// Stops taking updates, then tells Telegram. Repeating it tells Telegram again.
pub(crate) async fn disconnect(app: &App, actor: Actor, id: &BotId) -> Result<BotRow, Error> {
    let bot = access::bot(app, actor, id, Action::Connect).await?;
    see_through(app, disconnected(app, actor, &bot)).await
}

async fn disconnected(app: &App, actor: Actor, bot: &BotRow) -> Result<BotRow, Error> {
    let id = &bot.id;
    if bot.ingress.is_some() {
        app.deps.ports.catalog.set_connection(id, None).await?;
        let mut entry = actor.did_to_bot(app, verb::BOT_DISCONNECTED, id, bot.project);
        entry.before = bot.ingress.map(|ingress| ingress.as_str().to_owned());
        audit::note(app, entry).await;
        changed(app, id).await;
        app.deps
            .ports
            .events
            .append(bot.project, id, app.now(), &BotEvent::BotDisconnected {})
            .await?;
    }
    if bot.token.is_some() {
        remove_webhook(app, bot).await?;
        let now = reread(app, id).await?;
        if wants_webhook(&now, bot) {
            // Somebody connected the bot while Telegram was removing its webhook.
            set_again(app, &now).await?;
        }
    }
    reread(app, id).await
}

/// Has Telegram forget the webhook. A token that Telegram does not know any more has none.
pub(crate) async fn remove_webhook(app: &App, bot: &BotRow) -> Result<(), Error> {
    let token = telegram::token(app, bot)?;
    let now = "No updates are taken any more, but Telegram still has the webhook; disconnect again.";
    match telegram::ask(
        app,
        "deleteWebhook",
        now,
        app.deps.telegram.delete_webhook(&token, false),
    )
    .await
    {
        Err(Error::TokenRejected) => Ok(()),
        outcome => outcome,
    }
}
