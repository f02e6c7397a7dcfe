//! A Redis of its own for each test: a database of the single server, or the whole cluster for a while.

use std::fs::File;
use std::net::SocketAddr;

use botloom_backends::{RedisLink, RedisOptions};
use botloom_core::Secret;
use redis::{Client, cmd};
use url::Url;

use super::setting;

/// Databases of the single server (`--databases`); 0 keeps count of the others.
const DATABASES: u64 = 4_096;

/// An empty Redis.
#[derive(Debug)]
pub(crate) struct TestRedis {
    url: String,
    /// Keeps other tests away from the cluster.
    _alone: Option<File>,
}

impl TestRedis {
    /// A database of the server of `BOTLOOM_TEST_REDIS_URL`.
    pub(crate) async fn single() -> Self {
        let mut url = Url::parse(&setting("BOTLOOM_TEST_REDIS_URL")).unwrap();
        let mut connection = connect(url.as_str()).await;
        let taken: u64 = cmd("INCR")
            .arg("botloom:test:databases")
            .query_async(&mut connection)
            .await
            .unwrap();
        url.set_path(&(1 + taken % (DATABASES - 1)).to_string());
        let mut connection = connect(url.as_str()).await;
        let () = cmd("FLUSHDB").query_async(&mut connection).await.unwrap();
        Self {
            url: url.into(),
            _alone: None,
        }
    }

    /// The cluster of `BOTLOOM_TEST_REDIS_CLUSTER_URL`, emptied, for this test alone.
    pub(crate) async fn cluster() -> Self {
        let url = setting("BOTLOOM_TEST_REDIS_CLUSTER_URL");
        let alone = tokio::task::spawn_blocking(|| {
            let lock = File::create(std::env::temp_dir().join("botloom-test-redis-cluster.lock")).unwrap();
            lock.lock().unwrap();
            lock
        })
        .await
        .unwrap();
        for node in url.trim_start_matches("redis+cluster://").split(',') {
            let mut connection = connect(&format!("redis://{node}")).await;
            let () = cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
        }
        Self {
            url,
            _alone: Some(alone),
        }
    }

    /// The same database by another way.
    pub(crate) fn through(&self, address: SocketAddr) -> Self {
        let mut url = Url::parse(&self.url).unwrap();
        url.set_ip_host(address.ip()).unwrap();
        url.set_port(Some(address.port())).unwrap();
        Self {
            url: url.into(),
            _alone: None,
        }
    }

    /// Host and port of the single server.
    pub(crate) fn address(&self) -> String {
        let url = Url::parse(&self.url).unwrap();
        format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(6379))
    }

    /// Number of the database on the single server.
    pub(crate) fn database(&self) -> String {
        Url::parse(&self.url)
            .unwrap()
            .path()
            .trim_start_matches('/')
            .to_owned()
    }

    /// A link of its own, as another process would have.
    pub(crate) async fn link(&self) -> RedisLink {
        let options = RedisOptions {
            allow_volatile: true,
            response_timeout: std::time::Duration::from_secs(5),
            ..RedisOptions::default()
        };
        RedisLink::connect(&Secret::new(&*self.url), options)
            .await
            .unwrap()
    }

    /// A connection past all ports; of the single server only.
    pub(crate) async fn by_hand(&self) -> redis::aio::MultiplexedConnection {
        connect(&self.url).await
    }
}

async fn connect(url: &str) -> redis::aio::MultiplexedConnection {
    let client = Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}
