//! Moving between the data folder and Redis, past the program that does it.

use std::path::Path;
use std::sync::Arc;

use botloom_backends::{
    DataDir, RedisLanes, RedisLink, ServiceOptions, StorageOptions, TransferError, connect, transfer,
};
use botloom_core::bot_js::Ambiguous;
use botloom_core::event::BotEvent;
use botloom_core::model::{Project, User};
use botloom_core::ports::{
    AckOut, AckOutOutcome, AfterAck, Commit, DedupKey, Freed, Ingest, IngestOutcome, LaneLimits, Lanes as _,
    NewDeadLetter, NextTurn, OutClass, OutMessage, Ports, Remedy, StateChange, StoreError,
};
use botloom_core::{
    BotId, ChatId, Clock as _, Coded as _, Lane, ProjectId, Secret, SystemClock, TimestampMs, UserId,
};
use bytes::Bytes;
use redis::cmd;
use serde_json::{Value, json};

use crate::support::redis::{RedisServer, database, patient};
use crate::support::{PATIENCE, eventually};

/// More than what waits between the two sides of a move.
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
        bot: BotId::new(format!("bot-{chat}")).unwrap(),
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
    // Nodes may start again.
    let node = connect(redis(from.path(), &server.url())).await.unwrap();
    node.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_node_starts_on_what_is_being_moved() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let own = tempfile::tempdir().unwrap();
    fill(from.path()).await;
    let server = RedisServer::start(&[]).await;
    let moving = transfer(folder(from.path()), redis(to.path(), &server.url()));
    let starting = async {
        eventually("the move begins", async || {
            let marked = cmd("EXISTS").arg("botloom:moving").to_owned();
            server.command::<bool>(&marked).await.unwrap()
        })
        .await;
        let refused = connect(redis(own.path(), &server.url())).await.unwrap_err();
        assert_eq!(refused.code(), "redis-being-moved");
    };
    let (moved, ()) = tokio::join!(moving, starting);
    moved.unwrap();
    let node = connect(redis(own.path(), &server.url())).await.unwrap();
    node.close().await;
}

/// A chat whose first message failed once; after that, Telegram asked to wait.
async fn fail_and_wait(ports: &Ports, lane: &Lane, until: TimestampMs) {
    let update = Ingest {
        lane: lane.clone(),
        want_turn: true,
        ..update(1)
    };
    let IngestOutcome::Granted(turn) = ports.lanes.ingest(vec![update]).await.unwrap().remove(0) else {
        panic!("the lane was empty");
    };
    let message = OutMessage {
        method: "sendMessage".to_owned(),
        params: Bytes::from_static(b"{}"),
        class: OutClass::Reply,
        not_after: None,
        ambiguous: Ambiguous::Resend,
        cause: "1".to_owned(),
        trace: None,
    };
    let commit = Commit {
        lease: turn.lease,
        revision: turn.revision,
        updates: 1,
        state: StateChange::Keep { ttl_ms: None },
        messages: vec![message],
        want_out: false,
        next: NextTurn::Release,
        charge: 0,
    };
    ports.lanes.commit(vec![commit]).await.unwrap();
    let failed = AfterAck::Delay {
        until: SystemClock.now(),
        attempt: 1,
    };
    for after in [failed, AfterAck::FloodWait { until }] {
        eventually("it is sent", async || {
            let Some(turn) = ports.outbox.claim_out(1).await.unwrap().0.pop() else {
                return false;
            };
            let ack = AckOut {
                lease: turn.lease,
                sent: 0,
                dead: None,
                dead_all: false,
                after,
            };
            let outcome = ports.outbox.ack_out(vec![ack]).await.unwrap().remove(0);
            assert!(matches!(outcome, AckOutOutcome::Done { .. }), "{outcome:?}");
            true
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_telegram_asked_for_moves_as_one() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [first, between, last] = folders.each_ref().map(tempfile::TempDir::path);
    let url = database().await;
    // Within the hour of which moves compare nothing.
    let until = SystemClock.now().plus(1_800_000);
    let node = connect(folder(first)).await.unwrap();
    fail_and_wait(&node.ports, &lane(1), until).await;
    node.close().await;
    transfer(folder(first), redis(between, &url)).await.unwrap();
    let there = async |options| {
        let node = connect(options).await.unwrap();
        let freed = node.ports.chats.free_messages(&lane(1), Remedy::Retry).await;
        assert_eq!(freed.unwrap(), Freed::NotBefore(until));
        assert_eq!(node.ports.outbox.claim_out(1).await.unwrap().0, []);
        node.close().await;
    };
    there(redis(between, &url)).await;
    transfer(redis(between, &url), folder(last)).await.unwrap();
    there(folder(last)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_newer_version_move_whole() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [first, between, last] = folders.each_ref().map(tempfile::TempDir::path);
    let url = database().await;
    let now = SystemClock.now();
    let owner = User {
        id: UserId::generate(),
        email: "owner@example.org".to_owned(),
        password_hash: None,
        created_at: now,
    };
    let project = Project {
        id: ProjectId::generate(),
        name: "default".to_owned(),
        created_at: now,
    };
    let stored = [
        json!({ "name": "BotTeleported", "data": { "to": "Mars" } }),
        json!({ "name": "BotPaused", "data": {} }),
        json!({ "name": "BotPaused", "data": { "reason": "moon phase" } }),
    ];
    let node = connect(folder(first)).await.unwrap();
    let ports = &node.ports;
    ports.catalog.create_first_owner(&owner, &project).await.unwrap();
    for event in &stored {
        let event: BotEvent = serde_json::from_value(event.clone()).unwrap();
        ports
            .events
            .append(project.id, &lane(1).bot, now, &event)
            .await
            .unwrap();
    }
    node.close().await;
    let there = async |options| {
        let node = connect(options).await.unwrap();
        let page = node.ports.events.events_after(project.id, 0, 10).await.unwrap();
        let events = page
            .events
            .iter()
            .map(|logged| serde_json::to_value(&logged.event).unwrap());
        assert_eq!(events.collect::<Vec<Value>>(), stored);
        node.close().await;
    };
    let report = transfer(folder(first), redis(between, &url)).await.unwrap();
    assert_eq!(report.to["events"].count(), 3);
    there(redis(between, &url)).await;
    let report = transfer(redis(between, &url), folder(last)).await.unwrap();
    assert_eq!(report.to["events"].count(), 3);
    there(folder(last)).await;
}
