//! Opening one side of a move: the same parts as a node's, but nobody else may use them.

use std::sync::Arc;

use botloom_core::TimestampMs;
use botloom_core::model::NodeId;
use botloom_core::ports::{Artifacts, Bus, Nodes as _, StoreError};

use super::{AnalyticsTransfer, EventTransfer, LaneTransfer, TransferError};
use crate::analytics::SqliteAnalytics;
use crate::bus::LocalBus;
use crate::clickhouse::{ClickHouseAnalytics, ClickHouseOptions};
use crate::connect::{StorageOptions, database, folder};
use crate::error::ConnectError;
use crate::event_log::SqlEventLog;
use crate::lanes::{RedisLanes, SqliteLaneFile};
use crate::redis::{Homes, RedisEventLog, RedisLink, RedisNodes};
use crate::s3::S3Artifacts;
use crate::sql::Database;

/// One set of stores.
pub(super) struct Side {
    pub(super) db: Database,
    pub(super) artifacts: Arc<dyn Artifacts>,
    pub(super) lanes: Arc<dyn LaneTransfer>,
    pub(super) events: Arc<dyn EventTransfer>,
    pub(super) analytics: Arc<dyn AnalyticsTransfer>,
}

impl Side {
    pub(super) async fn open(options: StorageOptions, now: TimestampMs) -> Result<Self, TransferError> {
        let StorageOptions {
            data_dir,
            lane_limits,
            services,
            ..
        } = options;
        let db = database(&data_dir, services.database.as_ref()).await?;
        // Nobody hears the hints of a move.
        let bus: Arc<dyn Bus> = Arc::new(LocalBus::new());
        let (lanes, events): (Arc<dyn LaneTransfer>, Arc<dyn EventTransfer>) =
            if let Some((url, redis)) = services.redis {
                let link = RedisLink::connect(&url, redis).await?;
                let homes = Homes::new(NodeId::generate());
                let nodes = RedisNodes::new(&link, homes.clone(), Arc::clone(&bus));
                if !nodes.live().await?.is_empty() {
                    return Err(TransferError::InUse);
                }
                let lanes = RedisLanes::at_rest(link.clone(), lane_limits, homes).await?;
                (lanes, Arc::new(RedisEventLog::new(&link, bus)))
            } else {
                let path = data_dir.runtime_db();
                let open = move || SqliteLaneFile::open(&path, now);
                let file = tokio::task::spawn_blocking(open)
                    .await
                    .map_err(StoreError::unavailable)??;
                (Arc::new(file), Arc::new(SqlEventLog::new(&db, bus)))
            };
        let artifacts: Arc<dyn Artifacts> = match services.bucket {
            // Without a cache: what is compared must be what the bucket holds.
            Some(bucket) => Arc::new(
                S3Artifacts::connect(bucket, None)
                    .await
                    .map_err(ConnectError::from)?,
            ),
            None => Arc::new(folder(&data_dir)?),
        };
        let analytics: Arc<dyn AnalyticsTransfer> = match services.clickhouse {
            Some(url) => {
                let options = ClickHouseOptions::new(url, data_dir.spool());
                Arc::new(ClickHouseAnalytics::open(options).await?)
            }
            None if services.database.is_some() => {
                Arc::new(SqliteAnalytics::open(&data_dir.analytics_db()).await?)
            }
            None => Arc::new(SqliteAnalytics::new(&db)),
        };
        Ok(Self {
            db,
            artifacts,
            lanes,
            events,
            analytics,
        })
    }
}
