//! An operator at the command line: what was set aside comes back in order after a repair, chats are looked into and made to
//! forget, and the numbers are there.

use botloom_telegram::simulator::{Action, Fault};
use serde_json::{Value, json};

use crate::support::api::{EMAIL, PASSWORD};
use crate::support::process::{Ran, run};
use crate::support::specs;
use crate::support::stories::{Storage, stories};
use crate::support::world::{PATIENCE, World, text_of};

stories!(
    what_failed_is_repaired_replayed_and_counted,
    a_chat_that_is_stuck_is_helped
);

const BOT: &str = "broken-bot";

fn botloom(world: &World, args: &[&str]) -> Ran {
    let server = world.server.url("");
    let env = [
        ("BOTLOOM_SERVER", server.as_str()),
        ("BOTLOOM_EMAIL", EMAIL),
        ("BOTLOOM_PASSWORD", PASSWORD),
    ];
    run(args, &env, &std::env::temp_dir(), "")
}

/// What a command that succeeds prints.
#[track_caller]
fn prints(world: &World, args: &[&str]) -> String {
    let ran = botloom(world, args);
    assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}\n{}", world.logs());
    ran.out
}

#[track_caller]
fn tells(world: &World, args: &[&str]) -> Value {
    serde_json::from_str(&prints(world, args)).unwrap()
}

/// Waits until a command tells so many things.
async fn until_there_are(world: &World, number: usize, args: &[&str]) -> Vec<Value> {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let told = tells(world, args);
        let things = told.as_array().unwrap();
        if things.len() == number {
            return things.clone();
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{args:?}: {told}\n{}",
            world.logs()
        );
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// The chain bot, but `/n` never ends.
fn broken() -> Value {
    let mut spec = specs::chain(BOT, "A ");
    let always = json!({ "path": "context.args", "op": "ne", "value": "never" });
    let again = json!({ "id": "again", "type": "goto", "step": "again", "when": always });
    spec["flows"][1]["steps"].as_array_mut().unwrap().insert(0, again);
    spec
}

async fn what_failed_is_repaired_replayed_and_counted(storage: Storage) {
    let world = World::start(storage, &[]).await;
    let number = world.bot(&broken(), 7_100_000_090, "polling").await;
    let ada = world.person("Ada", "en");
    let chat = ada.to_string();
    for text in ["/n 1", "/n 2", "/n 3"] {
        world.telegram.say(number, ada, text).unwrap();
    }
    let list = ["dead-letters", "list", BOT, "--json", "--chat", &chat];
    let letters = until_there_are(&world, 3, &list).await;
    let reason = letters[0]["reason"].as_str().unwrap().to_owned();
    let id = letters[0]["id"].as_str().unwrap();
    let whole = tells(&world, &["dead-letters", "show", BOT, id]);
    assert!(whole["body"].as_str().unwrap().contains("/n 3"), "{whole}");
    assert_eq!(
        prints(&world, &["chats", "list", BOT]).lines().count(),
        1,
        "nothing waits"
    );

    // The last one is not worth it. After the repair the others come back as they were written.
    prints(&world, &["dead-letters", "discard", BOT, id]);
    world.api.go_live(&specs::chain(BOT, "A ")).await;
    let after = world.telegram.position();
    let replay = [
        "dead-letters",
        "replay",
        BOT,
        "--all",
        "--reason",
        &reason,
        "--json",
    ];
    let replayed = tells(&world, &replay);
    assert!(
        replayed
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["outcome"] == "replayed"),
        "{replayed}"
    );
    let answers = world
        .telegram
        .wait_messages(number, ada, after, 2, PATIENCE)
        .await;
    let answers: Vec<String> = answers.unwrap().iter().map(text_of).collect();
    assert_eq!(answers, ["A ->1", "A 1->2"]);
    assert_eq!(tells(&world, &replay), json!([]), "nothing is replayed twice");
    let gone = botloom(&world, &["dead-letters", "replay", BOT, id]);
    assert_eq!(gone.code, Some(1), "{gone:?}");
    assert!(gone.out.contains("not-found"), "{gone:?}");

    // The chat remembers, and forgets.
    let shown = tells(&world, &["chats", "show", BOT, &chat]);
    assert_eq!(shown["state"][0]["key"], "last", "{shown}");
    assert_eq!(shown["state"][0]["value"], "2", "{shown}");
    prints(&world, &["chats", "forget", BOT, &chat]);
    assert_eq!(world.ask(number, ada, "/n 9", 1).await, ["A ->9"]);
    let unblocked = botloom(&world, &["chats", "unblock", BOT, &chat, "--update", "retry"]);
    assert_eq!(
        (unblocked.code, unblocked.out.trim()),
        (Some(3), "update: empty"),
        "{unblocked:?}"
    );
    assert!(
        unblocked
            .err
            .contains("nothing was done about the update: none waits"),
        "{unblocked:?}"
    );
    let unsaid = botloom(&world, &["chats", "unblock", BOT, &chat]);
    assert_eq!(unsaid.code, Some(64), "{unsaid:?}");
    assert!(
        unsaid.err.contains("<--update <REMEDY>|--message <REMEDY>>"),
        "{unsaid:?}"
    );

    // Three updates took effect and were answered, three failed. The numbers come a little later.
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let totals = tells(&world, &["analytics", BOT, "--json"]);
        let values = &totals["rows"][0]["values"];
        if values[0] == 3 && values[1] == 3 && values[2] == 3 {
            assert_eq!(values[3], 1, "one chat: {totals}");
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{totals}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let table = prints(&world, &["analytics", BOT, "error-reasons"]);
    assert!(table.contains(&reason) && table.contains('3'), "{table}");
    let hours = [
        "analytics",
        BOT,
        "messages",
        "--interval",
        "hour",
        "--timezone",
        "Asia/Kolkata",
    ];
    let series = prints(&world, &hours);
    assert!(series.lines().count() >= 48, "{series}");
}

async fn a_chat_that_is_stuck_is_helped(storage: Storage) {
    let world = World::start(storage, &[]).await;
    let number = world
        .bot(&specs::chain(BOT, "A "), 7_100_000_091, "polling")
        .await;
    let ada = world.person("Ada", "en");
    let chat = ada.to_string();
    world.telegram.add_fault(Fault {
        bot: None,
        method: Some("sendMessage".to_owned()),
        chat: None,
        skip: 0,
        count: None,
        executed: false,
        action: Action::Answer {
            code: 500,
            description: None,
            retry_after: None,
            migrate_to_chat_id: None,
        },
    });
    world.telegram.say(number, ada, "/n 1").unwrap();
    until_there_are(&world, 1, &["chats", "list", BOT, "--place", "held", "--json"]).await;
    let unblock = ["chats", "unblock", BOT, &chat, "--message", "set-aside"];
    let deadline = std::time::Instant::now() + PATIENCE;
    let helped = loop {
        let ran = botloom(&world, &unblock);
        if ran.code == Some(0) {
            break ran.out;
        }
        // It is being sent at this moment.
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(std::time::Instant::now() < deadline, "{ran:?}\n{}", world.logs());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert!(helped.starts_with("message: set-aside "), "{helped}");
    let both = [
        "chats",
        "unblock",
        BOT,
        &chat,
        "--update",
        "retry",
        "--message",
        "retry",
    ];
    let neither = botloom(&world, &both);
    assert_eq!(neither.code, Some(3), "{neither:?}");
    assert_eq!(neither.out, "update: empty\nmessage: empty\n");
}
