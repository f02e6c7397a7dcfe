//! Commands and descriptions of live revisions at Telegram.

use std::collections::BTreeMap;
use std::time::Duration;

use botloom_core::hash::RevHash;
use botloom_core::ids::{BotId, Epoch};
use botloom_core::ports::{ActiveRevision, Notice};
use botloom_telegram::simulator::{Action, BotProfile, Event, Fault, Filter};
use botloom_telegram::{Client as Telegram, Options, Token};
use http::Method;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{Client, PATIENCE, Server, Setup, revision_of, spec, until_state};

const TOKEN: &str = "7100000001:AA-a-token-of-a-bot";
const TELEGRAM_ID: i64 = 7_100_000_001;

/// A server with `a-bot`, which has a token and takes updates, and the number of its next revision.
struct Story {
    server: Server,
    owner: Client,
    epoch: u64,
    /// Revisions of the bot that shows that nodes have looked.
    looks: u64,
}

impl Story {
    async fn new() -> Self {
        let server = Server::start_with(Setup::patient()).await;
        let owner = server.with_bot().await;
        let story = Self {
            server,
            owner,
            epoch: 0,
            looks: 0,
        };
        story.set_token("a-bot", TOKEN).await;
        story.connect("a-bot").await;
        story
    }

    async fn set_token(&self, bot: &str, token: &str) {
        let (path, body) = (format!("/bots/{bot}/token"), json!({ "token": token }));
        self.owner.json(Method::PUT, &path, &body).await.expect(200);
    }

    async fn connect(&self, bot: &str) {
        let (path, body) = (format!("/bots/{bot}/connect"), json!({ "ingress": "polling" }));
        self.owner.post(&path, &body).await.expect(200);
    }

    async fn flip(&mut self, spec: &Value) -> RevHash {
        let (rev, epoch) = self.activate("a-bot", self.epoch, spec).await;
        self.epoch = epoch;
        rev
    }

    /// Makes a spec the live one, as a deployment does at its flip.
    async fn activate(&self, bot: &str, seen: u64, spec: &Value) -> (RevHash, u64) {
        let posted = self.owner.post("/spec", spec).await;
        assert!(posted.status.is_success(), "{}", posted.text());
        let version = posted.json()["version"].as_u64().unwrap();
        let ports = &self.server.ports;
        let rev = revision_of(ports, bot, &seen.to_string(), version.try_into().unwrap()).await;
        let bot = BotId::new(bot).unwrap();
        let epoch = ports
            .catalog
            .activate(&bot, Epoch(seen), rev)
            .await
            .unwrap()
            .unwrap();
        let revision = ActiveRevision { epoch, rev };
        ports.bus.publish(Notice::RevisionSet { bot, revision }).await;
        (rev, epoch.0)
    }

    /// A node that publishes until the answer is dropped.
    fn node(&self) -> DropGuard {
        let (api, stop) = (self.server.api.clone(), CancellationToken::new());
        let guard = stop.clone().drop_guard();
        tokio::spawn(async move { api.run(stop).await });
        guard
    }

    fn shown(&self) -> BotProfile {
        self.server.telegram.profile(TELEGRAM_ID).unwrap()
    }

    async fn told(&self) -> Value {
        let bot = self.owner.get("/bots/a-bot").await.expect(200).json();
        bot["telegram"]["profile"].clone()
    }

    /// Waits until the API tells of this state.
    async fn until(&self, state: &str) -> Value {
        until_state(state, async || self.told().await).await
    }

    /// Waits until the published revision is the active one.
    async fn published(&self) -> Value {
        self.until("published").await
    }

    /// Names and languages of the calls that changed the profile since `after`.
    fn calls(&self, after: usize) -> Vec<String> {
        let entries = self.server.telegram.journal(&Filter::default()).into_iter();
        let calls = entries.filter_map(|entry| match entry.event {
            Event::Call { method, params, .. } if method.contains("etMy") || method == "deleteMyCommands" => {
                let language = params["language_code"].as_str().unwrap();
                Some(format!("{method}:{language}"))
            }
            _ => None,
        });
        calls.skip(after).collect()
    }

    /// The events of this name, once there are so many: they are logged after the state is told.
    async fn events_of(&self, name: &str, count: usize) -> Vec<Value> {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let found = self.events(name).await;
                if found.len() >= count {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        found.await.unwrap()
    }

    async fn events(&self, name: &str) -> Vec<Value> {
        let project = self.owner.get("/bots/a-bot").await.json()["projectId"].clone();
        let project = project.as_str().unwrap().parse().unwrap();
        let page = self
            .server
            .ports
            .events
            .events_after(project, 0, 1_000)
            .await
            .unwrap();
        let events = page.events.into_iter().filter(|event| event.event.name() == name);
        events.map(|event| json!(event.event)["data"].clone()).collect()
    }

    fn fault(&self, method: &str, executed: bool, action: Action) {
        self.server.telegram.add_fault(Fault {
            bot: None,
            method: Some(method.into()),
            chat: None,
            skip: 0,
            count: Some(1),
            executed,
            action,
        });
    }

    /// Waits until a call has met each fault.
    async fn met(&self) {
        let waiting = async {
            while !self.server.telegram.faults().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }

    /// Waits until the API tells of this failure.
    async fn failing(&self, words: &str) {
        let waiting = async {
            while self.told().await["failure"] != words {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(came, "not {words}: {}", self.told().await);
    }

    /// Has a node look, and waits until it has: the look that publishes another bot saw this one too.
    async fn looked(&mut self) {
        let witness = "b-witness";
        if self.looks == 0 {
            let body = json!({ "botId": witness, "name": "Witness" });
            self.owner.post("/bots", &body).await.expect(201);
            self.set_token(witness, "7100000009:AA-a-token-of-a-witness")
                .await;
            self.connect(witness).await;
        }
        let silent = spec(witness, &format!("look {}", self.looks));
        self.looks = self.activate(witness, self.looks, &silent).await.1;
        let path = format!("/bots/{witness}");
        let waiting = async {
            while self.owner.get(&path).await.json()["telegram"]["profile"]["state"] != "published" {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }

    /// The author's own hand at Telegram.
    fn by_hand(&self) -> (Telegram, Token) {
        let options = Options {
            api_root: self.server.telegram.url(),
            ..Options::default()
        };
        (Telegram::new(options).unwrap(), Token::new(TOKEN).unwrap())
    }
}

fn answer(code: u16, retry_after: Option<u32>) -> Action {
    Action::Answer {
        code,
        description: Some("Bad Request: words".into()),
        retry_after,
        migrate_to_chat_id: None,
    }
}

/// A spec in two languages that describes its bot and one of its commands.
fn bilingual(about_de: &str) -> Value {
    let mut spec = spec("a-bot", "hi");
    spec["meta"]["locales"] = json!(["en", "de-AT"]);
    spec["meta"]["description"] = json!({ "key": "about" });
    spec["meta"]["shortDescription"] = json!("For all");
    spec["commands"][0]["description"] = json!({ "key": "start" });
    spec["localization"] = json!({
        "en": { "about": "About", "start": "Begin" },
        "de-AT": { "about": about_de, "start": "Anfang" },
    });
    spec
}

fn menu(profile: &BotProfile, language: &str) -> String {
    let menu = profile
        .commands
        .get(language)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let entries: Vec<_> = menu
        .iter()
        .map(|entry| format!("{} {}", entry.command, entry.description))
        .collect();
    entries.join(", ")
}

#[tokio::test]
async fn every_language_is_published_and_later_only_what_changed() {
    let mut story = Box::pin(Story::new()).await;
    let _node = story.node();
    assert_eq!(story.told().await, Value::Null, "nothing is live");
    let first = story.flip(&bilingual("Worum es geht")).await;
    let told = story.published().await;
    assert_eq!(told["publishedAt"], "2026-09-21T14:13:20.000Z");
    let shown = story.shown();
    assert_eq!(
        (menu(&shown, ""), menu(&shown, "de")),
        ("start Begin".into(), "start Anfang".into())
    );
    let about = [
        (String::new(), "About".to_owned()),
        ("de".to_owned(), "Worum es geht".to_owned()),
    ];
    assert_eq!(shown.descriptions, BTreeMap::from(about));
    assert_eq!(
        shown.short_descriptions,
        BTreeMap::from([(String::new(), "For all".to_owned())])
    );
    assert_eq!(
        story.events_of("ProfilePublished", 1).await,
        [json!({ "revHash": first })]
    );

    let before = story.calls(0).len();
    story.flip(&bilingual("Etwas anderes")).await;
    story.published().await;
    assert_eq!(story.calls(before), ["setMyDescription:de"]);
    assert_eq!(story.shown().descriptions["de"], "Etwas anderes");

    // A language and the descriptions vanish, one command is left.
    let before = story.calls(0).len();
    let mut less = spec("a-bot", "hi");
    less["commands"][0]["description"] = json!("Begin");
    story.flip(&less).await;
    story.published().await;
    let mut calls = story.calls(before);
    calls.sort();
    let taken_back = [
        "deleteMyCommands:de",
        "setMyDescription:",
        "setMyDescription:de",
        "setMyShortDescription:",
    ];
    assert_eq!(calls, taken_back);
    let shown = story.shown();
    assert_eq!(menu(&shown, ""), "start Begin");
    assert_eq!(shown.commands.len(), 1);
    assert!(shown.descriptions.is_empty() && shown.short_descriptions.is_empty());

    // What is the same is not said again, and not told of.
    let before = (
        story.calls(0).len(),
        story.events_of("ProfilePublished", 3).await.len(),
    );
    less["flows"][0]["steps"][0]["text"] = json!("Another text");
    story.flip(&less).await;
    story.published().await;
    story.connect("a-bot").await;
    story.published().await;
    let after = (story.calls(0).len(), story.events("ProfilePublished").await.len());
    assert_eq!(after, before);
}

#[tokio::test]
async fn what_the_author_set_by_hand_stays_as_long_as_specs_say_nothing() {
    let mut story = Box::pin(Story::new()).await;
    let (hand, token) = story.by_hand();
    hand.set_my_description(&token, "By hand", None).await.unwrap();
    let _node = story.node();
    story.flip(&spec("a-bot", "hi")).await;
    story.published().await;
    assert_eq!(story.shown().descriptions[""], "By hand");
    assert_eq!(story.calls(0).len(), 1, "by hand");

    // Refused, so it was never ours to take back.
    let mut refused = spec("a-bot", "hi");
    refused["meta"]["description"] = json!("Refused");
    refused["meta"]["shortDescription"] = json!("Taken");
    story.fault("setMyDescription", false, answer(400, None));
    story.flip(&refused).await;
    let told = story.until("failed").await;
    assert_eq!(
        told["failure"],
        "Telegram refused the description: Bad Request: words"
    );
    assert_eq!(
        story.shown().short_descriptions[""],
        "Taken",
        "the rest is published"
    );
    let event = &story.events_of("ProfileRefused", 1).await[0];
    assert_eq!(event["reason"], told["failure"]);
    story.flip(&spec("a-bot", "hi")).await;
    story.published().await;
    assert_eq!(story.shown().descriptions[""], "By hand");
    assert!(story.shown().short_descriptions.is_empty());

    // Tried again when the author connects the bot anew.
    story.fault("setMyDescription", false, answer(400, None));
    story.flip(&refused).await;
    story.until("failed").await;
    story.connect("a-bot").await;
    let told = story.published().await;
    assert!(told.get("failure").is_none(), "{told}");
    assert_eq!(story.shown().descriptions[""], "Refused");
}

#[tokio::test]
async fn telegram_is_left_alone_as_long_as_it_asks_for_and_tried_again() {
    let mut story = Box::pin(Story::new()).await;
    let _node = story.node();
    story.fault("setMyDescription", false, answer(429, Some(30)));
    story.fault("setMyShortDescription", false, answer(500, None));
    story.flip(&bilingual("Worum es geht")).await;
    story.failing("Telegram asks to wait 30 s.").await;
    let paused = story.calls(0);
    story.server.clock.advance(29_999);
    story.looked().await;
    assert_eq!(story.calls(0), paused, "too early");
    story.server.clock.advance(1);
    story.looked().await;
    story.met().await;
    story.failing("Telegram does not answer.").await;
    assert_eq!(story.events("ProfileRefused").await, Vec::<Value>::new());
    story.server.clock.advance(20_000);
    story.looked().await;
    story.published().await;
    assert_eq!(story.shown().short_descriptions[""], "For all");
    let commands = story
        .calls(0)
        .into_iter()
        .filter(|call| call.starts_with("setMyCommands"));
    assert_eq!(commands.count(), 2, "what was published is not said again");
}

#[tokio::test]
async fn a_killed_node_forgets_nothing_that_telegram_may_have() {
    let mut story = Box::pin(Story::new()).await;
    let (api, stop) = (story.server.api.clone(), CancellationToken::new());
    let killed = tokio::spawn(async move { api.run(stop).await });
    // Telegram has it, and the node never learns of it.
    story.fault("setMyDescription", true, Action::Hang { ms: 60_000 });
    let mut described = spec("a-bot", "hi");
    described["meta"]["description"] = json!("Half published");
    story.flip(&described).await;
    let executed = async {
        while !story.shown().descriptions.contains_key("") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, executed).await.unwrap();
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    assert_eq!(story.shown().descriptions[""], "Half published");

    story.flip(&spec("a-bot", "hi")).await;
    let _other = story.node();
    story.looked().await;
    assert_eq!(story.told().await["state"], "pending", "the claim holds");
    story.server.clock.advance(60_000);
    story.looked().await;
    story.published().await;
    assert!(story.shown().descriptions.is_empty(), "nobody wants it any more");
}

#[tokio::test]
async fn only_the_newest_revision_is_published() {
    let mut story = Box::pin(Story::new()).await;
    let _node = story.node();
    story.fault("setMyCommands", false, Action::Hold);
    story.flip(&bilingual("Alt")).await;
    story.met().await;
    let mut newer = bilingual("Neu");
    newer["localization"]["en"]["about"] = json!("New");
    story.flip(&newer).await;
    story.server.telegram.clear_faults();
    story.published().await;
    let filter = Filter {
        method: Some("setMyDescription".into()),
        ..Filter::default()
    };
    let entries = story.server.telegram.journal(&filter).into_iter();
    let said: Vec<_> = entries
        .filter_map(|entry| match entry.event {
            Event::Call { params, .. } => params["description"].as_str().map(str::to_owned),
            Event::Delivery { .. } => None,
        })
        .collect();
    assert_eq!(said, ["New", "Neu"]);
}

#[tokio::test]
async fn nodes_share_the_work() {
    let mut story = Box::pin(Story::new()).await;
    let nodes = [story.node(), story.node(), story.node()];
    for round in 0..5 {
        story.flip(&bilingual(&format!("Runde {round}"))).await;
        story.published().await;
    }
    drop(nodes);
    let calls = story.calls(0);
    // Two languages of commands and descriptions and one text for all, then one change a round.
    assert_eq!(calls.len(), 5 + 4, "{calls:?}");
}

#[tokio::test]
async fn another_telegram_bot_gets_everything_and_a_disconnected_one_nothing() {
    let mut story = Box::pin(Story::new()).await;
    let _node = story.node();
    story.flip(&bilingual("Worum es geht")).await;
    story.published().await;
    story
        .owner
        .post("/bots/a-bot/disconnect", &json!({}))
        .await
        .expect(200);
    let other = "7100000002:AA-a-token-of-another";
    story.set_token("a-bot", other).await;
    assert_eq!(story.told().await, Value::Null);
    let before = story.calls(0).len();
    story.flip(&bilingual("Neu")).await;
    story.looked().await;
    assert_eq!(story.calls(0).len(), before);
    story.connect("a-bot").await;
    story.published().await;
    assert_eq!(story.calls(before).len(), 5);
    let shown = story.server.telegram.profile(7_100_000_002).unwrap();
    assert_eq!(shown.descriptions["de"], "Neu");
    assert_eq!(story.shown().descriptions["de"], "Worum es geht");
}
