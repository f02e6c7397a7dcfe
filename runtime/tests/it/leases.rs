//! Leases that end, and leases that are kept.

use std::time::Duration;

use botloom_core::ports::{Direction, LaneLimits};
use botloom_runtime::DevHosts;
use botloom_telegram::simulator::{Action, Event, Fault, Filter};

use crate::support::{Bot, Canary, ECHO, Setup, World, eventually, text_update};

/// Short enough to end within a test.
fn short() -> Setup {
    let mut setup = Setup::default();
    setup.options.lanes = LaneLimits {
        lease_ms: 1_000,
        out_lease_ms: 1_500,
        ..LaneLimits::default()
    };
    setup
}

/// The artifact store does not answer for longer than two leases, when a bot is to be loaded.
#[tokio::test]
async fn updates_whose_program_is_long_in_coming_lose_no_try() {
    let mut setup = Setup::default();
    setup.options.lanes.lease_ms = 3_000;
    let mut world = World::with(setup).await;
    world.artifacts.stall(true);
    let bot = world.bot("long-in-coming", ECHO).await;
    assert_eq!(world.deliver(&bot, &text_update(1, 5, "x")).await.status, 200);
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(world.artifacts.reads(), 1, "callers that give up end no read");
    world.shutdown.cancel();
    world.node.drained().await;
    let mut claimed = Vec::new();
    eventually("it is free", async || {
        claimed = world.ports.lanes.claim(1).await.unwrap().turns;
        !claimed.is_empty()
    })
    .await;
    assert_eq!(claimed[0].attempts, 0);
    let lease = claimed.remove(0).lease;
    world.ports.lanes.release(&[lease]).await.unwrap();
    world.artifacts.stall(false);
    world.start_again().await;
    eventually("it is answered", async || world.texts(&bot, 5) == ["1 x"]).await;
}

/// A sender was lost in the middle of a send. Nobody knows whether the message arrived.
#[tokio::test]
async fn what_a_lost_sender_began_follows_the_policy() {
    let code = |policy: &str| {
        format!(
            "export const handle = ({{ event }}) => ({{ state: null, telemetry: [], actions: [
                {{ method: 'sendMessage', params: {{ text: event.text }}, ambiguous: '{policy}' }}] }});"
        )
    };
    let mut world = World::with(short()).await;
    let mut bots: Vec<Bot> = Vec::new();
    for policy in ["resend", "skip"] {
        let bot = world.bot(&format!("lost-{policy}"), &code(policy)).await;
        world
            .ports
            .outbox
            .park(&bot.id, Some(world.ports.clock.now().plus(600_000)))
            .await
            .unwrap();
        for (id, text) in [(1, "one"), (2, "two")] {
            assert_eq!(world.deliver(&bot, &text_update(id, 5, text)).await.status, 200);
        }
        bots.push(bot);
    }
    eventually("the messages wait", async || {
        world.ports.lanes.stats().await.unwrap().messages == 4
    })
    .await;
    world.shutdown.cancel();
    world.node.drained().await;
    for bot in &bots {
        world.ports.outbox.park(&bot.id, None).await.unwrap();
    }
    // The sender that will be lost.
    let (turns, _) = world.ports.outbox.claim_out(10).await.unwrap();
    assert_eq!(turns.len(), 2);
    for turn in &turns {
        assert!(world.ports.outbox.begin_send(&turn.lease).await.unwrap());
    }
    world.start_again().await;
    world.settled().await;
    assert_eq!(world.texts(&bots[0], 5), ["one", "two"]);
    assert_eq!(world.texts(&bots[1], 5), ["two"]);
    assert!(world.dead_letters(&bots[0].id, Direction::Out).await.is_empty());
    let letters = world.dead_letters(&bots[1].id, Direction::Out).await;
    let reasons: Vec<_> = letters
        .iter()
        .map(|letter| letter.letter.reason.as_str())
        .collect();
    assert_eq!(reasons, ["ambiguous"]);
}

/// An `apiCall` that takes longer than the lease: the lane stays with who works on it.
#[tokio::test]
async fn a_lane_is_kept_while_an_api_call_takes_its_time() {
    let code = "export function handle({ event, resume }) {
      if (resume === undefined) return { effect: { type: 'apiCall', cont: 0, method: 'GET',
        url: 'https://api.shop.example/', timeoutMs: 2500, retries: 0, backoff: { baseMs: 1, factor: 1 } } };
      return { actions: [{ method: 'sendMessage', params: { text: event.text + ' ' + resume.error } }] };
    }";
    let server = Canary::answering(Vec::new()).await;
    let mut setup = short();
    setup.options.dev_hosts =
        DevHosts::parse(&format!("api.shop.example=http://{}", server.address)).unwrap();
    let world = World::with(setup).await;
    let bot = world.bot("slow-one", code).await;
    for (id, text) in [(1, "one"), (2, "two")] {
        assert_eq!(world.deliver(&bot, &text_update(id, 5, text)).await.status, 200);
    }
    eventually("both are answered", async || world.texts(&bot, 5).len() == 2).await;
    assert_eq!(world.texts(&bot, 5), ["one timeout", "two timeout"]);
    assert_eq!(server.connections(), 2, "an update was begun twice");
}

/// A send that takes longer than the sender's lease goes out once.
#[tokio::test]
async fn a_message_is_kept_while_telegram_takes_its_time() {
    let world = World::with(short()).await;
    let bot = world.bot("slow-two", ECHO).await;
    world.simulator.add_fault(Fault {
        bot: Some(bot.number),
        method: Some("sendMessage".into()),
        chat: None,
        skip: 0,
        count: Some(1),
        executed: false,
        action: Action::Delay { ms: 4_000 },
    });
    for id in 1..=2 {
        assert_eq!(world.deliver(&bot, &text_update(id, 5, "x")).await.status, 200);
    }
    world.settled().await;
    assert_eq!(world.texts(&bot, 5), ["1 x", "2 x"]);
    let filter = Filter {
        method: Some("sendMessage".into()),
        ..Filter::default()
    };
    let calls = world.simulator.journal(&filter);
    assert!(
        calls
            .iter()
            .all(|entry| matches!(entry.event, Event::Call { status: 200, .. }))
    );
    assert_eq!(calls.len(), 2);
}

/// Updates of a store that hung for longer than the leases are executed once nevertheless.
#[tokio::test]
async fn a_pause_longer_than_the_lease_doubles_nothing() {
    let world = World::with(short()).await;
    let bot = world.bot("paused", ECHO).await;
    let load = async {
        for id in 0..60 {
            while world
                .deliver(&bot, &text_update(id, id % 6 + 1, "x"))
                .await
                .status
                != 200
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    };
    let pauses = async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            world.lanes.stall(true);
            tokio::time::sleep(Duration::from_millis(1_300)).await;
            world.lanes.stall(false);
        }
    };
    tokio::join!(load, pauses);
    world.settled().await;
    for chat in 1..=6 {
        let expected: Vec<String> = (1..=10).map(|nth| format!("{nth} x")).collect();
        assert_eq!(world.texts(&bot, chat), expected, "chat {chat}");
    }
    assert!(world.dead_letters(&bot.id, Direction::In).await.is_empty());
}
