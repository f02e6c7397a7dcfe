//! Whether Telegram delivers: nodes that check bots against the simulator. The catalog's clock stands still until a test
//! moves it, so checks and pace go by it; sockets are real.

mod findings;
mod holding;
mod moving;
mod nodes;
mod races;
mod repairs;

use std::time::Duration;

use botloom_control_plane::ControlPlane;
use botloom_core::event::{BotEvent, LoggedEvent};
use botloom_core::ids::BotId;
use botloom_core::model::BotRow;
use botloom_telegram::simulator::{Action, Entry, Event, Fault, Filter};
use botloom_telegram::{SetWebhook, Token, WebhookInfo};
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Client, Server, Setup};

const PUBLIC: &str = "http://bots.example:8080/";
const ELSEWHERE: &str = "http://elsewhere.example:8080/hook?token=s3cret";
/// Longer than the longest pause between two checks, ms.
const ROUND_MS: i64 = 41_000;

/// A node that checks webhooks.
struct Node {
    running: JoinHandle<()>,
    stop: CancellationToken,
}

impl Node {
    /// Ends it in the middle of whatever it does.
    async fn kill(self) {
        self.running.abort();
        let _ = self.running.await;
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

/// An installation with one owner.
struct Clinic {
    server: Server,
    owner: Client,
    public: Option<String>,
    telegram_timeout: Duration,
}

fn number(bot: usize) -> i64 {
    7_100_000_000 + i64::try_from(bot).unwrap()
}

fn token(bot: usize) -> Token {
    Token::new(format!("{}:AA-a-token-of-a-bot", number(bot))).unwrap()
}

fn name(bot: usize) -> String {
    format!("bot-{bot:02}")
}

fn id(bot: usize) -> BotId {
    name(bot).parse().unwrap()
}

/// A rule for calls of a method that are to go wrong.
fn fault(method: &str, count: Option<u32>, action: Action) -> Fault {
    Fault {
        bot: None,
        method: Some(method.into()),
        chat: None,
        skip: 0,
        count,
        executed: false,
        action,
    }
}

fn answer(code: u16, description: &str, retry_after: Option<u32>) -> Action {
    Action::Answer {
        code,
        description: Some(description.into()),
        retry_after,
        migrate_to_chat_id: None,
    }
}

impl Clinic {
    /// With so many bots that are connected by webhook, numbered from 0.
    async fn with(bots: usize) -> Self {
        Self::at(PUBLIC, bots).await
    }

    /// As [`Clinic::with`], for stories in which Telegram holds calls. A node that dies holds up others for longer.
    async fn patient(bots: usize) -> Self {
        Self::set_up(Setup::patient(), PUBLIC, bots).await
    }

    async fn at(public: &str, bots: usize) -> Self {
        Self::set_up(Setup::default(), public, bots).await
    }

    async fn set_up(mut setup: Setup, public: &str, bots: usize) -> Self {
        let telegram_timeout = setup.options.telegram_timeout;
        setup.options.public_url = Some(public.parse().unwrap());
        let limits = &mut setup.options.limits;
        for burst in [&mut limits.user_burst, &mut limits.address_burst] {
            *burst = 100_000;
        }
        let server = Server::start_with(setup).await;
        let owner = server.owner().await;
        let clinic = Self {
            server,
            owner,
            public: Some(public.to_owned()),
            telegram_timeout,
        };
        for bot in 0..bots {
            clinic.bot(bot, "webhook").await;
        }
        clinic
    }

    async fn bot(&self, bot: usize, ingress: &str) {
        let name = name(bot);
        let new = json!({ "botId": name, "name": "B" });
        self.owner.post("/bots", &new).await.expect(201);
        let secret = json!({ "token": token(bot).expose() });
        let path = format!("/bots/{name}/token");
        self.owner.json(Method::PUT, &path, &secret).await.expect(200);
        let connect = json!({ "ingress": ingress });
        let path = format!("/bots/{name}/connect");
        self.owner.post(&path, &connect).await.expect(200);
    }

    /// Another node, with the public URL of the installation.
    fn node(&self) -> Node {
        let mut options = Setup::default().options;
        options.public_url = self.public.as_ref().map(|url| url.parse().unwrap());
        options.telegram_api_root = self.server.telegram.url();
        options.telegram_timeout = self.telegram_timeout;
        options.webhook_look = Duration::from_millis(20);
        let stop = CancellationToken::new();
        let api = ControlPlane::new(self.server.deps.clone(), options, stop.clone()).unwrap();
        let shutdown = stop.clone();
        Node {
            running: tokio::spawn(async move { api.run(shutdown).await }),
            stop,
        }
    }

    /// Waits until nothing is due and nothing under way.
    async fn idle(&self) {
        eventually("all checks are made", async || self.server.open_checks() == 0).await;
    }

    /// Lets time pass, and the checks that are due then be made.
    async fn pass(&self, ms: i64) {
        self.server.clock.advance(ms);
        self.idle().await;
    }

    async fn view(&self, bot: usize) -> Value {
        self.owner
            .get(&format!("/bots/{}", name(bot)))
            .await
            .expect(200)
            .json()
    }

    async fn health(&self, bot: usize) -> Value {
        self.view(bot).await["telegram"]["webhook"]["health"].clone()
    }

    /// Status and codes of the findings.
    async fn verdict(&self, bot: usize) -> (String, Vec<String>) {
        let health = self.health(bot).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let findings = health["findings"].as_array().cloned().unwrap_or_default();
        let codes = findings.iter().map(|finding| text(&finding["code"])).collect();
        (text(&health["status"]), codes)
    }

    async fn is(&self, bot: usize, status: &str, codes: &[&str]) -> bool {
        let verdict = self.verdict(bot).await;
        verdict.0 == status && verdict.1 == codes
    }

    async fn becomes(&self, bot: usize, status: &str, codes: &[&str]) {
        eventually(&format!("{bot} is {status} {codes:?}"), async || {
            self.is(bot, status, codes).await
        })
        .await;
    }

    async fn row(&self, bot: usize) -> BotRow {
        self.server.ports.catalog.bot(&id(bot)).await.unwrap().unwrap()
    }

    /// What was told about deliveries of a bot.
    async fn told(&self, bot: usize) -> Vec<LoggedEvent> {
        let project = self.row(bot).await.project;
        let page = self
            .server
            .ports
            .events
            .events_after(project, 0, 1_000)
            .await
            .unwrap();
        let about = |event: &LoggedEvent| {
            let told = matches!(
                event.event,
                BotEvent::WebhookDrifted { .. } | BotEvent::WebhookRecovered {}
            );
            told && event.bot_id == id(bot)
        };
        page.events.into_iter().filter(about).collect()
    }

    async fn told_names(&self, bot: usize) -> Vec<String> {
        let told = self.told(bot).await;
        told.iter().map(|event| event.event.name().to_owned()).collect()
    }

    /// Somebody else sets the webhook.
    async fn set(&self, bot: usize, webhook: &SetWebhook<'_>) {
        let client = &self.server.deps.telegram;
        client.set_webhook(&token(bot), webhook).await.unwrap();
    }

    async fn set_elsewhere(&self, bot: usize) {
        let webhook = SetWebhook {
            url: ELSEWHERE,
            ..SetWebhook::default()
        };
        self.set(bot, &webhook).await;
    }

    async fn info(&self, bot: usize) -> WebhookInfo {
        let client = &self.server.deps.telegram;
        client.get_webhook_info(&token(bot)).await.unwrap()
    }

    fn calls(&self, method: &str) -> Vec<Entry> {
        let filter = Filter {
            method: Some(method.into()),
            limit: 100_000,
            ..Filter::default()
        };
        self.server.telegram.journal(&filter)
    }

    /// Parameters of the calls of `setWebhook` that were executed, behind the first `skip`.
    fn set_calls(&self, skip: usize) -> Vec<(i64, Value)> {
        let call = |entry: Entry| match entry.event {
            Event::Call { params, executed, .. } => executed.then_some((entry.bot, Value::Object(params))),
            Event::Delivery { .. } => None,
        };
        self.calls("setWebhook")
            .into_iter()
            .filter_map(call)
            .skip(skip)
            .collect()
    }
}

/// Waits until it holds.
async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_mins(1);
    while !holds().await {
        assert!(
            tokio::time::Instant::now() < end,
            "it never came to be that {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
