//! What Telegram shows of bots outside of their chats, and bots that people make by a link.

use std::time::Duration;

use botloom_telegram::Token;
use botloom_telegram::simulator::{Action, BotProfile, Fault, Renamed};
use serde_json::{Value, json};

use crate::support::api::{EMAIL, PASSWORD};
use crate::support::process::run;
use crate::support::specs;
use crate::support::stories::{Storage, stories};
use crate::support::world::{PATIENCE, World, text_of};

stories!(
    descriptions_follow_deployments_and_rollbacks,
    a_bot_is_made_by_a_link,
);

/// A bot that is described by `about`, in German too.
fn described(bot: &str, about: &str) -> Value {
    let mut spec = specs::chain(bot, about);
    spec["meta"]["locales"] = json!(["en", "de"]);
    spec["meta"]["description"] = json!({ "key": "about" });
    spec["commands"][0]["description"] = json!("Begin");
    spec["localization"] = json!({ "en": { "about": about }, "de": { "about": format!("{about} (de)") } });
    spec
}

/// Longest wait for what a killed node left half published: its claim has to end first.
const AFTER_A_CLAIM: Duration = PATIENCE.saturating_mul(3);

/// Waits until Telegram shows it.
async fn shown(world: &World, bot: i64, patience: Duration, wanted: impl Fn(&BotProfile) -> bool) {
    let waiting = async {
        while !wanted(&world.telegram.profile(bot).unwrap()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let came = tokio::time::timeout(patience, waiting).await.is_ok();
    assert!(came, "{:?}\n{}", world.telegram.profile(bot), world.logs());
}

async fn descriptions_follow_deployments_and_rollbacks(storage: Storage) {
    let mut world = World::start(storage, &[]).await;
    let bot = world
        .bot(&described("told", "One"), 7_100_000_040, "polling")
        .await;
    let says = |about: &'static str| {
        move |profile: &BotProfile| {
            profile.descriptions.get("").is_some_and(|text| text == about)
                && profile.descriptions.get("de") == Some(&format!("{about} (de)"))
                && profile.commands.len() == 1
        }
    };
    shown(&world, bot, PATIENCE, says("One")).await;
    world.api.go_live(&described("told", "Two")).await;
    shown(&world, bot, PATIENCE, says("Two")).await;

    // A rollback is a flip like any other, also when the node dies right after it.
    let back = world.api.post("/rollback", &json!({ "botId": "told" })).await;
    assert_eq!(back.status, 202, "{back:?}");
    let task = back.json()["taskId"].as_str().unwrap().to_owned();
    world.api.ended(&format!("/deployments/{task}")).await;
    world.server.kill();
    world.all_again().await;
    shown(&world, bot, AFTER_A_CLAIM, says("One")).await;
    let told = world.api.get("/bots/told").await.json();
    assert!(told["telegram"]["profile"]["state"].is_string(), "{told}");
}

async fn a_bot_is_made_by_a_link(storage: Storage) {
    let manager = "7100000041:AA-token-of-a-manager";
    let settings = [("BOTLOOM_MANAGER_BOT_TOKEN", manager), ("BOTLOOM_DRAIN_S", "1")];
    let mut world = World::start(storage, &settings).await;
    let number = world.telegram.bot(&Token::new(manager).unwrap());
    world.telegram.set_manages(number, true).unwrap();
    let bot = world.api.create_bot(&specs::chain("by-link", "")).await;
    world.api.go_live(&specs::chain("by-link", "")).await;
    let ada = world.person("Ada", "en");

    let server = world.server.url("");
    let account = ada.to_string();
    let command = tokio::task::spawn_blocking(move || {
        let args = [
            "new-bot",
            "by-link",
            "--account",
            &account,
            "--connect",
            "polling",
        ];
        let env = [
            ("BOTLOOM_SERVER", server.as_str()),
            ("BOTLOOM_EMAIL", EMAIL),
            ("BOTLOOM_PASSWORD", PASSWORD),
        ];
        run(&args, &env, &std::env::temp_dir(), "")
    });
    let path = format!("/bots/{bot}/managed");
    let asking = async {
        loop {
            let asked = world.api.get(&path).await;
            if asked.status == 200 {
                return asked.json();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let asked = tokio::time::timeout(PATIENCE, asking).await.unwrap();
    let link = asked["link"].as_str().unwrap();
    let made = world
        .telegram
        .make_managed(ada, link, Renamed::default())
        .unwrap();

    let ran = command.await.unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}\n{}", world.logs());
    let username = asked["username"].as_str().unwrap();
    assert!(ran.out.starts_with(link), "{ran:?}");
    assert!(ran.out.contains(&format!("@{username} is by-link")), "{ran:?}");
    assert_eq!(world.ask(made, ada, "/n 1", 1).await, ["->1"]);
    assert!(!world.logs().contains("token-of-a-manager"));

    // Its token is replaced while people write: no update is lost or taken twice, however it takes them.
    for (round, ingress) in ["polling", "webhook"].into_iter().enumerate() {
        let body = json!({ "ingress": ingress });
        let connected = world.api.post(&format!("/bots/{bot}/connect"), &body).await;
        assert_eq!(connected.status, 200, "{connected:?}");
        let (first, after) = (2 + 6 * round, world.telegram.position());
        let write = |numbers: std::ops::Range<usize>| {
            for number in numbers {
                world.telegram.say(made, ada, &format!("/n {number}")).unwrap();
            }
        };
        write(first..first + 3);
        let server = world.server.url("");
        let command = tokio::task::spawn_blocking(move || {
            let env = [
                ("BOTLOOM_SERVER", server.as_str()),
                ("BOTLOOM_EMAIL", EMAIL),
                ("BOTLOOM_PASSWORD", PASSWORD),
            ];
            run(
                &["bots", "replace-token", "by-link"],
                &env,
                &std::env::temp_dir(),
                "",
            )
        });
        write(first + 3..first + 6);
        let ran = command.await.unwrap();
        assert_eq!(ran.code, Some(0), "{ran:?}\n{}", world.logs());
        let seen = world.telegram.wait_messages(made, ada, after, 6, PATIENCE).await;
        let seen = seen.unwrap_or_else(|error| panic!("{error:?}\n{}", world.logs()));
        let told: Vec<String> = seen.iter().map(text_of).collect();
        let expected: Vec<String> = (first..first + 6).map(|n| format!("{}->{n}", n - 1)).collect();
        assert_eq!(told, expected, "by {ingress}");
    }

    // A node that is told to end while Telegram's answer is on its way finds out which token holds, also where a drain is shorter.
    world.telegram.add_fault(Fault {
        bot: None,
        method: Some("replaceManagedBotToken".into()),
        chat: None,
        skip: 0,
        count: Some(1),
        executed: true,
        action: Action::Hang { ms: 4_000 },
    });
    let (api, path) = (world.api.clone(), format!("{path}/token"));
    let asking = tokio::spawn(async move { api.post(&path, &Value::Null).await });
    while !world.telegram.faults().is_empty() {
        assert!(!asking.is_finished(), "{}", world.logs());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.stop().await;
    asking.abort();
    world.all_again().await;
    assert_eq!(world.ask(made, ada, "/n 14", 1).await, ["13->14"]);
}
