//! Batches of one chat's updates keep their order, whatever part of them has to be sent again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use botloom_backends::{RedisLanes, RedisLink};
use botloom_core::ports::{DedupKey, Lanes as _};
use botloom_core::{Lane, Secret, SystemClock};
use redis::cmd;

use super::load::{LIMITS, item, lane};
use crate::support::redis::{RedisCluster, RedisServer, by_hand, patient};

/// Updates of a batch: what one claim takes, so that a turn shows their order.
const BATCH: i64 = 8;

/// A chat that is no part of what is looked at.
fn other() -> Lane {
    lane(9, 9)
}

/// Queues a batch for a chat that had none, as often as it takes.
async fn queue_batch(lanes: &RedisLanes, chat: i64) {
    let batch: Vec<_> = (0..BATCH)
        .map(|n| item(&lane(0, chat), chat * BATCH + n, false))
        .collect();
    while lanes.ingest(batch.clone()).await.is_err() {}
}

/// Claims the lanes of so many chats and looks at what waits in each.
async fn are_in_order(lanes: &RedisLanes, chats: i64) {
    let mut found = HashMap::new();
    while found.len() < usize::try_from(chats).unwrap() {
        let turns = lanes.claim(50).await.unwrap().turns;
        for turn in turns.into_iter().filter(|turn| turn.lease.lane != other()) {
            let ids = turn.updates.into_iter().map(|update| update.dedup);
            found.insert(turn.lease.lane, ids.collect::<Vec<_>>());
        }
    }
    for chat in 0..chats {
        let expected: Vec<_> = (0..BATCH).map(|n| DedupKey::Update(chat * BATCH + n)).collect();
        assert_eq!(found[&lane(0, chat)], expected, "chat {chat}");
    }
}

async fn lanes(url: &Secret) -> Arc<RedisLanes> {
    let link = RedisLink::connect(url, patient(64)).await.unwrap();
    RedisLanes::with_clock(link, LIMITS, Arc::new(SystemClock))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_keeps_its_order_when_scripts_are_forgotten() {
    const CHATS: i64 = 200;
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    let (batches, others) = (lanes(&server.url()).await, lanes(&server.url()).await);
    let mut admin = by_hand(server.url().expose()).await.unwrap();
    let forget = tokio::spawn(async move {
        loop {
            cmd("SCRIPT").arg("FLUSH").exec_async(&mut admin).await.unwrap();
        }
    });
    // Others make the server know the script again in the middle of a batch.
    let teach = tokio::spawn(async move {
        loop {
            others.ingest(vec![item(&other(), 1, false)]).await.unwrap();
        }
    });
    for chat in 0..CHATS {
        queue_batch(&batches, chat).await;
    }
    forget.abort();
    teach.abort();
    assert!(forget.await.unwrap_err().is_cancelled() && teach.await.unwrap_err().is_cancelled());
    are_in_order(&batches, CHATS).await;
}

/// How often the server asked to try again, because the keys of a slot were on both sides.
async fn asked_again(server: &RedisServer) -> u64 {
    let info: String = server.command(cmd("INFO").arg("errorstats")).await.unwrap();
    let count = info
        .lines()
        .find_map(|line| line.strip_prefix("errorstat_TRYAGAIN:count="));
    count.map_or(0, |count| count.trim().parse().unwrap())
}

async fn set_slot(node: &RedisServer, slot: u16, state: &str, other: &RedisServer) {
    let id: String = other.command(cmd("CLUSTER").arg("MYID")).await.unwrap();
    let mut set = cmd("CLUSTER");
    set.arg("SETSLOT").arg(slot).arg(state).arg(id);
    node.command::<()>(&set).await.unwrap();
}

/// Ends the move of a slot, but only after calls were turned away.
async fn end_move(slot: u16, from: &RedisServer, to: &RedisServer) {
    let before = asked_again(from).await;
    while asked_again(from).await < before + 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut list = cmd("CLUSTER");
    list.arg("GETKEYSINSLOT").arg(slot).arg(10_000);
    let keys: Vec<String> = from.command(&list).await.unwrap();
    let mut migrate = cmd("MIGRATE");
    migrate.arg("127.0.0.1").arg(to.port()).arg("").arg(0).arg(5_000);
    migrate.arg("KEYS").arg(keys);
    from.command::<()>(&migrate).await.unwrap();
    set_slot(to, slot, "NODE", to).await;
    set_slot(from, slot, "NODE", to).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_keeps_its_order_while_its_slot_moves() {
    const MOVES: i64 = 4;
    let cluster = RedisCluster::start().await;
    let lanes = lanes(&cluster.url()).await;
    queue_batch(&lanes, 0).await;
    let mut home = None;
    for (at, node) in cluster.nodes.iter().enumerate() {
        let keys: Vec<String> = node.command(cmd("KEYS").arg("q:in:*")).await.unwrap();
        for key in keys {
            let slot: u16 = node
                .command(cmd("CLUSTER").arg("KEYSLOT").arg(key))
                .await
                .unwrap();
            home = Some((at, slot));
        }
    }
    let (mut home, slot) = home.unwrap();
    for chat in 1..=MOVES {
        let next = (home + 1) % cluster.nodes.len();
        let (from, to) = (&cluster.nodes[home], &cluster.nodes[next]);
        set_slot(to, slot, "IMPORTING", from).await;
        set_slot(from, slot, "MIGRATING", to).await;
        tokio::join!(end_move(slot, from, to), queue_batch(&lanes, chat));
        home = next;
    }
    are_in_order(&lanes, MOVES + 1).await;
}
