//! Killed at random under load: nothing that was acknowledged is lost, nothing is applied twice, nothing changes places.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use botloom_telegram::simulator::{Event, Filter};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::http::Http;
use crate::support::specs;
use crate::support::stories::{Storage, stories};
use crate::support::world::World;

stories!(ten_kills_lose_double_and_disorder_nothing);

const CHATS: i64 = 300;
const UPDATES: i64 = 20;
const KILLS: u32 = 10;
const TOKEN: &str = "7100000010:AA-story-token";

/// An update as Telegram posts it.
fn update(chat: i64, number: i64) -> Value {
    json!({
        "update_id": chat * 1_000 + number,
        "message": {
            "message_id": number, "date": 1_795_200_000,
            "from": {"id": chat, "is_bot": false, "first_name": "Ada"},
            "chat": {"id": chat, "type": "private", "first_name": "Ada"},
            "text": format!("/n {number}"),
        },
    })
}

/// What the people of the load share.
#[derive(Clone)]
struct Load {
    http: Http,
    url: String,
    secret: String,
    acknowledged: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    slots: Arc<Semaphore>,
}

impl Load {
    /// Posts an update until it is acknowledged, as Telegram does.
    async fn deliver(&self, body: String) {
        let _slot = self.slots.acquire().await.unwrap();
        let headers = [
            ("content-type", "application/json"),
            ("x-telegram-bot-api-secret-token", self.secret.as_str()),
        ];
        loop {
            match self.http.send("POST", &self.url, &headers, body.clone()).await {
                Ok(answer) if answer.status == 200 => break,
                Ok(answer) => assert_eq!(answer.status, 503, "only overload may refuse: {answer:?}"),
                Err(_) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// One chat: updates in order, every third one posted twice, every seventh once more later.
    async fn chat(self, chat: i64) {
        for number in 1..=UPDATES {
            self.deliver(update(chat, number).to_string()).await;
            if number % 3 == 0 {
                self.deliver(update(chat, number).to_string()).await;
            }
            if number % 7 == 0 {
                self.deliver(update(chat, number - 5).to_string()).await;
            }
        }
    }
}

async fn ten_kills_lose_double_and_disorder_nothing(storage: Storage) {
    let mut world = World::start(storage, &[]).await;
    let spec = specs::chain("crash-bot", "");
    world.api.create_bot(&spec).await;
    world.api.go_live(&spec).await;
    let bot = world.telegram.bot(&TOKEN.parse_token());
    world.api.connect("crash-bot", TOKEN, "webhook").await;
    let load = Load {
        http: Http::new(),
        url: world.door("/wh/crash-bot"),
        secret: world.secret(bot),
        acknowledged: Arc::default(),
        refused: Arc::default(),
        slots: Arc::new(Semaphore::new(40)),
    };
    let chats: Vec<_> = (1..=CHATS)
        .map(|chat| tokio::spawn(load.clone().chat(chat)))
        .collect();

    // Kills come while the load is on: spread over it by what was acknowledged, not by the clock.
    let all = u64::try_from(CHATS * (UPDATES + UPDATES / 3 + UPDATES / 7)).unwrap();
    for kill in 1..=u64::from(KILLS) {
        while load.acknowledged.load(Ordering::Relaxed) < all * kill / (u64::from(KILLS) + 2) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let node = world.node(usize::try_from(kill).unwrap());
        node.kill();
        node.spawn(&[]);
        node.ready().await;
    }
    for chat in chats {
        chat.await.unwrap();
    }
    assert!(
        load.refused.load(Ordering::Relaxed) > 0,
        "the kills came when nothing was going on"
    );

    let sent = settled(&world, bot).await;
    let mut doubled = 0;
    for chat in 1..=CHATS {
        let mut answers = sent.get(&chat).cloned().unwrap_or_default();
        let before = answers.len();
        answers.dedup();
        doubled += before - answers.len();
        let expected: Vec<String> = (1..=UPDATES).map(chain).collect();
        assert_eq!(answers, expected, "chat {chat}");
    }
    // A message that was being sent when the process died is sent again: at most one per chat and kill, and only those.
    let in_flight = usize::try_from(KILLS).unwrap() * 40;
    assert!(doubled <= in_flight, "{doubled} messages doubled");
    let letters = world
        .api
        .get("/bots/crash-bot/dead-letters?direction=in")
        .await
        .json();
    assert_eq!(letters["items"], json!([]));
}

fn chain(number: i64) -> String {
    if number == 1 {
        "->1".to_owned()
    } else {
        format!("{}->{number}", number - 1)
    }
}

/// Waits until every chat has its last answer; answers all texts by chat, in the order in which Telegram took them.
async fn settled(world: &World, bot: i64) -> BTreeMap<i64, Vec<String>> {
    let mut sent: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    let mut after = 0;
    let deadline = std::time::Instant::now() + Duration::from_mins(2);
    loop {
        let filter = Filter {
            after,
            bot: Some(bot),
            method: Some("sendMessage".to_owned()),
            ..Filter::default()
        };
        let entries = world.telegram.journal(&filter);
        for entry in &entries {
            after = entry.seq;
            if let Event::Call {
                chat: Some(chat),
                params,
                executed: true,
                ..
            } = &entry.event
            {
                let text = params["text"].as_str().unwrap_or_default().to_owned();
                sent.entry(*chat).or_default().push(text);
            }
        }
        let done = sent
            .values()
            .filter(|texts| texts.last() == Some(&chain(UPDATES)))
            .count();
        if done == usize::try_from(CHATS).unwrap() {
            return sent;
        }
        if entries.is_empty() {
            assert!(
                std::time::Instant::now() < deadline,
                "{done} chats are complete\n{}",
                world.logs()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Reads a token of a story.
trait ParseToken {
    fn parse_token(&self) -> botloom_telegram::Token;
}

impl ParseToken for str {
    fn parse_token(&self) -> botloom_telegram::Token {
        botloom_telegram::Token::new(self).unwrap()
    }
}
