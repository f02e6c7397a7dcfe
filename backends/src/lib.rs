//! Every port twice: embedded and services; the only crate that knows the databases.

mod analytics;
mod artifacts;
mod bus;
mod catalog;
mod clickhouse;
mod connect;
mod data_dir;
mod embedded;
mod error;
mod event_log;
mod failures;
mod lanes;
mod nodes;
mod outcomes;
mod redis;
mod s3;
mod spool;
mod sql;
mod tasks;
mod transfer;

pub use self::clickhouse::{ClickHouseAnalytics, ClickHouseError, ClickHouseOptions};
pub use analytics::SqliteAnalytics;
pub use artifacts::DirArtifacts;
pub use bus::LocalBus;
pub use catalog::SqlCatalog;
pub use connect::{Connected, Health, ServiceOptions, StorageOptions, connect};
pub use data_dir::{DataDir, DataDirError};
pub use embedded::{EmbeddedOptions, connect_embedded};
pub use error::ConnectError;
pub use event_log::SqlEventLog;
pub use lanes::{
    MemoryDriver, ModelLanes, RedisLanes, SetSpread, SqliteDriver, SqliteLanes, SqliteTuning, Store,
};
pub use nodes::LocalNodes;
pub use outcomes::LocalOutcomes;
pub use redis::{
    DedupeMode, Homes, RedisBus, RedisConnectError, RedisEventLog, RedisLink, RedisNodes, RedisOptions,
    RedisOutcomes, RedisTasks,
};
pub use s3::{ArtifactCache, S3Artifacts, S3Credentials, S3Error, S3Options};
pub use sql::{Database, newest_schema};
pub use tasks::SqlTasks;
pub use transfer::{Tallies, Tally, TransferError, TransferReport, transfer};
