//! Going down without losing or doubling anything.

use botloom_telegram::simulator::{Action, Fault};

use crate::support::{ECHO, World, eventually, text_update};

#[tokio::test]
async fn what_was_begun_is_finished_and_nothing_new_is_taken() {
    let world = World::new().await;
    let bot = world.bot("retiring", ECHO).await;
    // Sends take their time, so that some are in flight.
    world.simulator.add_fault(Fault {
        bot: Some(bot.number),
        method: Some("sendMessage".into()),
        chat: None,
        skip: 0,
        count: None,
        executed: false,
        action: Action::Delay { ms: 300 },
    });
    for id in 0..40 {
        assert_eq!(
            world
                .deliver(&bot, &text_update(id, id % 20 + 1, "x"))
                .await
                .status,
            200
        );
    }
    eventually("a message is out", async || {
        world.simulator.counters().calls.contains_key("sendMessage")
    })
    .await;
    world.shutdown.cancel();
    let refused = world.deliver(&bot, &text_update(100, 5, "x")).await;
    assert_eq!((refused.status, refused.retry_after.as_deref()), (503, Some("1")));
    world.node.drained().await;
    assert!(world.node.status().draining);
    let stats = world.ports.lanes.stats().await.unwrap();
    assert_eq!(stats.leased, 0, "a lease was kept");
    // What was sent was noted, what was not sent waits: no message is lost, none is there twice.
    let sent: usize = (1..=20).map(|chat| world.texts(&bot, chat).len()).sum();
    let handled: usize = 40 - usize::try_from(stats.updates).unwrap();
    assert_eq!(handled, sent + usize::try_from(stats.messages).unwrap());
    for chat in 1..=20 {
        let texts = world.texts(&bot, chat);
        let expected: Vec<String> = (1..=texts.len()).map(|nth| format!("{nth} x")).collect();
        assert_eq!(texts, expected);
    }
}
