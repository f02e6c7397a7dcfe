//! An installation moves to the services and back: everybody goes on where they were.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use botloom_telegram::simulator::{Action, Event, Fault, Filter};
use serde_json::Value;

use crate::support::process::run;
use crate::support::services::Services;
use crate::support::specs;
use crate::support::stories::Storage;
use crate::support::webhook::Webhook;
use crate::support::world::World;

const PEOPLE: i64 = 20;
/// A chat whose messages Telegram refuses for now.
const HELD: i64 = 900;
/// Longer than both moves on a busy machine is not needed: what is due waits.
const RETRY_AFTER_S: u32 = 15;
const TALKS: &str = "talking-bot";
const WAITS: &str = "waiting-bot";

/// Moves, and answers what was counted, by kind.
fn moved(to: &str, settings: &[(&str, &str)], dir: &Path) -> BTreeMap<String, u64> {
    let ran = run(&["move", "--to", to], settings, dir, "");
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let mut counts = BTreeMap::new();
    for line in ran.out.lines().skip(1).take_while(|line| !line.is_empty()) {
        let columns: Vec<&str> = line
            .split("  ")
            .map(str::trim)
            .filter(|column| !column.is_empty())
            .collect();
        let [what, from, there] = columns[..] else {
            panic!("{line:?}")
        };
        assert_eq!(from, there, "{what}");
        counts.insert(what.to_owned(), from.split(' ').next().unwrap().parse().unwrap());
    }
    counts
}

/// Everybody says the next number and is answered with the one before.
async fn talk(world: &World, webhook: &Webhook, bot: i64, number: i64) {
    for person in 1..=PEOPLE {
        let after = world.telegram.position();
        let update = person * 1_000 + number;
        webhook.taken(update, person, &format!("/n {number}")).await;
        // Again, and one from before the move: known.
        for known in [update, person * 1_000 + (number - 1).max(1)] {
            webhook.taken(known, person, "/n 0").await;
        }
        let answers = world
            .telegram
            .wait_messages(bot, person, after, 1, Duration::from_secs(30))
            .await
            .unwrap();
        let before = if number == 1 {
            String::new()
        } else {
            (number - 1).to_string()
        };
        assert_eq!(answers[0].text(), format!("{before}->{number}"));
    }
}

/// Texts that a chat was sent.
fn texts(world: &World, bot: i64, chat: i64) -> Vec<String> {
    let filter = Filter {
        bot: Some(bot),
        method: Some("sendMessage".to_owned()),
        chat: Some(chat),
        ..Filter::default()
    };
    let calls = world.telegram.journal(&filter).into_iter();
    let text = |event: Event| match event {
        Event::Call {
            params,
            executed: true,
            ..
        } => Some(params["text"].as_str().unwrap().to_owned()),
        _ => None,
    };
    calls.filter_map(|entry| text(entry.event)).collect()
}

async fn until_texts(world: &World, bot: i64, chat: i64, expected: &[&str]) {
    let deadline = std::time::Instant::now() + Duration::from_mins(1);
    while texts(world, bot, chat).len() < expected.len() {
        assert!(
            std::time::Instant::now() < deadline,
            "{:?}\n{}",
            texts(world, bot, chat),
            world.logs()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(texts(world, bot, chat), expected);
}

/// What the API says about letters that were set aside.
async fn letters(world: &World) -> Value {
    world
        .api
        .get(&format!("/bots/{TALKS}/dead-letters?direction=in"))
        .await
        .json()["items"]
        .clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_to_services_and_back() {
    let services = Services::new().await;
    let key = services.get("BOTLOOM_MASTER_KEY").to_owned();
    let mut world = World::start(Storage::Embedded, &[("BOTLOOM_MASTER_KEY", &key)]).await;
    let talking = world
        .bot(&specs::chain(TALKS, ""), 7_100_000_211, "webhook")
        .await;
    let webhook = Webhook::of(&world, TALKS, talking);
    talk(&world, &webhook, talking, 1).await;

    // Updates that wait for a revision, messages that wait for Telegram, a letter that nobody could read.
    let waiting_spec = specs::chain(WAITS, "");
    let token = "7100000212:AA-story-token";
    world.api.create_bot(&waiting_spec).await;
    let waiting = world.telegram.bot(&botloom_telegram::Token::new(token).unwrap());
    world.api.connect(WAITS, token, "webhook").await;
    let waiting_webhook = Webhook::of(&world, WAITS, waiting);
    for number in 1..=3 {
        assert_eq!(
            waiting_webhook
                .post(number, 5, &format!("/n {number}"))
                .await
                .unwrap()
                .status,
            200
        );
    }
    world.telegram.add_fault(Fault {
        bot: Some(talking),
        method: Some("sendMessage".to_owned()),
        chat: Some(HELD),
        skip: 0,
        count: None,
        executed: false,
        action: Action::Answer {
            code: 429,
            description: None,
            retry_after: Some(RETRY_AFTER_S),
            migrate_to_chat_id: None,
        },
    });
    for number in 1..=3 {
        let update = HELD * 1_000 + number;
        assert_eq!(
            webhook
                .post(update, HELD, &format!("/n {number}"))
                .await
                .unwrap()
                .status,
            200
        );
    }
    let refused = Filter {
        bot: Some(talking),
        chat: Some(HELD),
        ..Filter::default()
    };
    world
        .telegram
        .wait_journal(&refused, 1, Duration::from_secs(30))
        .await
        .unwrap();
    assert_eq!(webhook.post_body("no update").await.unwrap().status, 200);
    let set_aside = letters(&world).await;
    assert_eq!(set_aside.as_array().unwrap().len(), 1);

    let data = world.server.data();
    let dir = data.parent().unwrap().to_owned();
    let mut settings: Vec<(&str, &str)> = services
        .settings
        .iter()
        .map(|(key, text)| (key.as_str(), text.as_str()))
        .collect();
    let shared = settings.clone();
    settings.push(("BOTLOOM_DATA_DIR", data.to_str().unwrap()));
    world.stop().await;
    let there = moved("services", &settings, &dir);
    eprintln!("to services: {there:?}");

    world.server.spawn(&shared);
    world.server.ready().await;
    assert_eq!(
        letters(&world).await[0]["reason"],
        set_aside[0]["reason"],
        "and the session holds"
    );
    talk(&world, &webhook, talking, 2).await;
    world.stop().await;

    let back = dir.join("data-again");
    settings.pop();
    settings.push(("BOTLOOM_DATA_DIR", back.to_str().unwrap()));
    let again = moved("embedded", &settings, &dir);
    eprintln!("to the data folder: {again:?}");
    world
        .server
        .spawn(&[("BOTLOOM_DATA_DIR", back.to_str().unwrap())]);
    world.server.ready().await;
    assert_eq!(letters(&world).await[0]["reason"], set_aside[0]["reason"]);
    talk(&world, &webhook, talking, 3).await;

    // What waited goes on, in order and once.
    world.telegram.clear_faults();
    until_texts(&world, talking, HELD, &["->1", "1->2", "2->3"]).await;
    world.api.go_live(&waiting_spec).await;
    until_texts(&world, waiting, 5, &["->1", "1->2", "2->3"]).await;
    for person in 1..=PEOPLE {
        assert_eq!(texts(&world, talking, person), ["->1", "1->2", "2->3"]);
    }
}
