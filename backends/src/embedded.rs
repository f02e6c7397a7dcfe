//! Everything of an installation that is one process: ports over one data folder.

use std::sync::Arc;
use std::time::Duration;

use botloom_core::BotId;
use botloom_core::ports::{LaneLimits, Lanes, Ports, StoreError, StoreResult};
use botloom_core::time::SharedClock;

use crate::analytics::SqliteAnalytics;
use crate::artifacts::DirArtifacts;
use crate::bus::LocalBus;
use crate::catalog::SqlCatalog;
use crate::data_dir::{DataDir, DataDirError};
use crate::error::ConnectError;
use crate::event_log::SqlEventLog;
use crate::lanes::SqliteLanes;
use crate::nodes::LocalNodes;
use crate::sql::Database;
use crate::tasks::SqlTasks;

/// What the embedded backends are made of.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Where everything is kept.
    pub data_dir: DataDir,
    /// Tells the time to the lanes and to everybody who gets the ports.
    pub clock: SharedClock,
    /// Numbers of the lanes.
    pub lane_limits: LaneLimits,
}

/// Connected backends. The data folder stays locked until this is dropped.
#[derive(Debug)]
pub struct Connected {
    /// What the roles are given.
    pub ports: Ports,
    /// Says whether the stores answer.
    pub health: Health,
    db: Database,
    _data_dir: DataDir,
}

impl Connected {
    /// Waits for the control plane's last statements and closes its database, so that the next start has no log to
    /// read. Call it when the roles have ended; a process that ends without it loses nothing.
    pub async fn close(self) {
        self.db.close().await;
    }
}

/// Opens or makes the files of a data folder and brings their schemas up to date.
pub async fn connect_embedded(options: EmbeddedOptions) -> Result<Connected, ConnectError> {
    let EmbeddedOptions {
        data_dir,
        clock,
        lane_limits,
    } = options;
    let db = Database::open_sqlite(&data_dir.control_db()).await?;
    let (lanes, artifacts) = {
        let (data_dir, clock) = (data_dir.clone(), Arc::clone(&clock));
        let open = move || open_files(&data_dir, lane_limits, clock);
        tokio::task::spawn_blocking(open)
            .await
            .map_err(StoreError::unavailable)??
    };
    let tasks = SqlTasks::new(&db);
    tasks.end_leases().await?;
    let bus = Arc::new(LocalBus::new());
    let ports = Ports {
        catalog: Arc::new(SqlCatalog::new(&db)),
        artifacts: Arc::new(artifacts),
        lanes: Arc::clone(&lanes) as _,
        outbox: Arc::clone(&lanes) as _,
        dead_letters: lanes,
        tasks: Arc::new(tasks),
        nodes: Arc::new(LocalNodes::new(Arc::clone(&bus) as _)),
        events: Arc::new(SqlEventLog::new(&db, Arc::clone(&bus) as _)),
        bus,
        analytics: Arc::new(SqliteAnalytics::new(&db)),
        clock,
    };
    let health = Health {
        db: db.clone(),
        lanes: Arc::clone(&ports.lanes),
    };
    Ok(Connected {
        ports,
        health,
        db,
        _data_dir: data_dir,
    })
}

/// What blocks while it opens.
fn open_files(
    data_dir: &DataDir,
    limits: LaneLimits,
    clock: SharedClock,
) -> Result<(Arc<SqliteLanes>, DirArtifacts), ConnectError> {
    let lanes = SqliteLanes::open(&data_dir.runtime_db(), limits, clock)?;
    let artifacts = DirArtifacts::open(&data_dir.artifacts()).map_err(|source| DataDirError::Unusable {
        path: data_dir.path().to_owned(),
        source,
    })?;
    Ok((lanes, artifacts))
}

/// Whether the stores answer, for `/readyz`. Cheap enough to be asked every second.
#[derive(Debug, Clone)]
pub struct Health {
    db: Database,
    lanes: Arc<dyn Lanes>,
}

impl Health {
    /// Asks every store at once; each has `limit` to answer. Names of stores are stable.
    pub async fn check(&self, limit: Duration) -> [(&'static str, StoreResult<()>); 2] {
        let (catalog, lanes) = tokio::join!(self.db.check(limit), self.check_lanes(limit));
        [("catalog", catalog), ("lanes", lanes)]
    }

    /// Any question goes through the one thread that answers all of them.
    async fn check_lanes(&self, limit: Duration) -> StoreResult<()> {
        let nobody = BotId::new("readiness").expect("the text has the form of a bot id");
        let answer = tokio::time::timeout(limit, self.lanes.revision(&nobody)).await;
        answer.map_err(StoreError::unavailable)?.map(drop)
    }
}
