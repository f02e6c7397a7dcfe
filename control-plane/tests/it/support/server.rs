//! The API with everything that it needs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use botloom_backends::{Connected, DataDir, EmbeddedOptions, connect_embedded};
use botloom_control_plane::{ControlPlane, Dependency, Deps, Options, PasswordCost, Readiness, Watch};
use botloom_core::TimestampMs;
use botloom_core::hash::RevHash;
use botloom_core::ids::{BotId, UserId};
use botloom_core::ports::{ActiveRevision, LaneLimits, Ports, ProbeReport, SandboxError, Sandboxes};
use botloom_core::testing::ManualClock;
use botloom_core::vault::Vault;
use botloom_telegram::simulator::{self, Simulator};
use botloom_telegram::{Client as Telegram, Options as TelegramOptions};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Client, PATIENCE};

pub(crate) const EMAIL: &str = "owner@example.org";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The rest of the installation, as far as the API asks: how many nodes run bots and how many generate.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) nodes: AtomicU32,
    pub(crate) generators: AtomicU32,
    pub(crate) lanes_away: AtomicU32,
    /// Makes the next question about readiness panic.
    pub(crate) broken: AtomicBool,
}

#[async_trait]
impl Sandboxes for Rest {
    async fn live_nodes(&self) -> u32 {
        self.nodes.load(Ordering::SeqCst)
    }

    async fn stage(&self, _: &BotId, _: &RevHash) -> Result<(), SandboxError> {
        Err(SandboxError::NoNode)
    }

    async fn prewarm(&self, _: &BotId, _: &RevHash, _: u32) -> Result<(), SandboxError> {
        Err(SandboxError::NoNode)
    }

    async fn probe(&self, _: &BotId, _: &RevHash) -> Result<ProbeReport, SandboxError> {
        Err(SandboxError::NoNode)
    }

    async fn barrier(&self, _: &BotId, _: ActiveRevision, _: Duration) {}
}

#[async_trait]
impl Readiness for Rest {
    async fn dependencies(&self) -> Vec<Dependency> {
        assert!(!self.broken.load(Ordering::SeqCst), "broken on purpose");
        let away = self.lanes_away.load(Ordering::SeqCst) > 0;
        vec![
            Dependency {
                name: "catalog".into(),
                failure: None,
                note: Some("is new".into()),
            },
            Dependency {
                name: "lanes".into(),
                failure: away.then(|| "does not answer".into()),
                note: None,
            },
        ]
    }

    async fn live_generators(&self) -> u32 {
        self.generators.load(Ordering::SeqCst)
    }
}

/// How a server is to differ from the usual one.
pub(crate) struct Setup {
    pub(crate) options: Options,
    /// Added to the API, as the server adds the runtime's webhook.
    pub(crate) beside: Router,
    /// Where to listen; on a port of its own where absent.
    pub(crate) listener: Option<TcpListener>,
    /// What the clock shows.
    pub(crate) now: TimestampMs,
}

impl Setup {
    /// For stories in which Telegram holds calls: nobody gives up waiting for them.
    pub(crate) fn patient() -> Self {
        let mut setup = Self::default();
        setup.options.telegram_timeout = PATIENCE * 2;
        setup.options.limits.deadline = PATIENCE * 2;
        setup
    }
}

impl Default for Setup {
    fn default() -> Self {
        let options = Options {
            password_cost: PasswordCost {
                memory_kib: 64,
                iterations: 1,
            },
            stream_poll: Duration::from_millis(200),
            ..Options::default()
        };
        Self {
            options,
            beside: Router::new(),
            listener: None,
            now: TimestampMs(1_790_000_000_000),
        }
    }
}

/// A running API.
pub(crate) struct Server {
    pub(crate) base: String,
    pub(crate) address: SocketAddr,
    pub(crate) ports: Ports,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) telegram: simulator::Handle,
    pub(crate) vault: Vault,
    /// Of the key that the present one takes over from.
    pub(crate) old_vault: Vault,
    pub(crate) rest: Arc<Rest>,
    pub(crate) api: ControlPlane,
    pub(crate) deps: Deps,
    options: Options,
    pub(crate) stop: CancellationToken,
    database: std::path::PathBuf,
    stores: Connected,
    guard: DropGuard,
    folder: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    pub(crate) async fn start_with(setup: Setup) -> Self {
        // All that is set up makes a large future, which callers need not carry in theirs.
        Box::pin(Self::set_up(setup)).await
    }

    async fn set_up(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(setup.now));
        let data_dir = DataDir::open(folder.path()).unwrap();
        let database = data_dir.control_db();
        let stores = connect_embedded(EmbeddedOptions {
            data_dir,
            clock: clock.clone(),
            lane_limits: LaneLimits::default(),
        })
        .await
        .unwrap();
        let ports = stores.ports.clone();
        let flood = simulator::FloodModel::off();
        let telegram = Simulator::start(simulator::Options {
            flood,
            ..simulator::Options::default()
        })
        .await
        .unwrap();
        let usual = TelegramOptions::default();
        let client = Telegram::new(TelegramOptions {
            api_root: telegram.url(),
            // As in earnest longer than the API waits.
            timeout: usual.timeout.max(setup.options.telegram_timeout * 2),
            ..usual
        })
        .unwrap();
        let rest = Arc::new(Rest {
            nodes: AtomicU32::new(1),
            generators: AtomicU32::new(1),
            lanes_away: AtomicU32::new(0),
            broken: AtomicBool::new(false),
        });
        let old_key = Vault::generate_key();
        let old_vault = Vault::from_base64(old_key.expose()).unwrap();
        let vault = Vault::from_base64(Vault::generate_key().expose()).unwrap();
        let vault = vault.with_previous(old_key.expose()).unwrap();
        let deps = Deps {
            ports: ports.clone(),
            sandboxes: rest.clone(),
            simulations: None,
            telegram: client,
            vault: vault.clone(),
            watch: Watch {
                readiness: rest.clone(),
                metrics_render: Arc::new(|| "botloom_up 1\n".to_owned()),
            },
        };
        let mut options = setup.options;
        if options.telegram_api_root.host_str() == Some("api.telegram.org") {
            options.telegram_api_root = telegram.url();
        }
        let stop = CancellationToken::new();
        let api = ControlPlane::new(deps.clone(), options.clone(), stop.clone()).unwrap();
        let listener = match setup.listener {
            Some(listener) => listener,
            None => TcpListener::bind("127.0.0.1:0").await.unwrap(),
        };
        let address = listener.local_addr().unwrap();
        let service = api
            .router()
            .merge(setup.beside)
            .into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(serving.into_future());
        Self {
            base: format!("http://{address}"),
            address,
            ports,
            clock,
            telegram,
            vault,
            old_vault,
            rest,
            api,
            deps,
            options,
            guard: stop.clone().drop_guard(),
            stop,
            database,
            stores,
            folder,
        }
    }

    /// A second node of the same installation; answers where it listens.
    pub(crate) async fn another_node(&self) -> String {
        let api = ControlPlane::new(self.deps.clone(), self.options.clone(), self.stop.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = api.router().into_make_service_with_connect_info::<SocketAddr>();
        let serving =
            axum::serve(listener, service).with_graceful_shutdown(self.stop.clone().cancelled_owned());
        tokio::spawn(serving.into_future());
        format!("http://{address}")
    }

    /// Somebody who is not logged in.
    pub(crate) fn nobody(&self) -> Client {
        Client::new(&self.base)
    }

    /// The owner, made on the first call.
    pub(crate) async fn owner(&self) -> Client {
        self.api.ensure_owner(EMAIL, PASSWORD).await.unwrap();
        self.login(EMAIL).await
    }

    /// A person who is a member of nothing. There is no route that makes one yet, so the row is written by hand.
    pub(crate) async fn stranger(&self) -> Client {
        self.person("stranger@example.org", None).await
    }

    /// A member of the owner's project with this role.
    pub(crate) async fn member(&self, role: &str) -> Client {
        self.person(&format!("one-{role}@example.org"), Some(role)).await
    }

    /// The owner of a project that nobody else belongs to.
    pub(crate) async fn foreign_owner(&self) -> Client {
        let foreign = self.person("foreign@example.org", None).await;
        self.other_project(&foreign, "foreign-bot").await;
        foreign
    }

    async fn person(&self, email: &str, role: Option<&str>) -> Client {
        self.row(email, role).await;
        self.login(email).await
    }

    /// The row of a person with the owner's password, a member of the owner's project with this role; answers the id.
    pub(crate) async fn row(&self, email: &str, role: Option<&str>) -> String {
        self.api.ensure_owner(EMAIL, PASSWORD).await.unwrap();
        let id = UserId::generate().to_string();
        let database = self.by_hand();
        database
            .execute(
                "INSERT INTO users (id, email, email_key, password_hash, created_at)
                 SELECT ?1, ?2, ?2, password_hash, created_at FROM users LIMIT 1",
                [&id, email],
            )
            .unwrap();
        if let Some(role) = role {
            let sql = "INSERT INTO members (project_id, user_id, role)
                       SELECT id, ?1, ?2 FROM projects ORDER BY rowid LIMIT 1";
            database.execute(sql, [&id, role]).unwrap();
        }
        id
    }

    /// Whether something that this request did stands in the audit log.
    pub(crate) fn is_noted(&self, request: &str) -> bool {
        let sql = "SELECT EXISTS (SELECT 1 FROM audit_log WHERE request_id = ?1)";
        self.by_hand()
            .query_row(sql, [request], |row| row.get(0))
            .unwrap()
    }

    /// Checks of webhooks that a node has claimed.
    pub(crate) fn claimed_checks(&self) -> u32 {
        let sql = "SELECT COUNT(*) FROM webhook_checks WHERE claimed_until > ?1";
        let now = self.deps.ports.clock.now().0;
        self.by_hand().query_row(sql, [now], |row| row.get(0)).unwrap()
    }

    /// Checks of webhooks that are due or under way, or whose outcome is still to be told.
    pub(crate) fn open_checks(&self) -> u32 {
        let sql = "SELECT COUNT(*) FROM webhook_checks
                   WHERE next_at <= ?1 OR claimed_until > ?1 OR (told = 0 AND status <> 'unknown')";
        let now = self.deps.ports.clock.now().0;
        self.by_hand().query_row(sql, [now], |row| row.get(0)).unwrap()
    }

    /// Whether this text stands in a login that is under way.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let sql = "SELECT EXISTS (SELECT 1 FROM login_attempts
                   WHERE instr(hash || coalesce(session, '') || coalesce(invitation, '') || return_to, ?1))";
        self.by_hand().query_row(sql, [text], |row| row.get(0)).unwrap()
    }

    /// The database past the API.
    fn by_hand(&self) -> rusqlite::Connection {
        let database = rusqlite::Connection::open(&self.database).unwrap();
        database.busy_timeout(Duration::from_secs(10)).unwrap();
        database
    }

    /// Has the store refuse every change of a bot's token, as if it were away.
    pub(crate) async fn refuse_tokens(&self) {
        self.alter(
            "CREATE TRIGGER away BEFORE UPDATE OF token ON bots BEGIN SELECT RAISE(ABORT, 'away'); END",
        )
        .await;
    }

    /// Has the store take tokens again.
    pub(crate) async fn take_tokens(&self) {
        self.alter("DROP TRIGGER away").await;
    }

    /// Off the threads of the API, which may have to end a change of its own first.
    async fn alter(&self, sql: &'static str) {
        let database = self.by_hand();
        let altering = tokio::task::spawn_blocking(move || database.execute_batch(sql));
        altering.await.unwrap().unwrap();
    }

    /// Another project of the same owner, with a bot.
    pub(crate) async fn other_project(&self, owner: &Client, bot: &str) -> String {
        let me = owner.get("/auth/me").await.expect(200).json();
        // Younger than the owner's first project, which lists name first.
        self.clock.advance(1);
        let name = format!("{bot} of {}", me["user"]["email"].as_str().unwrap());
        let made = owner.post("/projects", &json!({ "name": name })).await;
        let id = made.expect(201).json()["projectId"].as_str().unwrap().to_owned();
        owner
            .post("/bots", &json!({ "botId": bot, "name": "B", "projectId": id }))
            .await
            .expect(201);
        id
    }

    pub(crate) async fn login(&self, email: &str) -> Client {
        let mut client = self.nobody();
        let answer = client
            .post("/auth/login", &json!({ "email": email, "password": PASSWORD }))
            .await
            .expect(200);
        client.keep(&answer);
        client
    }

    /// Takes the database away from under the API. The folder stays as long as the answer lives.
    pub(crate) async fn lose_the_database(self) -> (TempDir, DropGuard) {
        let Self {
            stores,
            folder,
            guard,
            ..
        } = self;
        stores.close().await;
        (folder, guard)
    }

    /// The owner with a bot called `a-bot`.
    pub(crate) async fn with_bot(&self) -> Client {
        let owner = self.owner().await;
        owner
            .post("/bots", &json!({ "botId": "a-bot", "name": "A bot" }))
            .await
            .expect(201);
        owner
    }
}
