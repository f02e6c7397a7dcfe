//! Having a Telegram bot made for a bot here: a link that a person confirms at Telegram, and nothing to copy.
//!
//! An update of the manager bot tells who made which bot, and nothing of who asked here. The username that was suggested is
//! how the request is found again; that it was the asker who confirmed is known only of Telegram accounts that the asker has
//! said are theirs. A bot that any other account made waits for the asker's word.

use botloom_core::ids::BotId;
use botloom_core::model::{BotRow, ManagedBot, ManagedOutcome, ManagedRequest};
use botloom_core::secret::Secret;
use botloom_core::{Coded as _, Kind};
use botloom_telegram::{CallError, Me, Token};
use rand::Rng as _;
use url::Url;

use super::actor::{Actor, Origin, object, verb};
use super::{Error, access, audit, bots, telegram};
use crate::auth::policy::Action;
use crate::state::App;

/// How long a link may be confirmed: time to find the phone.
const LINK_LIFE_MS: i64 = 60 * 60_000;
/// How long a request is shown after its link has ended.
pub(crate) const SHOWN_MS: i64 = 24 * 60 * 60_000;
/// Longest username. Bot API: 5 to 32 characters, which end in `bot`.
const USERNAME: usize = 32;
/// Characters that nobody can guess: 36^8 is above 2^41.
const RANDOM: usize = 8;
/// Longest shown name of a bot.
const NAME: usize = 64;

/// Makes a link with which the asker makes the bot.
pub(crate) async fn ask(app: &App, actor: Actor, id: &BotId) -> Result<ManagedRequest, Error> {
    let bot = access::bot(app, actor, id, Action::SetToken).await?;
    let token = manager(app)?;
    if bot.ingress.is_some() {
        return Err(Error::BotConnected);
    }
    let manager = look_at_manager(app, token).await?;
    let username = username(id);
    let now = app.now();
    let request = ManagedRequest {
        bot: id.clone(),
        user: actor.user,
        request: actor.origin.request,
        link: link(&manager.username, &username, &bot.name)?,
        username,
        created_at: now,
        expires_at: now.plus(LINK_LIFE_MS),
        made: None,
        outcome: None,
    };
    app.deps.ports.catalog.put_managed_request(&request).await?;
    let mut entry = actor.did_to_bot(app, verb::MANAGED_BOT_ASKED, id, bot.project);
    entry.after = Some(request.username.clone());
    audit::note(app, entry).await;
    Ok(request)
}

/// The bot's request.
pub(crate) async fn look(app: &App, actor: Actor, id: &BotId) -> Result<ManagedRequest, Error> {
    access::bot(app, actor, id, Action::SetToken).await?;
    app.deps
        .ports
        .catalog
        .managed_request(id)
        .await?
        .ok_or(Error::NotFound)
}

/// Ends the bot's request; what was made at Telegram stays there.
pub(crate) async fn withdraw(app: &App, actor: Actor, id: &BotId) -> Result<(), Error> {
    let bot = access::bot(app, actor, id, Action::SetToken).await?;
    if !app.deps.ports.catalog.delete_managed_request(id).await? {
        return Err(Error::NotFound);
    }
    audit::note(
        app,
        actor.did_to_bot(app, verb::MANAGED_BOT_WITHDRAWN, id, bot.project),
    )
    .await;
    Ok(())
}

/// The asker says that the account which made the bot is theirs: the bot gets its token, and from now on what that account
/// makes for this asker needs no word.
pub(crate) async fn confirm(
    app: &App,
    actor: Actor,
    id: &BotId,
    account: i64,
) -> Result<ManagedRequest, Error> {
    let catalog = &app.deps.ports.catalog;
    let request = look(app, actor, id).await?;
    let made = request
        .made
        .as_ref()
        .filter(|_| request.outcome.is_none())
        .ok_or(Error::NothingToConfirm)?;
    if request.user != actor.user || made.creator.id != account {
        return Err(Error::NothingToConfirm);
    }
    if catalog.remember_account(actor.user, account, app.now()).await? {
        let mut entry = actor.did(
            app,
            verb::TELEGRAM_ACCOUNT_CONFIRMED,
            object::USER,
            &actor.user,
            None,
        );
        entry.after = Some(account.to_string());
        audit::note(app, entry).await;
    }
    attach(app, actor, &request, made).await?;
    look(app, actor, id).await
}

/// Takes in that a bot was made. An error that may pass means that it was not, and is to be told again.
pub(crate) async fn made(app: &App, username: &str, made: &ManagedBot) -> Result<(), Error> {
    let catalog = &app.deps.ports.catalog;
    let username = username.to_ascii_lowercase();
    let Some(request) = catalog.note_managed_bot(&username, made, app.now()).await? else {
        tracing::info!(bot = made.id, "a managed bot that nobody asked for here");
        return Ok(());
    };
    let known = catalog.knows_account(request.user, made.creator.id).await?;
    if request.outcome.is_some() || !known {
        return Ok(());
    }
    // As the one who asked, with the rights that they have now.
    let actor = Actor {
        user: request.user,
        grant: None,
        origin: Origin {
            address: None,
            request: request.request,
        },
    };
    match attach(app, actor, &request, made).await {
        Err(error) if !matches!(error.kind(), Kind::Unavailable | Kind::Internal) => Ok(()),
        outcome => outcome,
    }
}

/// Gives the bot the token of what was made, under the rules of every other token. May be repeated.
async fn attach(app: &App, actor: Actor, request: &ManagedRequest, made: &ManagedBot) -> Result<(), Error> {
    let outcome = match give_token(app, actor, &request.bot, made).await {
        Ok(()) => ManagedOutcome::Attached(app.now()),
        Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::Internal) => return Err(error),
        Err(error) => {
            let words = ManagedOutcome::Failed(error.outside());
            end(app, request, &words).await?;
            return Err(error);
        }
    };
    end(app, request, &outcome).await
}

async fn end(app: &App, request: &ManagedRequest, outcome: &ManagedOutcome) -> Result<(), Error> {
    let catalog = &app.deps.ports.catalog;
    catalog.end_managed_request(&request.username, outcome).await?;
    bots::changed(app, &request.bot).await;
    Ok(())
}

async fn give_token(app: &App, actor: Actor, id: &BotId, made: &ManagedBot) -> Result<(), Error> {
    let bot = access::bot(app, actor, id, Action::SetToken).await?;
    if has_token_of(&bot, made) {
        // Somebody was here and died before saying so.
        return Ok(());
    }
    let now = "The bot has no token yet; it is tried again.";
    let asking = app.deps.telegram.get_managed_bot_token(manager(app)?, made.id);
    let token = ask_as_manager(app, "getManagedBotToken", now, asking).await?;
    bots::set_token(app, actor, id, &Secret::new(token)).await?;
    Ok(())
}

fn has_token_of(bot: &BotRow, made: &ManagedBot) -> bool {
    bot.token.is_some()
        && bot
            .identity
            .as_ref()
            .is_some_and(|identity| identity.id == made.id)
}

/// Waits for a call of the manager bot, unless Telegram asked it to wait: that holds for all of its calls.
pub(super) async fn ask_as_manager<T>(
    app: &App,
    method: &str,
    now: &'static str,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, Error> {
    if let Some(wait) = app.manager_rest.secs_left() {
        return Err(Error::TelegramUnavailable {
            now,
            wait_secs: Some(wait),
        });
    }
    let asked = telegram::ask(app, method, now, call).await;
    if let Err(Error::TelegramUnavailable {
        wait_secs: Some(secs),
        ..
    }) = &asked
    {
        app.manager_rest.begin(*secs);
    }
    asked
}

/// The manager bot's token.
pub(super) fn manager(app: &App) -> Result<&Token, Error> {
    app.options.manager_bot.as_ref().ok_or(Error::ManagerMissing)
}

async fn look_at_manager(app: &App, token: &Token) -> Result<Me, Error> {
    let now = "No link was made.";
    let asked = ask_as_manager(app, "getMe", now, app.deps.telegram.get_me(token)).await;
    match asked {
        Ok(me) if me.can_manage_bots => Ok(me),
        Ok(_) | Err(Error::TokenRejected | Error::TelegramRefused(_)) => Err(Error::ManagerUnsuitable),
        Err(error) => Err(error),
    }
}

/// A username that is free, speaks of the bot, and cannot be guessed.
fn username(id: &BotId) -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut rng = rand::rng();
    let random: String = (0..RANDOM)
        .map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]))
        .collect();
    let room = USERNAME - RANDOM - "__bot".len();
    let words: Vec<&str> = id.as_str().split('-').filter(|word| !word.is_empty()).collect();
    let slug: String = words.join("_").chars().take(room).collect();
    format!("{}_{random}_bot", slug.trim_end_matches('_'))
}

/// Where Telegram makes the bot (Bot API 9.6, managed bots).
fn link(manager: &str, username: &str, name: &str) -> Result<String, Error> {
    let mut link =
        Url::parse("https://t.me/newbot/").map_err(|_| Error::Internal("a constant that parses"))?;
    if let Ok(mut path) = link.path_segments_mut() {
        path.pop_if_empty().push(manager).push(username);
    }
    let name: String = name.chars().take(NAME).collect();
    link.query_pairs_mut().append_pair("name", &name);
    // Forms write a space as `+`, which apps need not read so.
    Ok(link.as_str().replace('+', "%20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_telegrams_and_never_the_same() {
        for id in ["abc", "pizza--demo-", &format!("a{}", "-b".repeat(31))] {
            let id: BotId = id.parse().unwrap();
            let name = username(&id);
            assert!((5..=USERNAME).contains(&name.len()), "{name}");
            assert!(name.ends_with("_bot") && !name.contains("__"), "{name}");
            assert!(
                name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
                "{name}"
            );
            assert_ne!(username(&id), name);
        }
    }

    #[test]
    fn links_name_manager_bot_and_name() {
        assert_eq!(
            link("manager_bot", "a_bot", "Ann & Bo?").unwrap(),
            "https://t.me/newbot/manager_bot/a_bot?name=Ann%20%26%20Bo%3F"
        );
    }
}
