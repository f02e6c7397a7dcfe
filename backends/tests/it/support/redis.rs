//! Redis for tests: a database of the shared server, the shared cluster, or a server of a test's own.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use botloom_backends::{RedisLink, RedisOptions};
use botloom_core::Secret;
use redis::{Client, cmd};
use tempfile::TempDir;

use super::setting;

/// Options for tests in which a slow machine is no fault.
pub(crate) fn patient(shards: u16) -> RedisOptions {
    RedisOptions {
        response_timeout: Duration::from_secs(10),
        shards,
        ..RedisOptions::default()
    }
}

/// A connection of a test's own, as patient as the rest of the test: a server may be busy with its disk.
pub(crate) async fn by_hand(url: &str) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
    let patience = Some(Duration::from_secs(30));
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(patience)
        .set_response_timeout(patience);
    Client::open(url)?
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

/// The address of an empty database of the shared server, for this test alone.
pub(crate) async fn database() -> Secret {
    let url = setting("BOTLOOM_TEST_REDIS_URL");
    let url = url.trim_end_matches('/');
    let mut admin = by_hand(url).await.unwrap();
    let (_, databases): (String, u64) = cmd("CONFIG")
        .arg(&["GET", "databases"])
        .query_async(&mut admin)
        .await
        .unwrap();
    let turn: u64 = cmd("INCR")
        .arg("botloom:test:databases")
        .query_async(&mut admin)
        .await
        .unwrap();
    let url = format!("{url}/{}", 1 + turn % (databases - 1));
    let mut mine = by_hand(&url).await.unwrap();
    cmd("FLUSHDB").exec_async(&mut mine).await.unwrap();
    Secret::new(url)
}

/// A link to [`database`].
pub(crate) async fn link(options: RedisOptions) -> RedisLink {
    RedisLink::connect(&database().await, options).await.unwrap()
}

/// The shared cluster, empty, for this test alone until the guard is dropped.
pub(crate) async fn cluster() -> (Secret, File) {
    let url = setting("BOTLOOM_TEST_REDIS_CLUSTER_URL");
    let lock = File::create(std::env::temp_dir().join("botloom-test-redis-cluster.lock")).unwrap();
    let lock = tokio::task::spawn_blocking(move || {
        lock.lock().unwrap();
        lock
    })
    .await
    .unwrap();
    for node in url.trim_start_matches("redis+cluster://").split(',') {
        let mut node = by_hand(&format!("redis://{node}")).await.unwrap();
        cmd("FLUSHALL").exec_async(&mut node).await.unwrap();
    }
    (Secret::new(url), lock)
}

/// A server of a test's own, stopped when it is dropped.
pub(crate) struct RedisServer {
    process: Child,
    port: u16,
    dir: TempDir,
    options: Vec<String>,
}

impl RedisServer {
    /// Starts a server with these options beside append-only file and no snapshots.
    pub(crate) async fn start(options: &[&str]) -> Self {
        let port = free_port();
        let dir = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let process = launch(port, dir.path(), &options);
        let server = Self {
            process,
            port,
            dir,
            options,
        };
        server.answers().await;
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> Secret {
        Secret::new(format!("redis://127.0.0.1:{}", self.port))
    }

    /// Ends the process at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again on what is on the disk.
    pub(crate) async fn restart(&mut self) {
        self.process = launch(self.port, self.dir.path(), &self.options);
        self.answers().await;
    }

    /// `STOP` or `CONT`.
    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([format!("-{signal}"), self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Runs one command.
    pub(crate) async fn command<T: redis::FromRedisValue>(
        &self,
        command: &redis::Cmd,
    ) -> redis::RedisResult<T> {
        let mut connection = by_hand(&format!("redis://127.0.0.1:{}", self.port)).await?;
        command.query_async(&mut connection).await
    }

    async fn answers(&self) {
        for _ in 0..500 {
            if self.command::<String>(&cmd("PING")).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("redis-server does not answer on port {}", self.port);
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // A stopped process takes the kill only when it goes on.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn launch(port: u16, dir: &Path, options: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "yes", "--dir"])
        .arg(dir)
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}

fn free_port() -> u16 {
    // The port of a cluster's bus lies 10,000 above and must exist too.
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        if (10_001..50_000).contains(&port) && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}

/// Three masters of a test's own.
pub(crate) struct RedisCluster {
    pub(crate) nodes: Vec<RedisServer>,
}

impl RedisCluster {
    pub(crate) async fn start() -> Self {
        let options = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "2000",
            "--appendfsync",
            "always",
        ];
        let mut nodes = Vec::new();
        for _ in 0..3 {
            nodes.push(RedisServer::start(&options).await);
        }
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port()));
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(addresses)
            .args(["--cluster-replicas", "0", "--cluster-yes"])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "the cluster was not made");
        let cluster = Self { nodes };
        cluster.is_whole().await;
        cluster
    }

    /// Waits until every node sees all slots served.
    pub(crate) async fn is_whole(&self) {
        for node in &self.nodes {
            for attempt in 0.. {
                let info = node.command::<String>(cmd("CLUSTER").arg("INFO")).await;
                if info.is_ok_and(|info| info.contains("cluster_state:ok")) {
                    break;
                }
                assert!(attempt < 300, "the cluster does not come together");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    pub(crate) fn url(&self) -> Secret {
        let nodes: Vec<String> = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()))
            .collect();
        Secret::new(format!("redis+cluster://{}", nodes.join(",")))
    }
}
