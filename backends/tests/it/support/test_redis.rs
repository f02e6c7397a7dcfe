//! An empty Redis for one test: a database of the shared server, or the shared cluster.

use std::fs::File;
use std::net::SocketAddr;

use botloom_backends::RedisLink;
use botloom_core::Secret;
use redis::Client;
use url::Url;

use super::redis::{cluster, database, patient};

/// An empty Redis.
#[derive(Debug)]
pub(crate) struct TestRedis {
    url: String,
    /// Keeps other tests away from the cluster.
    _alone: Option<File>,
}

impl TestRedis {
    /// A database of the shared server.
    pub(crate) async fn single() -> Self {
        Self {
            url: database().await.expose().to_owned(),
            _alone: None,
        }
    }

    /// The shared cluster, for this test alone.
    pub(crate) async fn cluster() -> Self {
        let (url, alone) = cluster().await;
        Self {
            url: url.expose().to_owned(),
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
        let url = Url::parse(&self.url).unwrap();
        url.path().trim_start_matches('/').to_owned()
    }

    /// A link of its own, as another process would have.
    pub(crate) async fn link(&self) -> RedisLink {
        RedisLink::connect(&Secret::new(&*self.url), patient(1_024))
            .await
            .unwrap()
    }

    /// A connection past all ports; of the single server only.
    pub(crate) async fn by_hand(&self) -> redis::aio::MultiplexedConnection {
        let client = Client::open(self.url.as_str()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }
}
