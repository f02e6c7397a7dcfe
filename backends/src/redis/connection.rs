//! Connections: one server or a cluster, opened again when they are lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::RoutingInfo;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};

use super::reopen::Reopened;
use super::url::{Address, tcp_settings};

/// Longest time for opening a connection, login included.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How often a cluster's connection follows a redirection, or repeats what a moving slot refused, before it gives up.
/// The time limit of the call usually ends it earlier.
const CLUSTER_RETRIES: u32 = 30;
/// After how many times the longest time of a command a cluster's connection that answers nothing is given up.
const SILENT_AFTER: u32 = 3;
/// Wait before such a repetition, ms: from, to.
const RETRY_WAIT_MS: (u64, u64) = (2, 20);

/// A connection that can be shared.
pub(super) enum Connection {
    Plain(Box<Plain>),
    Cluster(Box<Cluster>),
}

impl Connection {
    /// Prepares a connection; the first command opens it. `longest` bounds what one command may take.
    pub(super) fn new(address: &Address, longest: Duration) -> RedisResult<Self> {
        Ok(match address {
            Address::Plain(info) => Self::Plain(Box::new(Plain {
                client: Client::open(info.as_ref().clone())?,
                shared: Reopened::new(),
            })),
            Address::Cluster(nodes) => {
                let client = ClusterClient::builder(nodes.clone())
                    .connection_timeout(CONNECT_WITHIN)
                    .response_timeout(longest)
                    .retries(CLUSTER_RETRIES)
                    .min_retry_wait(RETRY_WAIT_MS.0)
                    .max_retry_wait(RETRY_WAIT_MS.1)
                    .retry_wait_formula(1, 2)
                    .tcp_settings(tcp_settings())
                    .build()?;
                Self::Cluster(Box::new(Cluster {
                    client,
                    shared: Reopened::new(),
                    unanswered: Mutex::default(),
                    patience: longest * SILENT_AFTER,
                }))
            }
        })
    }

    /// Waits until a connection stands.
    pub(super) async fn opened(&self) -> RedisResult<()> {
        match self {
            Self::Plain(plain) => plain.connected().await.map(drop),
            Self::Cluster(cluster) => cluster.connected().await.map(drop),
        }
    }

    /// Sends a command and waits for its answer. `routing` matters to a cluster only; without it the keys decide.
    pub(super) async fn run(&self, command: &Cmd, routing: Option<RoutingInfo>) -> RedisResult<Value> {
        match self {
            Self::Plain(plain) => plain.run(command).await,
            Self::Cluster(cluster) => cluster.run(command, routing).await,
        }
    }
}

/// One server.
pub(super) struct Plain {
    client: Client,
    shared: Arc<Reopened<MultiplexedConnection>>,
}

impl Plain {
    async fn run(&self, command: &Cmd) -> RedisResult<Value> {
        let (number, mut connection) = self.connected().await?;
        let answer = connection.req_packed_command(command).await;
        // What the server refuses is an answer to the client.
        let answer = answer.and_then(Value::extract_error);
        if answer
            .as_ref()
            .is_err_and(|error| error.is_unrecoverable_error() || is_demoted(error))
        {
            self.shared.give_up(number);
        }
        answer
    }

    async fn connected(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        let open = || {
            let client = self.client.clone();
            async move {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_WITHIN))
                    .set_response_timeout(None);
                client.get_multiplexed_async_connection_with_config(&config).await
            }
        };
        self.shared.get(open).await
    }
}

/// Whether the server is a replica now: the address, asked again, may lead to its successor.
fn is_demoted(error: &RedisError) -> bool {
    // Before version 7 the reason stands inside the error of the script.
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        || error.detail().is_some_and(|detail| detail.contains("READONLY"))
}

/// The servers of a cluster; the client follows redirections and opens lost connections by itself.
///
/// It can also fall silent for ever: while it reads the map of slots again it does not drive the commands that are under
/// way, and those may hold what the reading waits for (seen when a slot moved under load, redis 1.8.1). A connection that
/// answers nothing at all for a while is therefore given up.
pub(super) struct Cluster {
    client: ClusterClient,
    shared: Arc<Reopened<ClusterConnection>>,
    /// Since when commands wait and none was answered.
    unanswered: Mutex<Option<Instant>>,
    /// How long that may last.
    patience: Duration,
}

impl Cluster {
    async fn run(&self, command: &Cmd, routing: Option<RoutingInfo>) -> RedisResult<Value> {
        if self.is_silent() {
            tracing::warn!("the connection to the cluster answers nothing, another one is opened");
            self.shared.give_up_any();
        }
        let mut connection = self.connected().await?;
        self.unanswered().get_or_insert_with(Instant::now);
        let answer = match routing {
            None => connection.req_packed_command(command).await,
            Some(routing) => connection.route_command(command.clone(), routing).await,
        };
        if !answer.as_ref().is_err_and(RedisError::is_timeout) {
            *self.unanswered() = None;
        }
        answer
    }

    async fn connected(&self) -> RedisResult<ClusterConnection> {
        let open = || {
            let client = self.client.clone();
            async move { client.get_async_connection().await }
        };
        let (_, connection) = self.shared.get(open).await?;
        Ok(connection)
    }

    fn unanswered(&self) -> MutexGuard<'_, Option<Instant>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the connection is to be given up; the next one gets its time.
    fn is_silent(&self) -> bool {
        let mut unanswered = self.unanswered();
        let silent = unanswered.is_some_and(|since| since.elapsed() > self.patience);
        if silent {
            *unanswered = None;
        }
        silent
    }
}
