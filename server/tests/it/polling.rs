//! A bot behind NAT: the server asks Telegram.

use serde_json::json;

use crate::support::specs;
use crate::support::stories::{Storage, stories};
use crate::support::world::{PATIENCE, World, text_of};

stories!(a_bot_without_a_public_address_answers_by_polling);

async fn a_bot_without_a_public_address_answers_by_polling(storage: Storage) {
    let mut world = World::start(storage, &[]).await;
    let bot = world
        .bot(&specs::chain("polling-bot", ""), 7_100_000_030, "polling")
        .await;
    let ada = world.person("Ada", "en");
    assert_eq!(world.ask(bot, ada, "/n 1", 1).await, ["->1"]);
    assert!(world.telegram.bot_state(bot).unwrap().webhook.is_none());

    // Killed and started again, it goes on where it was. The first answer may come once more: it was being
    // acknowledged when the process died.
    world.server.kill();
    world.telegram.say(bot, ada, "/n 2").unwrap();
    let after = world.telegram.position();
    world.server.spawn(&[]);
    world.server.ready().await;
    let first = world
        .telegram
        .wait_messages(bot, ada, after, 1, PATIENCE)
        .await
        .unwrap();
    let expected = if text_of(&first[0]) == "->1" {
        vec!["->1", "1->2"]
    } else {
        vec!["1->2"]
    };
    let seen = world
        .telegram
        .wait_messages(bot, ada, after, expected.len(), PATIENCE)
        .await
        .unwrap();
    assert_eq!(seen.iter().map(text_of).collect::<Vec<_>>(), expected);

    // Disconnected, it takes nothing more.
    let done = world.api.post("/bots/polling-bot/disconnect", &json!({})).await;
    assert_eq!(done.status, 200, "{done:?}");
    let state = world.api.get("/bots/polling-bot").await.json();
    assert_eq!(state["telegram"]["ingress"], json!(null));
}
