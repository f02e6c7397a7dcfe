//! A revision on which updates fail goes back by itself; one on which few fail stays.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::api::{Api, EMAIL, PASSWORD};
use crate::support::process::run;
use crate::support::specs;
use crate::support::stories::{Storage, stories};
use crate::support::webhook::Webhook;
use crate::support::world::{PATIENCE, World};

stories!(
    an_unhealthy_revision_goes_back_and_says_why,
    a_revision_with_few_failures_stays,
    the_watch_outlives_the_deployer
);

/// A chain bot whose updates end in an endless loop while `when` holds for what was written behind `/n`.
fn looping(bot: &str, mark: &str, when: &Value) -> Value {
    let mut spec = specs::chain(bot, mark);
    let steps = spec["flows"][1]["steps"].as_array_mut().unwrap();
    steps.insert(
        0,
        json!({"id": "again", "type": "goto", "step": "again", "when": when}),
    );
    spec
}

fn always() -> Value {
    json!({"path": "context.args", "op": "ne", "value": "never"})
}

/// Writes `/n X` in so many chats of their own, as updates from `first` on.
async fn write(webhook: &Webhook, first: i64, chats: i64, text: impl Fn(i64) -> &'static str) {
    for number in 0..chats {
        let text = format!("/n {}", text(number));
        webhook.taken(first + number, first + number, &text).await;
    }
}

/// Waits until a revision is the bot's active one.
async fn live(api: &Api, bot: &str, revision: &str, patience: Duration) {
    let deadline = Instant::now() + patience;
    loop {
        let row = api.get(&format!("/bots/{bot}")).await.json();
        if row["activeRevHash"] == json!(revision) {
            return;
        }
        assert!(Instant::now() < deadline, "{revision} is not live: {row}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The deployments of a bot, newest first.
async fn deployments(api: &Api, bot: &str) -> Vec<Value> {
    let listed = api.get(&format!("/deployments?botId={bot}")).await.json();
    listed["items"].as_array().unwrap().clone()
}

async fn an_unhealthy_revision_goes_back_and_says_why(storage: Storage) {
    const BOT: &str = "fragile-bot";
    let world = World::start(storage, &[]).await;
    let good = specs::chain(BOT, "A ");
    let number = world.bot(&good, 7_100_000_060, "webhook").await;
    let before = deployments(&world.api, BOT).await;
    assert_eq!(
        before[0]["watchedUntil"],
        Value::Null,
        "there is nothing to go back to"
    );
    let first = before[0]["toRev"].as_str().unwrap().to_owned();
    let webhook = Webhook::of(&world, BOT, number);
    write(&webhook, 1_000, 40, |_| "x").await;
    let ada = world.person("Ada", "en");
    assert_eq!(world.ask(number, ada, "/n 1", 1).await, ["A ->1"]);

    let bad = world.api.build(&looping(BOT, "B ", &always())).await;
    let deployed = world.api.deploy(BOT, &bad).await;
    assert_eq!(deployed["status"], "succeeded", "{deployed}");
    assert!(deployed["watchedUntil"].is_string(), "{deployed}");
    write(&webhook, 2_000, 40, |_| "x").await;
    live(&world.api, BOT, &first, PATIENCE).await;

    // The way back is a rollback like any other, with a reason that can be read everywhere.
    let all = deployments(&world.api, BOT).await;
    assert_eq!(all.len(), 3, "{all:?}");
    let back = world
        .api
        .ended(&format!("/deployments/{}", all[0]["taskId"].as_str().unwrap()))
        .await;
    assert_eq!(
        (&back["status"], &back["rollback"], &back["toRev"]),
        (&json!("succeeded"), &json!(true), &json!(first))
    );
    assert_eq!(back["watchedUntil"], Value::Null);
    let reason = back["reason"].as_str().unwrap();
    assert!(
        reason.contains(" updates failed, before 0 of "),
        "nothing was wrong before: {reason}"
    );
    let path = format!("/deployments/{}", deployed["taskId"].as_str().unwrap());
    assert_eq!(world.api.get(&path).await.json()["reason"], json!(reason));
    // The one that went back is not what a rollback leads to.
    let again = world.api.post("/rollback", &json!({ "botId": BOT })).await;
    assert_eq!(again.status, 409, "{again:?}");
    let told = format!("\"stage\":\"health\",\"reason\":\"{reason}\"");
    let events = world
        .api
        .stream(&format!("/events?botId={BOT}&lastEventId=0"), &told, PATIENCE)
        .await;
    assert!(events.contains("event: DeployFailed"), "{events}");
    let mut rollbacks = 0;
    for node in std::iter::once(&world.server).chain(&world.others) {
        let page = world.api.at(node).get("/metrics").await;
        let page = String::from_utf8_lossy(&page.body).into_owned();
        let counted = page.lines().filter_map(|line| {
            line.strip_prefix("botloom_auto_rollbacks_total ")?
                .parse::<u64>()
                .ok()
        });
        rollbacks += counted.sum::<u64>();
    }
    assert_eq!(rollbacks, 1);

    // The command line does not deploy it again by itself, be it alone or in a folder.
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("bots");
    std::fs::create_dir(&folder).unwrap();
    let spec = looping(BOT, "B ", &always()).to_string();
    std::fs::write(folder.join(format!("{BOT}.json")), spec).unwrap();
    let file = format!("bots/{BOT}.json");
    let deploying = |args: &[&str]| {
        let url = world.server.url("");
        let env = [
            ("BOTLOOM_SERVER", url.as_str()),
            ("BOTLOOM_EMAIL", EMAIL),
            ("BOTLOOM_PASSWORD", PASSWORD),
        ];
        let args = [&["apply"], args, &["--deploy", "--wait"]].concat();
        run(&args, &env, dir.path(), "")
    };
    for target in ["bots", &file] {
        let applied = deploying(&[target]);
        assert_eq!(applied.code, Some(1), "{applied:?}");
        let words = "last deployment was unhealthy and the revision before came back: ";
        assert!(applied.err.contains(&format!("{words}{reason}")), "{applied:?}");
        live(&world.api, BOT, &first, Duration::ZERO).await;
    }

    // It tells who comes with the next version.
    std::fs::write(dir.path().join("bot.json"), good.to_string()).unwrap();
    let url = world.server.url("");
    let env = [
        ("BOTLOOM_SERVER", url.as_str()),
        ("BOTLOOM_EMAIL", EMAIL),
        ("BOTLOOM_PASSWORD", PASSWORD),
    ];
    let applied = run(&["apply", "bot.json"], &env, dir.path(), "");
    assert!(applied.err.contains(reason), "{applied:?}");

    // Whoever writes now is answered, with what they had said before.
    assert_eq!(world.ask(number, ada, "/n 2", 1).await, ["A 1->2"]);

    // Whoever insists gets it.
    let applied = deploying(&["bots", "--overwrite", "--redeploy-unhealthy"]);
    assert_eq!(applied.code, Some(0), "{applied:?}");
    live(&world.api, BOT, &bad, Duration::ZERO).await;
}

async fn a_revision_with_few_failures_stays(storage: Storage) {
    const BOT: &str = "sporadic-bot";
    let world = World::start(storage, &[]).await;
    let number = world
        .bot(&specs::chain(BOT, "A "), 7_100_000_061, "webhook")
        .await;
    let webhook = Webhook::of(&world, BOT, number);
    let sporadic = json!({"path": "context.args", "op": "eq", "value": "bad"});
    let next = world.api.build(&looping(BOT, "B ", &sporadic)).await;
    let deployed = world.api.deploy(BOT, &next).await;
    let path = format!("/deployments/{}", deployed["taskId"].as_str().unwrap());
    write(
        &webhook,
        1_000,
        90,
        |number| if number % 45 == 44 { "bad" } else { "x" },
    )
    .await;
    // To the end of its watch, which is a minute.
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let state = world.api.get(&path).await.json();
        if state["watchedUntil"].is_null() {
            assert!(state.get("reason").is_none(), "{state}");
            break;
        }
        assert!(Instant::now() < deadline, "the watch does not end: {state}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    live(&world.api, BOT, &next, Duration::ZERO).await;
    assert_eq!(deployments(&world.api, BOT).await.len(), 2);
    let letters = world
        .api
        .get(&format!("/bots/{BOT}/dead-letters?direction=in"))
        .await;
    assert_eq!(
        letters.json()["items"].as_array().unwrap().len(),
        2,
        "two updates failed"
    );
}

/// The node that deploys is killed right after the flip: whoever goes on also watches.
async fn the_watch_outlives_the_deployer(storage: Storage) {
    const BOT: &str = "orphaned-bot";
    let mut world = World::start(storage, &[]).await;
    let number = world
        .bot(&specs::chain(BOT, "A "), 7_100_000_062, "webhook")
        .await;
    let webhook = Webhook::of(&world, BOT, number);
    let first = deployments(&world.api, BOT).await[0]["toRev"]
        .as_str()
        .unwrap()
        .to_owned();
    let bad = world.api.build(&looping(BOT, "B ", &always())).await;
    world.only_first(&[("BOTLOOM_FAULT", "deploy-done-flip")]).await;
    let task = world.api.start_deploy(BOT, &bad).await;
    assert_eq!(world.server.ended().await, None, "the flip was not reached");

    let api = world.taken_over().await;
    let done = api.ended(&format!("/deployments/{task}")).await;
    assert!(done["watchedUntil"].is_string(), "{done}");
    let going_on = world.others.first().unwrap_or(&world.server);
    write(&webhook.at(going_on), 2_000, 40, |_| "x").await;
    live(&api, BOT, &first, PATIENCE).await;
    let all = deployments(&api, BOT).await;
    assert!(
        all[0]["reason"].as_str().unwrap().contains(" updates failed"),
        "{all:?}"
    );
    let events = format!("/events?botId={BOT}&lastEventId=0");
    api.stream(&events, "\"stage\":\"health\",\"reason\"", PATIENCE)
        .await;
}
