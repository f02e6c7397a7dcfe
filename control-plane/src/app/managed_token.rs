//! Having Telegram replace the token of a bot that the manager bot manages, so that nobody has to copy one.

use std::time::Duration;

use botloom_core::ids::BotId;
use botloom_core::model::{BotRow, TelegramIdentity};
use botloom_core::secret::Secret;
use botloom_core::{Coded as _, Kind};
use botloom_telegram::Token;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::actor::{Actor, verb};
use super::managed::{ask_as_manager, manager};
use super::{Error, access, bots, telegram};
use crate::auth::policy::Action;
use crate::state::{App, see_through};

/// Longer than a token can be on its way, with all the waiting for Telegram.
const REPLACING_MS: i64 = 120_000;
/// How long Telegram is asked, again and again, for a token whose arrival was not seen.
const FINDING_OUT: Duration = Duration::from_secs(15);
/// How long a token that Telegram gave is tried to be stored.
const STORING: Duration = Duration::from_secs(10);
/// Between two tries to store it.
const STORING_AGAIN: Duration = Duration::from_millis(250);
/// What holds when nobody knows.
const UNKNOWN: &str = "Whether the token was replaced is not known. If the bot falls silent, give it its present token: \
    PUT /bots/<botId>/token.";
/// What holds when Telegram did nothing.
const AS_BEFORE: &str = "The token is as it was.";

/// Has Telegram give a bot that the manager bot manages another token, and keeps that; the one before is no use any more. What
/// waits goes on with the new one. A stored token that does not hold at Telegram is no right to the next: whoever stored one once
/// could use the manager bot's power for ever.
pub(crate) async fn replace_token(app: &App, actor: Actor, id: &BotId) -> Result<BotRow, Error> {
    let bot = access::bot(app, actor, id, Action::SetToken).await?;
    bot.token.as_ref().ok_or(Error::TokenMissing)?;
    manager(app)?;
    // A node that ended before it is stored would leave the bot with a token that nobody knows.
    see_through(app, replace_alone(app, actor, &bot.id)).await
}

async fn replace_alone(app: &App, actor: Actor, id: &BotId) -> Result<BotRow, Error> {
    let (me, now, catalog) = (Uuid::new_v4(), app.now(), &app.deps.ports.catalog);
    let lease = format!("token-of-{id}");
    if !catalog
        .hold_lease(&lease, me, now, now.plus(REPLACING_MS))
        .await?
    {
        return Err(Error::TokenBeingReplaced);
    }
    let replaced = replace(app, actor, id).await;
    if let Err(error) = catalog.end_lease(&lease, me).await {
        tracing::debug!(bot = %id, ?error, "the lease of a token ends by itself");
    }
    replaced
}

async fn replace(app: &App, actor: Actor, id: &BotId) -> Result<BotRow, Error> {
    // Under the lease: whoever had it before has left another token.
    let bot = access::bot(app, actor, id, Action::SetToken).await?;
    let identity = bot.identity.as_ref().filter(|_| bot.token.is_some());
    let identity = identity.ok_or(Error::TokenMissing)?;
    let (manager, telegram) = (manager(app)?, &app.deps.telegram);
    holds(app, &bot, identity, AS_BEFORE).await?;
    let asking = telegram.replace_managed_bot_token(manager, identity.id);
    let asked = match ask_as_manager(app, "replaceManagedBotToken", UNKNOWN, asking).await {
        // It may have been done: Telegram says which token holds.
        Err(Error::TelegramUnavailable { wait_secs: None, .. }) => find_out(app, manager, identity).await,
        Err(Error::TelegramUnavailable { wait_secs, .. }) => Err(Error::TelegramUnavailable {
            now: AS_BEFORE,
            wait_secs,
        }),
        asked => asked,
    };
    let text = match asked {
        Ok(text) => Secret::new(text),
        Err(Error::TokenRejected) => return Err(Error::ManagerUnsuitable),
        Err(error) => return Err(error),
    };
    let token = Token::new(text.expose()).map_err(|_| Error::Internal("Telegram's token is none"))?;
    if token.bot_id() != identity.id {
        return Err(Error::Internal("Telegram's token is of another bot"));
    }
    if telegram::token(app, &bot).is_ok_and(|before| before.expose() == token.expose()) {
        return Err(Error::TelegramUnavailable {
            now: AS_BEFORE,
            wait_secs: None,
        });
    }
    let until = Instant::now() + STORING;
    while let Err(error) = store(app, &bot, &text, identity).await {
        if error.kind() != Kind::Unavailable || Instant::now() >= until {
            return Err(error);
        }
        tracing::warn!(bot = %id, ?error, "a token that Telegram gave is not stored yet");
        sleep(STORING_AGAIN).await;
    }
    bots::go_on_with_token(app, actor, &bot, verb::BOT_TOKEN_REPLACED).await
}

/// The token that is stored must be the bot's at Telegram: the right to it was lost with it. `now`: what holds if Telegram does
/// not say.
async fn holds(app: &App, bot: &BotRow, identity: &TelegramIdentity, now: &'static str) -> Result<(), Error> {
    let token = telegram::token(app, bot)?;
    match telegram::ask(app, "getMe", now, app.deps.telegram.get_me(&token)).await {
        Ok(me) if me.id == identity.id => Ok(()),
        Ok(_) | Err(Error::TokenRejected) => Err(Error::TokenRevoked),
        Err(error) => Err(error),
    }
}

/// The token that a bot has at Telegram. Asked for until it is told: nobody may ask later, with a token that holds no more.
async fn find_out(app: &App, manager: &Token, identity: &TelegramIdentity) -> Result<String, Error> {
    let until = Instant::now() + FINDING_OUT;
    loop {
        let asking = app.deps.telegram.get_managed_bot_token(manager, identity.id);
        // Also where the manager bot was told to wait with something else.
        let asked = telegram::ask(app, "getManagedBotToken", UNKNOWN, asking).await;
        let Err(Error::TelegramUnavailable { wait_secs, .. }) = &asked else {
            return asked;
        };
        let pause = Duration::from_secs(wait_secs.unwrap_or(1).into());
        if Instant::now() + pause > until {
            return asked;
        }
        sleep(pause).await;
    }
}

/// Stores what Telegram gave in the place of the token that it made useless.
async fn store(app: &App, bot: &BotRow, text: &Secret, identity: &TelegramIdentity) -> Result<(), Error> {
    match bots::store_token(app, bot, text, identity).await {
        Err(Error::TokenBeingReplaced) => {}
        outcome => return outcome,
    }
    // Somebody gave the bot another one meanwhile. A Telegram bot has one token that holds.
    let now = bots::reread(app, &bot.id).await?;
    if now.identity.as_ref().map(|it| it.id) != Some(identity.id) {
        return Err(Error::TokenBeingReplaced);
    }
    match holds(app, &now, identity, UNKNOWN).await {
        Err(Error::TokenRevoked) => bots::store_token(app, &now, text, identity).await,
        Ok(()) => Err(Error::TokenBeingReplaced),
        Err(error) => Err(error),
    }
}
