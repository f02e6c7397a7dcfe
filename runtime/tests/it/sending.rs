//! Messages to Telegram, and what its answers do.

use std::time::Duration;

use botloom_core::Lane;
use botloom_core::model::IngressMode;
use botloom_core::ports::{Direction, Freed, Notice, Remedy, Standing};
use botloom_runtime::SendLimits;
use botloom_telegram::Token;
use botloom_telegram::simulator::{Action, Event, Fault, Filter};
use serde_json::json;

use crate::support::{Bot, ECHO, Setup, World, eventually, text_update};

fn fault(chat: Option<i64>, count: u32, action: Action) -> Fault {
    Fault {
        bot: None,
        method: Some("sendMessage".into()),
        chat,
        skip: 0,
        count: Some(count),
        executed: false,
        action,
    }
}

fn answer(code: u16, retry_after: Option<u32>) -> Action {
    Action::Answer {
        code,
        description: None,
        retry_after,
        migrate_to_chat_id: None,
    }
}

/// The refusal of one message, which says nothing about its chat.
fn malformed() -> Action {
    Action::Answer {
        code: 400,
        description: Some("Bad Request: can't parse entities".into()),
        retry_after: None,
        migrate_to_chat_id: None,
    }
}

fn numbered(count: usize, text: &str) -> Vec<String> {
    (1..=count).map(|nth| format!("{nth} {text}")).collect()
}

async fn say(world: &World, bot: &Bot, chat: i64, ids: std::ops::Range<i64>) {
    for id in ids {
        assert_eq!(
            world
                .deliver(bot, &text_update(chat * 1_000 + id, chat, "x"))
                .await
                .status,
            200
        );
    }
}

/// Statuses of the calls about a chat, in order.
fn statuses(world: &World, bot: &Bot, chat: i64) -> Vec<u16> {
    calls(world, bot, chat)
        .into_iter()
        .map(|(status, _)| status)
        .collect()
}

/// Calls about a chat in order: status, and when it came in ms.
fn calls(world: &World, bot: &Bot, chat: i64) -> Vec<(u16, i64)> {
    let filter = Filter {
        bot: Some(bot.number),
        chat: Some(chat),
        ..Filter::default()
    };
    let status = |event: Event| match event {
        Event::Call { status, .. } => Some(status),
        Event::Delivery { .. } => None,
    };
    world
        .simulator
        .journal(&filter)
        .into_iter()
        .filter_map(|entry| Some((status(entry.event)?, entry.at_ms)))
        .collect()
}

/// A pause that no test sees the end of, in seconds.
const LONG: u32 = 3_600;

#[tokio::test]
async fn a_pause_asked_of_one_chat_delays_that_chat_alone() {
    let world = World::new().await;
    let bot = world.bot("flooding", ECHO).await;
    world
        .simulator
        .add_fault(fault(Some(5), 1, answer(429, Some(LONG))));
    say(&world, &bot, 5, 0..3).await;
    eventually("the chat is told to wait", async || {
        statuses(&world, &bot, 5) == [429]
    })
    .await;
    say(&world, &bot, 6, 0..3).await;
    eventually("the other chat is served", async || {
        world.texts(&bot, 6).len() == 3
    })
    .await;
    assert_eq!(statuses(&world, &bot, 5), [429], "the chat was told to wait");
}

#[tokio::test]
async fn what_waited_for_a_pause_is_sent_in_order_and_not_early() {
    let world = World::new().await;
    let bot = world.bot("flooding", ECHO).await;
    world.simulator.add_fault(fault(Some(5), 1, answer(429, Some(3))));
    say(&world, &bot, 5, 0..3).await;
    eventually("the pause ends", async || world.texts(&bot, 5).len() == 3).await;
    assert_eq!(world.texts(&bot, 5), numbered(3, "x"));
    let calls = calls(&world, &bot, 5);
    let statuses: Vec<u16> = calls.iter().map(|call| call.0).collect();
    assert_eq!(
        statuses,
        [429, 200, 200, 200],
        "one refusal, no call before its time"
    );
    assert!(calls[1].1 >= calls[0].1 + 3_000, "{calls:?}");
}

/// Of a chat with three messages one is set aside, and the next fails once and is then told to wait for so many seconds.
async fn told_to_wait(world: &World, bot: &Bot, seconds: u32) {
    for answer in [malformed(), answer(502, None), answer(429, Some(seconds))] {
        world.simulator.add_fault(fault(Some(5), 1, answer));
    }
    say(world, bot, 5, 0..3).await;
    eventually("Telegram asks for a pause", async || {
        statuses(world, bot, 5).starts_with(&[400, 502, 429])
    })
    .await;
}

/// Waits until it is noted that a chat was told to wait; whatever else follows from that was done before.
async fn until_delayed(world: &World, bot: &Bot, chat: i64) {
    let lane = Lane {
        bot: bot.id.clone(),
        chat: chat.into(),
    };
    eventually("it is noted", async || {
        let view = world.ports.chats.chat(&lane).await.expect("the store answers");
        matches!(view.outbound, Some(Standing::Delayed { .. }))
    })
    .await;
}

/// Puts back the one that was set aside, and has one more said.
async fn replay_and_say(world: &World, bot: &Bot) {
    // Before that, what is put back may come before what was said last.
    eventually("all were run", async || {
        world
            .ports
            .lanes
            .stats()
            .await
            .expect("the store answers")
            .updates
            == 0
    })
    .await;
    let letters = world.dead_letters(&bot.id, Direction::Out).await;
    let replayed = world.ports.dead_letters.replay(&bot.id, &letters[0].id).await;
    assert!(replayed.expect("the store answers"));
    say(world, bot, 5, 3..4).await;
}

#[tokio::test]
async fn nobody_sends_against_a_pause_that_telegram_asked_for() {
    let world = World::new().await;
    let bot = world.bot("helped", ECHO).await;
    told_to_wait(&world, &bot, LONG).await;
    let lane = Lane {
        bot: bot.id.clone(),
        chat: 5.into(),
    };
    let chats = &world.ports.chats;
    until_delayed(&world, &bot, 5).await;
    for remedy in [Remedy::Retry, Remedy::SetAside] {
        let freed = chats.free_messages(&lane, remedy).await.unwrap();
        assert!(matches!(freed, Freed::NotBefore(_)), "{freed:?}");
    }
    replay_and_say(&world, &bot).await;
    say(&world, &bot, 6, 0..1).await;
    eventually("another chat is served", async || world.texts(&bot, 6).len() == 1).await;
    assert_eq!(
        statuses(&world, &bot, 5),
        [400, 502, 429],
        "sends within the pause"
    );
}

#[tokio::test]
async fn what_was_put_back_during_a_pause_comes_after_it_in_its_place() {
    let world = World::new().await;
    let bot = world.bot("helped", ECHO).await;
    told_to_wait(&world, &bot, 3).await;
    replay_and_say(&world, &bot).await;
    eventually("all arrive", async || world.texts(&bot, 5).len() == 4).await;
    assert_eq!(world.texts(&bot, 5), ["2 x", "3 x", "1 x", "4 x"]);
    let calls = calls(&world, &bot, 5);
    let asked = calls.iter().position(|(status, _)| *status == 429).unwrap();
    let (_, at) = calls[asked];
    let early = calls[asked + 1..].iter().filter(|call| call.1 < at + 3_000);
    assert_eq!(early.count(), 0, "sends within the pause: {calls:?}");
}

#[tokio::test]
async fn several_chats_told_to_pause_mean_the_bot() {
    let world = World::new().await;
    let (bot, other) = (world.bot("loud", ECHO).await, world.bot("quiet", ECHO).await);
    for chat in 1..=3 {
        world.simulator.add_fault(Fault {
            bot: Some(bot.number),
            ..fault(Some(chat), 1, answer(429, Some(LONG)))
        });
    }
    // At the same time: the refusals count together only if they are close.
    tokio::join!(
        say(&world, &bot, 1, 0..1),
        say(&world, &bot, 2, 0..1),
        say(&world, &bot, 3, 0..1)
    );
    for chat in 1..=3 {
        until_delayed(&world, &bot, chat).await;
    }
    say(&world, &bot, 4, 0..1).await;
    say(&world, &other, 4, 0..1).await;
    eventually("the other bot is served", async || {
        world.texts(&other, 4).len() == 1
    })
    .await;
    assert!(world.texts(&bot, 4).is_empty(), "the whole bot pauses");
}

#[tokio::test]
async fn server_errors_are_tried_again_in_order() {
    let world = World::new().await;
    let bot = world.bot("stubborn", ECHO).await;
    world.simulator.add_fault(fault(Some(5), 2, answer(502, None)));
    world.simulator.add_fault(fault(Some(5), 1, Action::Reset));
    say(&world, &bot, 5, 0..3).await;
    eventually("all arrive", async || world.texts(&bot, 5).len() == 3).await;
    assert_eq!(world.texts(&bot, 5), numbered(3, "x"));
    assert!(world.dead_letters(&bot.id, Direction::Out).await.is_empty());
}

#[tokio::test]
async fn what_telegram_never_takes_steps_aside() {
    let world = World::new().await;
    let bot = world.bot("malformed", ECHO).await;
    world.simulator.add_fault(Fault {
        skip: 1,
        ..fault(Some(5), 1, malformed())
    });
    say(&world, &bot, 5, 0..3).await;
    eventually("the others arrive", async || world.texts(&bot, 5).len() == 2).await;
    world.settled().await;
    assert_eq!(world.texts(&bot, 5), ["1 x", "3 x"]);
    let letters = world.dead_letters(&bot.id, Direction::Out).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].letter.reason, "telegram-400");
    assert!(letters[0].letter.detail.contains("can't parse entities"));
    assert!(
        world
            .ports
            .dead_letters
            .replay(&bot.id, &letters[0].id)
            .await
            .unwrap()
    );
    eventually("it is sent after all", async || {
        world.texts(&bot, 5) == ["1 x", "3 x", "2 x"]
    })
    .await;
}

#[tokio::test]
async fn tries_end_and_the_next_message_goes_on() {
    let mut setup = Setup::default();
    setup.options.send.tries = 3;
    let world = World::with(setup).await;
    let bot = world.bot("unlucky", ECHO).await;
    world.simulator.add_fault(fault(Some(5), 3, answer(500, None)));
    say(&world, &bot, 5, 0..2).await;
    eventually("the second arrives", async || world.texts(&bot, 5) == ["2 x"]).await;
    let letters = world.dead_letters(&bot.id, Direction::Out).await;
    assert_eq!(
        letters
            .iter()
            .map(|letter| letter.letter.reason.as_str())
            .collect::<Vec<_>>(),
        ["telegram-500"]
    );
}

#[tokio::test]
async fn who_blocked_the_bot_gets_nothing_more_of_what_waits() {
    let world = World::new().await;
    let bot = world.bot("unloved", ECHO).await;
    world.simulator.add_fault(fault(Some(5), 1, answer(429, Some(1))));
    world.simulator.add_fault(fault(Some(5), 1, answer(403, None)));
    say(&world, &bot, 5, 0..3).await;
    say(&world, &bot, 6, 0..1).await;
    eventually("they are set aside", async || {
        world.dead_letters(&bot.id, Direction::Out).await.len() == 3
    })
    .await;
    let letters = world.dead_letters(&bot.id, Direction::Out).await;
    assert!(
        letters
            .iter()
            .all(|letter| letter.letter.reason == "telegram-403")
    );
    assert_eq!(world.texts(&bot, 6), ["1 x"]);
    say(&world, &bot, 5, 10..11).await;
    eventually("the chat may come back", async || world.texts(&bot, 5) == ["4 x"]).await;
}

#[tokio::test]
async fn a_revoked_token_keeps_the_messages_for_the_next_one() {
    let world = World::new().await;
    let bot = world.bot("revoked", ECHO).await;
    world.simulator.add_fault(Fault {
        method: None,
        ..fault(None, 1, answer(401, None))
    });
    say(&world, &bot, 5, 0..1).await;
    eventually("the bot is suspended", async || {
        world
            .ports
            .catalog
            .bot(&bot.id)
            .await
            .unwrap()
            .unwrap()
            .suspended
            .as_deref()
            == Some("token-revoked")
    })
    .await;
    say(&world, &bot, 5, 1..3).await;
    assert!(world.texts(&bot, 5).is_empty());
    let token = Token::new(format!("{}:AA-the-next-token", bot.number)).unwrap();
    world.set_token(&bot.id, &token).await;
    eventually("what waited is sent", async || world.texts(&bot, 5).len() == 3).await;
    assert_eq!(world.texts(&bot, 5), numbered(3, "x"));
    assert!(world.dead_letters(&bot.id, Direction::Out).await.is_empty());
}

/// Telegram executed it and nobody heard: only the policy of the message says whether it is sent again.
#[tokio::test]
async fn an_unknown_outcome_follows_the_policy() {
    let code = |policy: &str| {
        format!(
            "export const handle = ({{ event }}) => ({{ state: null, telemetry: [], actions: [
                {{ method: 'sendMessage', params: {{ text: event.text }}, ambiguous: '{policy}' }}] }});"
        )
    };
    let world = World::new().await;
    for (policy, texts, letters) in [("resend", vec!["x", "x", "x"], 0), ("skip", vec!["x", "x"], 1)] {
        let bot = world.bot(&format!("bot-{policy}"), &code(policy)).await;
        let lost = Fault {
            bot: Some(bot.number),
            executed: true,
            ..fault(Some(5), 1, Action::Reset)
        };
        world.simulator.add_fault(lost);
        say(&world, &bot, 5, 0..2).await;
        eventually(policy, async || world.texts(&bot, 5).len() == texts.len()).await;
        world.settled().await;
        assert_eq!(world.texts(&bot, 5), texts, "{policy}");
        let aside = world.dead_letters(&bot.id, Direction::Out).await;
        assert_eq!(aside.len(), letters, "{policy}");
        assert!(aside.iter().all(|letter| letter.letter.reason == "ambiguous"));
    }
}

#[tokio::test]
async fn what_is_no_longer_worth_sending_is_dropped() {
    let code = "export const handle = ({ event }) => ({ state: null, telemetry: [], actions: [
        { method: 'sendChatAction', params: { action: 'typing' }, notAfterSec: 0 },
        { method: 'sendMessage', params: { text: event.text } }] });";
    let world = World::new().await;
    let bot = world.bot("prompt", code).await;
    // It came in a minute ago.
    let ingest = botloom_core::ports::Ingest {
        lane: Lane {
            bot: bot.id.clone(),
            chat: 5.into(),
        },
        dedup: botloom_core::ports::DedupKey::Update(1),
        envelope: text_update(1, 5, "late").to_string().into(),
        accepted_at: world.ports.clock.now().plus(-60_000),
        trace: None,
        want_turn: false,
    };
    world.ports.lanes.ingest(vec![ingest]).await.unwrap();
    eventually("the message arrives", async || world.texts(&bot, 5) == ["late"]).await;
    assert_eq!(world.simulator.counters().calls.get("sendChatAction"), None);
    assert!(world.dead_letters(&bot.id, Direction::Out).await.is_empty());
}

#[tokio::test]
async fn what_is_queued_for_a_moved_chat_reaches_the_new_one() {
    let world = World::new().await;
    let bot = world.bot("removal", ECHO).await;
    let moved = Action::Answer {
        code: 400,
        description: None,
        retry_after: None,
        migrate_to_chat_id: Some(-10_077),
    };
    world.simulator.add_fault(Fault {
        count: None,
        ..fault(Some(-77), 1, moved)
    });
    let said = |id: i64| {
        json!({"update_id": id, "message": {
            "message_id": id, "date": 1, "text": "x", "from": {"id": 5, "is_bot": false, "first_name": "Ada"},
            "chat": {"id": -77, "type": "group", "title": "G"},
        }})
    };
    world.deliver(&bot, &said(1)).await;
    eventually("it arrives", async || world.texts(&bot, -10_077) == ["1 x"]).await;
    eventually("the document follows", async || {
        world.state(&bot.id, -10_077).await == Some(json!({"seen": [1]}))
    })
    .await;
    assert_eq!(world.state(&bot.id, -77).await, None);
}

#[tokio::test]
async fn chats_are_paced() {
    let mut setup = Setup::default();
    setup.options.send = SendLimits {
        chat_per_s: 4.0,
        chat_burst: 2,
        ..setup.options.send
    };
    let world = World::with(setup).await;
    let bot = world.bot("paced", ECHO).await;
    say(&world, &bot, 5, 0..6).await;
    eventually("all arrive", async || world.texts(&bot, 5).len() == 6).await;
    assert_eq!(world.texts(&bot, 5), numbered(6, "x"));
    let filter = Filter {
        bot: Some(bot.number),
        method: Some("sendMessage".into()),
        ..Filter::default()
    };
    let at: Vec<i64> = world
        .simulator
        .journal(&filter)
        .iter()
        .map(|entry| entry.at_ms)
        .collect();
    // Two at once, then one each 250 ms: the sixth is at least a second behind the first.
    assert!(at[5] - at[0] >= 990, "{at:?}");
}

#[tokio::test]
async fn a_bot_whose_connection_ends_still_sends_what_it_owes() {
    let world = World::new().await;
    let bot = world.bot("leaving", ECHO).await;
    world.simulator.add_fault(fault(Some(5), 1, answer(429, Some(1))));
    say(&world, &bot, 5, 0..1).await;
    world.ports.catalog.set_connection(&bot.id, None).await.unwrap();
    world
        .ports
        .bus
        .publish(Notice::BotChanged { bot: bot.id.clone() })
        .await;
    eventually("it arrives", async || world.texts(&bot, 5) == ["1 x"]).await;
    world.connect(&bot, IngressMode::Webhook).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    say(&world, &bot, 5, 1..2).await;
    eventually("it is back", async || world.texts(&bot, 5).len() == 2).await;
}
