//! How updates end is counted once for each, and only what the program did wrong counts against it.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, also in its helpers, a panic is the report"
)]

use botloom_core::Epoch;
use botloom_core::ports::OutcomeCounts;

use crate::support::{Bot, World, eventually, text_update};

/// Throws where it is told to.
const FRAGILE: &str = "export function handle({ event, state }) {
  if (event.text === 'throw') throw new Error('no');
  return { state, actions: [{ method: 'sendMessage', params: { text: event.text } }], telemetry: [] };
}";

impl World {
    async fn outcomes(&self, bot: &Bot, epoch: u64) -> (u64, u64) {
        let counts = self.ports.outcomes.counts(&bot.id, Epoch(epoch)).await;
        let OutcomeCounts { ok, failed } = counts.unwrap();
        (ok, failed)
    }

    /// Takes the node down: what it counted is told by then.
    async fn ended(&self) {
        self.shutdown.cancel();
        self.node.drained().await;
    }
}

#[tokio::test]
async fn an_update_counts_once_however_often_it_is_tried() {
    let world = World::new().await;
    let bot = world.bot("counted", FRAGILE).await;
    // Behind others of its chat, and as the first.
    for (id, text) in (1..).zip(["one", "throw", "two"]) {
        world.deliver(&bot, &text_update(id, 5, text)).await;
    }
    world.deliver(&bot, &text_update(10, 6, "throw")).await;
    eventually("others are told of it while the node runs", async || {
        world.outcomes(&bot, 1).await == (2, 2)
    })
    .await;
    world.settled().await;

    // On each revision for itself.
    world
        .deploy(&bot.id, &FRAGILE.replace("'no'", "'no, again'"))
        .await;
    world.deliver(&bot, &text_update(20, 7, "three")).await;
    world.deliver(&bot, &text_update(21, 8, "throw")).await;
    world.settled().await;
    world.ended().await;
    assert_eq!(world.outcomes(&bot, 1).await, (2, 2));
    assert_eq!(world.outcomes(&bot, 2).await, (1, 1));
}

#[tokio::test]
async fn what_bot_code_does_not_see_is_not_counted() {
    let world = World::new().await;
    let bot = world.bot("counted", FRAGILE).await;
    world
        .deliver(&bot, &text_update(1, 5, "/start@somebody_else"))
        .await;
    let mut query = text_update(2, 5, "x");
    query["message"]["migrate_from_chat_id"] = serde_json::json!(-5);
    world.deliver(&bot, &query).await;
    world.deliver(&bot, &text_update(3, 5, "one")).await;
    world.settled().await;
    world.ended().await;
    assert_eq!(world.outcomes(&bot, 1).await, (1, 0));
}

#[tokio::test]
async fn no_sandbox_is_no_fault_of_the_program() {
    let mut world = World::new().await;
    let bot = world.bot("counted", FRAGILE).await;
    world.deliver(&bot, &text_update(1, 5, "one")).await;
    eventually("it is answered", async || world.texts(&bot, 5) == ["one"]).await;
    world.end_sandboxes();
    for chat in 10..40 {
        world.deliver(&bot, &text_update(chat, chat, "two")).await;
    }
    eventually("all of them wait", async || {
        let stats = world.ports.lanes.stats().await.unwrap();
        stats.updates == 30 && world.node.status().sandbox.workers.is_empty()
    })
    .await;
    world.ended().await;
    assert_eq!(world.outcomes(&bot, 1).await, (1, 0));
}

#[tokio::test]
async fn stores_that_are_away_are_no_fault_of_the_program() {
    let world = World::new().await;
    let bot = world.bot("counted", FRAGILE).await;
    // The next revision can be found in no catalog: its updates wait, without a try.
    let rev = world.store(&bot.id, &FRAGILE.replace("'no'", "'never'")).await;
    world.activate(&bot.id, rev).await;
    world.catalog.away(true);
    for chat in 10..20 {
        world.deliver(&bot, &text_update(chat, chat, "throw")).await;
    }
    eventually("all of them are held", async || {
        world.ports.lanes.stats().await.unwrap().leased == 10
    })
    .await;
    world.ended().await;
    assert_eq!(world.outcomes(&bot, 2).await, (0, 0));
}
