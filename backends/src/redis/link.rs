//! The shared face of the connections: limits, scripts, messages.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use botloom_core::ports::{StoreError, StoreResult};
use botloom_core::{Secret, TimestampMs};
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{Client, Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind, ToRedisArgs, Value, cmd};
use tokio::sync::Semaphore;

use super::connection::Connection;
use super::error::store_error;
use super::url::Address;
use super::{Names, RedisConnectError, RedisOptions, Script, Subscription, install};
use crate::ConnectError;

/// Most commands that wait for answers at once; more wait their turn within their limit. Bounds the memory that a stalled
/// server can cost.
const IN_FLIGHT: usize = 8_192;
/// How long the looks at the start may take: a far server, or one that is busy.
const START_WITHIN: Duration = Duration::from_secs(5);

/// A link to one Redis or Redis Cluster; cheap to clone. See the module's page for how to use it.
#[derive(Clone)]
pub struct RedisLink {
    inner: Arc<Inner>,
}

struct Inner {
    address: Address,
    connection: Connection,
    in_flight: Semaphore,
    limit: Duration,
    names: Names,
    options: RedisOptions,
}

/// A primary of a cluster, or the one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Primary(Option<(String, u16)>);

impl RedisLink {
    /// Connects, looks whether the server may be trusted with what it acknowledges, and whether the installation in it
    /// has the constants that are wanted; an empty server becomes an installation with them. `url` reads
    /// `redis://[user:password@]host:port[/database]`, `rediss://…` (TLS) or
    /// `redis+cluster://[user:password@]host:port,host:port`.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Redis`] says what to change; [`ConnectError::Store`]: no server answered.
    pub async fn connect(url: &Secret, options: RedisOptions) -> Result<Self, ConnectError> {
        let address = Address::parse(url)?;
        if !options.shards.is_power_of_two() || options.shards > 16_384 {
            return Err(RedisConnectError::Address("shards are no power of two up to 16384").into());
        }
        let names = Names::new(options.shards, address.is_cluster());
        let link = Self::open(address, names, options, None)?;
        install::check(&link.with_limit(START_WITHIN)?, &link.inner.options).await?;
        link.opened().await?;
        Ok(link)
    }

    fn open(
        address: Address,
        names: Names,
        options: RedisOptions,
        limit: Option<Duration>,
    ) -> StoreResult<Self> {
        let limit = limit.unwrap_or(options.response_timeout);
        let connection = Connection::new(&address, limit).map_err(store_error)?;
        Ok(Self {
            inner: Arc::new(Inner {
                address,
                connection,
                in_flight: Semaphore::new(IN_FLIGHT),
                limit,
                names,
                options,
            }),
        })
    }

    /// Waits until the connection stands: what comes first must not fail because opening takes longer than a call may.
    async fn opened(&self) -> StoreResult<()> {
        let opened = tokio::time::timeout(START_WITHIN, self.inner.connection.opened()).await;
        opened.map_err(StoreError::unavailable)?.map_err(store_error)
    }

    fn with_limit(&self, limit: Duration) -> StoreResult<Self> {
        let inner = &self.inner;
        Self::open(
            inner.address.clone(),
            inner.names.clone(),
            inner.options.clone(),
            Some(limit),
        )
    }

    /// What the link was opened with.
    pub(crate) fn options(&self) -> &RedisOptions {
        &self.inner.options
    }

    /// Names of keys.
    pub(crate) fn names(&self) -> &Names {
        &self.inner.names
    }

    /// Whether this is a cluster.
    pub(crate) fn is_cluster(&self) -> bool {
        self.inner.address.is_cluster()
    }

    /// Runs a command within the link's limit.
    pub(crate) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> StoreResult<T> {
        self.run_within(command, self.inner.limit).await
    }

    /// Runs a command within a limit; past it the command may still take effect.
    pub(crate) async fn run_within<T: FromRedisValue>(
        &self,
        command: &Cmd,
        limit: Duration,
    ) -> StoreResult<T> {
        let value = self.send(command, None, limit).await.map_err(store_error)?;
        T::from_redis_value(value).map_err(|error| store_error(error.into()))
    }

    /// Runs a command on one primary.
    pub(crate) async fn run_on<T: FromRedisValue>(&self, node: &Primary, command: &Cmd) -> StoreResult<T> {
        let routing = node
            .0
            .clone()
            .map(|(host, port)| RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host, port }));
        let value = self.send(command, routing, self.inner.limit).await;
        T::from_redis_value(value.map_err(store_error)?).map_err(|error| store_error(error.into()))
    }

    /// Runs a script: by its digest, in full where the server does not know it.
    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        args: impl ToRedisArgs,
    ) -> StoreResult<T> {
        let mut command = script.by_digest(keys);
        command.arg(&args);
        let mut answer = self.send(&command, None, self.inner.limit).await;
        if answer.as_ref().is_err_and(is_unknown_script) {
            let mut command = script.in_full(keys);
            command.arg(&args);
            answer = self.send(&command, None, self.inner.limit).await;
        }
        let value = answer.map_err(store_error)?;
        T::from_redis_value(value).map_err(|error| store_error(error.into()))
    }

    async fn send(
        &self,
        command: &Cmd,
        routing: Option<RoutingInfo>,
        limit: Duration,
    ) -> Result<Value, RedisError> {
        let inner = &self.inner;
        let run = async {
            // The semaphore is never closed; without a place the command would only be bounded by its limit.
            let _place = inner.in_flight.acquire().await.ok();
            inner.connection.run(command, routing).await
        };
        let value = tokio::time::timeout(limit, run).await.unwrap_or_else(|_| {
            Err(RedisError::from((
                ErrorKind::Io,
                "no answer within the time limit",
            )))
        })?;
        value.extract_error()
    }

    /// The server's time. Servers of a cluster may differ by what their clocks differ.
    pub(crate) async fn now(&self) -> StoreResult<TimestampMs> {
        let (seconds, micros): (i64, i64) = self.run(&cmd("TIME")).await?;
        Ok(TimestampMs(seconds * 1_000 + micros / 1_000))
    }

    /// The primaries that hold slots; the one server otherwise.
    pub(crate) async fn primaries(&self) -> StoreResult<Vec<Primary>> {
        if !self.is_cluster() {
            return Ok(vec![Primary(None)]);
        }
        let slots: Vec<Vec<Value>> = self.run(cmd("CLUSTER").arg("SLOTS")).await?;
        let mut primaries = Vec::new();
        for range in slots {
            let Some(Value::Array(node)) = range.into_iter().nth(2) else {
                return Err(StoreError::Corrupt("a range of slots without a node".to_owned()));
            };
            let mut node = node.into_iter();
            let (Some(host), Some(port)) = (node.next(), node.next()) else {
                return Err(StoreError::Corrupt("a node without an address".to_owned()));
            };
            let read = |error: redis::ParsingError| store_error(error.into());
            let host = String::from_redis_value(host).map_err(read)?;
            let primary = Primary(Some((host, u16::from_redis_value(port).map_err(read)?)));
            if !primaries.contains(&primary) {
                primaries.push(primary);
            }
        }
        Ok(primaries)
    }

    /// A channel's name on the server: channels are common to all databases of a server.
    pub(crate) fn channel(&self, name: &str) -> String {
        match self.inner.address.database() {
            0 => name.to_owned(),
            database => format!("{name}@{database}"),
        }
    }

    /// Publishes to those who are subscribed at this moment, on whatever node they are.
    pub(crate) async fn publish(&self, channel: &str, payload: &[u8]) -> StoreResult<()> {
        let _heard: i64 = self.run(cmd("PUBLISH").arg(channel).arg(payload)).await?;
        Ok(())
    }

    /// Subscribes on a connection of its own, to the first node that answers.
    pub(crate) async fn subscribe(&self, channels: &[String]) -> StoreResult<Subscription> {
        let mut last = None;
        for node in self.inner.address.nodes() {
            let attempt = async {
                let mut subscriber = Client::open(node.clone())?.get_async_pubsub().await?;
                subscriber.subscribe(channels).await?;
                Ok::<_, RedisError>(subscriber)
            };
            match tokio::time::timeout(START_WITHIN, attempt).await {
                Ok(Ok(subscriber)) => {
                    return Ok(Subscription {
                        stream: subscriber.into_on_message(),
                    });
                }
                Ok(Err(error)) => last = Some(store_error(error)),
                Err(elapsed) => last = Some(StoreError::unavailable(elapsed)),
            }
        }
        Err(last.unwrap_or_else(|| StoreError::unavailable("no node")))
    }
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

impl fmt::Debug for RedisLink {
    // The address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLink")
            .field("cluster", &self.is_cluster())
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}
