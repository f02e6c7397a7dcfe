//! The composition root: the only file that names a backend. Joins settings, storage, roles and HTTP into one node.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use botloom_backends::{Connected, DataDir, EmbeddedOptions, Health, connect_embedded};
use botloom_control_plane::{ControlPlane, Dependency, Readiness};
use botloom_core::ports::LaneLimits;
use botloom_core::time::SystemClock;
use botloom_core::vault::Vault;
use botloom_core::{Coded, Secret};
use botloom_runtime::sandbox::{Pool, PoolOptions};
use botloom_runtime::{Handle, Status, SystemResolver};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, SendLimits};
use crate::error::{CommandError, CommandResult};
use crate::metrics;
use crate::telemetry::traced;

/// How long a store may take to answer `/readyz`.
const HEALTH_LIMIT: Duration = Duration::from_secs(2);
/// Upper bounds of the buckets of histograms, seconds: from a warm call of bot code to a hanging request.
const BUCKETS: [f64; 12] = [
    0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0,
];

/// The same for sizes, bytes: from a small bot's heap to the largest allowed.
const BYTES: [f64; 8] = [
    65_536.0,
    131_072.0,
    262_144.0,
    524_288.0,
    1_048_576.0,
    2_097_152.0,
    4_194_304.0,
    8_388_608.0,
];

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct Node {
    /// Whether somebody can log in.
    pub(crate) has_owner: bool,
    router: Router,
    runtime: Handle,
    roles: TaskTracker,
    sandboxes: CancellationToken,
    storage: Connected,
}

fn refused(error: &dyn Coded) -> CommandError {
    tracing::error!(?error, "cannot start");
    CommandError::Start(format!("{} ({})", error, error.code()))
}

fn broken(error: impl std::fmt::Display) -> CommandError {
    CommandError::Start(error.to_string())
}

/// Opens the embedded storage, creating or migrating it.
async fn storage(config: &Config) -> Result<(DataDir, Connected), CommandError> {
    let data_dir = DataDir::open(&config.data_dir).map_err(|error| refused(&error))?;
    let options = EmbeddedOptions {
        data_dir: data_dir.clone(),
        clock: Arc::new(SystemClock),
        lane_limits: LaneLimits::default(),
    };
    let connected = connect_embedded(options).await.map_err(|error| refused(&error))?;
    Ok((data_dir, connected))
}

/// Brings the embedded storage up to date and closes it.
pub(crate) async fn open_storage(config: &Config) -> CommandResult {
    let (_, connected) = storage(config).await?;
    connected.close().await;
    Ok(())
}

/// Starts all roles. They run until `stop`; [`Node::serve`] waits for their end.
pub(crate) async fn build(
    config: &Config,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> Result<Node, CommandError> {
    let (data_dir, storage) = storage(config).await?;
    let ports = storage.ports.clone();
    let vault = vault(config, data_dir.path())?;
    let telegram = botloom_telegram::Options {
        api_root: config.telegram_api_root.clone(),
        ..Default::default()
    };
    let telegram = botloom_telegram::Client::new(telegram).map_err(broken)?;

    // Bot code runs until the node has drained, which is after everything else was told to stop.
    let sandboxes = CancellationToken::new();
    let pool = Pool::start(pool_options(config), sandboxes.clone())
        .await
        .map_err(|error| refused(&error))?;
    let runtime = botloom_runtime::start(
        botloom_runtime::Deps {
            ports: ports.clone(),
            vault: vault.clone(),
            telegram: telegram.clone(),
            pool,
            resolver: Arc::new(SystemResolver),
        },
        runtime_options(config),
        &stop,
    );
    let api = ControlPlane::new(
        botloom_control_plane::Deps {
            ports: ports.clone(),
            sandboxes: runtime.sandboxes(),
            telegram,
            vault,
            readiness: Arc::new(NodeReadiness {
                health: storage.health.clone(),
                runtime: runtime.clone(),
            }),
            metrics_render: Arc::new({
                let metrics = metrics.clone();
                move || metrics.render()
            }),
        },
        botloom_control_plane::Options {
            public_url: config.public_url.clone(),
            console_origin: config.console_origin.clone(),
            telegram_api_root: config.telegram_api_root.clone(),
            ..Default::default()
        },
        stop.clone(),
    )
    .map_err(broken)?;
    if let Some((email, password)) = &config.owner {
        let made = api
            .ensure_owner(email, password.expose())
            .await
            .map_err(|error| refused(&error))?;
        if made {
            tracing::info!("the owner of the settings was created");
        }
    }
    let has_owner = ports.catalog.has_users().await.map_err(|error| refused(&error))?;

    let roles = TaskTracker::new();
    roles.spawn(botloom_generator::worker::run(
        (&ports).into(),
        botloom_generator::worker::Options::default(),
        stop.clone(),
    ));
    let deployer = botloom_deployer::Deps {
        ports,
        sandboxes: runtime.sandboxes(),
    };
    roles.spawn(botloom_deployer::run(
        deployer,
        botloom_deployer::Options::default(),
        stop.clone(),
    ));
    roles.spawn({
        let (api, stop) = (api.clone(), stop.clone());
        async move { api.run(stop).await }
    });
    roles.spawn(upkeep(metrics, stop));
    roles.close();
    // Webhooks have limits of their own: the API's layers must not see them.
    let router = traced(api.router()).merge(runtime.router());
    Ok(Node {
        has_owner,
        router,
        runtime,
        roles,
        sandboxes,
        storage,
    })
}

impl Node {
    /// Answers HTTP until `stop`, then lets everything end and closes the storage.
    pub(crate) async fn serve(self, listener: TcpListener, stop: CancellationToken) -> CommandResult {
        let service = self.router.into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        let serving = tokio::spawn(async move { serving.await });
        stop.cancelled().await;
        // Roles end by themselves; connections that are idle or still being read do not keep them waiting.
        tokio::join!(self.runtime.drained(), self.roles.wait());
        let ended = tokio::time::timeout(Duration::from_secs(2), serving).await;
        self.sandboxes.cancel();
        self.storage.close().await;
        match ended {
            Ok(Ok(Err(error))) => Err(broken(error)),
            Ok(Ok(Ok(())) | Err(_)) | Err(_) => Ok(()),
        }
    }
}

/// The master key of the settings, or the one in the data folder, made at the first start.
fn vault(config: &Config, data_dir: &Path) -> Result<Vault, CommandError> {
    if let Some(key) = &config.master_key {
        return Vault::from_base64(key.expose())
            .map_err(|error| broken(format!("BOTLOOM_MASTER_KEY: {error}")));
    }
    let path = data_dir.join("master.key");
    let file = |source| CommandError::File {
        path: path.clone(),
        source,
    };
    let key = match std::fs::read_to_string(&path) {
        Ok(text) => Secret::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = Vault::generate_key();
            write_private(&path, key.expose()).map_err(file)?;
            tracing::info!(path = %path.display(), "made a master key; back it up apart from the data");
            key
        }
        Err(error) => return Err(file(error)),
    };
    Vault::from_base64(key.expose()).map_err(|error| broken(format!("{}: {error}", path.display())))
}

/// Writes a file that only its owner reads, whole or not at all.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let part = path.with_extension("part");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(part, path)
}

fn pool_options(config: &Config) -> PoolOptions {
    let defaults = PoolOptions::default();
    PoolOptions {
        workers: config.sandbox.workers.unwrap_or(defaults.workers),
        budget: config.sandbox.budget,
        loaded: config.sandbox.cache,
        idle: config.sandbox.idle,
        ..defaults
    }
}

fn runtime_options(config: &Config) -> botloom_runtime::Options {
    let SendLimits {
        bot_per_s,
        bulk_per_s,
        chat_per_s,
        chat_burst,
        group_per_min,
        group_burst,
    } = config.send;
    botloom_runtime::Options {
        dev_hosts: config.dev_hosts.clone(),
        drain_within: config.drain,
        send: botloom_runtime::SendLimits {
            bot_per_s: f64::from(bot_per_s),
            bulk_per_s: f64::from(bulk_per_s),
            chat_per_s: f64::from(chat_per_s),
            chat_burst,
            group_per_min: f64::from(group_per_min),
            group_burst,
            ..Default::default()
        },
        ..Default::default()
    }
}

/// Installs the recorder of metrics. What is counted before is lost.
pub(crate) fn recorder() -> Result<PrometheusHandle, CommandError> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &BYTES))
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(broken)?;
    metrics::describe();
    Ok(recorder)
}

/// Keeps the recorder's memory bounded between scrapes.
async fn upkeep(metrics: PrometheusHandle, stop: CancellationToken) {
    while tokio::time::timeout(Duration::from_secs(5), stop.cancelled())
        .await
        .is_err()
    {
        metrics.run_upkeep();
    }
}

/// The protections of sandbox workers that this system does not offer.
fn unprotected(status: &Status) -> Option<String> {
    let missing = status.sandbox.protections.missing();
    (!missing.is_empty()).then(|| format!("This system does not offer: {}.", missing.join(", ")))
}

#[derive(Debug)]
struct NodeReadiness {
    health: Health,
    runtime: Handle,
}

#[async_trait]
impl Readiness for NodeReadiness {
    async fn dependencies(&self) -> Vec<Dependency> {
        let status = self.runtime.status();
        let stores = self.health.check(HEALTH_LIMIT).await;
        let stores = stores
            .into_iter()
            .map(|(name, state)| (name, state.err().map(|error| error.outside())));
        let sandbox = status
            .sandbox
            .workers
            .is_empty()
            .then(|| "No sandbox worker is running.".to_owned());
        let node = status.draining.then(|| "The node is shutting down.".to_owned());
        stores
            .chain([("sandbox", sandbox), ("node", node)])
            .map(|(name, failure)| Dependency {
                name: name.to_owned(),
                failure,
                note: None,
            })
            .map(|dependency| match dependency.name.as_str() {
                "sandbox" => Dependency {
                    note: unprotected(&status),
                    ..dependency
                },
                _ => dependency,
            })
            .collect()
    }

    fn live_generators(&self) -> u32 {
        u32::from(!self.runtime.status().draining)
    }
}
