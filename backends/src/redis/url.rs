//! Addresses of Redis as people write them.

use std::time::Duration;

use botloom_core::Secret;
use redis::io::tcp::TcpSettings;
use redis::{ConnectionInfo, IntoConnectionInfo};

use super::RedisConnectError;

/// After this time without a sign from the other side a connection is given up by the kernel, so that a host that
/// vanished does not hold a node up for ever.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);

/// Where the servers are.
#[derive(Clone)]
pub(super) enum Address {
    /// One server.
    Plain(Box<ConnectionInfo>),
    /// Some nodes of a cluster; the others are asked for.
    Cluster(Vec<ConnectionInfo>),
}

impl Address {
    pub(super) fn parse(url: &Secret) -> Result<Self, RedisConnectError> {
        let url = url.expose().trim();
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(RedisConnectError::Address("it has no scheme"));
        };
        match scheme {
            "redis" | "rediss" => Ok(Self::Plain(Box::new(node(url.to_owned())?))),
            "redis+cluster" | "rediss+cluster" => {
                let scheme = scheme.trim_end_matches("+cluster");
                let (login, hosts) = rest
                    .rsplit_once('@')
                    .map_or(("", rest), |(login, hosts)| (login, hosts));
                let login = if login.is_empty() {
                    String::new()
                } else {
                    format!("{login}@")
                };
                let nodes: Result<Vec<_>, _> = hosts
                    .trim_end_matches('/')
                    .split(',')
                    .map(|host| node(format!("{scheme}://{login}{host}")))
                    .collect();
                Ok(Self::Cluster(nodes?))
            }
            _ => Err(RedisConnectError::Address("its scheme is not known")),
        }
    }

    pub(super) const fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Nodes to try one after the other.
    pub(super) fn nodes(&self) -> &[ConnectionInfo] {
        match self {
            Self::Plain(node) => std::slice::from_ref(node),
            Self::Cluster(nodes) => nodes,
        }
    }

    /// Number of the database on the server.
    pub(super) fn database(&self) -> i64 {
        match self {
            Self::Plain(node) => node.redis_settings().db(),
            Self::Cluster(_) => 0,
        }
    }
}

fn node(url: String) -> Result<ConnectionInfo, RedisConnectError> {
    let info = url
        .into_connection_info()
        .map_err(|_| RedisConnectError::Address("host, port, login or database cannot be read"))?;
    Ok(info.set_tcp_settings(tcp_settings()))
}

pub(super) fn tcp_settings() -> TcpSettings {
    TcpSettings::default()
        .set_nodelay(true)
        .set_user_timeout(GIVE_UP_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, RedisConnectError> {
        Address::parse(&Secret::new(url))
    }

    #[test]
    fn one_server_or_the_nodes_of_a_cluster() {
        let plain = parse("redis://u:p%40ss@db.example:7000/5").unwrap();
        assert!(!plain.is_cluster());
        assert_eq!(plain.database(), 5);
        assert_eq!(plain.nodes()[0].redis_settings().password(), Some("p@ss"));
        let cluster = parse("redis+cluster://u:p@a:1,b:2,c:3/").unwrap();
        assert!(cluster.is_cluster());
        let nodes: Vec<_> = cluster
            .nodes()
            .iter()
            .map(|node| node.addr().to_string())
            .collect();
        assert_eq!(nodes, ["a:1", "b:2", "c:3"]);
        assert!(
            cluster
                .nodes()
                .iter()
                .all(|node| node.redis_settings().username() == Some("u"))
        );
        assert!(parse("rediss+cluster://a:1").is_ok());
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_repeating_it() {
        for bad in [
            "",
            "localhost:6379",
            "http://secret@x",
            "redis://:secret@h:notaport",
            "redis+cluster://a:1,,",
        ] {
            let error = parse(bad).err().unwrap_or_else(|| panic!("{bad} was taken"));
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }
}
