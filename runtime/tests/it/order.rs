//! Once, and in order, whatever comes in which way.

use std::collections::HashMap;

use botloom_core::ports::Direction;
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use crate::support::{ECHO, World, eventually, text_update};

/// Chats and updates of each.
const CHATS: i64 = 25;
const UPDATES: i64 = 12;

/// Every chat's updates come in order, with repetitions of earlier ones in between; chats come all at once.
#[tokio::test(flavor = "multi_thread")]
async fn many_chats_at_once_with_repetitions() {
    let world = World::new().await;
    let bot = world.bot("busy", ECHO).await;
    let chats = (1..=CHATS).map(|chat| {
        let (world, bot) = (&world, &bot);
        async move {
            for number in 0..UPDATES {
                let id = chat * 1_000 + number;
                let mut repeated: Vec<i64> = (0..number).map(|earlier| chat * 1_000 + earlier).collect();
                repeated.shuffle(&mut rand::rng());
                repeated.truncate(2);
                for id in repeated.into_iter().chain([id]) {
                    let update = text_update(id, chat, &format!("m{id}"));
                    assert_eq!(world.deliver(bot, &update).await.status, 200);
                }
            }
        }
    });
    futures_util::future::join_all(chats).await;
    world.settled().await;
    let mut answers: HashMap<i64, Vec<String>> = HashMap::new();
    for chat in 1..=CHATS {
        let ids: Vec<i64> = (0..UPDATES).map(|number| chat * 1_000 + number).collect();
        assert_eq!(
            world.state(&bot.id, chat).await,
            Some(json!({"seen": ids})),
            "chat {chat}"
        );
        let expected: Vec<String> = ids
            .iter()
            .zip(1..)
            .map(|(id, nth)| format!("{nth} m{id}"))
            .collect();
        assert_eq!(world.texts(&bot, chat), expected, "chat {chat}");
        answers.insert(chat, expected);
    }
    assert!(world.dead_letters(&bot.id, Direction::In).await.is_empty());
    assert!(world.dead_letters(&bot.id, Direction::Out).await.is_empty());
}

/// Messages and button presses of one chat share its lane; inline queries have the person's.
#[tokio::test]
async fn everything_of_a_chat_is_in_one_line() {
    let world = World::new().await;
    let bot = world.bot("mixed", ECHO).await;
    let press = |id: i64| {
        json!({"update_id": id, "callback_query": {
            "id": id.to_string(), "data": "x", "chat_instance": "1",
            "from": {"id": 5, "is_bot": false, "first_name": "Ada"},
            "message": {"message_id": 1, "date": 1, "chat": {"id": 5, "type": "private", "first_name": "Ada"}},
        }})
    };
    let mut ids = Vec::new();
    for id in (0..20).step_by(2) {
        let deliveries = [text_update(id, 5, "m"), press(id + 1)];
        for update in &deliveries {
            assert_eq!(world.deliver(&bot, update).await.status, 200);
        }
        ids.extend([id, id + 1]);
    }
    world.settled().await;
    assert_eq!(world.state(&bot.id, 5).await, Some(json!({"seen": ids})));
}

/// Updates that came before the first deployment wait for it.
#[tokio::test]
async fn nothing_is_lost_before_the_first_deployment() {
    let world = World::new().await;
    let bot = world.bare_bot("early").await;
    world
        .connect(&bot, botloom_core::model::IngressMode::Webhook)
        .await;
    for id in 0..20 {
        assert_eq!(
            world
                .deliver(&bot, &text_update(id, id % 4 + 1, "x"))
                .await
                .status,
            200
        );
    }
    world.deploy(&bot.id, ECHO).await;
    eventually("all are answered", async || {
        (1..=4).all(|chat| world.texts(&bot, chat).len() == 5)
    })
    .await;
    assert!(world.dead_letters(&bot.id, Direction::In).await.is_empty());
}

/// A basic group becomes a supergroup: the document follows, the service messages reach no bot code.
#[tokio::test]
async fn a_document_moves_with_its_chat() {
    let world = World::new().await;
    let bot = world.bot("movers", ECHO).await;
    let (old, new) = (-500, -100_500);
    let service = |id: i64, chat: i64, field: &str, other: i64| {
        let kind = if chat == new { "supergroup" } else { "group" };
        let mut update: Value = json!({"update_id": id, "message": {
            "message_id": id, "date": 1, "from": {"id": 5, "is_bot": false, "first_name": "Ada"},
            "chat": {"id": chat, "type": kind, "title": "G"},
        }});
        update["message"][field] = other.into();
        update
    };
    let said = |id: i64, chat: i64| service(id, chat, "text_length", 0);
    for update in [
        said(1, old),
        said(2, old),
        service(3, old, "migrate_to_chat_id", new),
        service(4, new, "migrate_from_chat_id", old),
    ] {
        assert_eq!(world.deliver(&bot, &update).await.status, 200);
        world.settled().await;
    }
    assert_eq!(world.state(&bot.id, old).await, None);
    assert_eq!(world.state(&bot.id, new).await, Some(json!({"seen": [1, 2]})));
    world.deliver(&bot, &said(5, new)).await;
    world.settled().await;
    assert_eq!(world.state(&bot.id, new).await, Some(json!({"seen": [1, 2, 5]})));
}
