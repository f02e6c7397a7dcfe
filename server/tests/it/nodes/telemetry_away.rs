//! ClickHouse or the collector of traces away: bots notice nothing, and telemetry arrives afterwards.

use std::time::{Duration, Instant};

use crate::support::load::{Load, Plan};
use crate::support::proxy::{Mode, Proxy};
use crate::support::services::{Services, clickhouse};
use crate::support::specs;
use crate::support::stub::Stub;
use crate::support::world::World;

const PLAN: Plan = Plan {
    chats: 50,
    updates: None,
    connections: 10,
};
/// Acknowledged posts of each phase.
const POSTS: u64 = 500;

/// Load while a way is open, while nobody listens at its end, while nobody answers there, and while it is open again.
/// Answers how many updates were handled.
async fn through_all_modes(world: &World, slug: &str, proxy: &Proxy) -> i64 {
    let bot = world.bot(&specs::chain(slug, ""), 7_100_000_170, "webhook").await;
    let load = Load::start(world, slug, bot, PLAN);
    for mode in [Mode::Pass, Mode::Refuse, Mode::Stall, Mode::Pass] {
        proxy.set(mode);
        load.more(POSTS).await;
    }
    load.stop();
    load.is_taken(world);
    let written = load.posted().await;
    assert!(written.answered(world).await.is_empty());
    written.updates()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clickhouse_away_and_back() {
    let services = Services::new().await;
    let direct = services.get("CLICKHOUSE_URL").to_owned();
    let (proxy, through) = Proxy::before(&direct).await;
    let world = World::alike(services.with("CLICKHOUSE_URL", &through), 2).await;
    let updates = through_all_modes(&world, "without-clickhouse", &proxy).await;

    // Every update is told once, those from the time without ClickHouse too.
    let told = "SELECT count() FROM analytics_events FINAL WHERE bot_id = 'without-clickhouse' AND event = 'update_handled'";
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let count = clickhouse(&direct, told).await;
        if count == updates.to_string() {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "{count} of {updates} updates were told"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_away_and_back() {
    let collector = Stub::start(&[(200, "{}")]).await;
    let (proxy, through) = Proxy::before(&format!("http://{}", collector.address)).await;
    let through = through.trim_end_matches('/').to_owned();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", through.as_str()),
        // The usual delay is five seconds.
        ("OTEL_BSP_SCHEDULE_DELAY", "500"),
    ];
    let world = World::of(Services::new().await, &[&settings, &settings]).await;
    through_all_modes(&world, "without-collector", &proxy).await;

    let before = collector.asked().len();
    let deadline = Instant::now() + Duration::from_mins(1);
    while collector.asked().len() == before {
        let person = world.person("Ada", "en");
        let bot = world.telegram.bots().last().unwrap().id;
        assert_eq!(world.ask(bot, person, "/n 1", 1).await, ["->1"]);
        assert!(Instant::now() < deadline, "no trace arrives any more");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
