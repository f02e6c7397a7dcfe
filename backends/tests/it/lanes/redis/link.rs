//! What is looked at before a Redis is trusted, and connections that must be opened anew.

use std::sync::Arc;

use botloom_backends::{
    ConnectError, DedupeMode, Homes, LocalBus, RedisConnectError, RedisLink, RedisNodes, RedisOptions,
};
use botloom_core::model::{NodeBeat, NodeId};
use botloom_core::ports::Nodes as _;
use botloom_core::{Coded as _, Secret};
use redis::cmd;
use tokio::net::TcpListener;

use crate::support::eventually;
use crate::support::proxy::Proxy;
use crate::support::redis::{RedisCluster, RedisServer, database, patient};

fn nodes(link: &RedisLink) -> RedisNodes {
    RedisNodes::new(link, Homes::new(NodeId::generate()), Arc::new(LocalBus::new()))
}

fn beat(nodes: &RedisNodes) -> NodeBeat {
    NodeBeat {
        node: nodes.me(),
        runs_bots: true,
        generates: false,
        free_turns: 8,
        turns: 8,
        version: "1".to_owned(),
    }
}

async fn refused(url: &Secret, options: RedisOptions) -> RedisConnectError {
    match RedisLink::connect(url, options).await {
        Err(ConnectError::Redis(error)) => error,
        other => panic!("not refused but {other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_may_forget_is_refused_with_what_to_set() {
    let server = RedisServer::start(&["--appendonly", "no"]).await;
    let error = refused(&server.url(), patient(16)).await;
    assert_eq!(error.code(), "redis-volatile");
    assert!(
        error.outside().contains("set appendonly yes"),
        "{}",
        error.outside()
    );
    let keys: u64 = server.command(&cmd("DBSIZE")).await.unwrap();
    assert_eq!(keys, 0, "nothing was written");
    let evicting = RedisServer::start(&["--maxmemory-policy", "allkeys-lru"]).await;
    let error = refused(&evicting.url(), patient(16)).await;
    assert!(
        error.outside().contains("set maxmemory-policy noeviction"),
        "{}",
        error.outside()
    );
    let options = RedisOptions {
        allow_volatile: true,
        ..patient(16)
    };
    RedisLink::connect(&evicting.url(), options).await.unwrap();
}

#[tokio::test]
async fn an_installation_keeps_its_constants() {
    let url = database().await;
    RedisLink::connect(&url, patient(16)).await.unwrap();
    RedisLink::connect(&url, patient(16)).await.unwrap();
    let other = RedisOptions {
        dedupe: DedupeMode::Bitmap,
        ..patient(16)
    };
    for options in [patient(32), other] {
        let error = refused(&url, options).await;
        assert_eq!(error.code(), "redis-installation-differs");
        assert!(error.outside().contains("shards=16"), "{}", error.outside());
    }
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_passwords_are_not_told() {
    let error = RedisLink::connect(&Secret::new("redis://u:hush@127.0.0.1:1"), patient(16))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "unavailable");
    let url = database().await;
    let wrong = url.expose().replace("redis://", "redis://:hush@");
    let error = RedisLink::connect(&Secret::new(wrong), patient(16))
        .await
        .unwrap_err();
    assert!(!format!("{error} {error:?} {}", error.outside()).contains("hush"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_gone_does_not_keep_a_node_from_the_rest_of_the_cluster() {
    let cluster = RedisCluster::start().await;
    // Takes connections and answers nothing, as a host whose packets are dropped.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let first = format!("redis+cluster://{},", gone.local_addr().unwrap());
    let url = cluster.url().expose().replace("redis+cluster://", &first);
    // Calls have the time that they have in production, which is shorter than opening takes.
    let options = RedisOptions {
        shards: 16,
        ..RedisOptions::default()
    };
    let link = RedisLink::connect(&Secret::new(url), options).await.unwrap();
    let nodes = nodes(&link);
    eventually("calls succeed at the start", async || nodes.live().await.is_ok()).await;
    for server in &cluster.nodes {
        server.signal("STOP");
    }
    // Until the connection is given up and its successor has failed to open.
    let stalled = tokio::time::Instant::now();
    while stalled.elapsed() < std::time::Duration::from_secs(4) {
        nodes.live().await.unwrap_err();
    }
    for server in &cluster.nodes {
        server.signal("CONT");
    }
    eventually("calls succeed again", async || nodes.live().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_successor_of_a_primary_that_became_a_replica_is_found_behind_the_same_address() {
    let (first, successor) = (RedisServer::start(&[]).await, RedisServer::start(&[]).await);
    let proxy = Proxy::before(format!("127.0.0.1:{}", first.port())).await;
    let url = Secret::new(format!("redis://{}", proxy.address()));
    let nodes = nodes(&RedisLink::connect(&url, patient(16)).await.unwrap());
    let beat = beat(&nodes);
    nodes.beat(&beat).await.unwrap();
    proxy.lead_to(format!("127.0.0.1:{}", successor.port()));
    let mut replicate = cmd("REPLICAOF");
    replicate.arg("127.0.0.1").arg(successor.port());
    first.command::<()>(&replicate).await.unwrap();
    eventually("beats go on", async || nodes.beat(&beat).await.is_ok()).await;
    let beats: u64 = successor.command(cmd("ZCARD").arg("nodes")).await.unwrap();
    assert_eq!(beats, 1);
}

#[tokio::test]
async fn a_beat_that_cannot_be_read_is_passed_over() {
    let server = RedisServer::start(&[]).await;
    let nodes = nodes(&RedisLink::connect(&server.url(), patient(16)).await.unwrap());
    let mine = beat(&nodes);
    nodes.beat(&mine).await.unwrap();
    let other = NodeId::generate().to_string();
    let mut due = cmd("ZADD");
    due.arg("nodes").arg(4_000_000_000_000_u64).arg(&other);
    server.command::<u64>(&due).await.unwrap();
    let mut info = cmd("HSET");
    info.arg("nodes:info").arg(&other).arg(r#"{"of":"tomorrow"}"#);
    server.command::<u64>(&info).await.unwrap();
    assert_eq!(nodes.live().await.unwrap(), std::slice::from_ref(&mine));
    nodes.beat(&mine).await.unwrap();
}
