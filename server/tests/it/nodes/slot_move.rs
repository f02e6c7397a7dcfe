//! A bot's slot moves from master to master of a Redis Cluster, key by key, while people write to it.

use crate::support::load::{Load, Plan};
use crate::support::redis::Cluster;
use crate::support::services::Services;
use crate::support::specs;
use crate::support::world::World;

const MOVES: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_moves_under_load() {
    let cluster = Cluster::start().await;
    let services = Services::new().await.with("REDIS_URL", &cluster.url());
    let world = World::alike(services, 2).await;
    let bot = world
        .bot(&specs::chain("slot-bot", ""), 7_100_000_140, "webhook")
        .await;
    let plan = Plan {
        chats: 100,
        updates: None,
        connections: 40,
    };
    let load = Load::start(&world, "slot-bot", bot, plan);
    let mut moved = 0;
    for _ in 0..MOVES {
        load.more(500).await;
        let (master, slot) = cluster.slot("state:bot:slot-bot:*");
        moved += cluster.move_slot(&slot, master, (master + 1) % 3);
    }
    load.more(500).await;
    load.stop();
    let doubled = load.posted().await.answered(&world).await;
    assert!(moved > MOVES * 100, "only {moved} keys moved");
    assert!(
        doubled.is_empty(),
        "sent twice though no sender died: {doubled:?}"
    );
    eprintln!("{moved} keys moved in {MOVES} moves");
}
