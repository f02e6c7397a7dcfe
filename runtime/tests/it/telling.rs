//! What telemetry tells of a bot that runs.

use botloom_core::TimestampMs;
use botloom_core::grid::Grid;
use botloom_core::ports::{AnalyticsQuery, AnalyticsRow, Direction};
use botloom_telegram::simulator::{Action, Fault};

use crate::support::{Bot, World, eventually, text_update};

const BOT: &str = "export function handle({ event }) {
  if (event.text === 'fail') throw new Error('nope');
  const actions = ['a', 'b'].map((text) => ({ method: 'sendMessage', params: { text } }));
  // Nobody but the host says what was handled.
  return { state: null, actions, telemetry: [{ event: 'update_handled', latencyMs: 9e9 }, { event: 'greeted' }] };
}";

async fn ask(world: &World, bot: &Bot, query: AnalyticsQuery) -> Vec<AnalyticsRow> {
    let (from, to) = (TimestampMs(0), TimestampMs(i64::MAX));
    world
        .ports
        .analytics
        .query(&bot.id, from, to, &query)
        .await
        .expect("telemetry answers")
}

/// Numbers of all rows together, so that a test may run over midnight.
async fn sums(world: &World, bot: &Bot, query: AnalyticsQuery) -> Vec<u64> {
    let mut sums = vec![0; query.columns().len() - 1];
    for row in ask(world, bot, query).await {
        for (sum, value) in sums.iter_mut().zip(row.values) {
            *sum += value;
        }
    }
    sums
}

#[tokio::test]
async fn updates_messages_and_errors_are_told() {
    let world = World::new().await;
    let bot = world.bot("told", BOT).await;
    world.simulator.add_fault(Fault {
        bot: None,
        method: Some("sendMessage".into()),
        chat: Some(6),
        skip: 0,
        count: None,
        executed: false,
        action: Action::Answer {
            code: 403,
            description: None,
            retry_after: None,
            migrate_to_chat_id: None,
        },
    });
    for (id, chat, text) in [(1, 5, "hi"), (2, 5, "fail"), (3, 7, "hi"), (4, 6, "hi")] {
        assert_eq!(
            world.deliver(&bot, &text_update(id, chat, text)).await.status,
            200
        );
    }
    eventually("all is handled and told", async || {
        sums(&world, &bot, AnalyticsQuery::Messages(Grid::utc_days())).await == [3, 4]
            && ask(&world, &bot, AnalyticsQuery::Errors).await.len() == 2
    })
    .await;
    assert_eq!(
        sums(&world, &bot, AnalyticsQuery::Chats(Grid::utc_days())).await[0],
        3
    );
    let latency = ask(&world, &bot, AnalyticsQuery::Latency(Grid::utc_days())).await;
    assert!(latency.iter().all(|row| row.values[3] < 60_000), "{latency:?}");
    let errors = ask(&world, &bot, AnalyticsQuery::Errors).await;
    let set_aside = world.dead_letters(&bot.id, Direction::Out).await.len() as u64;
    let told: Vec<_> = errors.iter().map(|row| (&*row.key, row.values[0])).collect();
    assert_eq!(told, [("script_error", 1), ("telegram-403", set_aside)]);
}
