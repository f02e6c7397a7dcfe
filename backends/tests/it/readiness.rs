//! What a node says of its stores when a part of them is away.

use std::sync::Arc;
use std::time::Duration;

use botloom_backends::{Connected, DataDir, RedisOptions, ServiceOptions, StorageOptions, connect};
use botloom_core::SystemClock;
use botloom_core::ports::{LaneLimits, StoreResult};
use redis::cmd;

use crate::support::eventually;
use crate::support::redis::RedisCluster;

async fn lanes(node: &Connected) -> StoreResult<Option<String>> {
    let mut states = node.health.check(Duration::from_secs(2)).await;
    let at = states.iter().position(|(store, _)| *store == "lanes").unwrap();
    states.remove(at).1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_fit_for_work_while_one_primary_serves() {
    let cluster = RedisCluster::start().await;
    for server in &cluster.nodes {
        // What the others serve does not end with one of them.
        let mut set = cmd("CONFIG");
        set.arg(&["SET", "cluster-require-full-coverage", "no"]);
        server.command::<()>(&set).await.unwrap();
        // One that serves does not give up for want of a majority meanwhile.
        let mut set = cmd("CONFIG");
        set.arg(&["SET", "cluster-node-timeout", "60000"]);
        server.command::<()>(&set).await.unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let redis = RedisOptions {
        shards: 16,
        ..RedisOptions::default()
    };
    let options = StorageOptions {
        data_dir: DataDir::open(dir.path()).unwrap(),
        clock: Arc::new(SystemClock),
        lane_limits: LaneLimits::default(),
        services: ServiceOptions {
            redis: Some((cluster.url(), redis)),
            ..ServiceOptions::default()
        },
    };
    let node = connect(options).await.unwrap();
    let says = async |expected: &str| {
        eventually(expected, async || {
            let note = lanes(&node).await;
            note.is_ok_and(|note| note.unwrap_or_default().starts_with(expected))
        })
        .await;
    };
    eventually("all is well", async || matches!(lanes(&node).await, Ok(None))).await;
    for away in 1..=2 {
        cluster.nodes[away].signal("STOP");
        says(&format!("{away} of 3 primaries")).await;
    }
    cluster.nodes[0].signal("STOP");
    eventually("nothing serves", async || lanes(&node).await.is_err()).await;
    for server in &cluster.nodes {
        server.signal("CONT");
    }
    eventually("all is well again", async || {
        matches!(lanes(&node).await, Ok(None))
    })
    .await;
    node.close().await;
}
