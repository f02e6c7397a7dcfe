//! A paused bot takes updates and starts none.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, also in its helpers, a panic is the report"
)]

use std::time::Duration;

use botloom_core::ports::{Direction, Notice};

use crate::support::{Bot, ECHO, Setup, World, eventually, text_update};

async fn pause(world: &World, bot: &Bot, paused: bool) {
    let at = paused.then(|| world.ports.clock.now());
    assert!(world.ports.catalog.set_paused(&bot.id, at).await.unwrap());
    world
        .ports
        .bus
        .publish(Notice::BotChanged { bot: bot.id.clone() })
        .await;
}

/// Waits until the bot starts nothing more: what it is sent is not answered, while another bot answers three times.
/// Answers the last update's id.
async fn paused(world: &World, bot: &Bot, other: &Bot) -> i64 {
    for round in 1..100 {
        let (id, chat) = (10 * round, 1_000_000 + round);
        world.deliver(bot, &text_update(id, chat, "probe")).await;
        for answer in 1..=3 {
            world
                .deliver(other, &text_update(id + answer, chat, "probe"))
                .await;
            eventually("the other goes on", async || {
                world.texts(other, chat).len() == usize::try_from(answer).unwrap()
            })
            .await;
        }
        if world.texts(bot, chat).is_empty() {
            return id + 3;
        }
    }
    panic!("the bot is not paused");
}

#[tokio::test]
async fn updates_wait_in_order_and_are_answered_after() {
    let world = World::new().await;
    let (bot, other) = (
        world.bot("pausing", ECHO).await,
        world.bot("going-on", ECHO).await,
    );
    world.deliver(&bot, &text_update(1, 5, "before")).await;
    eventually("it answers", async || world.texts(&bot, 5).len() == 1).await;
    pause(&world, &bot, true).await;
    let last = paused(&world, &bot, &other).await;
    for id in last + 1..=last + 40 {
        let update = text_update(id, 5 + id % 4, "x");
        assert_eq!(world.deliver(&bot, &update).await.status, 200);
        assert_eq!(world.deliver(&other, &update).await.status, 200);
    }
    eventually("others go on", async || {
        (5..=8).map(|chat| world.texts(&other, chat).len()).sum::<usize>() == 40
    })
    .await;
    assert_eq!(world.texts(&bot, 5), ["1 before"]);
    let stats = world.ports.lanes.stats().await.unwrap();
    assert!(stats.updates_by_bot[&bot.id] >= 40, "{stats:?}");
    // A deployment does not end the pause.
    world.deploy(&bot.id, &format!("{ECHO}\n// other")).await;
    assert_eq!(world.texts(&bot, 5), ["1 before"]);

    pause(&world, &bot, false).await;
    world.settled().await;
    let mut all = 0;
    for chat in 5..=8 {
        let texts = world.texts(&bot, chat);
        let numbers: Vec<i64> = texts
            .iter()
            .map(|text| text.split(' ').next().unwrap().parse().unwrap())
            .collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
        all += numbers.len();
    }
    assert_eq!(all, 41);
    assert!(world.dead_letters(&bot.id, Direction::In).await.is_empty());
}

/// Nodes die while a bot is paused, with its chats in their hands.
#[tokio::test]
async fn what_waits_for_a_pause_is_not_given_up() {
    let mut setup = Setup::default();
    setup.options.lanes.lease_ms = 300;
    let mut world = World::with(setup).await;
    let (bot, other) = (
        world.bot("pausing", ECHO).await,
        world.bot("going-on", ECHO).await,
    );
    pause(&world, &bot, true).await;
    let last = paused(&world, &bot, &other).await;
    world.shutdown.cancel();
    world.node.drained().await;
    // More often than an update is tried that ends whole processes.
    for _ in 0..12 {
        eventually("the lease of the one before has ended", async || {
            !world.ports.lanes.claim(10).await.unwrap().turns.is_empty()
        })
        .await;
    }
    world.start_again().await;
    for id in last + 1..=last + 3 {
        world.deliver(&other, &text_update(id, 7, "x")).await;
    }
    eventually("another bot goes on", async || world.texts(&other, 7).len() == 3).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.dead_letters(&bot.id, Direction::In).await.is_empty());
    assert!(world.ports.lanes.stats().await.unwrap().updates_by_bot[&bot.id] >= 1);
}
