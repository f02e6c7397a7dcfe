//! Three nodes, killed at random and stopped past their leases: a message is sent twice only where its sender died.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::support::kills::Kills;
use crate::support::load::{Load, Plan};
use crate::support::services::Services;
use crate::support::specs;
use crate::support::world::World;

const CHATS: i64 = 1_000;
/// `scripts/soak` asks for more.
const UPDATES_PER_CHAT: i64 = 20;
/// Kills and pauses, taking turns.
const FAULTS: u64 = 8;
/// Longer than the lease of a turn (5 s) and the time after which a node counts as gone (3 s).
const PAUSE: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_killed_and_paused_lose_double_and_disorder_nothing() {
    let mut world = World::alike(Services::new().await, 3).await;
    let bot = world
        .bot(&specs::chain("three-bot", ""), 7_100_000_110, "webhook")
        .await;
    let updates = std::env::var("BOTLOOM_SOAK_UPDATES_PER_CHAT");
    let updates = updates.map_or(UPDATES_PER_CHAT, |text| text.parse().unwrap());
    let plan = Plan {
        chats: CHATS,
        updates: Some(updates),
        connections: 64,
    };
    let load = Load::start(&world, "three-bot", bot, plan);
    let posts = (CHATS * (updates + updates / 3 + updates / 7)).unsigned_abs();
    let mut kills = Kills::default();
    let mut random = StdRng::seed_from_u64(3);
    for fault in 0..FAULTS {
        load.until(posts * (fault + 1) / (FAULTS + 2)).await;
        let node = world.node(random.random_range(0..3));
        if fault % 2 == 0 {
            kills.again(node).await;
        } else {
            node.signal("STOP");
            tokio::time::sleep(PAUSE).await;
            node.signal("CONT");
        }
    }
    assert!(load.unanswered() > 0, "the faults came when nothing was going on");
    let doubled = load.posted().await.answered(&world).await;
    // One that is stopped for a while keeps its lease as a sender (15 s): it excuses nothing.
    kills.excuse(&doubled);
    eprintln!(
        "{} updates, {} of their answers sent twice by nodes that died",
        CHATS * updates,
        doubled.len()
    );
}
