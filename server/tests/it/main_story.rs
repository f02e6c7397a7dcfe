//! The main story: a pizza bot from its spec to ordered answers in the right language, and back by a rollback.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::specs;
use crate::support::stories::{Storage, stories};
use crate::support::stub::Stub;
use crate::support::world::{PATIENCE, World, text_of};

stories!(
    a_pizza_bot_from_its_spec_to_its_users_and_back,
    values_of_a_chat_end_with_their_time_to_live,
    whoever_watches_sees_a_deployment_and_can_come_back_to_it
);

async fn a_pizza_bot_from_its_spec_to_its_users_and_back(storage: Storage) {
    let shop = Stub::start(&[(503, "{}"), (200, r#"{"total": {"amount": 12.5}}"#)]).await;
    let hosts = format!("api.pizza.example=http://{}", shop.address);
    let world = World::start(storage, &[("BOTLOOM_DEV_HOSTS", &hosts)]).await;
    let bot = world.bot(&specs::pizza(), 7_100_000_001, "webhook").await;

    // In the right language; the button leads where it says.
    let (ada, ivan) = (world.person("Ada", "en-GB"), world.person("Иван", "ru"));
    assert_eq!(
        world.ask(bot, ada, "/start", 1).await,
        ["Hello, Ada! What would you like?"]
    );
    assert_eq!(
        world.ask(bot, ivan, "/start", 1).await,
        ["Здравствуйте, Иван! Что желаете?"]
    );
    let after = world.telegram.position();
    world.telegram.tap(bot, ada, ada, "🍕 Order").unwrap();
    let asked = world
        .telegram
        .wait_messages(bot, ada, after, 1, PATIENCE)
        .await
        .unwrap();
    assert_eq!(text_of(&asked[0]), "Which size, 30 or 40 cm?");
    assert_eq!(asked[0].keyboard.as_ref().unwrap()["one_time_keyboard"], true);

    // Validation lets nothing else through, and asks again.
    assert_eq!(world.ask(bot, ada, "huge", 1).await, ["30 or 40, please."]);
    assert_eq!(world.ask(bot, ada, "40", 1).await, ["Your phone number?"]);
    assert_eq!(world.ask(bot, ada, "none", 1).await, ["That is no phone number."]);

    // The shop fails once and is asked again; then everything comes in order.
    let ordered = world.ask(bot, ada, "+49301234567", 3).await;
    assert_eq!(
        ordered,
        [
            "A party, Ada?",
            "40 cm for 12.5 €. We call +49301234567.",
            "You are welcome!"
        ]
    );
    let calls = shop.asked();
    assert_eq!(calls.len(), 2);
    assert_eq!(
        (calls[1].method.as_str(), &calls[1].body),
        ("POST", &json!({"size": 40}))
    );
    assert_eq!(calls[1].headers["x-locale"], "en");
    let key = calls[1].headers["idempotency-key"].to_str().unwrap();
    assert!(key.starts_with("pizza-demo:"), "{key}");
    assert_eq!(
        calls[0].headers["idempotency-key"],
        calls[1].headers["idempotency-key"]
    );

    // Three failures lead elsewhere; the third says nothing of its own.
    assert_eq!(
        world.ask(bot, ivan, "пицца!", 1).await,
        ["Какой размер, 30 или 40 см?"]
    );
    world.ask(bot, ivan, "1", 1).await;
    world.ask(bot, ivan, "2", 1).await;
    assert_eq!(world.ask(bot, ivan, "3", 1).await, ["Давайте начнём позже."]);

    // An intent in its cooldown does not match: only the command after it is answered.
    world.telegram.say(bot, ivan, "пицца").unwrap();
    assert_eq!(
        world.ask(bot, ivan, "/help", 1).await,
        ["Отправьте /order, чтобы заказать пиццу."]
    );

    rollback(&world, bot, ada).await;
}

/// A second revision goes live and is taken back.
async fn rollback(world: &World, bot: i64, person: i64) {
    let mut second = specs::pizza();
    second["localization"]["en"]["help"] = json!("Just say pizza.");
    let first_epoch = live(world).await;
    let revision = world.api.go_live(&second).await;
    assert_eq!(world.ask(bot, person, "/help", 1).await, ["Just say pizza."]);

    let task = world.api.post("/rollback", &json!({"botId": "pizza-demo"})).await;
    assert_eq!(task.status, 202, "{task:?}");
    let task = task.json()["taskId"].as_str().unwrap().to_owned();
    let done = world.api.ended(&format!("/deployments/{task}")).await;
    assert_eq!(done["status"], "succeeded", "{done}");
    assert_eq!(done["fromRev"], json!(revision));
    assert_eq!(done["epoch"], json!(first_epoch + 2));
    let stages: Vec<&Value> = done["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| &stage["name"])
        .collect();
    assert_eq!(
        stages,
        ["preflight", "stage", "prewarm", "health", "flip", "invalidate"]
    );
    assert_eq!(
        world.ask(bot, person, "/help", 1).await,
        ["Send /order to order a pizza."]
    );
}

async fn live(world: &World) -> u64 {
    let deployments = world.api.get("/deployments?botId=pizza-demo").await.json();
    deployments["items"][0]["epoch"].as_u64().unwrap()
}

async fn values_of_a_chat_end_with_their_time_to_live(storage: Storage) {
    let mut spec = specs::chain("short-memory", "");
    spec["state"]["keys"]["last"]["ttlSec"] = json!(2);
    let world = World::start(storage, &[]).await;
    let bot = world.bot(&spec, 7_100_000_002, "webhook").await;
    let ada = world.person("Ada", "en");
    assert_eq!(world.ask(bot, ada, "/n 1", 1).await, ["->1"]);
    assert_eq!(world.ask(bot, ada, "/n 2", 1).await, ["1->2"]);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(world.ask(bot, ada, "/n 3", 1).await, ["->3"]);
}

async fn whoever_watches_sees_a_deployment_and_can_come_back_to_it(storage: Storage) {
    let world = World::start(storage, &[]).await;
    let spec = specs::chain("watched-bot", "");
    world.api.create_bot(&spec).await;
    world.api.go_live(&spec).await;
    // Replay from the start; the stream stays open, so it is read for a moment only.
    let path = "/events?botId=watched-bot&lastEventId=0";
    let text = world.api.stream(path, "DeployFlipped", PATIENCE).await;
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    let expected = [
        "GenerateStarted",
        "GenerateSucceeded",
        "DeployStarted",
        "DeployProgress",
        "DeployFlipped",
    ];
    let mut rest = names.iter();
    for name in expected {
        assert!(
            rest.any(|seen| *seen == name),
            "{name} is missing in its place: {names:?}"
        );
    }
    let ids: Vec<u64> = text
        .lines()
        .filter_map(|line| line.strip_prefix("id: ")?.parse().ok())
        .collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
}
