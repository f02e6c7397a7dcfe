//! The composition root: the only file that names a backend. Joins settings, storage, roles and HTTP into one node.
//!
//! Longer than most files: nothing else may name a backend.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use botloom_backends::{
    Connected, DataDir, DedupeMode, Health, Homes, RedisLanes, RedisLink, RedisOptions, S3Credentials,
    S3Options, ServiceOptions, SetSpread, StorageOptions, TransferReport, connect,
};
use botloom_control_plane::{ControlPlane, Dependency, Readiness, Watch};
use botloom_core::model::{NodeBeat, NodeId};
use botloom_core::ports::{BEAT_EVERY, LaneLimits, Nodes, Ports, Sandboxes, Simulations};
use botloom_core::time::SystemClock;
use botloom_core::vault::Vault;
use botloom_core::{BotId, Coded, Secret};
use botloom_runtime::sandbox::{Pool, PoolOptions};
use botloom_runtime::{Handle, Status, SystemResolver};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::SideArg;
use crate::config::{Bucket, Config, Dedupe, SendLimits, Services};
use crate::error::{CommandError, CommandResult};
use crate::proxies::{Callers, TrustedProxies};
use crate::telemetry::traced;
use crate::{listener, master_key, metrics};

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
    proxies: TrustedProxies,
    runtime: Option<Runtime>,
    api: Option<ControlPlane>,
    roles: TaskTracker,
    storage: Connected,
}

/// The part that runs bots.
#[derive(Debug)]
struct Runtime {
    handle: Handle,
    /// Ends the sandboxes, which must outlive the drain.
    sandboxes: CancellationToken,
}

pub(crate) fn refused(error: &dyn Coded) -> CommandError {
    tracing::error!(?error, "cannot start");
    CommandError::Start(format!("{} ({})", error, error.code()))
}

pub(crate) fn broken(error: impl std::fmt::Display) -> CommandError {
    CommandError::Start(error.to_string())
}

fn storage_options(config: &Config) -> Result<StorageOptions, CommandError> {
    let services = &config.services;
    Ok(StorageOptions {
        data_dir: DataDir::open(&config.data_dir).map_err(|error| refused(&error))?,
        clock: Arc::new(SystemClock),
        lane_limits: LaneLimits::default(),
        services: ServiceOptions {
            database: services.database.clone(),
            redis: services.redis.clone().map(|url| (url, redis_options(services))),
            bucket: services.bucket.as_ref().map(s3_options),
            artifact_cache: config.artifact_cache,
            clickhouse: services.clickhouse.clone(),
        },
    })
}

/// The storage, brought up to date, for an operator's command.
pub(crate) async fn open_storage(config: &Config) -> Result<Connected, CommandError> {
    let opened = connect(storage_options(config)?).await;
    opened.map_err(|error| refused(&error))
}

/// The queues in Redis, for an operator's command. Nothing is claimed through them.
pub(crate) async fn redis_lanes(config: &Config) -> Result<Arc<RedisLanes>, CommandError> {
    let Some(url) = &config.services.redis else {
        return Err(CommandError::Other(
            "REDIS_URL is not set: the queues are in the data folder".to_owned(),
        ));
    };
    let link = RedisLink::connect(url, redis_options(&config.services))
        .await
        .map_err(|error| refused(&error))?;
    RedisLanes::open(link, LaneLimits::default(), Homes::new(NodeId::generate()))
        .await
        .map_err(|error| refused(&error))
}

/// Spreads a bot over shards; `false`: something of it waits.
pub(crate) async fn spread(lanes: &RedisLanes, bot: &BotId, shards: u16) -> Result<bool, CommandError> {
    let done = lanes
        .set_spread(bot, shards)
        .await
        .map_err(|error| refused(&error))?;
    Ok(done == SetSpread::Set)
}

/// Copies an installation between the data folder and the services of the settings.
pub(crate) async fn move_storage(config: &Config, to: SideArg) -> Result<TransferReport, CommandError> {
    let services = storage_options(config)?;
    master_key::carry(config, services.data_dir.path())?;
    let embedded = StorageOptions {
        services: ServiceOptions::default(),
        ..services.clone()
    };
    let (from, to) = match to {
        SideArg::Services => (embedded, services),
        SideArg::Embedded => (services, embedded),
    };
    botloom_backends::transfer(from, to).await.map_err(broken)
}

/// Starts the roles of this node. They run until `stop`; [`Node::serve`] waits for their end.
pub(crate) async fn build(
    config: &Config,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> Result<Node, CommandError> {
    let options = storage_options(config)?;
    let data_dir = options.data_dir.clone();
    let storage = connect(options).await.map_err(|error| refused(&error))?;
    let ports = storage.ports.clone();
    let vault = master_key::vault(config, data_dir.path())?;
    let telegram = botloom_telegram::Options {
        api_root: config.telegram_api_root.clone(),
        ..Default::default()
    };
    let telegram = botloom_telegram::Client::new(telegram).map_err(broken)?;
    let runtime = if config.roles.runtime {
        Some(start_runtime(config, &ports, &vault, &telegram, &stop).await?)
    } else {
        None
    };
    let handle = runtime.as_ref().map(|runtime| &runtime.handle);
    let sandboxes = match handle {
        Some(handle) if config.services.redis.is_none() => handle.sandboxes(),
        _ => botloom_runtime::cluster_sandboxes(Arc::clone(&ports.nodes), Arc::clone(&ports.bus)),
    };
    let watch = Watch {
        readiness: Arc::new(NodeReadiness {
            health: storage.health.clone(),
            shared: config.services.any(),
            runtime: handle.cloned(),
            nodes: Arc::clone(&ports.nodes),
        }),
        metrics_render: Arc::new({
            let metrics = metrics.clone();
            move || metrics.render()
        }),
    };

    let roles = TaskTracker::new();
    let api = if config.roles.control_plane {
        let api = control_plane(
            config,
            &ports,
            (Arc::clone(&sandboxes), handle.map(Handle::simulations)),
            telegram,
            vault,
            watch.clone(),
            &stop,
        )
        .await?;
        roles.spawn({
            let (api, stop) = (api.clone(), stop.clone());
            async move { api.run(stop).await }
        });
        Some(api)
    } else {
        None
    };
    let mut router = match &api {
        Some(api) => traced(api.router()),
        None => botloom_control_plane::watched(watch),
    };
    if let Some(handle) = handle {
        // Webhooks have limits of their own: the API's layers must not see them.
        router = router.merge(handle.router());
    } else {
        roles.spawn(beat(
            Arc::clone(&ports.nodes),
            config.roles.generator,
            stop.clone(),
        ));
    }
    if config.roles.generator {
        roles.spawn(botloom_generator::worker::run(
            (&ports).into(),
            botloom_generator::worker::Options::default(),
            stop.clone(),
        ));
    }
    let has_owner = ports.catalog.has_users().await.map_err(|error| refused(&error))?;
    if config.roles.deployer {
        roles.spawn(botloom_deployer::run(
            botloom_deployer::Deps { ports, sandboxes },
            botloom_deployer::Options {
                auto_rollback: config.auto_rollback,
                ..Default::default()
            },
            stop.clone(),
        ));
    }
    roles.spawn(upkeep(metrics, stop));
    roles.close();
    Ok(Node {
        has_owner,
        router,
        proxies: config.trusted_proxies.clone(),
        runtime,
        api,
        roles,
        storage,
    })
}

async fn start_runtime(
    config: &Config,
    ports: &Ports,
    vault: &Vault,
    telegram: &botloom_telegram::Client,
    stop: &CancellationToken,
) -> Result<Runtime, CommandError> {
    // Bot code runs until the node has drained, which is after everything else was told to stop.
    let sandboxes = CancellationToken::new();
    let pool = Pool::start(pool_options(config), sandboxes.clone())
        .await
        .map_err(|error| refused(&error))?;
    let handle = botloom_runtime::start(
        botloom_runtime::Deps {
            ports: ports.clone(),
            vault: vault.clone(),
            telegram: telegram.clone(),
            pool,
            resolver: Arc::new(SystemResolver),
        },
        runtime_options(config),
        stop,
    );
    Ok(Runtime { handle, sandboxes })
}

async fn control_plane(
    config: &Config,
    ports: &Ports,
    (sandboxes, simulations): (Arc<dyn Sandboxes>, Option<Arc<dyn Simulations>>),
    telegram: botloom_telegram::Client,
    vault: Vault,
    watch: Watch,
    stop: &CancellationToken,
) -> Result<ControlPlane, CommandError> {
    let api = ControlPlane::new(
        botloom_control_plane::Deps {
            ports: ports.clone(),
            sandboxes,
            simulations,
            telegram,
            vault,
            watch,
        },
        botloom_control_plane::Options {
            public_url: config.public_url.clone(),
            console_origin: config.console_origin.clone(),
            oidc: config.oidc.clone(),
            password_login: config.password_login,
            telegram_api_root: config.telegram_api_root.clone(),
            manager_bot: config.manager_bot.clone(),
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
    Ok(api)
}

fn told(nodes: &dyn Nodes, generates: bool, runs_bots: bool) -> NodeBeat {
    NodeBeat {
        node: nodes.me(),
        runs_bots,
        generates,
        free_turns: 0,
        turns: 0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Says that a node without the runtime lives; one with it says so itself.
async fn beat(nodes: Arc<dyn Nodes>, generates: bool, stop: CancellationToken) {
    let beat = told(&*nodes, generates, false);
    loop {
        if let Err(error) = nodes.beat(&beat).await {
            tracing::warn!(%error, "this node could not say that it lives");
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(BEAT_EVERY) => {}
        }
    }
    // Who cannot say it is forgotten a moment later.
    nodes.leave().await.ok();
}

impl Node {
    /// The API, where the node has one.
    pub(crate) fn api(&self) -> Option<ControlPlane> {
        self.api.clone()
    }

    /// Answers HTTP until `stop`, then lets everything end and closes the storage.
    pub(crate) async fn serve(self, listener: TcpListener, stop: CancellationToken) -> CommandResult {
        let callers = Callers::new(self.proxies);
        let serving = tokio::spawn(listener::serve(listener, self.router, callers, stop.clone()));
        stop.cancelled().await;
        // Roles end by themselves; connections that are idle or still being read do not keep them waiting.
        let drained = async {
            if let Some(runtime) = &self.runtime {
                runtime.handle.drained().await;
            }
        };
        tokio::join!(drained, self.roles.wait());
        let ended = tokio::time::timeout(Duration::from_secs(2), serving).await;
        // Requests that were still being answered may have begun something.
        if let Some(api) = &self.api {
            api.settled().await;
        }
        if let Some(runtime) = &self.runtime {
            runtime.sandboxes.cancel();
        }
        self.storage.close().await;
        match ended {
            Ok(Err(error)) => Err(broken(error)),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }
}

fn redis_options(services: &Services) -> RedisOptions {
    RedisOptions {
        allow_volatile: services.redis_allow_volatile,
        dedupe: match services.redis_dedupe {
            Dedupe::Keys => DedupeMode::Keys,
            Dedupe::Bitmap => DedupeMode::Bitmap,
        },
        ..RedisOptions::default()
    }
}

fn s3_options(bucket: &Bucket) -> S3Options {
    S3Options {
        bucket: bucket.name.clone(),
        prefix: String::new(),
        endpoint: bucket.endpoint.clone(),
        region: bucket.region.clone(),
        credentials: S3Credentials {
            access_key_id: Secret::new(&*bucket.access_key_id),
            secret_access_key: bucket.secret_access_key.clone(),
            session_token: bucket.session_token.clone(),
        },
    }
}

fn pool_options(config: &Config) -> PoolOptions {
    let defaults = PoolOptions::with_budget(config.sandbox.budget);
    PoolOptions {
        workers: config.sandbox.workers.unwrap_or(defaults.workers),
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
        generates: config.roles.generator,
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
    /// Whether parts of the storage are services.
    shared: bool,
    runtime: Option<Handle>,
    nodes: Arc<dyn Nodes>,
}

impl NodeReadiness {
    /// Whether the node cannot do its work without this store. Bots that run go on without a database or a bucket; a
    /// node that said otherwise would be taken out of service, and they with it.
    fn needs(&self, store: &str) -> bool {
        !(self.shared && self.runtime.is_some() && store != "lanes")
    }
}

#[async_trait]
impl Readiness for NodeReadiness {
    async fn dependencies(&self) -> Vec<Dependency> {
        let mut dependencies = Vec::new();
        for (name, state) in self.health.check(HEALTH_LIMIT).await {
            let (failure, note) = match state {
                Ok(note) => (None, note),
                Err(error) if self.needs(name) => (Some(error.outside()), None),
                Err(error) => (None, Some(error.outside())),
            };
            dependencies.push(Dependency {
                name: name.to_owned(),
                failure,
                note,
            });
        }
        if let Some(runtime) = &self.runtime {
            let status = runtime.status();
            let idle = status.sandbox.workers.is_empty();
            dependencies.push(Dependency {
                name: "sandbox".to_owned(),
                failure: idle.then(|| "No sandbox worker is running.".to_owned()),
                note: unprotected(&status),
            });
            dependencies.push(Dependency {
                name: "node".to_owned(),
                failure: status.draining.then(|| "The node is shutting down.".to_owned()),
                note: None,
            });
        }
        dependencies
    }

    async fn live_generators(&self) -> u32 {
        // Who cannot be asked may well be there: the task waits for them.
        let count = |beats: Vec<NodeBeat>| beats.iter().filter(|beat| beat.generates).count();
        let live = self.nodes.live().await.map_or(1, count);
        u32::try_from(live).unwrap_or(u32::MAX)
    }
}
