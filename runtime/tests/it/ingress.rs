//! The answers of the door.

use botloom_core::model::IngressMode;
use botloom_core::ports::{DeadLetter, Direction, LaneLimits};
use serde_json::{Value, json};
use std::time::Duration;

use crate::support::{Answer, Bot, ECHO, Setup, World, eventually, text_update};

fn body(letter: &DeadLetter) -> String {
    String::from_utf8_lossy(&letter.letter.body).into_owned()
}

#[tokio::test]
async fn only_who_knows_the_secret_gets_in() {
    let world = World::new().await;
    let bot = world.bot("guarded", ECHO).await;
    let path = "/wh/guarded";
    let update = text_update(1, 5, "hi").to_string();
    let long = "x".repeat(5_000);
    for secret in [
        None,
        Some(""),
        Some("secret"),
        Some("secret-of-guardeD"),
        Some(long.as_str()),
    ] {
        let answer = world.post(path, secret, update.clone()).await;
        assert_eq!((answer.status, answer.body.len()), (401, 0), "{secret:?}");
    }
    assert_eq!(world.post(path, Some(&bot.secret), update).await.status, 200);
    world.settled().await;
    assert_eq!(world.texts(&bot, 5), ["1 hi"]);
}

#[tokio::test]
async fn bots_that_are_not_there() {
    let world = World::new().await;
    let bot = world.bot("short-lived", ECHO).await;
    for path in ["/wh/nobody", "/wh/No%20Slug", "/wh/ab"] {
        assert_eq!(world.post(path, Some("x"), "{}").await.status, 404, "{path}");
    }
    let disconnected = world.bare_bot("silent").await;
    assert_eq!(
        world
            .deliver(&disconnected, &text_update(1, 5, "hi"))
            .await
            .status,
        401
    );
    let now = world.ports.clock.now();
    assert!(world.ports.catalog.delete_bot(&bot.id, now).await.unwrap());
    let notice = botloom_core::ports::Notice::BotChanged { bot: bot.id.clone() };
    world.ports.bus.publish(notice).await;
    eventually("the deletion is seen", async || {
        world.deliver(&bot, &text_update(1, 5, "hi")).await.status == 410
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_a_deleted_bot_is_removed() {
    let world = World::new().await;
    let bot = world.bare_bot("leaving").await;
    world.connect(&bot, IngressMode::Webhook).await;
    // Without a revision it waits.
    assert_eq!(world.deliver(&bot, &text_update(1, 5, "hi")).await.status, 200);
    let now = world.ports.clock.now();
    assert!(world.ports.catalog.delete_bot(&bot.id, now).await.unwrap());
    let notice = botloom_core::ports::Notice::BotChanged { bot: bot.id.clone() };
    world.ports.bus.publish(notice).await;
    world.settled().await;
    assert!(world.dead_letters(&bot.id, Direction::In).await.is_empty());
}

#[tokio::test]
async fn a_stranger_cannot_lock_telegram_out() {
    let world = World::new().await;
    let bot = world.bot("besieged", ECHO).await;
    let mut refused = 0;
    for number in 0..60 {
        let answer = world.post("/wh/besieged", Some("wrong"), "{}").await;
        assert!([401, 429].contains(&answer.status));
        refused += usize::from(answer.status == 429);
        let right = world.deliver(&bot, &text_update(number, 5, "hi")).await;
        assert_eq!(right.status, 200, "the same address, the right secret");
    }
    assert!(refused > 0, "nobody counted the stranger");
}

#[tokio::test]
async fn what_is_no_update_is_set_aside_and_acknowledged() {
    let world = World::new().await;
    let bot = world.bot("careful", ECHO).await;
    let deep = format!(
        "{{\"update_id\":1,\"message\":{}{}}}",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"not json".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        br#"{"message":{"message_id":1}}"#.to_vec(),
        br#"{"update_id":"1","message":{}}"#.to_vec(),
        br#"{"update_id":1.5}"#.to_vec(),
        br#"{"update_id":1,"message":{"chat":{"id":"x","type":"private"}}}"#.to_vec(),
        b"{\"update_id\":1,\"message\":{\"text\":\"\xff\xfe\"}}".to_vec(),
        br#"{"update_id":1,"message":{"te"#.to_vec(),
        deep.into_bytes(),
    ];
    for body in &bodies {
        let answer = world.post("/wh/careful", Some(&bot.secret), body.clone()).await;
        assert_eq!(
            answer,
            Answer::empty(200),
            "{}",
            String::from_utf8_lossy(&body[..body.len().min(60)])
        );
    }
    let letters = world.dead_letters(&bot.id, Direction::In).await;
    assert_eq!(letters.len(), bodies.len());
    assert!(
        letters
            .iter()
            .all(|letter| letter.letter.reason == "malformed" && !letter.letter.detail.is_empty())
    );
    let kept: Vec<_> = letters
        .iter()
        .rev()
        .map(|letter| letter.letter.body.to_vec())
        .collect();
    assert_eq!(kept, bodies);
}

#[tokio::test]
async fn of_an_update_that_is_too_large_the_beginning_is_kept() {
    let world = World::new().await;
    let bot = world.bot("modest", ECHO).await;
    let huge = format!("{{\"update_id\":1,\"x\":\"{}\"}}", "y".repeat(2 * 1024 * 1024));
    assert_eq!(
        world
            .post("/wh/modest", Some(&bot.secret), huge.clone())
            .await
            .status,
        200
    );
    let letters = world.dead_letters(&bot.id, Direction::In).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(body(&letters[0]), huge[..64 * 1024]);
    assert_eq!(
        world.post("/wh/modest", None, huge).await.status,
        401,
        "a stranger's is not even read"
    );
}

#[tokio::test]
async fn kinds_of_the_future_are_accepted_and_do_nothing() {
    let world = World::new().await;
    let bot = world.bot("modern", ECHO).await;
    for update in [
        json!({"update_id": 1, "hologram": {"from": 7, "chat": "elsewhere"}}),
        json!({"update_id": 2}),
        json!({"update_id": 3, "poll": {"id": "9", "question": "?"}}),
    ] {
        assert_eq!(world.deliver(&bot, &update).await.status, 200, "{update}");
    }
    world.deliver(&bot, &text_update(4, 5, "hi")).await;
    eventually("the message is answered", async || {
        world.texts(&bot, 5) == ["1 hi"]
    })
    .await;
}

#[tokio::test]
async fn the_same_update_takes_effect_once() {
    let world = World::new().await;
    let bot = world.bot("exact", ECHO).await;
    let update = text_update(77, 5, "once");
    let deliveries = (0..10).map(|_| world.deliver(&bot, &update));
    let answers = futures_util::future::join_all(deliveries).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    world.settled().await;
    assert_eq!(world.deliver(&bot, &update).await.status, 200);
    world.settled().await;
    assert_eq!(world.texts(&bot, 5), ["1 once"]);
    assert_eq!(world.state(&bot.id, 5).await, Some(json!({"seen": [77]})));
}

#[tokio::test]
async fn a_command_for_another_bot_is_not_for_us() {
    let world = World::new().await;
    let bot = world.bot("addressed", ECHO).await;
    let name = world.simulator.bot_state(bot.number).unwrap().username;
    for (id, text) in [
        (1, "/go@Somebody_Else_Bot now".to_owned()),
        (2, format!("/go@{} now", name.to_uppercase())),
    ] {
        assert_eq!(world.deliver(&bot, &text_update(id, 5, &text)).await.status, 200);
    }
    world.settled().await;
    assert_eq!(world.state(&bot.id, 5).await, Some(json!({"seen": [2]})));
}

#[tokio::test]
async fn a_full_lane_spills_into_dead_letters_and_delays_nobody() {
    let mut setup = Setup::default();
    setup.options.lanes = LaneLimits {
        queue_cap: 5,
        ..LaneLimits::default()
    };
    let world = World::with(setup).await;
    // Without a revision nothing is executed, so the lane fills up.
    let bot: Bot = world.bare_bot("flooded").await;
    world.connect(&bot, IngressMode::Webhook).await;
    let long = "x".repeat(200_000);
    for id in 0..8 {
        let text = if id == 5 { long.as_str() } else { "x" };
        let answer = world.deliver(&bot, &text_update(id, 5, text)).await;
        assert_eq!(answer.status, 200, "{id}");
    }
    let letters = world.dead_letters(&bot.id, Direction::In).await;
    assert_eq!(letters.len(), 3);
    assert!(letters.iter().all(|letter| letter.letter.reason == "overflow"));
    let oldest: Value = serde_json::from_str(&body(&letters[2])).unwrap();
    assert_eq!(oldest["update_id"], 5);
    assert_eq!(oldest["message"]["text"], long.as_str(), "it is kept whole");
    assert_eq!(
        world.deliver(&bot, &text_update(100, 6, "x")).await.status,
        200,
        "another chat has room"
    );
    world.deploy(&bot.id, ECHO).await;
    eventually("the first deployment finds what waited", async || {
        world.texts(&bot, 5).len() == 5
    })
    .await;
    assert_eq!(world.texts(&bot, 6), ["1 x"]);
}

#[tokio::test]
async fn a_bot_far_behind_is_left_to_telegram() {
    let mut setup = Setup::default();
    setup.options.bot_backlog = 3;
    let world = World::with(setup).await;
    let bot: Bot = world.bare_bot("behind").await;
    let other = world.bot("fine", ECHO).await;
    world.connect(&bot, IngressMode::Webhook).await;
    for id in 0..4 {
        assert_eq!(world.deliver(&bot, &text_update(id, id, "x")).await.status, 200);
    }
    let mut id = 10;
    eventually("the backlog is noticed", async || {
        id += 1;
        let answer = world.deliver(&bot, &text_update(id, id, "x")).await;
        answer.status == 429 && answer.retry_after.as_deref() == Some("5")
    })
    .await;
    assert_eq!(world.deliver(&other, &text_update(1, 5, "x")).await.status, 200);
}

#[tokio::test]
async fn a_store_that_hangs_is_not_waited_for() {
    let mut setup = Setup::default();
    setup.options.persist_within = Duration::from_millis(300);
    let world = World::with(setup).await;
    let bot = world.bot("patient", ECHO).await;
    eventually("the first one is in", async || {
        world.deliver(&bot, &text_update(1, 5, "before")).await.status == 200
    })
    .await;
    eventually("the node is warm", async || world.texts(&bot, 5).len() == 1).await;
    world.lanes.stall(true);
    let answer = world.deliver(&bot, &text_update(2, 5, "during")).await;
    assert_eq!((answer.status, answer.retry_after.as_deref()), (503, Some("1")));
    world.lanes.stall(false);
    // Telegram brings it again; that it was stored after all shows nowhere.
    eventually("Telegram gets rid of it", async || {
        world.deliver(&bot, &text_update(2, 5, "during")).await.status == 200
    })
    .await;
    world.settled().await;
    assert_eq!(world.texts(&bot, 5), ["1 before", "2 during"]);
}
