//! The control plane's stores are away: bots that run go on.

use std::time::Duration;

use botloom_core::ports::{Direction, SandboxError};
use botloom_telegram::simulator::{Action, Fault};

use crate::support::{ECHO, World, eventually, text_update};

#[tokio::test]
async fn loaded_bots_run_without_catalog_and_artifacts() {
    let world = World::new().await;
    let bot = world.bot("loaded", ECHO).await;
    world.deliver(&bot, &text_update(0, 1, "before")).await;
    eventually("it works", async || world.texts(&bot, 1).len() == 1).await;
    let rev = world.store(&bot.id, &format!("{ECHO}\n// other")).await;
    world.catalog.away(true);
    // Long enough for the bots to be read again more than once.
    let end = tokio::time::Instant::now() + Duration::from_secs(5);
    let mut id = 0;
    while tokio::time::Instant::now() < end {
        for _ in 0..20 {
            id += 1;
            let update = text_update(id, id % 10 + 1, "x");
            assert_eq!(world.deliver(&bot, &update).await.status, 200);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.settled().await;
    let sent: usize = (1..=10).map(|chat| world.texts(&bot, chat).len()).sum();
    assert_eq!(sent, usize::try_from(id).unwrap() + 1);
    // What needs the catalog says so, and may be tried again.
    let sandboxes = world.node.sandboxes();
    let error = sandboxes.prewarm(&bot.id, &rev, 1).await.unwrap_err();
    assert!(matches!(
        error,
        SandboxError::Artifact {
            code: "unavailable",
            ..
        }
    ));
    assert!(botloom_core::Coded::kind(&error).is_retryable());
    world.catalog.away(false);
    sandboxes.prewarm(&bot.id, &rev, 1).await.unwrap();
    assert!(world.dead_letters(&bot.id, Direction::In).await.is_empty());
}

/// The store goes away between a send and the note of it.
#[tokio::test]
async fn a_send_is_noted_however_late() {
    let world = World::new().await;
    let bot = world.bot("late-note", ECHO).await;
    let held = Fault {
        bot: None,
        method: Some("sendMessage".into()),
        chat: None,
        skip: 0,
        count: Some(1),
        executed: false,
        action: Action::Hold,
    };
    world.simulator.add_fault(held);
    world.deliver(&bot, &text_update(1, 5, "x")).await;
    eventually("it is on its way", async || world.simulator.faults().is_empty()).await;
    world.outbox.away(true);
    world.simulator.clear_faults();
    tokio::time::sleep(Duration::from_secs(9)).await;
    world.outbox.away(false);
    world.settled().await;
    world.deliver(&bot, &text_update(2, 5, "y")).await;
    eventually("the next one", async || world.texts(&bot, 5).len() > 1).await;
    assert_eq!(world.texts(&bot, 5), ["1 x", "2 y"]);
}
