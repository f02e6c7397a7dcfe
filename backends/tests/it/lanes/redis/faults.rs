//! Redis away, slow, full, forgetful of scripts, or moving its slots, under load.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use botloom_backends::{Homes, RedisLanes, RedisLink, RedisOptions};
use botloom_core::Secret;
use botloom_core::model::NodeId;
use botloom_core::ports::{
    AckOut, AckOutOutcome, AfterAck, IngestOutcome, LaneLimits, Lanes as _, NextTurn, Outbox as _, StoreError,
};
use bytes::Bytes;
use redis::cmd;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::load::{self, LIMITS, item, lane};
use crate::support::redis::{RedisCluster, RedisServer, patient};

/// The limit of a call in these tests: longer than in production, because the machine is shared.
const LIMIT: Duration = Duration::from_secs(2);

/// Chats with updates before a stall, and as many that write during it.
const QUEUED: i64 = 8;
/// The bound that the design states for coming back.
const RECOVERED_WITHIN: Duration = Duration::from_secs(5);

async fn lanes(url: &Secret) -> Arc<RedisLanes> {
    let options = RedisOptions {
        response_timeout: LIMIT,
        shards: 64,
        ..RedisOptions::default()
    };
    let link = RedisLink::connect(url, options).await.unwrap();
    RedisLanes::open(link, LIMITS, Homes::new(NodeId::generate()))
        .await
        .unwrap()
}

pub(super) async fn durable_server() -> RedisServer {
    RedisServer::start(&["--appendfsync", "always"]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_were_forgotten_are_sent_again() {
    let server = durable_server().await;
    let load = tokio::spawn(load::run(
        vec![lanes(&server.url()).await],
        40,
        Duration::from_millis(5),
    ));
    while !load.is_finished() {
        server.command::<()>(cmd("SCRIPT").arg("FLUSH")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    load.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn torture_a_server_that_crashes_loses_and_repeats_nothing() {
    let mut server = durable_server().await;
    let load = tokio::spawn(load::run(
        vec![lanes(&server.url()).await],
        60,
        Duration::from_millis(20),
    ));
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.restart().await;
    }
    load.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_server_is_unavailable_within_the_limit_and_comes_back() {
    let server = durable_server().await;
    let options = RedisOptions {
        shards: 16,
        ..RedisOptions::default()
    };
    let limit = options.response_timeout;
    let link = RedisLink::connect(&server.url(), options).await.unwrap();
    let lanes = RedisLanes::with_clock(link, LIMITS, Arc::new(botloom_core::SystemClock))
        .await
        .unwrap();
    server.signal("STOP");
    let stalled = Instant::now();
    let calls = (0..5_000).map(|id| {
        let lanes = Arc::clone(&lanes);
        async move { lanes.ingest(vec![item(&lane(0, 1), id, false)]).await }
    });
    let answers = futures_util::future::join_all(calls).await;
    // So many at once on a busy machine need some time of their own.
    assert!(stalled.elapsed() < limit * 10, "{:?}", stalled.elapsed());
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Err(StoreError::Unavailable(_))))
    );
    server.signal("CONT");
    for _ in 0..100 {
        if lanes.ingest(vec![item(&lane(0, 2), 30_000, false)]).await.is_ok() {
            lanes.check().await.unwrap();
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the link does not recover");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_before_a_stall_leases_nothing_after_it() {
    let server = durable_server().await;
    let options = RedisOptions {
        response_timeout: Duration::from_secs(1),
        shards: 4,
        ..RedisOptions::default()
    };
    let limit = options.response_timeout;
    let link = RedisLink::connect(&server.url(), options).await.unwrap();
    // As in production: a lease that nobody hears of keeps its lane for five seconds.
    let lanes = RedisLanes::open(link, LaneLimits::default(), Homes::new(NodeId::generate()))
        .await
        .unwrap();
    // Looks at all shards, and learns what the server's clock shows; the sweep would within a second.
    lanes.claim(0).await.unwrap();
    for chat in 0..QUEUED {
        for id in 0..2 {
            let update = item(&lane(chat % 3, chat), chat * 10 + id, false);
            lanes.ingest(vec![update]).await.unwrap();
        }
    }
    // A sender and a turn under way, whose ends will lie in the socket.
    let turn = lanes.claim(1).await.unwrap().turns.remove(0);
    let mut commit = load::effects(&turn);
    commit.want_out = false;
    lanes.commit(vec![commit]).await.unwrap();
    let out = lanes.claim_out(1).await.unwrap().0.remove(0);
    let turn = lanes.claim(1).await.unwrap().turns.remove(0);
    let mut commit = load::effects(&turn);
    (commit.updates, commit.next, commit.want_out) = (1, NextTurn::Keep, true);
    let ack = |lease, sent| AckOut {
        lease,
        sent,
        dead: None,
        dead_all: false,
        after: AfterAck::Keep,
    };
    // A script that the server does not know yet would not run.
    let acked = lanes.ack_out(vec![ack(out.lease, 0)]).await.unwrap().remove(0);
    let AckOutOutcome::Done { next: Some(out), .. } = acked else {
        panic!("{acked:?}");
    };

    server.signal("STOP");
    let acks = lanes.ack_out(vec![ack(out.lease, 1)]);
    let commits = lanes.commit(vec![commit]);
    let news = (0..QUEUED).map(|chat| {
        let new = item(&lane(chat % 3, 1_000 + chat), 1_000 + chat, true);
        lanes.ingest(vec![new])
    });
    let news = futures_util::future::join_all(news);
    let (acked, committed, news, claimed, claimed_out) =
        tokio::join!(acks, commits, news, lanes.claim(8), lanes.claim_out(8));
    assert!(acked.is_err() && committed.is_err() && claimed.is_err() && claimed_out.is_err());
    assert!(news.iter().all(Result::is_err));
    // Until what the clocks are not known exactly by is over as well.
    tokio::time::sleep(limit * 3 / 2).await;
    server.signal("CONT");

    let back = Instant::now();
    let (mut updates, mut messages) = (0, 0);
    // All chats but the one that was finished, and what is to be sent to two.
    while updates < 2 * QUEUED - 1 || messages < 2 {
        let turns = lanes
            .claim(64)
            .await
            .map(|claims| claims.turns)
            .unwrap_or_default();
        for turn in turns {
            assert_eq!(
                turn.attempts, 0,
                "{}: leased to nobody in between",
                turn.lease.lane
            );
            updates += 1;
        }
        for turn in lanes.claim_out(64).await.map(|found| found.0).unwrap_or_default() {
            assert!(!turn.messages[0].maybe_sent, "{}", turn.lease.lane);
            messages += 1;
        }
        assert!(
            back.elapsed() < RECOVERED_WITHIN,
            "{updates} lanes, {messages} outboxes"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_says_so_and_goes_on_when_there_is_room() {
    let server = durable_server().await;
    let lanes = lanes(&server.url()).await;
    let limit = |bytes: &str| {
        let mut set = cmd("CONFIG");
        set.arg(&["SET", "maxmemory", bytes]);
        set
    };
    server.command::<()>(&limit("3mb")).await.unwrap();
    let mut accepted = Vec::new();
    let mut full = false;
    for id in 0..200 {
        let mut big = item(&lane(0, id % 7), id, false);
        big.envelope = Bytes::from(vec![b'x'; 60_000]);
        match lanes.ingest(vec![big]).await {
            Ok(_) => accepted.push(id),
            Err(StoreError::Full) => {
                full = true;
                break;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(full, "{} updates fitted", accepted.len());
    // Nothing is half done, and what waits can be taken.
    lanes.check().await.unwrap();
    let waiting = lanes.stats().await.unwrap().updates;
    assert_eq!(waiting, accepted.len() as u64);
    assert_eq!(lanes.claim(1).await.unwrap().turns.len(), 1);
    server.command::<()>(&limit("0")).await.unwrap();
    lanes.ingest(vec![item(&lane(0, 1), 1_000, false)]).await.unwrap();
    lanes.check().await.unwrap();
}

/// Passes bytes on until it is told to swallow answers; then it ends the connection.
pub(super) async fn proxy(port: u16) -> (Secret, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Secret::new(format!("redis://{}", listener.local_addr().unwrap()));
    let swallow = Arc::new(AtomicBool::new(false));
    let armed = Arc::clone(&swallow);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            let armed = Arc::clone(&armed);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
                    if armed.swap(false, Ordering::SeqCst)
                        || to_client.write_all(&buffer[..count]).await.is_err()
                    {
                        break;
                    }
                }
            });
        }
    });
    (url, swallow)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_without_an_answer_is_not_done_again() {
    let server = durable_server().await;
    let (url, swallow) = proxy(server.port()).await;
    let options = RedisOptions {
        response_timeout: LIMIT,
        shards: 1,
        ..RedisOptions::default()
    };
    let link = RedisLink::connect(&url, options).await.unwrap();
    // On a test's clock nothing else talks to the server.
    let lanes = RedisLanes::with_clock(link, LIMITS, Arc::new(botloom_core::SystemClock))
        .await
        .unwrap();
    let update = item(&lane(0, 1), 1, false);
    lanes.ingest(vec![item(&lane(0, 1), 0, false)]).await.unwrap();
    // The server knows the script and the wake-ups are subscribed to: the next answer is that of the update.
    loop {
        let channels: Vec<String> = server.command(cmd("PUBSUB").arg("CHANNELS")).await.unwrap();
        if !channels.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    swallow.store(true, Ordering::SeqCst);
    let lost = lanes.ingest(vec![update.clone()]).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    let again = lanes.ingest(vec![update]).await.unwrap();
    assert_eq!(again, [IngestOutcome::Duplicate]);
    // The hint was lost with the answer: the sweep of production finds the lane, here another node does.
    let options = patient(1);
    let link = RedisLink::connect(&server.url(), options).await.unwrap();
    let lanes = RedisLanes::with_clock(link, LIMITS, Arc::new(botloom_core::SystemClock))
        .await
        .unwrap();
    let turn = lanes.claim(1).await.unwrap().turns.remove(0);
    let commit = load::effects(&turn);
    lanes.commit(vec![commit.clone()]).await.unwrap();
    let again = lanes.commit(vec![commit]).await.unwrap();
    assert_eq!(again, [botloom_core::ports::CommitOutcome::Fenced]);
    let stats = lanes.stats().await.unwrap();
    assert_eq!((stats.updates, stats.messages), (0, 2), "one for each update");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn torture_slots_move_under_load() {
    let cluster = RedisCluster::start().await;
    let load = tokio::spawn(load::run(
        vec![lanes(&cluster.url()).await],
        120,
        Duration::from_millis(20),
    ));
    for (from, to) in [(0, 1), (2, 0)] {
        let mut ids = Vec::new();
        for node in [from, to] {
            let id: String = cluster.nodes[node]
                .command(cmd("CLUSTER").arg("MYID"))
                .await
                .unwrap();
            ids.push(id);
        }
        let address = format!("127.0.0.1:{}", cluster.nodes[0].port());
        let move_slots = Command::new("redis-cli")
            .args(["--cluster", "reshard", &address, "--cluster-slots", "4000"])
            .args(["--cluster-from", &ids[0], "--cluster-to", &ids[1]])
            .args(["--cluster-yes", "--cluster-pipeline", "1"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let moved = tokio::task::spawn_blocking(move || move_slots.wait_with_output());
        assert!(moved.await.unwrap().unwrap().status.success());
    }
    load.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn torture_a_node_of_a_cluster_restarts_under_load() {
    let mut cluster = RedisCluster::start().await;
    let load = tokio::spawn(load::run(
        vec![lanes(&cluster.url()).await],
        80,
        Duration::from_millis(25),
    ));
    for node in 0..2 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cluster.nodes[node].kill();
        tokio::time::sleep(Duration::from_millis(200)).await;
        cluster.nodes[node].restart().await;
        cluster.is_whole().await;
    }
    load.await.unwrap();
}
