//! The webhook that a bot should have, and having Telegram take it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use botloom_core::hash::Sha256Hash;
use botloom_core::ids::BotId;
use botloom_core::model::{BotRow, IngressMode, Registered, RevJson, Tried};
use botloom_core::ports::{Registrar, StoreResult};
use botloom_core::secret::Secret;
use botloom_telegram::{CallError, Class, SetWebhook, Token, classify};
use url::Url;

use super::Error;
use crate::options::Options;
use crate::state::App;

/// Host of Telegram's own Bot API, which delivers to HTTPS only.
const TELEGRAM: &str = "api.telegram.org";
/// Ports it delivers to (Bot API, setWebhook).
const PORTS: [u16; 4] = [443, 80, 88, 8443];
/// After the longest call Telegram may take so long until it says what it has, ms.
const SETTLING_MS: i64 = 2_000;
/// Wanted whatever the bot reacts to: tells when people block the bot.
const ALWAYS: &str = "my_chat_member";

/// A webhook as it should be.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Where updates are to go.
    pub(crate) url: String,
    /// Kinds of updates; none named: Telegram's usual set.
    pub(crate) kinds: Vec<String>,
    /// Deliveries at a time.
    pub(crate) max_connections: u8,
    /// Comes with every delivery.
    pub(crate) secret: Secret,
}

impl Wanted {
    /// The webhook of a bot, with this secret.
    pub(crate) async fn of(app: &App, bot: &BotRow, secret: Secret) -> Result<Self, Error> {
        Ok(Self {
            url: webhook_url(&app.options, &bot.id)?,
            kinds: allowed_updates(app, bot).await?,
            max_connections: app.options.webhook_max_connections,
            secret,
        })
    }

    /// Digest of everything that is asked for.
    pub(crate) fn fingerprint(&self) -> Sha256Hash {
        let mut kinds = self.kinds.clone();
        kinds.sort_unstable();
        let secret = Sha256Hash::of(self.secret.expose());
        let all = format!(
            "{}\n{}\n{}\n{secret}",
            self.url,
            kinds.join(" "),
            self.max_connections
        );
        Sha256Hash::of(all)
    }

    /// What is registered once Telegram has taken it.
    pub(crate) fn registered(&self) -> Registered {
        Registered {
            url: self.url.clone(),
            secret: Sha256Hash::of(self.secret.expose()),
        }
    }
}

/// Has Telegram take it, and keeps what came of it, so that the address is known as ours whatever happens in between.
/// `None`: nothing was done, because the claim of the check is lost.
pub(crate) async fn register(
    app: &App,
    bot: &BotId,
    token: &Token,
    wanted: &Wanted,
    by: Registrar<'_>,
) -> StoreResult<Option<Result<(), CallError>>> {
    let catalog = &app.deps.ports.catalog;
    let longest = i64::try_from(app.options.telegram_timeout.as_millis()).unwrap_or(i64::MAX / 2);
    let now = app.now();
    let until = now.plus(longest + SETTLING_MS);
    if !catalog
        .begin_registration(bot, &wanted.url, by, now, until)
        .await?
    {
        return Ok(None);
    }
    let kinds: Vec<&str> = wanted.kinds.iter().map(String::as_str).collect();
    let webhook = SetWebhook {
        url: &wanted.url,
        secret_token: Some(wanted.secret.expose()),
        max_connections: Some(wanted.max_connections),
        allowed_updates: Some(&kinds),
        drop_pending_updates: false,
    };
    let call = app.deps.telegram.set_webhook(token, &webhook);
    let outcome = tokio::time::timeout(app.options.telegram_timeout, call)
        .await
        .unwrap_or_else(|late| {
            Err(CallError::Ambiguous {
                detail: late.to_string(),
            })
        });
    let tried = Tried {
        fingerprint: wanted.fingerprint(),
        at: app.now(),
    };
    match &outcome {
        Ok(()) => {
            let registered = wanted.registered();
            catalog
                .end_registration(bot, by, &tried, Some(&registered))
                .await?;
        }
        Err(error) if matches!(classify(error, "setWebhook"), Class::Rejected) => {
            catalog.end_registration(bot, by, &tried, None).await?;
        }
        // Nothing was decided: it may be tried again, and Telegram may have it.
        Err(_) => {}
    }
    Ok(Some(outcome))
}

/// Removes a webhook that may have been set for a bot which was disconnected, deleted, connected by polling or given the
/// token of another Telegram bot meanwhile: nobody would watch it. Answers whether the bot was.
pub(crate) async fn take_back(app: &App, bot: &BotRow, token: &Token) -> Result<bool, Error> {
    let now = app.deps.ports.catalog.bot(&bot.id).await?;
    if now.as_ref().is_some_and(|now| wants_webhook(now, bot)) {
        return Ok(false);
    }
    let call = app.deps.telegram.delete_webhook(token, false);
    let removed = tokio::time::timeout(app.options.telegram_timeout, call).await;
    if !matches!(removed, Ok(Ok(()))) {
        tracing::warn!(bot = %bot.id, "the webhook of a bot that was just disconnected stays set");
    }
    Ok(true)
}

/// Whether it is still the Telegram bot that was `seen`, and takes updates by webhook.
pub(crate) fn wants_webhook(now: &BotRow, seen: &BotRow) -> bool {
    let same = now.identity.as_ref().map(|it| it.id) == seen.identity.as_ref().map(|it| it.id);
    same && now.ingress == Some(IngressMode::Webhook) && now.deleted_at.is_none()
}

/// A new secret.
pub(crate) fn fresh_secret() -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

/// Where Telegram delivers a bot's updates, by the settings of this node.
pub(crate) fn webhook_url(options: &Options, bot: &BotId) -> Result<String, Error> {
    webhook_url_at(options.public_url.as_ref(), options, bot)
}

/// The same where the installation is reached at `public`.
pub(crate) fn webhook_url_at(public: Option<&Url>, options: &Options, bot: &BotId) -> Result<String, Error> {
    let public = public.ok_or(Error::PublicUrlMissing)?;
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
pub(crate) async fn allowed_updates(app: &App, bot: &BotRow) -> Result<Vec<String>, Error> {
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
