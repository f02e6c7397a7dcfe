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
    let bot = world.bot(&specs::chain("redis-bot", ""), 7_100_000_120, "webhook").await;
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
    // Sent, and Redis did not hear of it.
    assert!(doubled <= KILLS * plan.connections, "{doubled} messages doubled");
}

/// Posts while Redis does not answer, and how fast.
const RATE: u32 = 200;
const STALL: Duration = Duration::from_secs(10);
/// How long the door waits for the store.
const DOOR_WAITS: Duration = Duration::from_millis(300);
/// Of a machine with more processes than cores.
const SCHEDULER: Duration = Duration::from_millis(200);
const GROWTH_MIB: u64 = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_stalls_is_answered_for_in_time_and_comes_back() {
    let redis = Redis::start().await;
    let services = Services::new().await.with("REDIS_URL", &redis.url());
    let world = World::alike(services, 2).await;
    let bot = world.bot(&specs::chain("stall-bot", ""), 7_100_000_130, "webhook").await;
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
    let all = u32::try_from(STALL.as_secs()).unwrap() * RATE;
    for number in 0..all {
        tokio::time::sleep_until((began + Duration::from_secs(1) / RATE * number).into()).await;
        posts.spawn(post(2_000_000 + i64::from(number)));
    }
    let answers = posts.join_all().await;
    let grown = world.server.resident_mib().saturating_sub(before);
    redis.signal("CONT");
    let back = Instant::now();
    let mut number = 3_000_000;
    while post(number).await.0 != 200 {
        number += 1;
        assert!(back.elapsed() < Duration::from_secs(30), "{}", world.logs());
    }
    let accepted = back.elapsed();
    let answer = Filter {
        bot: Some(bot),
        chat: Some(number),
        ..Filter::default()
    };
    world.telegram.wait_journal(&answer, 1, PATIENCE).await.unwrap();
    let recovered = back.elapsed();
    assert_eq!(world.ask(bot, person, "/n 2", 1).await, ["1->2"]);
    let telegram = back.elapsed();

    let mut times: Vec<_> = answers.iter().map(|(_, time)| *time).collect();
    times.sort_unstable();
    let (middle, most, longest) = (percentile(&times, 50), percentile(&times, 99), times[times.len() - 1]);
    eprintln!(
        "{all} posts refused within {middle:?} (p50), {most:?} (p99), {longest:?} (longest); {grown} MiB more; \
         accepted again after {accepted:?}, answered after {recovered:?}, by way of Telegram's repetitions after {telegram:?}"
    );
    assert!(answers.iter().all(|(status, _)| *status == 503), "{answers:?}");
    assert!(most <= DOOR_WAITS + SCHEDULER, "{most:?}");
    assert!(grown <= GROWTH_MIB, "{grown} MiB");
    assert!(recovered <= Duration::from_secs(5), "{recovered:?}");
}
