//! Connections: one server or a cluster, opened again when they are lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::RoutingInfo;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, RedisResult, Value};
use tokio::sync::Notify;

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
    Plain(Arc<Plain>),
    Cluster(Box<Cluster>),
}

impl Connection {
    /// Prepares a connection; the first command opens it. `longest` bounds what one command may take.
    pub(super) fn new(address: &Address, longest: Duration) -> RedisResult<Self> {
        Ok(match address {
            Address::Plain(info) => Self::Plain(Arc::new(Plain {
                client: Client::open(info.as_ref().clone())?,
                open: Mutex::default(),
                opening: AtomicBool::new(false),
                opened: Notify::new(),
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
                    open: tokio::sync::Mutex::new(None),
                    unanswered: Mutex::default(),
                    patience: longest * SILENT_AFTER,
                }))
            }
        })
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
    open: Mutex<Open>,
    /// Whether somebody is opening a connection right now.
    opening: AtomicBool,
    opened: Notify,
}

#[derive(Default)]
struct Open {
    connection: Option<MultiplexedConnection>,
    /// Counts the connections, so that only the one that failed is given up.
    number: u64,
    /// Why the last attempt failed.
    failed: Option<RedisError>,
}

impl Plain {
    fn open(&self) -> MutexGuard<'_, Open> {
        // No change below can panic half-way.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usable(&self) -> Option<(u64, MultiplexedConnection)> {
        let open = self.open();
        open.connection
            .clone()
            .map(|connection| (open.number, connection))
    }

    async fn run(self: &Arc<Self>, command: &Cmd) -> RedisResult<Value> {
        let (number, mut connection) = self.connected().await?;
        let answer = connection.req_packed_command(command).await;
        if answer.as_ref().is_err_and(RedisError::is_unrecoverable_error) {
            let mut open = self.open();
            if open.number == number {
                open.connection = None;
            }
        }
        answer
    }

    /// The open connection, or a new one. However many wait, one attempt is made at a time, and it goes on when those
    /// who wait give up: a far server may need longer than a call may take.
    async fn connected(self: &Arc<Self>) -> RedisResult<(u64, MultiplexedConnection)> {
        let opened = self.opened.notified();
        let mut opened = std::pin::pin!(opened);
        // Before the look at what is open: an attempt that ends between the two must be heard.
        opened.as_mut().enable();
        if let Some(usable) = self.usable() {
            return Ok(usable);
        }
        if !self.opening.swap(true, Ordering::AcqRel) {
            let plain = Arc::clone(self);
            tokio::spawn(async move {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_WITHIN))
                    .set_response_timeout(None);
                let client = &plain.client;
                let attempt = client.get_multiplexed_async_connection_with_config(&config);
                let attempt = attempt.await;
                {
                    let mut open = plain.open();
                    match attempt {
                        Ok(connection) => {
                            open.number += 1;
                            open.connection = Some(connection);
                        }
                        Err(error) => open.failed = Some(error),
                    }
                }
                plain.opening.store(false, Ordering::Release);
                plain.opened.notify_waiters();
            });
        }
        opened.await;
        self.usable()
            .ok_or_else(|| self.open().failed.clone().unwrap_or_else(lost))
    }
}

fn lost() -> RedisError {
    RedisError::from((ErrorKind::Io, "the connection was lost"))
}

/// The servers of a cluster; the client follows redirections and opens lost connections by itself.
///
/// It can also fall silent for ever: while it reads the map of slots again it does not drive the commands that are under
/// way, and those may hold what the reading waits for (seen when a slot moved under load, redis 1.8.1). A connection that
/// answers nothing at all for a while is therefore given up.
pub(super) struct Cluster {
    client: ClusterClient,
    open: tokio::sync::Mutex<Option<ClusterConnection>>,
    /// Since when commands wait and none was answered.
    unanswered: Mutex<Option<Instant>>,
    /// How long that may last.
    patience: Duration,
}

impl Cluster {
    async fn run(&self, command: &Cmd, routing: Option<RoutingInfo>) -> RedisResult<Value> {
        let mut connection = {
            let mut open = self.open.lock().await;
            if self.is_silent() {
                tracing::warn!("the connection to the cluster answers nothing, another one is opened");
                *open = None;
            }
            match open.as_ref() {
                Some(connection) => connection.clone(),
                None => open.insert(self.client.get_async_connection().await?).clone(),
            }
        };
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
