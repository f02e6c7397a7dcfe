//! Redis killed and restarted, and Redis that does not answer.

use std::time::{Duration, Instant};

use botloom_telegram::simulator::Filter;
use tokio::task::JoinSet;

use super::percentile;
use crate::support::load::{Load, Plan};
use crate::support::redis::Redis;
use crate::support::services::Services;
use crate::support::specs;
use crate::support::webhook::Webhook;
use crate::support::world::{PATIENCE, World};

const KILLS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_killed_and_restarted_loses_nothing() {
    let mut redis = Redis::start().await;
    let services = Services::new().await.with("REDIS_URL", &redis.url());
    let world = World::alike(services, 2).await;
    let bot = world
        .bot(&specs::chain("redis-bot", ""), 7_100_000_120, "webhook")
        .await;
    let plan = Plan {
        chats: 200,
        updates: None,
        connections: 40,
    };
    let load = Load::start(&world, "redis-bot", bot, plan);
    for _ in 0..KILLS {
        load.more(1_000).await;
        redis.kill();
        // Long enough for everything under way to fail.
        tokio::time::sleep(Duration::from_millis(700)).await;
        redis.spawn().await;
    }
    load.more(1_000).await;
    load.stop();
    assert!(load.refused() > 0, "nobody noticed");
    let doubled = load.posted().await.answered(&world).await;
    assert!(
        doubled.is_empty(),
        "sent twice though no sender died: {doubled:?}"
    );
}

/// Posts while Redis does not answer, and how fast.
const RATE: u32 = 200;
const STALL: Duration = Duration::from_secs(10);
/// How long the door waits for the store.
const DOOR_WAITS: Duration = Duration::from_millis(300);
/// Of a machine with more processes than cores.
const SCHEDULER: Duration = Duration::from_millis(200);
const GROWTH_MIB: u64 = 64;

/// Messages to a chat.
fn answers_to(bot: i64, chat: i64) -> Filter {
    Filter {
        bot: Some(bot),
        chat: Some(chat),
        ..Filter::default()
    }
}

/// Whether one of the chats was answered.
fn has_answer(world: &World, bot: i64, chats: &[(i64, Duration)]) -> bool {
    let answered = |chat: &i64| !world.telegram.journal(&answers_to(bot, *chat)).is_empty();
    chats.iter().any(|(chat, _)| answered(chat))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_stalls_is_answered_for_in_time_and_comes_back() {
    let redis = Redis::start().await;
    let services = Services::new().await.with("REDIS_URL", &redis.url());
    let world = World::alike(services, 2).await;
    let bot = world
        .bot(&specs::chain("stall-bot", ""), 7_100_000_130, "webhook")
        .await;
    let person = world.person("Ada", "en");
    assert_eq!(world.ask(bot, person, "/n 1", 1).await, ["->1"]);

    let webhook = Webhook::of(&world, "stall-bot", bot).at(&world.server);
    let post = |number: i64| {
        let webhook = webhook.clone();
        async move {
            let asked = Instant::now();
            let answer = webhook.post(number, number, "/n 1").await.unwrap();
            (answer.status.as_u16(), asked.elapsed())
        }
    };
    assert_eq!(post(1_000_000).await.0, 200);
    let before = world.server.resident_mib();
    redis.signal("STOP");
    let (began, mut posts) = (Instant::now(), JoinSet::new());
    let posted = u32::try_from(STALL.as_secs()).unwrap() * RATE;
    for number in 0..posted {
        tokio::time::sleep_until((began + Duration::from_secs(1) / RATE * number).into()).await;
        posts.spawn(post(2_000_000 + i64::from(number)));
    }
    let answers = posts.join_all().await;
    let grown = world.server.resident_mib().saturating_sub(before);
    redis.signal("CONT");
    let back = Instant::now();
    // New chats, until the bot has answered some of them.
    let (mut accepted, mut recovered) = (Vec::new(), None);
    for number in 3_000_000.. {
        if post(number).await.0 == 200 {
            accepted.push((number, back.elapsed()));
        }
        recovered = recovered.or_else(|| has_answer(&world, bot, &accepted).then(|| back.elapsed()));
        if recovered.is_some() && accepted.len() >= 20 {
            break;
        }
        assert!(back.elapsed() < Duration::from_secs(30), "{}", world.logs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (accepted_first, recovered) = (accepted[0].1, recovered.unwrap());
    for (number, _) in &accepted {
        world
            .telegram
            .wait_journal(&answers_to(bot, *number), 1, PATIENCE)
            .await
            .unwrap();
    }
    let all = back.elapsed();
    assert_eq!(world.ask(bot, person, "/n 2", 1).await, ["1->2"]);

    let mut times: Vec<_> = answers.iter().map(|(_, time)| *time).collect();
    times.sort_unstable();
    let (middle, most, longest) = (
        percentile(&times, 50),
        percentile(&times, 99),
        times[times.len() - 1],
    );
    eprintln!(
        "{posted} posts refused within {middle:?} (p50), {most:?} (p99), {longest:?} (longest); {grown} MiB more; \
         accepted again after {accepted_first:?}, answered after {recovered:?}, all {} answered after {all:?}",
        accepted.len()
    );
    assert!(answers.iter().all(|(status, _)| *status == 503), "{answers:?}");
    assert!(most <= DOOR_WAITS + SCHEDULER, "{most:?}");
    assert!(grown <= GROWTH_MIB, "{grown} MiB");
    assert!(recovered <= Duration::from_secs(5), "{recovered:?}");
}
