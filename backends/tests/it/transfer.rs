//! Moving between the data folder and Redis, past the program that does it.

use std::path::Path;
use std::sync::Arc;

use botloom_backends::{
    DataDir, RedisLanes, RedisLink, ServiceOptions, StorageOptions, TransferError, connect, transfer,
};
use botloom_core::ports::{DedupKey, Ingest, LaneLimits, Lanes as _, NewDeadLetter, StoreError};
use botloom_core::{BotId, ChatId, Clock as _, Lane, Secret, SystemClock};
use bytes::Bytes;
use redis::cmd;

use crate::support::PATIENCE;
use crate::support::redis::{RedisServer, database, patient};

/// More than wait between the two sides of a move.
const UPDATES: i64 = 6_000;
const CHATS: i64 = 7;

fn folder(path: &Path) -> StorageOptions {
    StorageOptions {
        data_dir: DataDir::open(path).unwrap(),
        clock: Arc::new(SystemClock),
        lane_limits: LaneLimits {
            queue_cap: 1_000,
            ..LaneLimits::default()
        },
        services: ServiceOptions::default(),
    }
}

/// Lanes in Redis, everything else in a folder.
fn redis(path: &Path, url: &Secret) -> StorageOptions {
    let mut options = folder(path);
    options.services.redis = Some((url.clone(), patient(16)));
    options
}

fn lane(chat: i64) -> Lane {
    Lane {
        bot: BotId::new("a-bot").unwrap(),
        chat: ChatId::from(chat),
    }
}

fn update(id: i64) -> Ingest {
    Ingest {
        lane: lane(id % CHATS),
        dedup: DedupKey::Update(id),
        envelope: Bytes::from(format!("{{\"update\":{id},\"text\":\"{}\"}}", "x".repeat(500))),
        accepted_at: SystemClock.now(),
        trace: None,
        want_turn: false,
    }
}

/// A folder with long queues.
async fn fill(path: &Path) {
    let node = connect(folder(path)).await.unwrap();
    let updates: Vec<Ingest> = (0..UPDATES).map(update).collect();
    for some in updates.chunks(500) {
        node.ports.lanes.ingest(some.to_vec()).await.unwrap();
    }
    for number in 0..50_i64 {
        let letter = NewDeadLetter {
            bot: lane(0).bot,
            chat: Some(lane(number % CHATS).chat),
            reason: "handler-threw".to_owned(),
            detail: number.to_string(),
            body: Bytes::from_static(b"{}"),
            at: SystemClock.now(),
        };
        node.ports.dead_letters.set_aside(letter).await.unwrap();
    }
    node.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_keep_their_order_on_the_way_to_redis() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(from.path()).await;
    let report = transfer(folder(from.path()), redis(to.path(), &database().await))
        .await
        .unwrap();
    assert_eq!(report.differences(), [""; 0]);
    let updates = u64::try_from(UPDATES).unwrap();
    assert_eq!(report.to["queued updates"].count(), updates);
    assert_eq!(report.to["known update ids"].count(), updates);
    assert_eq!(report.to["dead letters"].count(), 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_into_a_store_that_gets_full_ends_with_the_reason() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(from.path()).await;
    let server = RedisServer::start(&[]).await;
    let info: String = server.command(cmd("INFO").arg("memory")).await.unwrap();
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    let used: u64 = used.unwrap().trim().parse().unwrap();
    let mut limit = cmd("CONFIG");
    limit.arg("SET").arg("maxmemory").arg(used + 1_000_000);
    server.command::<()>(&limit).await.unwrap();
    let moving = transfer(folder(from.path()), redis(to.path(), &server.url()));
    let moved = tokio::time::timeout(PATIENCE, moving)
        .await
        .expect("the move ends")
        .unwrap_err();
    assert!(
        matches!(moved, TransferError::Store(StoreError::Full)),
        "{moved:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_moves_is_left_as_it_is() {
    let server = RedisServer::start(&[]).await;
    let limits = LaneLimits {
        lease_ms: 1,
        ..LaneLimits::default()
    };
    {
        let link = RedisLink::connect(&server.url(), patient(16)).await.unwrap();
        let lanes = RedisLanes::with_clock(link, limits, Arc::new(SystemClock))
            .await
            .unwrap();
        lanes.ingest((0..CHATS).map(update).collect()).await.unwrap();
        assert_eq!(lanes.claim(100).await.unwrap().turns.len(), 7);
    }
    // All leases are over: a node would give the lanes back, with a try more.
    let leased = async || -> Vec<u64> {
        let mut counts = Vec::new();
        for shard in 0..16 {
            counts.push(
                server
                    .command(cmd("ZCARD").arg(format!("lx:{shard}")))
                    .await
                    .unwrap(),
            );
        }
        counts
    };
    let before = leased().await;
    assert_eq!(before.iter().sum::<u64>(), 7);
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let report = transfer(redis(from.path(), &server.url()), folder(to.path()))
        .await
        .unwrap();
    assert_eq!(report.differences(), [""; 0]);
    assert_eq!(leased().await, before);
}
