//! Killed at random under load: nothing that was acknowledged is lost, nothing is applied twice, nothing changes places.

use crate::support::kills::Kills;
use crate::support::load::{Load, Plan};
use crate::support::specs;
use crate::support::stories::{Storage, stories};
use crate::support::world::World;

stories!(ten_kills_lose_double_and_disorder_nothing);

const PLAN: Plan = Plan {
    chats: 300,
    updates: Some(20),
    connections: 40,
};
/// Posts of the plan, those included that are made more than once.
const POSTS: u64 = 300 * (20 + 20 / 3 + 20 / 7);
const KILLS: usize = 10;

async fn ten_kills_lose_double_and_disorder_nothing(storage: Storage) {
    let mut world = World::start(storage, &[]).await;
    let bot = world
        .bot(&specs::chain("crash-bot", ""), 7_100_000_010, "webhook")
        .await;
    let load = Load::start(&world, "crash-bot", bot, PLAN);

    let mut kills = Kills::default();
    // Kills come while the load is on: spread over it by what was acknowledged, not by the clock.
    for kill in 1..=KILLS {
        load.until(POSTS * kill as u64 / (KILLS as u64 + 2)).await;
        kills.again(world.node(kill)).await;
    }
    assert!(load.unanswered() > 0, "the kills came when nothing was going on");
    let doubled = load.posted().await.answered(&world).await;
    kills.excuse(&doubled);
}
