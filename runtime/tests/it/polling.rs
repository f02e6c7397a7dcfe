//! Bots without a webhook.

use botloom_core::model::IngressMode;
use botloom_core::ports::Notice;
use botloom_telegram::simulator::{Action, Fault};

use crate::support::{ECHO, World, eventually, text_update};

#[tokio::test]
async fn updates_are_asked_for_and_come_once_in_order() {
    let world = World::new().await;
    let bot = world.bare_bot("behind-nat").await;
    world.deploy(&bot.id, ECHO).await;
    let ada = world.simulator.person("Ada");
    for number in 0..5 {
        world
            .simulator
            .say(bot.number, ada.id, &format!("early {number}"))
            .unwrap();
    }
    world.connect(&bot, IngressMode::Polling).await;
    eventually("what waited is answered", async || {
        world.texts(&bot, ada.id).len() == 5
    })
    .await;
    for number in 0..5 {
        world
            .simulator
            .say(bot.number, ada.id, &format!("late {number}"))
            .unwrap();
    }
    eventually("what came is answered", async || {
        world.texts(&bot, ada.id).len() == 10
    })
    .await;
    let early = (0..5).map(|number| format!("{} early {number}", number + 1));
    let late = (0..5).map(|number| format!("{} late {number}", number + 6));
    assert_eq!(world.texts(&bot, ada.id), early.chain(late).collect::<Vec<_>>());
    eventually("the updates are confirmed", async || {
        world.simulator.bot_state(bot.number).unwrap().pending == 0
    })
    .await;
}

#[tokio::test]
async fn the_offset_waits_for_the_store() {
    let world = World::new().await;
    let bot = world.bare_bot("careful-poll").await;
    world.deploy(&bot.id, ECHO).await;
    let ada = world.simulator.person("Ada");
    world.connect(&bot, IngressMode::Polling).await;
    world.simulator.say(bot.number, ada.id, "one").unwrap();
    eventually("it works", async || world.texts(&bot, ada.id).len() == 1).await;
    world.lanes.stall(true);
    world.simulator.say(bot.number, ada.id, "two").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(
        world.simulator.bot_state(bot.number).unwrap().pending,
        1,
        "confirmed before it was stored"
    );
    world.lanes.stall(false);
    eventually("it is answered", async || {
        world.texts(&bot, ada.id) == ["1 one", "2 two"]
    })
    .await;
}

#[tokio::test]
async fn a_second_consumer_is_reported_and_outlived() {
    let world = World::new().await;
    let bot = world.bare_bot("rivals").await;
    world.deploy(&bot.id, ECHO).await;
    let conflict = Fault {
        bot: Some(bot.number),
        method: Some("getUpdates".into()),
        chat: None,
        skip: 0,
        count: Some(2),
        executed: false,
        action: Action::Answer {
            code: 409,
            description: Some("Conflict: terminated by other getUpdates request".into()),
            retry_after: None,
            migrate_to_chat_id: None,
        },
    };
    world.simulator.add_fault(conflict);
    let ada = world.simulator.person("Ada");
    world.simulator.say(bot.number, ada.id, "hi").unwrap();
    world.connect(&bot, IngressMode::Polling).await;
    eventually("it is answered in the end", async || {
        world.texts(&bot, ada.id) == ["1 hi"]
    })
    .await;
    let events = world
        .ports
        .events
        .events_after(world.project, 0, 100)
        .await
        .unwrap()
        .events;
    assert_eq!(
        events
            .iter()
            .filter(|event| event.event.name() == "WebhookDrifted")
            .count(),
        1
    );
}

#[tokio::test]
async fn a_disconnected_bot_is_not_asked_for() {
    let world = World::new().await;
    let bot = world.bare_bot("hung-up").await;
    world.deploy(&bot.id, ECHO).await;
    let ada = world.simulator.person("Ada");
    world.connect(&bot, IngressMode::Polling).await;
    world.simulator.say(bot.number, ada.id, "one").unwrap();
    eventually("it works", async || world.texts(&bot, ada.id).len() == 1).await;
    world.ports.catalog.set_connection(&bot.id, None).await.unwrap();
    world
        .ports
        .bus
        .publish(Notice::BotChanged { bot: bot.id.clone() })
        .await;
    eventually("it is known", async || {
        world
            .ports
            .catalog
            .bot(&bot.id)
            .await
            .unwrap()
            .unwrap()
            .ingress
            .is_none()
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    world.simulator.say(bot.number, ada.id, "two").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(world.simulator.bot_state(bot.number).unwrap().pending, 1);
    assert_eq!(world.texts(&bot, ada.id).len(), 1);
}

/// The numbers of a bot's updates say nothing about those of another bot.
#[tokio::test]
async fn another_bots_token_begins_its_updates_anew() {
    let world = World::new().await;
    let bot = world.bare_bot("successor").await;
    world.deploy(&bot.id, ECHO).await;
    let (ada, bob) = (world.simulator.person("Ada"), world.simulator.person("Bob"));
    let update = |id, chat, text| text_update(id, chat, text).as_object().unwrap().clone();
    world.connect(&bot, IngressMode::Polling).await;
    world
        .simulator
        .inject(bot.number, update(1_000_000, ada.id, "old"))
        .unwrap();
    eventually("the first is answered", async || {
        world.texts(&bot, ada.id) == ["1 old"]
    })
    .await;
    eventually("it is confirmed", async || {
        world.simulator.bot_state(bot.number).unwrap().pending == 0
    })
    .await;
    let other = world.bare_bot("not-deployed").await;
    world
        .simulator
        .inject(other.number, update(1, bob.id, "new"))
        .unwrap();
    // A Telegram bot has one bot here at a time.
    let at = world.ports.clock.now();
    assert!(world.ports.catalog.delete_bot(&other.id, at).await.unwrap());
    // A bot that takes updates stays the Telegram bot that it is.
    world.ports.catalog.set_connection(&bot.id, None).await.unwrap();
    world.set_token(&bot.id, &other.token).await;
    world.connect(&bot, IngressMode::Polling).await;
    eventually("what waited for the other bot is answered", async || {
        world.texts(&other, bob.id) == ["1 new"]
    })
    .await;
}
