//! All published messages lost: everything still happens, by looking.

use std::time::Instant;

use serde_json::json;
use tokio::task::JoinSet;

use super::percentile;
use crate::support::redis::Redis;
use crate::support::services::Services;
use crate::support::specs;
use crate::support::world::World;

const BOTS: usize = 10;
const DEPLOYS_PER_BOT: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_deploys_without_pubsub() {
    let redis = Redis::start().await;
    let services = Services::new().await.with("REDIS_URL", &redis.without_channels());
    let world = std::sync::Arc::new(World::alike(services, 2).await);
    let mut bots = JoinSet::new();
    for number in 0..BOTS {
        let world = std::sync::Arc::clone(&world);
        bots.spawn(async move {
            let slug = format!("silent-bot-{number}");
            let spec = |mark: &str| specs::chain(&slug, mark);
            let bot = world
                .bot(
                    &spec("A "),
                    7_100_000_200 + i64::try_from(number).unwrap(),
                    "webhook",
                )
                .await;
            let revisions = [
                world.api.build(&spec("B ")).await,
                world.api.build(&spec("A ")).await,
            ];
            let person = world.person("Ada", "en");
            let mut times = Vec::new();
            for deploy in 0..DEPLOYS_PER_BOT {
                let asked = Instant::now();
                let done = world.api.deploy(&slug, &revisions[deploy % 2]).await;
                times.push(asked.elapsed());
                assert_eq!(done["status"], "succeeded", "{done}");
                assert_eq!(done["epoch"], json!(deploy + 2), "{done}");
                // After the report nothing starts on the old revision, on whatever node it comes in.
                let mark = ["B", "A"][deploy % 2];
                for _ in 0..2 {
                    assert_eq!(
                        world.ask(bot, person, "/start", 1).await,
                        [format!("{mark} hello")]
                    );
                }
            }
            times
        });
    }
    let mut times = bots.join_all().await.concat();
    times.sort_unstable();
    eprintln!(
        "{} deploys without messages: {:?} (p50), {:?} (longest)",
        times.len(),
        percentile(&times, 50),
        times[times.len() - 1]
    );
}
