//! PostgreSQL or S3 away for half a minute: bots that are loaded notice nothing, deployments say so or wait.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::load::{Load, Plan};
use crate::support::proxy::{Mode, Proxy};
use crate::support::services::Services;
use crate::support::specs;
use crate::support::world::World;

const AWAY: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_away_for_half_a_minute() {
    half_a_minute_without("DATABASE_URL", "without-postgres", Mode::Refuse).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_away_for_half_a_minute() {
    half_a_minute_without("AWS_ENDPOINT_URL", "without-s3", Mode::Stall).await;
}

async fn half_a_minute_without(store: &str, slug: &str, how: Mode) {
    let services = Services::new().await;
    let (proxy, through) = Proxy::before(services.get(store)).await;
    let world = World::alike(services.with(store, &through), 2).await;
    let bot = world.bot(&specs::chain(slug, ""), 7_100_000_160, "webhook").await;
    // Differs where the load does not look, so that it may become live in the middle.
    let mut other = specs::chain(slug, "");
    other["flows"][0]["steps"][0]["text"] = json!("hello from the other one");
    let other = world.api.build(&other).await;
    let load = Load::start(
        &world,
        slug,
        bot,
        Plan {
            chats: 20,
            updates: None,
            connections: 5,
        },
    );
    load.more(200).await;

    let began = Instant::now();
    proxy.set(how);
    let before = load.acknowledged();
    let body = json!({ "botId": slug, "revHash": other, "strategy": "flip" });
    let deploy = world.api.request("POST", "/deploy", &[], body.to_string());
    let deploy = tokio::time::timeout(AWAY, deploy)
        .await
        .expect("an answer, whatever it says")
        .unwrap();
    tokio::time::sleep(AWAY.saturating_sub(began.elapsed())).await;
    let meanwhile = load.acknowledged() - before;
    proxy.set(Mode::Pass);

    // Accepted, it goes on or has failed in words; refused, it can be asked for again.
    match deploy.status.as_u16() {
        202 => {
            let task = deploy.json()["taskId"].as_str().unwrap().to_owned();
            let ended = world.api.ended(&format!("/deployments/{task}")).await;
            eprintln!(
                "{store}: the deployment was accepted and {}: {}",
                ended["status"], ended["error"]
            );
            assert!(
                ended["status"] == "succeeded" || ended["error"]["code"].is_string(),
                "{ended}"
            );
        }
        503 => eprintln!("{store}: the deployment was refused: {}", deploy.json()["type"]),
        _ => panic!("{deploy:?}"),
    }
    load.more(200).await;
    load.stop();
    load.is_taken(&world);
    assert!(meanwhile > 100, "only {meanwhile} posts while {store} was away");
    eprintln!("{store}: {meanwhile} posts acknowledged while it was away");
    let written = load.posted().await;
    assert!(written.answered(&world).await.is_empty());
    let deployed = world.api.deploy(slug, &other).await;
    assert_eq!(deployed["status"], "succeeded", "{deployed}");
    let person = world.person("Ada", "en");
    assert_eq!(
        world.ask(bot, person, "/start", 1).await,
        ["hello from the other one"]
    );
}
