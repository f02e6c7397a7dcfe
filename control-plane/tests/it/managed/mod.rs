//! Telegram bots that people make by a link.
//!
//! Longer than most files: one manager bot with its people and their links, in every way that the story may go.

mod tokens;

use std::time::Duration;

use botloom_telegram::Token;
use botloom_telegram::simulator::{Action, Event, Fault, Filter, Person, Renamed};
use http::Method;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{Answer, Client, PATIENCE, Server, Setup, until_state};

const MANAGER: i64 = 7_100_000_000;
const MANAGER_TOKEN: &str = "7100000000:AA-token-of-the-manager";

/// A server with a manager bot, its owner with `a-bot`, and their Telegram account.
struct Story {
    server: Server,
    owner: Client,
    ann: Person,
}

impl Story {
    async fn new() -> Self {
        Self::with(Setup::patient()).await
    }

    async fn with(mut setup: Setup) -> Self {
        let manager = Token::new(MANAGER_TOKEN).unwrap();
        setup.options.manager_bot = Some(manager.clone());
        let server = Box::pin(Server::start_with(setup)).await;
        server.telegram.bot(&manager);
        server.telegram.set_manages(MANAGER, true).unwrap();
        let owner = server.with_bot().await;
        let ann = server.telegram.person("Ann");
        Self { server, owner, ann }
    }

    /// A node that hears the manager bot until the answer is dropped.
    fn node(&self) -> DropGuard {
        let (api, stop) = (self.server.api.clone(), CancellationToken::new());
        let guard = stop.clone().drop_guard();
        tokio::spawn(async move { api.run(stop).await });
        guard
    }

    async fn ask(&self) -> Value {
        self.owner
            .post("/bots/a-bot/managed", &Value::Null)
            .await
            .expect(201)
            .json()
    }

    /// Somebody opens the link and confirms; answers the number of the bot.
    fn make(&self, person: &Person, asked: &Value) -> i64 {
        let link = asked["link"].as_str().unwrap();
        self.server
            .telegram
            .make_managed(person.id, link, Renamed::default())
            .unwrap()
    }

    async fn look(&self) -> Value {
        self.owner.get("/bots/a-bot/managed").await.expect(200).json()
    }

    async fn until(&self, state: &str) -> Value {
        until_state(state, async || self.look().await).await
    }

    async fn confirm(&self, account: i64) -> Answer {
        let body = json!({ "telegramUserId": account });
        self.owner.post("/bots/a-bot/managed/confirm", &body).await
    }

    /// Ann's account is known as the owner's from here on, and `a-bot` has no token again.
    async fn known(&self) {
        let asked = self.ask().await;
        self.make(&self.ann, &asked);
        self.until("confirm").await;
        self.confirm(self.ann.id).await.expect(200);
        self.owner.delete("/bots/a-bot").await.expect(204);
        let body = json!({ "botId": "b-bot", "name": "B" });
        self.owner.post("/bots", &body).await.expect(201);
    }

    async fn telegram(&self, bot: &str) -> Value {
        let bot = self.owner.get(&format!("/bots/{bot}")).await.expect(200).json();
        bot["telegram"].clone()
    }

    async fn audit(&self, verb: &str) -> Vec<Value> {
        let found = self
            .owner
            .get(&format!("/audit?verb={verb}"))
            .await
            .expect(200)
            .json();
        found["items"].as_array().unwrap().clone()
    }

    /// Waits until nothing waits for the manager bot any more: all updates were taken in and confirmed.
    async fn heard(&self) {
        let waiting = async {
            while self.server.telegram.bot_state(MANAGER).unwrap().pending > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }

    fn fault(&self, method: &str, action: Action) {
        self.faults(method, 1, action);
    }

    fn faults(&self, method: &str, count: u32, action: Action) {
        self.server.telegram.add_fault(fault(method, count, action));
    }

    /// Waits until every fault was met: what is to be held is held.
    async fn met(&self) {
        let waiting = async {
            while !self.server.telegram.faults().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }
}

#[tokio::test]
async fn a_link_makes_a_bot_and_the_first_time_the_asker_says_whose_account_it_is() {
    let story = Story::new().await;
    let _node = story.node();
    let asked = story.ask().await;
    assert_eq!(asked["state"], "waiting");
    let (link, username) = (
        asked["link"].as_str().unwrap(),
        asked["username"].as_str().unwrap(),
    );
    assert!(
        link.starts_with(&format!("https://t.me/newbot/bot7100000000_bot/{username}?")),
        "{link}"
    );
    let bot = story.make(&story.ann, &asked);
    let told = story.until("confirm").await;
    assert_eq!(
        told["createdBy"],
        json!({ "telegramUserId": story.ann.id, "firstName": "Ann", "username": null })
    );
    assert_eq!(
        story.telegram("a-bot").await["tokenSet"],
        false,
        "not without a word"
    );

    let confirmed = story.confirm(story.ann.id).await.expect(200).json();
    assert_eq!(confirmed["state"], "attached");
    let telegram = story.telegram("a-bot").await;
    assert_eq!(
        (&telegram["tokenSet"], &telegram["id"]),
        (&json!(true), &json!(bot))
    );
    story
        .confirm(story.ann.id)
        .await
        .refused(409, "nothing-to-confirm");
    let noted = &story.audit("telegram-account.confirmed").await[0];
    assert_eq!(noted["after"], story.ann.id.to_string());
    story
        .owner
        .post("/bots/a-bot/connect", &json!({ "ingress": "polling" }))
        .await
        .expect(200);
    story
        .owner
        .post("/bots/a-bot/managed", &Value::Null)
        .await
        .refused(409, "bot-connected");

    // From now on the account is known: opening the link is all.
    story
        .owner
        .post("/bots", &json!({ "botId": "b-bot", "name": "B" }))
        .await
        .expect(201);
    let asked = story
        .owner
        .post("/bots/b-bot/managed", &Value::Null)
        .await
        .expect(201);
    let request = asked.header("x-request-id").to_owned();
    let bot = story.make(&story.ann, &asked.json());
    story.heard().await;
    assert_eq!(story.telegram("b-bot").await["id"], bot);
    let mut set = story.audit("bot.token-set").await.into_iter();
    let set = set.find(|entry| entry["object"]["id"] == "b-bot").unwrap();
    assert_eq!(
        set["requestId"], request,
        "as done by who asked, when they asked: {set}"
    );
    let me = story.owner.get("/auth/me").await.json();
    assert_eq!(set["actor"]["userId"], me["user"]["userId"], "{set}");
}

#[tokio::test]
async fn nobody_elses_confirmation_attaches_a_bot() {
    let story = Story::new().await;
    let _node = story.node();
    story.known().await;
    let eve = story.server.telegram.person("Ann");
    let asked = story
        .owner
        .post("/bots/b-bot/managed", &Value::Null)
        .await
        .expect(201)
        .json();

    // A username that was guessed wrongly, or changed, is nobody's.
    let renamed = Renamed {
        username: Some("b_bot_guessed_bot".into()),
        name: None,
    };
    let link = asked["link"].as_str().unwrap();
    story.server.telegram.make_managed(eve.id, link, renamed).unwrap();
    story.heard().await;
    let path = "/bots/b-bot/managed";
    assert_eq!(story.owner.get(path).await.json()["state"], "waiting");

    // The link leaked, and somebody of the same name was faster.
    story.make(&eve, &asked);
    story.heard().await;
    let told = story.owner.get(path).await.expect(200).json();
    assert_eq!(
        (&told["state"], &told["createdBy"]["telegramUserId"]),
        (&json!("confirm"), &json!(eve.id))
    );
    assert_eq!(story.telegram("b-bot").await["tokenSet"], false);
    // The word is about an account by its number: what was not shown cannot be agreed to.
    let confirm = format!("{path}/confirm");
    let body = json!({ "telegramUserId": story.ann.id });
    story
        .owner
        .post(&confirm, &body)
        .await
        .refused(409, "nothing-to-confirm");
    // Another owner did not ask.
    let other = story.server.member("owner").await;
    let body = json!({ "telegramUserId": eve.id });
    other
        .post(&confirm, &body)
        .await
        .refused(409, "nothing-to-confirm");
    story.owner.delete(path).await.expect(204);
    story.owner.post(&confirm, &body).await.refused(404, "not-found");
    assert_eq!(story.telegram("b-bot").await["tokenSet"], false);

    // Ann's account is the owner's, not the other one's.
    let asked = other.post(path, &Value::Null).await.expect(201).json();
    story.make(&story.ann, &asked);
    story.heard().await;
    assert_eq!(other.get(path).await.json()["state"], "confirm");
}

#[tokio::test]
async fn a_link_ends_and_so_does_the_right_to_use_it() {
    let story = Story::new().await;
    story.known_without_node().await;
    let asked = story
        .owner
        .post("/bots/b-bot/managed", &Value::Null)
        .await
        .expect(201)
        .json();
    story.server.clock.advance(60 * 60_000);
    let path = "/bots/b-bot/managed";
    assert_eq!(story.owner.get(path).await.json()["state"], "expired");
    let node = story.node();
    story.make(&story.ann, &asked);
    story.heard().await;
    assert_eq!(story.owner.get(path).await.json()["state"], "expired");
    assert_eq!(story.telegram("b-bot").await["tokenSet"], false);
    drop(node);

    // Who is no owner any more when the bot is made gets nothing for it.
    let guest = story.server.member("owner").await;
    let me = guest.get("/auth/me").await.json();
    let user = me["user"]["userId"].as_str().unwrap().to_owned();
    let catalog = &story.server.ports.catalog;
    let bob = story.server.telegram.person("Bob");
    let now = story.server.ports.clock.now();
    catalog
        .remember_account(user.parse().unwrap(), bob.id, now)
        .await
        .unwrap();
    let asked = guest.post(path, &Value::Null).await.expect(201).json();
    let project = story.owner.get("/projects").await.json()["items"][0]["projectId"].clone();
    let member = format!("/projects/{}/members/{user}", project.as_str().unwrap());
    story.owner.delete(&member).await.expect(204);
    let _node = story.node();
    story.make(&bob, &asked);
    story.heard().await;
    let told = story.owner.get(path).await.expect(200).json();
    assert_eq!(told["state"], "failed", "{told}");
    assert_eq!(story.telegram("b-bot").await["tokenSet"], false);
}

impl Story {
    /// As [`Story::known`], with a node for that long alone.
    async fn known_without_node(&self) {
        let node = self.node();
        self.known().await;
        drop(node);
    }
}

#[tokio::test]
async fn a_killed_node_loses_nothing() {
    let story = Story::new().await;
    story.known_without_node().await;
    let asked = story
        .owner
        .post("/bots/b-bot/managed", &Value::Null)
        .await
        .expect(201)
        .json();
    let (api, stop) = (story.server.api.clone(), CancellationToken::new());
    let killed = tokio::spawn(async move { api.run(stop).await });
    story.fault("getManagedBotToken", Action::Hang { ms: 60_000 });
    let bot = story.make(&story.ann, &asked);
    story.met().await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    assert_eq!(
        story.server.telegram.bot_state(MANAGER).unwrap().pending,
        1,
        "unconfirmed"
    );

    let _other = story.node();
    story.server.clock.advance(90_000);
    story.heard().await;
    assert_eq!(story.telegram("b-bot").await["id"], bot);
    let set = story.audit("bot.token-set").await;
    assert_eq!(set.len(), 2, "once for each bot: {set:?}");
}

#[tokio::test]
async fn a_bot_that_cannot_be_fetched_holds_up_no_other() {
    let story = Story::new().await;
    story.known_without_node().await;
    let ask = async |bot: &str| {
        let body = json!({ "botId": bot, "name": "B" });
        story.owner.post("/bots", &body).await;
        let path = format!("/bots/{bot}/managed");
        let asked = story.owner.post(&path, &Value::Null).await;
        story.make(&story.ann, &asked.expect(201).json());
    };
    ask("b-bot").await;
    ask("c-bot").await;
    let reset = Action::Reset;
    // The first try of the one, and all that follow.
    story.faults("getManagedBotToken", 6, reset);
    let _node = story.node();
    story.heard().await;
    assert_eq!(story.telegram("c-bot").await["tokenSet"], true);
    // Nobody tries it by itself any more: its asker does.
    let path = "/bots/b-bot/managed";
    assert_eq!(story.owner.get(path).await.json()["state"], "confirm");
    let body = json!({ "telegramUserId": story.ann.id });
    story
        .owner
        .post(&format!("{path}/confirm"), &body)
        .await
        .expect(200);
    assert_eq!(story.telegram("b-bot").await["tokenSet"], true);
}

/// The next calls of a method are not executed and end like this.
fn fault(method: &str, count: u32, action: Action) -> Fault {
    Fault {
        bot: None,
        method: Some(method.into()),
        chat: None,
        skip: 0,
        count: Some(count),
        executed: false,
        action,
    }
}

/// Times of a method's calls, in ms, with their status.
fn calls(story: &Story, method: &str) -> Vec<(i64, u16)> {
    let filter = Filter {
        method: Some(method.into()),
        ..Filter::default()
    };
    let journal = story.server.telegram.journal(&filter).into_iter();
    let call = |event: &Event| match event {
        Event::Call { status, .. } => Some(*status),
        Event::Delivery { .. } => None,
    };
    journal
        .filter_map(|entry| Some((entry.at_ms, call(&entry.event)?)))
        .collect()
}

impl Story {
    /// Telegram tells the manager bot to wait for so many seconds, when it asks for the token of a bot that Ann made.
    /// Answers the node that asked.
    async fn told_to_wait(&self, seconds: u32) -> DropGuard {
        self.known_without_node().await;
        let asked = self.owner.post("/bots/b-bot/managed", &Value::Null).await;
        self.make(&self.ann, &asked.expect(201).json());
        let refusal = Action::Answer {
            code: 429,
            description: None,
            retry_after: Some(seconds),
            migrate_to_chat_id: None,
        };
        self.fault("getManagedBotToken", refusal);
        let node = self.node();
        self.met().await;
        node
    }
}

#[tokio::test]
async fn nobody_asks_while_the_manager_bot_is_told_to_wait() {
    let story = Story::new().await;
    let _node = story.told_to_wait(3_600).await;
    until_state("confirm", async || {
        story.owner.get("/bots/b-bot/managed").await.expect(200).json()
    })
    .await;
    let before = calls(&story, "getManagedBotToken").len();
    let body = json!({ "telegramUserId": story.ann.id });
    let early = story.owner.post("/bots/b-bot/managed/confirm", &body).await;
    early.refused(503, "telegram-unavailable");
    let wait: u64 = early.header("retry-after").parse().unwrap();
    assert!((1..=3_600).contains(&wait), "{wait}");
    assert_eq!(calls(&story, "getManagedBotToken").len(), before);
}

#[tokio::test]
async fn the_manager_bot_waits_as_long_as_telegram_says() {
    let story = Story::new().await;
    let _node = story.told_to_wait(3).await;
    story.heard().await;
    assert_eq!(story.telegram("b-bot").await["tokenSet"], true);
    let calls = calls(&story, "getManagedBotToken");
    let refused = calls.iter().position(|call| call.1 == 429).unwrap();
    let (told, next) = (calls[refused], calls[refused + 1]);
    assert_eq!(next.1, 200);
    assert!(next.0 - told.0 >= 3_000, "{calls:?}");
}

#[tokio::test]
async fn one_node_asks_at_a_time_and_the_next_takes_over() {
    let story = Story::new().await;
    let first = story.node();
    let _second = story.node();
    story.known().await;
    let filter = Filter {
        method: Some("getUpdates".into()),
        ..Filter::default()
    };
    let polls = story.server.telegram.journal(&filter).into_iter();
    let conflicts = polls.filter(|entry| matches!(entry.event, Event::Call { status: 409, .. }));
    assert_eq!(conflicts.count(), 0);
    drop(first);
    let asked = story
        .owner
        .post("/bots/b-bot/managed", &Value::Null)
        .await
        .expect(201)
        .json();
    story.make(&story.ann, &asked);
    story.heard().await;
    assert_eq!(story.telegram("b-bot").await["tokenSet"], true);
}

#[tokio::test]
async fn what_stands_in_the_way_is_told() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let ask = async |client: &Client| client.post("/bots/a-bot/managed", &Value::Null).await;
    ask(&owner).await.refused(409, "manager-bot-missing");
    owner.get("/bots/a-bot/managed").await.refused(404, "not-found");

    let story = Story::new().await;
    story.server.telegram.set_manages(MANAGER, false).unwrap();
    ask(&story.owner).await.refused(409, "manager-bot-unsuitable");
    story.server.telegram.set_manages(MANAGER, true).unwrap();
    let unknown = Action::Answer {
        code: 401,
        description: Some("Unauthorized".into()),
        retry_after: None,
        migrate_to_chat_id: None,
    };
    story.fault("getMe", unknown);
    ask(&story.owner).await.refused(409, "manager-bot-unsuitable");
    story.fault("getMe", Action::Reset);
    ask(&story.owner).await.refused(503, "telegram-unavailable");

    // A bot of this Telegram account is here already: the rules of every other token hold.
    let _node = story.node();
    let asked = story.ask().await;
    let bot = story.make(&story.ann, &asked);
    story.until("confirm").await;
    story
        .owner
        .post("/bots", &json!({ "botId": "b-bot", "name": "B" }))
        .await
        .expect(201);
    let manager = Token::new(MANAGER_TOKEN).unwrap();
    let options = botloom_telegram::Options {
        api_root: story.server.telegram.url(),
        ..botloom_telegram::Options::default()
    };
    let client = botloom_telegram::Client::new(options).unwrap();
    let token = client.get_managed_bot_token(&manager, bot).await.unwrap();
    story
        .owner
        .json(Method::PUT, "/bots/b-bot/token", &json!({ "token": token }))
        .await
        .expect(200);
    story
        .confirm(story.ann.id)
        .await
        .refused(409, "bot-already-registered");
    let told = story.look().await;
    assert_eq!(told["state"], "failed");
    assert_eq!(
        told["failure"],
        "Another bot of this installation uses this Telegram bot."
    );
}
