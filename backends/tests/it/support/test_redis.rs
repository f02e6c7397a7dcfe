//! One Redis that several processes of a test share.

use std::fs::File;
use std::net::SocketAddr;

use botloom_backends::RedisLink;
use botloom_core::Secret;
use redis::aio::MultiplexedConnection;
use url::Url;

use super::redis::{by_hand, cluster, database, patient};

/// Shards of the installation; what is tested with it does not depend on them.
const SHARDS: u16 = 16;

/// An empty database of the single server, or the whole cluster for a while.
#[derive(Debug)]
pub(crate) struct TestRedis {
    url: Secret,
    /// Keeps other tests away from the cluster.
    _alone: Option<File>,
}

impl TestRedis {
    pub(crate) async fn single() -> Self {
        Self {
            url: database().await,
            _alone: None,
        }
    }

    pub(crate) async fn cluster() -> Self {
        let (url, alone) = cluster().await;
        Self {
            url,
            _alone: Some(alone),
        }
    }

    /// The same database by another way.
    pub(crate) fn through(&self, address: SocketAddr) -> Self {
        let mut url = self.parsed();
        url.set_ip_host(address.ip()).unwrap();
        url.set_port(Some(address.port())).unwrap();
        Self {
            url: Secret::new(url),
            _alone: None,
        }
    }

    fn parsed(&self) -> Url {
        Url::parse(self.url.expose()).unwrap()
    }

    /// Host and port of the single server.
    pub(crate) fn address(&self) -> String {
        let url = self.parsed();
        format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(6379))
    }

    /// Number of the database on the single server.
    pub(crate) fn database(&self) -> String {
        self.parsed().path().trim_start_matches('/').to_owned()
    }

    /// A link of its own, as another process would have.
    pub(crate) async fn link(&self) -> RedisLink {
        RedisLink::connect(&self.url, patient(SHARDS)).await.unwrap()
    }

    /// A connection past all ports; to the single server only.
    pub(crate) async fn by_hand(&self) -> MultiplexedConnection {
        by_hand(self.url.expose()).await.unwrap()
    }
}
