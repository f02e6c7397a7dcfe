//! Busy bots beside light ones.

use crate::support::{ECHO, World, eventually, text_update};

/// Chats of the slow bot.
const CHATS: i64 = 60;

/// Answers after some work.
const SLOW: &str = "export function handle({ event, state }) {
  let sum = 0;
  for (let i = 0; i < 2000000; i++) sum += i;
  return { state, actions: [{ method: 'sendMessage', params: { text: event.text + sum } }], telemetry: [] };
}";

#[tokio::test(flavor = "multi_thread")]
async fn slow_calls_of_one_bot_do_not_stand_before_those_of_another() {
    let world = World::new().await;
    let slow = world.bot("slow", SLOW).await;
    let light = world.bot("light", ECHO).await;
    let updates: Vec<_> = (1..=CHATS).map(|chat| text_update(chat, chat, "x")).collect();
    let deliveries = updates.iter().map(|update| world.deliver(&slow, update));
    futures_util::future::join_all(deliveries).await;
    let answered = || {
        (1..=CHATS)
            .filter(|chat| !world.texts(&slow, *chat).is_empty())
            .count()
    };
    world.deliver(&light, &text_update(1, 5, "hi")).await;
    eventually("the light bot answers", async || {
        !world.texts(&light, 5).is_empty()
    })
    .await;
    let before = answered();
    assert!(before < updates.len() / 2, "{before} slow answers came before");
    world.settled().await;
    assert_eq!(answered(), updates.len());
}
