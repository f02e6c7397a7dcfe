//! Batches of one chat's updates keep their order, whatever part of them has to be sent again.

use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::sync::Arc;

use botloom_backends::{RedisLanes, RedisLink};
use botloom_core::ports::{DedupKey, Lanes as _};
use botloom_core::{Lane, Secret, SystemClock};
use redis::{Client, cmd};

use super::load::{LIMITS, item, lane};
use crate::support::redis::{RedisCluster, RedisServer, patient};

/// Updates of a batch: what one claim takes, so that a turn shows their order.
const BATCH: i64 = 8;

/// A chat that is no part of what is looked at.
fn other() -> Lane {
    lane(9, 9)
}

/// Queues a batch for a chat that had none, as often as it takes.
async fn queue_batch(lanes: &RedisLanes, chat: i64) {
    let batch: Vec<_> = (0..BATCH)
        .map(|n| item(&lane(chat % 7, chat), chat * BATCH + n, false))
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
        assert_eq!(found[&lane(chat % 7, chat)], expected, "chat {chat}");
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
    let client = Client::open(server.url().expose()).unwrap();
    let mut admin = client.get_multiplexed_async_connection().await.unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_keeps_its_order_while_slots_move() {
    let cluster = RedisCluster::start().await;
    let lanes = lanes(&cluster.url()).await;
    let mut ids = Vec::new();
    for node in &cluster.nodes[..2] {
        let id: String = node.command(cmd("CLUSTER").arg("MYID")).await.unwrap();
        ids.push(id);
    }
    let mut reshard = Command::new("redis-cli")
        .args([
            "--cluster",
            "reshard",
            &format!("127.0.0.1:{}", cluster.nodes[0].port()),
        ])
        .args([
            "--cluster-slots",
            "2000",
            "--cluster-from",
            &ids[0],
            "--cluster-to",
            &ids[1],
        ])
        .args(["--cluster-yes", "--cluster-pipeline", "1"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut chats = 0;
    let moved = loop {
        if let Some(moved) = reshard.try_wait().unwrap() {
            break moved;
        }
        queue_batch(&lanes, chats).await;
        chats += 1;
    };
    assert!(moved.success());
    are_in_order(&lanes, chats).await;
}
