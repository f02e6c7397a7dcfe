//! Bots in memory follow the catalog without being told.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, also in its helpers, a panic is the report"
)]

use std::time::Duration;

use botloom_core::model::{IngressMode, SealedToken};
use botloom_core::ports::{Catalog, Connection, NewBot};
use botloom_core::{BotId, Secret, TimestampMs};

use crate::support::{Bot, ECHO, Setup, World, eventually, text_update};

/// A node that looks often.
async fn world() -> World {
    let mut setup = Setup::default();
    setup.options.reconcile = Duration::from_millis(20);
    World::with(setup).await
}

/// Gives the webhook another secret, and tells nobody.
async fn change_secret(world: &World, catalog: &dyn Catalog, bot: &Bot) {
    let row = catalog.bot(&bot.id).await.unwrap().unwrap();
    let secret = Secret::new("another-secret");
    let connection = Connection {
        ingress: IngressMode::Webhook,
        webhook_secret: Some(SealedToken(world.vault.seal(&secret, &row.webhook_context()))),
    };
    catalog.set_connection(&bot.id, Some(&connection)).await.unwrap();
}

/// Waits until the secret that was holds no more. Who knocks with it is known to the node, which has no reason to look.
async fn is_refused(world: &World, bot: &Bot) {
    let mut update = 1_000;
    eventually("the old secret is refused", async || {
        update += 1;
        world.deliver(bot, &text_update(update, 5, "x")).await.status == 401
    })
    .await;
}

#[tokio::test]
async fn a_change_that_no_notice_told_of_is_seen() {
    let world = world().await;
    let bot = world.bot("changed", ECHO).await;
    assert_eq!(world.deliver(&bot, &text_update(1, 5, "x")).await.status, 200);
    let before = world.catalog.asked("bots_mark");
    change_secret(&world, &*world.ports.catalog, &bot).await;
    is_refused(&world, &bot).await;
    let looks = world.catalog.asked("bots_mark") - before;
    assert!(
        looks < 15,
        "not only when all are compared, every thirtieth time: {looks}"
    );
    assert_eq!(
        world.catalog.asked("live_bots"),
        0,
        "one bot is no reason to read all"
    );
}

#[tokio::test]
async fn where_nothing_changed_nothing_is_read() {
    let world = world().await;
    let bot = world.bot("calm", ECHO).await;
    assert_eq!(world.deliver(&bot, &text_update(1, 5, "x")).await.status, 200);
    let looks = async |more: usize| {
        let before = world.catalog.asked("bots_mark");
        eventually("it looks", async || {
            world.catalog.asked("bots_mark") >= before + more
        })
        .await;
    };
    // The last of these began after one that saw the bot as it is.
    looks(3).await;
    let asked = |method| world.catalog.asked(method);
    let (looked, compared, read) = (asked("bots_mark"), asked("live_bot_marks"), asked("live_bots"));
    looks(60).await;
    let compared = asked("live_bot_marks") - compared;
    let looked = asked("bots_mark") - looked;
    assert!(
        compared >= 1 && compared <= looked / 30 + 1,
        "every thirtieth time: {compared} of {looked}"
    );
    assert_eq!(asked("live_bots"), read);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_looked_at_when_all_are_compared() {
    let world = world().await;
    let bot = world.bot("unreadable", ECHO).await;
    assert_eq!(world.deliver(&bot, &text_update(1, 5, "x")).await.status, 200);
    world.catalog.corrupt(true);
    change_secret(&world, world.catalog.inner(), &bot).await;
    let asked = |method| world.catalog.asked(method);
    let (looked, compared) = (asked("bots_mark"), asked("live_bot_marks"));
    eventually("it looks", async || asked("bots_mark") >= looked + 25).await;
    let (looked, compared) = (asked("bots_mark") - looked, asked("live_bot_marks") - compared);
    // Once for the change, and every thirtieth time.
    assert!(compared <= looked / 30 + 2, "{compared} of {looked}");
    assert_eq!(
        world.deliver(&bot, &text_update(2, 5, "x")).await.status,
        200,
        "it stays known"
    );
    world.catalog.corrupt(false);
    is_refused(&world, &bot).await;
}

#[tokio::test]
async fn many_changes_are_read_at_once() {
    let world = world().await;
    let bot = world.bot("among-many", ECHO).await;
    assert_eq!(world.deliver(&bot, &text_update(1, 5, "x")).await.status, 200);
    // Nobody looks while they are made, so that they are seen together.
    world.catalog.away(true);
    let away = world.catalog.asked("bots_mark") + 1;
    eventually("it looks in vain", async || {
        world.catalog.asked("bots_mark") > away
    })
    .await;
    let catalog = world.catalog.inner();
    for number in 0..40 {
        let new = NewBot {
            id: BotId::new(format!("many-{number}")).unwrap(),
            project: world.project,
            name: "Many".into(),
            created_at: TimestampMs(1_700_000_000_000),
        };
        assert!(catalog.create_bot(&new).await.unwrap());
        let connection = Connection {
            ingress: IngressMode::Webhook,
            webhook_secret: None,
        };
        catalog.set_connection(&new.id, Some(&connection)).await.unwrap();
    }
    change_secret(&world, catalog, &bot).await;
    world.catalog.away(false);
    is_refused(&world, &bot).await;
    assert!(world.catalog.asked("live_bots") > 0);
}
