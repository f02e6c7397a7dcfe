//! A server, a simulated Telegram, and people who write to bots.

use std::time::Duration;

use botloom_telegram::simulator::{
    Event, Filter, FloodModel, Handle, NewBot, Options, Person, Seen, Simulator,
};
use serde_json::Value;

use super::api::Api;
use super::balancer::Balancer;
use super::process::{Server, free_port};
use super::services::Services;
use super::stories::Storage;

/// How long a story waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Sending limits off, so that stories do not wait for them, and time for bot code on a machine that is busy with the story.
pub(crate) const FAST: &[(&str, &str)] = &[
    ("BOTLOOM_SANDBOX_BUDGET_MS", "1000"),
    ("BOTLOOM_SEND_BOT_PER_S", "0"),
    ("BOTLOOM_SEND_BULK_PER_S", "0"),
    ("BOTLOOM_SEND_CHAT_PER_S", "0"),
    ("BOTLOOM_SEND_GROUP_PER_MIN", "0"),
];

/// Everything a story needs.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) telegram: Handle,
    /// The first node, or the only one.
    pub(crate) server: Server,
    /// Further nodes.
    pub(crate) others: Vec<Server>,
    pub(crate) api: Api,
    balancer: Option<Balancer>,
    pub(crate) services: Option<Services>,
}

impl World {
    /// A fresh installation whose owner is logged in, and a Telegram that refuses nothing.
    pub(crate) async fn start(storage: Storage, settings: &[(&str, &str)]) -> Self {
        Self::with_telegram(storage, Self::lenient(), settings).await
    }

    /// The same with a Telegram of the story's own.
    pub(crate) async fn with_telegram(storage: Storage, options: Options, settings: &[(&str, &str)]) -> Self {
        match storage {
            Storage::Embedded => Self::of_nodes(None, options, &[settings]).await,
            Storage::Services => Self::of_nodes(Some(Services::new().await), options, &[settings; 2]).await,
        }
    }

    /// Nodes that share services, one for each list of settings; a Telegram that refuses nothing.
    pub(crate) async fn of(services: Services, nodes: &[&[(&str, &str)]]) -> Self {
        Self::of_nodes(Some(services), Self::lenient(), nodes).await
    }

    /// So many nodes that share services; a Telegram that refuses nothing.
    pub(crate) async fn alike(services: Services, nodes: usize) -> Self {
        Self::of(services, &vec![&[][..]; nodes]).await
    }

    /// A Telegram that refuses nothing and remembers everything.
    fn lenient() -> Options {
        Options {
            flood: FloodModel::off(),
            accept_unknown: true,
            journal_limit: 1_000_000,
            ..Options::default()
        }
    }

    async fn of_nodes(services: Option<Services>, options: Options, nodes: &[&[(&str, &str)]]) -> Self {
        let telegram = Simulator::start(options).await.unwrap();
        let root = telegram.url().to_string();
        let nodes: Vec<_> = nodes.iter().map(|settings| (free_port(), *settings)).collect();
        let balancer = if nodes.len() > 1 {
            let doors = nodes.iter().filter(|(_, settings)| runs_bots(settings));
            Some(Balancer::start(doors.map(|(port, _)| *port).collect()).await)
        } else {
            None
        };
        let door = balancer.as_ref().map(|balancer| balancer.url(""));
        let mut env = vec![("BOTLOOM_TELEGRAM_API_ROOT", root.as_str())];
        env.extend_from_slice(FAST);
        env.extend(door.as_deref().map(|door| ("BOTLOOM_PUBLIC_URL", door)));
        let shared = services.iter().flat_map(|services| &services.settings);
        env.extend(shared.map(|(key, text)| (key.as_str(), text.as_str())));
        let mut servers = Vec::new();
        for (port, settings) in nodes {
            let mut server = Server::new(port, &[&env, settings].concat());
            server.spawn(&[]);
            servers.push(server);
        }
        for server in &mut servers {
            server.ready().await;
        }
        let server = servers.remove(0);
        let api = Api::set_up(&server).await;
        Self {
            telegram,
            server,
            others: servers,
            api,
            balancer,
            services,
        }
    }

    /// Where Telegram reaches the installation.
    pub(crate) fn door(&self, path: &str) -> String {
        self.balancer
            .as_ref()
            .map_or_else(|| self.server.url(path), |balancer| balancer.url(path))
    }

    /// A node by number, counted around.
    pub(crate) fn node(&mut self, number: usize) -> &mut Server {
        match number % (self.others.len() + 1) {
            0 => &mut self.server,
            other => &mut self.others[other - 1],
        }
    }

    /// Asks the first node to end, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        self.server.signal("TERM");
        assert_eq!(self.server.ended().await, Some(0), "{}", self.server.log_text());
    }

    /// Kills all nodes and starts the first one alone, with extra settings for this life of it.
    pub(crate) async fn only_first(&mut self, extra: &[(&str, &str)]) {
        for server in std::iter::once(&mut self.server).chain(&mut self.others) {
            server.kill();
        }
        self.server.spawn(extra);
        self.server.ready().await;
    }

    /// Starts the nodes that go on where the first one ended: the others, or itself if there are none. Answers a client of
    /// one of them.
    pub(crate) async fn taken_over(&mut self) -> Api {
        let going_on = if self.others.is_empty() {
            std::slice::from_mut(&mut self.server)
        } else {
            &mut self.others[..]
        };
        for server in &mut *going_on {
            server.spawn(&[]);
        }
        for server in &mut *going_on {
            server.ready().await;
        }
        self.api.at(&going_on[0])
    }

    /// Starts the nodes that do not run.
    pub(crate) async fn all_again(&mut self) {
        for server in std::iter::once(&mut self.server).chain(&mut self.others) {
            if !server.runs() {
                server.spawn(&[]);
            }
        }
        for server in std::iter::once(&mut self.server).chain(&mut self.others) {
            server.ready().await;
        }
    }

    /// What all nodes printed.
    pub(crate) fn logs(&self) -> String {
        let nodes = std::iter::once(&self.server).chain(&self.others);
        nodes.map(Server::log_text).collect::<Vec<_>>().join("\n---\n")
    }

    /// Brings a bot live and connects it; answers its number at Telegram.
    pub(crate) async fn bot(&self, spec: &Value, number: i64, ingress: &str) -> i64 {
        let bot = self.api.create_bot(spec).await;
        self.api.go_live(spec).await;
        let token = format!("{number}:AA-story-token");
        let username = Some(format!("{}_bot", bot.replace('-', "_")));
        let known = self
            .telegram
            .add_bot(&NewBot {
                token: token.clone(),
                username,
                name: None,
            })
            .unwrap();
        self.api.connect(&bot, &token, ingress).await;
        known
    }

    /// The secret that Telegram was given for a bot's webhook.
    pub(crate) fn secret(&self, bot: i64) -> String {
        let filter = Filter {
            bot: Some(bot),
            method: Some("setWebhook".to_owned()),
            ..Filter::default()
        };
        let calls = self.telegram.journal(&filter);
        let Some(Event::Call { params, .. }) = calls.last().map(|entry| &entry.event) else {
            panic!("the webhook was never set")
        };
        params["secret_token"].as_str().unwrap().to_owned()
    }

    /// A person with a language.
    pub(crate) fn person(&self, name: &str, language: &str) -> i64 {
        let person = self.telegram.person(name);
        self.telegram.put_person(Person {
            language_code: Some(language.to_owned()),
            ..person
        })
    }

    /// Says something and waits for so many answers; answers their texts.
    pub(crate) async fn ask(&self, bot: i64, person: i64, text: &str, answers: usize) -> Vec<String> {
        let after = self.telegram.position();
        self.telegram.say(bot, person, text).unwrap();
        let seen = self
            .telegram
            .wait_messages(bot, person, after, answers, PATIENCE)
            .await;
        let seen = seen.unwrap_or_else(|error| panic!("{text:?}: {error:?}\n{}", self.logs()));
        seen.iter().map(text_of).collect()
    }
}

/// Whether a node with these settings has the role of the runtime.
fn runs_bots(settings: &[(&str, &str)]) -> bool {
    let roles = settings.iter().find(|(key, _)| *key == "BOTLOOM_ROLES");
    roles.is_none_or(|(_, roles)| roles.contains("runtime"))
}

/// Text of a message.
pub(crate) fn text_of(seen: &Seen) -> String {
    seen.message
        .get("text")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
