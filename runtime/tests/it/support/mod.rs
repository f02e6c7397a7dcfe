//! A whole node: real storage in a temporary folder, real workers, a Bot API over a real socket.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, also in its helpers, a panic is the report"
)]

mod away;
mod bots;
mod canary;
mod cluster;
mod outbox;
mod stall;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use botloom_backends::{Connected, DataDir, EmbeddedOptions, connect_embedded};
use botloom_core::hash::RevHash;
use botloom_core::model::{Project, User};
use botloom_core::ports::{
    Artifacts, Bus, Catalog, DeadLetter, Direction, Lanes, Nodes, Outbox, PageRequest, Ports,
};
use botloom_core::vault::Vault;
use botloom_core::{BotId, ChatId, Lane, ProjectId, SystemClock, TimestampMs, UserId};
use botloom_runtime::sandbox::{Pool, PoolOptions, WorkerCommand};
use botloom_runtime::{Deps, Handle, Options, Resolve, SendLimits, SystemResolver, start};
use botloom_telegram::simulator::{self, FloodModel, Simulator};
use botloom_telegram::{Client, Options as ClientOptions};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use away::Switched;
pub(crate) use bots::{Answer, Bot, ECHO, passport, text_update};
pub(crate) use canary::Canary;
pub(crate) use cluster::{Deaf, Seat, SharedNodes};
use outbox::SwitchedOutbox;
pub(crate) use stall::{SlowArtifacts, Stalling};

/// How a world differs from the usual one.
pub(crate) struct Setup {
    pub(crate) options: Options,
    pub(crate) simulator: simulator::Options,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) client: ClientOptions,
    /// The list of nodes, if others can join.
    pub(crate) cluster: Option<SharedNodes>,
}

impl Default for Setup {
    fn default() -> Self {
        let send = SendLimits {
            chat_per_s: 0.0,
            group_per_min: 0.0,
            first_retry: Duration::from_millis(20),
            ..SendLimits::default()
        };
        Self {
            options: Options {
                send,
                persist_within: Duration::from_secs(20),
                ..Options::default()
            },
            simulator: simulator::Options {
                flood: FloodModel::off(),
                accept_unknown: true,
                history: 100_000,
                ..simulator::Options::default()
            },
            resolver: Arc::new(SystemResolver),
            client: ClientOptions::default(),
            cluster: None,
        }
    }
}

/// Another node over the stores of a world.
pub(crate) struct Peer {
    pub(crate) node: Handle,
    pub(crate) seat: Arc<Seat>,
    pub(crate) lanes: Arc<Stalling>,
    pub(crate) artifacts: Arc<SlowArtifacts>,
    /// `http://127.0.0.1:<port>`.
    pub(crate) url: String,
    pub(crate) shutdown: CancellationToken,
    _pool: DropGuard,
}

/// Everything a test talks to.
pub(crate) struct World {
    pub(crate) node: Handle,
    pub(crate) ports: Ports,
    pub(crate) lanes: Arc<Stalling>,
    pub(crate) artifacts: Arc<SlowArtifacts>,
    pub(crate) outbox: Arc<SwitchedOutbox>,
    pub(crate) catalog: Arc<Switched>,
    pub(crate) simulator: simulator::Handle,
    pub(crate) telegram: Client,
    pub(crate) vault: Vault,
    pub(crate) project: ProjectId,
    /// `http://127.0.0.1:<port>`.
    pub(crate) url: String,
    pub(crate) shutdown: CancellationToken,
    pool: Pool,
    options: Options,
    /// Ends the pool when dropped.
    sandboxes: DropGuard,
    connected: Connected,
    folder: TempDir,
}

pub(crate) async fn pool() -> (Pool, DropGuard) {
    let shutdown = CancellationToken::new();
    let options = PoolOptions {
        workers: 2,
        // Busy machines must not make honest calls late.
        budget: Duration::from_secs(5),
        load_budget: Duration::from_secs(5),
        command: WorkerCommand {
            program: PathBuf::from(env!("CARGO_BIN_EXE_botloom-sandbox-worker")),
            args: Vec::new(),
        },
        ..PoolOptions::default()
    };
    (
        Pool::start(options, shutdown.clone())
            .await
            .expect("workers start"),
        shutdown.drop_guard(),
    )
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        // Shown for tests that fail; another test of the process may have set it.
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let folder = tempfile::tempdir().unwrap();
        let options = EmbeddedOptions {
            data_dir: DataDir::open(folder.path()).unwrap(),
            clock: Arc::new(SystemClock),
            lane_limits: setup.options.lanes,
        };
        let connected = connect_embedded(options).await.unwrap();
        let mut ports = connected.ports.clone();
        let lanes = Arc::new(Stalling::new(Arc::clone(&ports.lanes)));
        ports.lanes = Arc::clone(&lanes) as Arc<dyn Lanes>;
        let outbox = Arc::new(SwitchedOutbox::new(Arc::clone(&ports.outbox)));
        ports.outbox = Arc::clone(&outbox) as Arc<dyn Outbox>;
        let artifacts = Arc::new(SlowArtifacts::new(Arc::clone(&ports.artifacts)));
        ports.artifacts = Arc::clone(&artifacts) as Arc<dyn Artifacts>;
        let catalog = Arc::new(Switched::new(Arc::clone(&ports.catalog)));
        ports.catalog = Arc::clone(&catalog) as Arc<dyn Catalog>;
        if let Some(cluster) = &setup.cluster {
            ports.nodes = cluster.seat(Arc::clone(&ports.bus));
        }
        let simulator = Simulator::start(setup.simulator).await.unwrap();
        let telegram = Client::new(ClientOptions {
            api_root: simulator.url(),
            ..setup.client
        })
        .unwrap();
        let vault = Vault::from_base64(Vault::generate_key().expose()).unwrap();
        let project = owner(&ports).await;
        let (pool, pool_guard) = pool().await;
        let shutdown = CancellationToken::new();
        let deps = Deps {
            ports: ports.clone(),
            vault: vault.clone(),
            telegram: telegram.clone(),
            pool: pool.clone(),
            resolver: Arc::clone(&setup.resolver),
        };
        let node = start(deps, setup.options.clone(), &shutdown);
        let url = serve(&node).await;
        Self {
            node,
            ports,
            lanes,
            artifacts,
            outbox,
            catalog,
            simulator,
            telegram,
            vault,
            project,
            url,
            shutdown,
            pool,
            options: setup.options,
            sandboxes: pool_guard,
            connected,
            folder,
        }
    }

    /// Ends the sandboxes: from now on there is nobody to run bot code.
    pub(crate) fn end_sandboxes(&mut self) {
        drop(std::mem::replace(
            &mut self.sandboxes,
            CancellationToken::new().drop_guard(),
        ));
    }

    /// Another node over the same stores, after the first one has ended.
    pub(crate) async fn start_again(&mut self) {
        self.shutdown.cancel();
        self.node.drained().await;
        self.shutdown = CancellationToken::new();
        let deps = Deps {
            ports: self.ports.clone(),
            vault: self.vault.clone(),
            telegram: self.telegram.clone(),
            pool: self.pool.clone(),
            resolver: Arc::new(SystemResolver),
        };
        self.node = start(deps, self.options.clone(), &self.shutdown);
        self.url = serve(&self.node).await;
    }

    /// One more node on the list, with sandboxes of its own.
    pub(crate) async fn join(&self, cluster: &SharedNodes, bus: Arc<dyn Bus>) -> Peer {
        let seat = cluster.seat(Arc::clone(&bus));
        let lanes = Arc::new(Stalling::new(Arc::clone(&self.connected.ports.lanes)));
        let artifacts = Arc::new(SlowArtifacts::new(Arc::clone(&self.connected.ports.artifacts)));
        let (pool, pool_guard) = pool().await;
        let shutdown = CancellationToken::new();
        let deps = Deps {
            ports: Ports {
                nodes: Arc::clone(&seat) as Arc<dyn Nodes>,
                lanes: Arc::clone(&lanes) as Arc<dyn Lanes>,
                artifacts: Arc::clone(&artifacts) as Arc<dyn Artifacts>,
                bus,
                ..self.ports.clone()
            },
            vault: self.vault.clone(),
            telegram: self.telegram.clone(),
            pool,
            resolver: Arc::new(SystemResolver),
        };
        let node = start(deps, self.options.clone(), &shutdown);
        let url = serve(&node).await;
        Peer {
            node,
            seat,
            lanes,
            artifacts,
            url,
            shutdown,
            _pool: pool_guard,
        }
    }

    /// The stored document of a chat.
    pub(crate) async fn state(&self, bot: &BotId, chat: i64) -> Option<serde_json::Value> {
        let lane = Lane {
            bot: bot.clone(),
            chat: ChatId::from(chat),
        };
        let state = self.ports.lanes.state(&lane).await.unwrap();
        state.map(|state| serde_json::from_slice(&state).unwrap())
    }

    pub(crate) async fn dead_letters(&self, bot: &BotId, direction: Direction) -> Vec<DeadLetter> {
        let page = PageRequest {
            limit: 200,
            ..PageRequest::default()
        };
        self.ports
            .dead_letters
            .dead_letters(bot, direction, &page)
            .await
            .unwrap()
            .items
    }

    /// Where a revision's program is kept.
    pub(crate) fn artifact_path(&self, bot: &BotId, rev: &RevHash) -> PathBuf {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        let end = PathBuf::from(bot.as_str()).join(rev.to_string()).join("bot.js");
        found
            .into_iter()
            .find(|path| path.ends_with(&end))
            .expect("the file was stored")
    }

    /// Waits until nothing waits any more, neither updates nor messages.
    pub(crate) async fn settled(&self) {
        eventually("everything is done", async || {
            let stats = self.ports.lanes.stats().await.unwrap();
            stats.updates == 0 && stats.messages == 0 && stats.leased == 0
        })
        .await;
    }
}

/// Asks until the answer is yes.
pub(crate) async fn eventually(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_mins(1);
    while !ask().await {
        assert!(tokio::time::Instant::now() < end, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

async fn owner(ports: &Ports) -> ProjectId {
    let at = TimestampMs(1_700_000_000_000);
    let user = User {
        id: UserId::generate(),
        email: "owner@example.com".into(),
        password_hash: Some("-".into()),
        created_at: at,
    };
    let project = Project {
        id: ProjectId::generate(),
        name: "default".into(),
        created_at: at,
    };
    assert!(ports.catalog.create_first_owner(&user, &project).await.unwrap());
    project.id
}

async fn serve(node: &Handle) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = node.router().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://{address}")
}
