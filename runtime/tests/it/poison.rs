//! Updates that cannot be executed step aside; those behind them go on.

use botloom_core::ports::Direction;
use serde_json::json;

use crate::support::{World, eventually, text_update};

const FRAGILE: &str = "export function handle({ event, state, resume }) {
  const seen = [...(state === null ? [] : state.seen), event.text];
  const say = (params, method = 'sendMessage') => ({ state: { seen }, actions: [{ method, params }], telemetry: [] });
  if (event.text === 'throw') throw new Error('transition_limit: too far');
  if (event.text === 'other chat') return say({ chat_id: 999, text: 'x' });
  if (event.text === 'log out') return say({}, 'logOut');
  if (event.text === 'nonsense') return { surprise: true };
  if (event.text === 'for ever') return { state, effect: { type: 'match', cont: 1, tests: [] } };
  if (event.text === 'flood') return { state, actions: Array.from({ length: 20 }, () => ({ method: 'sendMessage', params: { text: 'x' } })),
    ...(resume ? {} : { effect: { type: 'match', cont: 1, tests: [] } }) };
  return say({ text: event.text });
}";

#[tokio::test]
async fn three_tries_and_the_next_one_goes_on() {
    let world = World::new().await;
    let bot = world.bot("fragile", FRAGILE).await;
    let texts = [
        "one",
        "throw",
        "two",
        "other chat",
        "log out",
        "nonsense",
        "for ever",
        "flood",
        "three",
    ];
    for (id, text) in (1..).zip(texts) {
        assert_eq!(world.deliver(&bot, &text_update(id, 5, text)).await.status, 200);
    }
    let other = text_update(100, 6, "elsewhere");
    world.deliver(&bot, &other).await;
    eventually("the end is reached", async || {
        world.texts(&bot, 5).last().is_some_and(|text| text == "three")
    })
    .await;
    world.settled().await;
    assert_eq!(world.texts(&bot, 5), ["one", "two", "three"]);
    assert_eq!(world.texts(&bot, 6), ["elsewhere"]);
    assert_eq!(
        world.state(&bot.id, 5).await,
        Some(json!({"seen": ["one", "two", "three"]}))
    );
    let mut letters = world.dead_letters(&bot.id, Direction::In).await;
    letters.reverse();
    let told: Vec<_> = letters
        .iter()
        .map(|letter| (letter.letter.reason.as_str(), letter.attempts))
        .collect();
    let bad = ("bad_result", 3);
    assert_eq!(
        told,
        [("script_error", 3), bad, bad, bad, bad, ("output_limit", 3)]
    );
    assert!(
        letters[0].letter.detail.contains("transition_limit: too far"),
        "{}",
        letters[0].letter.detail
    );
    let events = world
        .ports
        .events
        .events_after(world.project, 0, 100)
        .await
        .unwrap()
        .events;
    assert_eq!(
        events
            .iter()
            .filter(|event| event.event.name() == "DeadLettered")
            .count(),
        6
    );
}

#[tokio::test]
async fn a_dead_letter_can_come_back() {
    let world = World::new().await;
    let bot = world.bot("repaired", FRAGILE).await;
    world.deliver(&bot, &text_update(1, 5, "throw")).await;
    eventually("it is set aside", async || {
        world.dead_letters(&bot.id, Direction::In).await.len() == 1
    })
    .await;
    let letter = world.dead_letters(&bot.id, Direction::In).await.remove(0);
    world
        .deploy(&bot.id, &FRAGILE.replace("event.text === 'throw'", "false"))
        .await;
    assert!(
        world
            .ports
            .dead_letters
            .replay(&bot.id, &letter.id)
            .await
            .unwrap()
    );
    eventually("it is answered", async || world.texts(&bot, 5) == ["throw"]).await;
}

#[tokio::test]
async fn late_answers_to_queries_are_not_worked_on() {
    let world = World::new().await;
    let bot = world.bot("punctual", FRAGILE).await;
    let query = |id: i64| {
        json!({"update_id": id, "inline_query": {
            "id": id.to_string(), "query": "x", "offset": "", "from": {"id": 5, "is_bot": false, "first_name": "Ada"},
        }})
    };
    // As if it had waited for a minute.
    let lane = botloom_core::Lane {
        bot: bot.id.clone(),
        chat: botloom_core::ChatId::new("u:5").unwrap(),
    };
    let ingest = botloom_core::ports::Ingest {
        lane,
        dedup: botloom_core::ports::DedupKey::Update(1),
        envelope: query(1).to_string().into(),
        accepted_at: world.ports.clock.now().plus(-60_000),
        trace: None,
        want_turn: false,
    };
    world.ports.lanes.ingest(vec![ingest]).await.unwrap();
    world.settled().await;
    let letters = world.dead_letters(&bot.id, Direction::In).await;
    assert_eq!(
        letters
            .iter()
            .map(|letter| letter.letter.reason.as_str())
            .collect::<Vec<_>>(),
        ["expired"]
    );
}
