//! Storage of a node: each port from a service where one is named, else from the data folder.

use std::sync::Arc;
use std::time::Duration;

use botloom_core::model::NodeId;
use botloom_core::ports::{
    Analytics, Artifacts, Bus, Chats, DeadLetters, EventLog, LaneLimits, Lanes, Nodes, Outbox, Outcomes,
    Ports, StoreError, StoreResult, Tasks,
};
use botloom_core::time::SharedClock;
use botloom_core::{BotId, Secret};

use crate::analytics::SqliteAnalytics;
use crate::artifacts::DirArtifacts;
use crate::bus::LocalBus;
use crate::catalog::SqlCatalog;
use crate::clickhouse::{ClickHouseAnalytics, ClickHouseOptions};
use crate::data_dir::{DataDir, DataDirError};
use crate::error::ConnectError;
use crate::event_log::SqlEventLog;
use crate::lanes::{RedisLanes, SqliteLanes};
use crate::nodes::LocalNodes;
use crate::outcomes::LocalOutcomes;
use crate::redis::{
    Homes, Primaries, RedisBus, RedisEventLog, RedisLink, RedisNodes, RedisOptions, RedisOutcomes,
    RedisTasks, refuse_moving,
};
use crate::s3::{ArtifactCache, S3Artifacts, S3Options};
use crate::sql::Database;
use crate::tasks::SqlTasks;

/// The parts of an installation that nodes can share; what is `None` is in the data folder.
#[derive(Debug, Clone, Default)]
pub struct ServiceOptions {
    /// URL of PostgreSQL: rows of the control plane and of tasks.
    pub database: Option<Secret>,
    /// URL of Redis: lanes, queues of tasks, events, hints, nodes.
    pub redis: Option<(Secret, RedisOptions)>,
    /// Bucket with the files of revisions.
    pub bucket: Option<S3Options>,
    /// Bytes of files of the bucket that stay on this node's disk.
    pub artifact_cache: u64,
    /// URL of ClickHouse: telemetry.
    pub clickhouse: Option<Secret>,
}

/// What a node's storage is made of.
#[derive(Debug, Clone)]
pub struct StorageOptions {
    /// Where the embedded parts are kept, and caches and spools of this node.
    pub data_dir: DataDir,
    /// Tells the time to embedded lanes and to everybody who gets the ports.
    pub clock: SharedClock,
    /// Numbers of the lanes.
    pub lane_limits: LaneLimits,
    /// The parts that are services.
    pub services: ServiceOptions,
}

/// Connected storage. The data folder stays locked until this is dropped.
#[derive(Debug)]
pub struct Connected {
    /// What the roles are given.
    pub ports: Ports,
    /// Says whether the stores answer.
    pub health: Health,
    telemetry: Telemetry,
    _data_dir: DataDir,
}

#[derive(Debug)]
enum Telemetry {
    /// In the database of the catalog.
    Beside,
    File(Arc<SqliteAnalytics>),
    ClickHouse(Arc<ClickHouseAnalytics>),
}

/// How long what was recorded gets to reach ClickHouse when a node ends; the rest stays in the spool.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);

impl Connected {
    /// Waits for last statements and closes what is open. Call it when the roles have ended; a process that ends
    /// without it loses nothing.
    pub async fn close(self) {
        match &self.telemetry {
            Telemetry::Beside => {}
            Telemetry::File(analytics) => analytics.close().await,
            Telemetry::ClickHouse(analytics) => {
                if let Err(error) = analytics.flush(FLUSH_WITHIN).await {
                    tracing::info!(%error, "telemetry stays in the spool until the next start");
                }
            }
        }
        self.health.db.close().await;
    }
}

/// Opens or makes every part and brings its schema up to date.
pub async fn connect(options: StorageOptions) -> Result<Connected, ConnectError> {
    let StorageOptions {
        data_dir,
        clock,
        lane_limits,
        services,
    } = options;
    let db = database(&data_dir, services.database.as_ref()).await?;
    let queues = match &services.redis {
        Some((url, redis)) => Queues::shared(url, redis.clone(), lane_limits, &db).await?,
        None => Queues::embedded(&data_dir, lane_limits, &clock, &db).await?,
    };
    let bucket = match services.bucket {
        Some(bucket) => {
            let cache = ArtifactCache::open(&data_dir.artifact_cache(), services.artifact_cache)?;
            Some(Arc::new(S3Artifacts::connect(bucket, Some(cache)).await?))
        }
        None => None,
    };
    let artifacts: Arc<dyn Artifacts> = match &bucket {
        Some(bucket) => Arc::clone(bucket) as _,
        None => Arc::new(folder(&data_dir)?),
    };
    let telemetry = telemetry(&data_dir, services.clickhouse, services.database.is_some()).await?;
    let analytics: Arc<dyn Analytics> = match &telemetry {
        Telemetry::Beside => Arc::new(SqliteAnalytics::new(&db)),
        Telemetry::File(analytics) => Arc::clone(analytics) as _,
        Telemetry::ClickHouse(analytics) => Arc::clone(analytics) as _,
    };
    let health = Health {
        db: db.clone(),
        lanes: Arc::clone(&queues.lanes),
        primaries: queues.primaries.clone(),
        bucket,
    };
    let Queues {
        lanes,
        outbox,
        dead_letters,
        chats,
        tasks,
        bus,
        nodes,
        events,
        outcomes,
        primaries: _,
    } = queues;
    let ports = Ports {
        catalog: Arc::new(SqlCatalog::new(&db)),
        artifacts,
        lanes,
        outbox,
        dead_letters,
        chats,
        tasks,
        bus,
        nodes,
        events,
        outcomes,
        analytics,
        clock,
    };
    Ok(Connected {
        ports,
        health,
        telemetry,
        _data_dir: data_dir,
    })
}

/// PostgreSQL, or the file of the data folder.
pub(crate) async fn database(data_dir: &DataDir, url: Option<&Secret>) -> Result<Database, ConnectError> {
    match url {
        Some(url) => Database::open_postgres(url).await,
        None => Database::open_sqlite(&data_dir.control_db()).await,
    }
}

/// The folder of artifacts.
pub(crate) fn folder(data_dir: &DataDir) -> Result<DirArtifacts, ConnectError> {
    DirArtifacts::open(&data_dir.artifacts()).map_err(|source| {
        DataDirError::Unusable {
            path: data_dir.path().to_owned(),
            source,
        }
        .into()
    })
}

async fn telemetry(
    data_dir: &DataDir,
    clickhouse: Option<Secret>,
    catalog_elsewhere: bool,
) -> Result<Telemetry, ConnectError> {
    Ok(match clickhouse {
        Some(url) => {
            let options = ClickHouseOptions::new(url, data_dir.spool());
            Telemetry::ClickHouse(Arc::new(ClickHouseAnalytics::open(options).await?))
        }
        None if catalog_elsewhere => {
            Telemetry::File(Arc::new(SqliteAnalytics::open(&data_dir.analytics_db()).await?))
        }
        None => Telemetry::Beside,
    })
}

/// The ports that Redis serves together.
struct Queues {
    lanes: Arc<dyn Lanes>,
    outbox: Arc<dyn Outbox>,
    dead_letters: Arc<dyn DeadLetters>,
    chats: Arc<dyn Chats>,
    tasks: Arc<dyn Tasks>,
    bus: Arc<dyn Bus>,
    nodes: Arc<dyn Nodes>,
    events: Arc<dyn EventLog>,
    outcomes: Arc<dyn Outcomes>,
    /// On a cluster.
    primaries: Option<Arc<Primaries>>,
}

impl Queues {
    async fn embedded(
        data_dir: &DataDir,
        limits: LaneLimits,
        clock: &SharedClock,
        db: &Database,
    ) -> Result<Self, ConnectError> {
        let (path, clock) = (data_dir.runtime_db(), Arc::clone(clock));
        let open = move || SqliteLanes::open(&path, limits, clock);
        let lanes = tokio::task::spawn_blocking(open)
            .await
            .map_err(StoreError::unavailable)??;
        let tasks = SqlTasks::new(db);
        tasks.end_leases().await?;
        let bus = Arc::new(LocalBus::new());
        Ok(Self {
            lanes: Arc::clone(&lanes) as _,
            outbox: Arc::clone(&lanes) as _,
            dead_letters: Arc::clone(&lanes) as _,
            chats: lanes,
            tasks: Arc::new(tasks),
            nodes: Arc::new(LocalNodes::new(Arc::clone(&bus) as _)),
            events: Arc::new(SqlEventLog::new(db, Arc::clone(&bus) as _)),
            outcomes: Arc::new(LocalOutcomes::new()),
            bus,
            primaries: None,
        })
    }

    async fn shared(
        url: &Secret,
        options: RedisOptions,
        limits: LaneLimits,
        db: &Database,
    ) -> Result<Self, ConnectError> {
        let link = RedisLink::connect(url, options).await?;
        refuse_moving(&link).await?;
        let me = NodeId::generate();
        let homes = Homes::new(me);
        let shared_bus = Arc::new(RedisBus::start(&link).await);
        let bus: Arc<dyn Bus> = Arc::clone(&shared_bus) as _;
        let lanes = RedisLanes::open(link.clone(), limits, homes.clone()).await?;
        Ok(Self {
            lanes: Arc::clone(&lanes) as _,
            outbox: Arc::clone(&lanes) as _,
            dead_letters: Arc::clone(&lanes) as _,
            chats: lanes,
            tasks: Arc::new(RedisTasks::new(&link, db, &shared_bus, me)),
            nodes: Arc::new(RedisNodes::new(&link, homes, Arc::clone(&bus))),
            events: Arc::new(RedisEventLog::new(&link, Arc::clone(&bus))),
            outcomes: Arc::new(RedisOutcomes::new(&link)),
            bus,
            primaries: link.is_cluster().then(|| Arc::new(Primaries::new(&link))),
        })
    }
}

/// Whether the stores answer, for `/readyz`. Cheap enough to be asked every second.
#[derive(Debug, Clone)]
pub struct Health {
    db: Database,
    lanes: Arc<dyn Lanes>,
    primaries: Option<Arc<Primaries>>,
    bucket: Option<Arc<S3Artifacts>>,
}

impl Health {
    /// Asks every store at once; each has `limit` to answer. Names of stores are stable. A store that answers may add a
    /// note, for people: what of it is away.
    pub async fn check(&self, limit: Duration) -> Vec<(&'static str, StoreResult<Option<String>>)> {
        let bucket = async {
            match &self.bucket {
                Some(bucket) => Some(bucket.check(limit).await),
                None => None,
            }
        };
        let (catalog, lanes, bucket) = tokio::join!(self.db.check(limit), self.check_lanes(limit), bucket);
        let whole = |answer: StoreResult<()>| answer.map(|()| None);
        let mut states = vec![("catalog", whole(catalog)), ("lanes", lanes)];
        states.extend(bucket.map(|state| ("artifacts", whole(state))));
        states
    }

    /// A node on a cluster goes on while one primary serves: taken out of service it could not even do that.
    async fn check_lanes(&self, limit: Duration) -> StoreResult<Option<String>> {
        if let Some(primaries) = &self.primaries {
            let (away, total) = primaries.away(limit).await?;
            return Ok((away > 0).then(|| {
                format!(
                    "{away} of {total} primaries of the Redis cluster do not serve; chats kept there wait."
                )
            }));
        }
        // Any question will do: one server, or the one thread of the file, answers all of them.
        let nobody = BotId::new("readiness").expect("the text has the form of a bot id");
        let answer = tokio::time::timeout(limit, self.lanes.revision(&nobody)).await;
        answer.map_err(StoreError::unavailable)?.map(|_| None)
    }
}
