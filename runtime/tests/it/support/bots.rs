//! Bots as a deployer and a control plane would leave them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use botloom_core::hash::{RevHash, Sha256Hash, SpecHash};
use botloom_core::model::{
    ArtifactDigests, BotPassport, BuildInfo, IngressMode, RevJson, RevisionRow, SealedToken, Security,
    TelegramIdentity,
};
use botloom_core::ports::{
    ActiveRevision, ArtifactName, Connection, NewBot, NewVersion, Notice, TokenChange,
};
use botloom_core::{BotId, Secret, TimestampMs};
use botloom_telegram::{SetWebhook, Token};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::World;

/// Counts a chat's updates, remembers their numbers, and answers each.
pub(crate) const ECHO: &str = "export function handle({ event, state }) {
  const seen = [...(state === null ? [] : state.seen), event.updateId];
  const params = { text: `${seen.length} ${event.text}` };
  return { state: { seen }, actions: [{ method: 'sendMessage', params }], telemetry: [{ event: 'echoed', flow: 'f' }] };
}";

/// A bot of the world.
pub(crate) struct Bot {
    pub(crate) id: BotId,
    /// Number at the simulator.
    pub(crate) number: i64,
    pub(crate) token: Token,
    pub(crate) secret: String,
}

/// What a request was answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            retry_after: None,
            body: Bytes::new(),
        }
    }
}

pub(crate) fn passport(bot: &BotId, bot_js: &str) -> RevJson {
    RevJson {
        rev_hash: RevHash(Sha256Hash::of(format!("{bot} {bot_js}"))),
        bot_id: bot.clone(),
        spec_version: 1,
        artifacts: BTreeMap::new(),
        build: BuildInfo {
            model: "compiler".into(),
            seed: 0,
            sdk_version: "1".into(),
            ast_rules_version: "1".into(),
            compiler_version: "1".into(),
            generator_git_sha: "unknown".into(),
            built_at: "2026-01-01T00:00:00Z".into(),
        },
        hashes: BTreeMap::new(),
        sizes: BTreeMap::new(),
        security: Security {
            allow_domains: vec!["api.shop.example".into()],
            max_api_response_kb: 4,
        },
        bot: BotPassport {
            name: "Test".into(),
            timezone: "UTC".into(),
            state_ttl_sec: None,
            analytics_ttl_sec: None,
        },
        allowed_updates: vec!["message".into(), "callback_query".into()],
        author: None,
        notes: None,
    }
}

/// What Telegram posts when somebody writes in their private chat.
pub(crate) fn text_update(id: i64, chat: i64, text: &str) -> Value {
    json!({"update_id": id, "message": {
        "message_id": id, "date": 1_700_000_000, "text": text,
        "from": {"id": chat, "is_bot": false, "first_name": "Ada"},
        "chat": {"id": chat, "type": "private", "first_name": "Ada"},
    }})
}

impl World {
    /// A bot with a token, not connected, without a revision.
    pub(crate) async fn bare_bot(&self, name: &str) -> Bot {
        static NUMBERS: AtomicI64 = AtomicI64::new(7_100_000_001);
        let id = BotId::new(name).unwrap();
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let created_at = TimestampMs(1_700_000_000_000);
        let new = NewBot {
            id: id.clone(),
            project: self.project,
            name: name.into(),
            created_at,
        };
        assert!(self.ports.catalog.create_bot(&new).await.unwrap());
        let token = Token::new(format!("{number}:AA-canary-token-{name}")).unwrap();
        self.set_token(&id, &token).await;
        Bot {
            id,
            number,
            token,
            secret: format!("secret-of-{name}"),
        }
    }

    pub(crate) async fn set_token(&self, id: &BotId, token: &Token) {
        let number = self.simulator.bot(token);
        let username = self.simulator.bot_state(number).unwrap().username;
        let row = self.ports.catalog.bot(id).await.unwrap().unwrap();
        let sealed = self
            .vault
            .seal(&Secret::new(token.expose()), &row.token_context());
        let identity = TelegramIdentity { id: number, username };
        let catalog = &self.ports.catalog;
        let (seen, sealed) = (row.token.as_ref(), SealedToken(sealed));
        let set = catalog.set_token(id, seen, &sealed, &identity).await;
        assert_eq!(
            set.unwrap(),
            TokenChange::Set,
            "another bot has this Telegram bot"
        );
        self.ports
            .bus
            .publish(Notice::BotChanged { bot: id.clone() })
            .await;
    }

    pub(crate) async fn connect(&self, bot: &Bot, ingress: IngressMode) {
        let row = self.ports.catalog.bot(&bot.id).await.unwrap().unwrap();
        let sealed = self
            .vault
            .seal(&Secret::new(bot.secret.clone()), &row.webhook_context());
        let secret = SealedToken(sealed);
        let connection = match ingress {
            IngressMode::Webhook => Connection {
                ingress,
                webhook_secret: Some(secret),
            },
            IngressMode::Polling => Connection {
                ingress,
                webhook_secret: None,
            },
        };
        self.ports
            .catalog
            .set_connection(&bot.id, Some(&connection))
            .await
            .unwrap();
        self.ports
            .bus
            .publish(Notice::BotChanged { bot: bot.id.clone() })
            .await;
        if ingress == IngressMode::Webhook {
            let url = format!("{}/wh/{}", self.url, bot.id);
            let webhook = SetWebhook {
                url: &url,
                secret_token: Some(&bot.secret),
                ..SetWebhook::default()
            };
            self.telegram.set_webhook(&bot.token, &webhook).await.unwrap();
        }
    }

    /// A connected bot that runs `bot_js`.
    pub(crate) async fn bot(&self, name: &str, bot_js: &str) -> Bot {
        let bot = self.bare_bot(name).await;
        self.deploy(&bot.id, bot_js).await;
        self.connect(&bot, IngressMode::Webhook).await;
        bot
    }

    /// Stores a revision without making it live.
    pub(crate) async fn store(&self, bot: &BotId, bot_js: &str) -> RevHash {
        let passport = passport(bot, bot_js);
        let (rev, rev_json) = (passport.rev_hash, serde_json::to_string(&passport).unwrap());
        let at = TimestampMs(1_700_000_000_000);
        let version = NewVersion {
            bot: bot.clone(),
            spec_hash: SpecHash(Sha256Hash::of(bot_js)),
            canonical: "{}".into(),
            warnings: "[]".into(),
            author: None,
            created_at: at,
            edited: None,
            note: None,
            restores: None,
        };
        self.ports.catalog.add_version(&version).await.unwrap();
        let files = [
            (ArtifactName::BotJs, bot_js.to_owned()),
            (ArtifactName::SpecJson, "{}".to_owned()),
            (ArtifactName::RevJson, rev_json.clone()),
        ];
        for (name, text) in files {
            self.ports
                .artifacts
                .put(bot, &rev, name, Bytes::from(text))
                .await
                .unwrap();
        }
        let row = RevisionRow {
            rev_hash: rev,
            bot: bot.clone(),
            spec_version: 1,
            digests: ArtifactDigests {
                bot_js: Sha256Hash::of(bot_js),
                spec_json: Sha256Hash::of("{}"),
                rev_json: Sha256Hash::of(&rev_json),
            },
            rev_json,
            created_at: at,
        };
        self.ports.catalog.add_revision(&row).await.unwrap();
        rev
    }

    /// Makes `bot_js` live, as a deployer does.
    pub(crate) async fn deploy(&self, bot: &BotId, bot_js: &str) -> ActiveRevision {
        let rev = self.store(bot, bot_js).await;
        self.activate(bot, rev).await
    }

    /// Makes a stored revision live.
    pub(crate) async fn activate(&self, bot: &BotId, rev: RevHash) -> ActiveRevision {
        let seen = self.ports.catalog.bot(bot).await.unwrap().unwrap().epoch;
        let epoch = self
            .ports
            .catalog
            .activate(bot, seen, rev)
            .await
            .unwrap()
            .unwrap();
        let revision = ActiveRevision { epoch, rev };
        self.ports.lanes.set_revision(bot, revision).await.unwrap();
        self.ports
            .bus
            .publish(Notice::RevisionSet {
                bot: bot.clone(),
                revision,
            })
            .await;
        self.node
            .sandboxes()
            .barrier(bot, revision, std::time::Duration::from_millis(300))
            .await;
        revision
    }

    /// Posts a body to a path with a secret.
    pub(crate) async fn post(&self, path: &str, secret: Option<&str>, body: impl Into<Bytes>) -> Answer {
        self.post_to(&self.url, path, secret, body).await
    }

    /// As [`Self::post`], to another node.
    pub(crate) async fn post_to(
        &self,
        node: &str,
        path: &str,
        secret: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Answer {
        let client =
            hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
        let mut request = http::Request::post(format!("{node}{path}"));
        if let Some(secret) = secret {
            request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
        }
        let response = client
            .request(request.body(Full::new(body.into())).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status.as_u16(),
            retry_after: parts
                .headers
                .get("retry-after")
                .map(|value| value.to_str().unwrap().to_owned()),
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// Posts an update to a bot's webhook, as Telegram would.
    pub(crate) async fn deliver(&self, bot: &Bot, update: &Value) -> Answer {
        self.post(&format!("/wh/{}", bot.id), Some(&bot.secret), update.to_string())
            .await
    }

    /// Texts that the bot sent to a chat, in order.
    pub(crate) fn texts(&self, bot: &Bot, chat: i64) -> Vec<String> {
        let seen = self.simulator.messages(bot.number, chat, 0, 10_000);
        seen.iter()
            .filter(|seen| seen.from_bot)
            .map(|seen| seen.text().to_owned())
            .collect()
    }
}
