//! Connecting a bot to Telegram, and taking it off.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use botloom_core::event::BotEvent;
use botloom_core::ids::BotId;
use botloom_core::model::{BotRow, IngressMode, RevJson, SealedToken};
use botloom_core::ports::Connection;
use botloom_core::secret::Secret;
use botloom_telegram::{SetWebhook, Token};
use url::Url;

use super::actor::{Actor, verb};
use super::bots::{changed, reread};
use super::{Error, access, audit, telegram};
use crate::auth::policy::Action;
use crate::options::Options;
use crate::state::App;

/// Host of Telegram's own Bot API, which delivers to HTTPS only.
const TELEGRAM: &str = "api.telegram.org";
/// Ports it delivers to (Bot API, setWebhook).
const PORTS: [u16; 4] = [443, 80, 88, 8443];
/// Wanted whatever the bot reacts to: tells when people block the bot.
const ALWAYS: &str = "my_chat_member";

/// Connects a bot, or connects it anew.
pub(crate) async fn connect(app: &App, actor: Actor, id: &BotId, mode: IngressMode) -> Result<BotRow, Error> {
    let bot = access::bot(app, actor, id, Action::Connect).await?;
    let before = bot.ingress;
    let bot = establish(app, bot, mode).await?;
    let mut entry = actor.did_to_bot(app, verb::BOT_CONNECTED, id, bot.project);
    entry.before = before.map(|ingress| ingress.as_str().to_owned());
    entry.after = Some(mode.as_str().to_owned());
    audit::note(app, entry).await;
    let event = BotEvent::BotConnected { ingress: mode };
    app.deps
        .ports
        .events
        .append(bot.project, id, app.now(), &event)
        .await?;
    Ok(bot)
}

/// Makes store and Telegram agree that the bot takes updates in this way. May be repeated.
pub(crate) async fn establish(app: &App, bot: BotRow, mode: IngressMode) -> Result<BotRow, Error> {
    let token = telegram::token(app, &bot)?;
    match mode {
        IngressMode::Webhook => by_webhook(app, &bot, &token).await?,
        IngressMode::Polling => by_polling(app, &bot, &token).await?,
    }
    if let Some(identity) = &bot.identity {
        // What stopped its commands and descriptions may be over: a wrong token, a refusal.
        app.deps.ports.catalog.reopen_profile(identity.id).await?;
        changed(app, &bot.id).await;
    }
    reread(app, &bot.id).await
}

async fn by_webhook(app: &App, bot: &BotRow, token: &Token) -> Result<(), Error> {
    let url = webhook_url(&app.options, &bot.id)?;
    let catalog = &app.deps.ports.catalog;
    let context = bot.webhook_context();
    // Telegram may still deliver under the secret it has: keep it while the bot is connected.
    let kept = bot
        .webhook_secret
        .as_ref()
        .filter(|_| bot.ingress == Some(IngressMode::Webhook));
    let (secret, sealed) = if let Some(sealed) = kept {
        // Under the present key: a new one may be taking over right now.
        let renewed = app.deps.vault.renewed(&sealed.0, &context).ok().flatten();
        let present = renewed.map_or_else(|| sealed.clone(), SealedToken);
        (telegram::open(app, sealed, &context)?, present)
    } else {
        let secret = Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
        let sealed = SealedToken(app.deps.vault.seal(&secret, &context));
        (secret, sealed)
    };
    let wanted = allowed_updates(app, bot).await?;
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    // Before Telegram knows the secret: the first delivery may come before the call returns.
    let connection = Connection {
        ingress: IngressMode::Webhook,
        webhook_secret: Some(sealed),
    };
    catalog.set_connection(&bot.id, Some(&connection)).await?;
    changed(app, &bot.id).await;
    let webhook = SetWebhook {
        url: &url,
        secret_token: Some(secret.expose()),
        max_connections: Some(app.options.webhook_max_connections),
        allowed_updates: Some(&wanted),
        drop_pending_updates: false,
    };
    let now = "Whether the webhook is set is not known; connect again.";
    let outcome = telegram::ask(
        app,
        "setWebhook",
        now,
        app.deps.telegram.set_webhook(token, &webhook),
    )
    .await;
    if let Err(error @ (Error::TelegramRefused(_) | Error::TokenRejected)) = outcome {
        // Nothing changed at Telegram, so nothing changes here.
        let before = bot.ingress.map(|ingress| Connection {
            ingress,
            webhook_secret: connection.webhook_secret.clone().filter(|_| kept.is_some()),
        });
        catalog.set_connection(&bot.id, before.as_ref()).await?;
        changed(app, &bot.id).await;
        return Err(error);
    }
    outcome
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
    app.deps
        .ports
        .catalog
        .set_connection(&bot.id, Some(&connection))
        .await?;
    changed(app, &bot.id).await;
    Ok(())
}

/// Stops taking updates, then tells Telegram. Repeating it tells Telegram again.
pub(crate) async fn disconnect(app: &App, actor: Actor, id: &BotId) -> Result<BotRow, Error> {
    let bot = access::bot(app, actor, id, Action::Connect).await?;
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
        remove_webhook(app, &bot).await?;
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

/// Where Telegram delivers a bot's updates.
pub(crate) fn webhook_url(options: &Options, bot: &BotId) -> Result<String, Error> {
    let public = options.public_url.as_ref().ok_or(Error::PublicUrlMissing)?;
    let telegrams_own = options.telegram_api_root.host_str() == Some(TELEGRAM);
    if telegrams_own && !suits_telegram(public) {
        return Err(Error::PublicUrlUnsuitable);
    }
    Ok(format!("{}/wh/{bot}", public.as_str().trim_end_matches('/')))
}

fn suits_telegram(url: &Url) -> bool {
    url.scheme() == "https"
        && url
            .port_or_known_default()
            .is_some_and(|port| PORTS.contains(&port))
}

/// Update kinds that the active revision reacts to. Before the first deployment: none named, which Telegram takes as
/// its usual set.
async fn allowed_updates(app: &App, bot: &BotRow) -> Result<Vec<String>, Error> {
    let Some(active) = &bot.active_rev else {
        return Ok(Vec::new());
    };
    let Some(revision) = app.deps.ports.catalog.revision(active).await? else {
        return Ok(Vec::new());
    };
    let passport: RevJson = serde_json::from_str(&revision.rev_json)
        .map_err(|_| Error::Internal("a stored passport cannot be read"))?;
    let mut kinds = passport.allowed_updates;
    if !kinds.iter().any(|kind| kind == ALWAYS) {
        kinds.push(ALWAYS.to_owned());
    }
    Ok(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telegram_needs_https_and_its_ports_and_a_server_of_ones_own_does_not() {
        let bot: BotId = "a-bot".parse().unwrap();
        let options = |public: &str, root: &str| Options {
            public_url: Some(Url::parse(public).unwrap()),
            telegram_api_root: Url::parse(root).unwrap(),
            ..Options::default()
        };
        let telegram = "https://api.telegram.org";
        for good in [
            "https://x.example",
            "https://x.example:8443",
            "https://x.example:88/base/",
        ] {
            assert!(webhook_url(&options(good, telegram), &bot).is_ok(), "{good}");
        }
        for bad in [
            "http://x.example",
            "https://x.example:444",
            "http://x.example:443",
        ] {
            assert!(
                matches!(
                    webhook_url(&options(bad, telegram), &bot),
                    Err(Error::PublicUrlUnsuitable)
                ),
                "{bad}"
            );
            assert!(
                webhook_url(&options(bad, "http://127.0.0.1:9000"), &bot).is_ok(),
                "{bad}"
            );
        }
        assert_eq!(
            webhook_url(&options("https://x.example/base/", telegram), &bot).unwrap(),
            "https://x.example/base/wh/a-bot"
        );
        assert!(matches!(
            webhook_url(&Options::default(), &bot),
            Err(Error::PublicUrlMissing)
        ));
    }
}
