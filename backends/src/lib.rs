//! Every port twice: embedded and services; the only crate that knows the databases.

mod analytics;
mod artifacts;
mod bus;
mod catalog;
mod data_dir;
mod embedded;
mod error;
mod event_log;
mod lanes;
mod nodes;
mod redis;
mod sql;
mod tasks;

pub use analytics::SqliteAnalytics;
pub use artifacts::DirArtifacts;
pub use bus::LocalBus;
pub use catalog::SqlCatalog;
pub use data_dir::{DataDir, DataDirError};
pub use embedded::{Connected, EmbeddedOptions, Health, connect_embedded};
pub use error::ConnectError;
pub use event_log::SqlEventLog;
pub use lanes::{
    MemoryDriver, ModelLanes, RedisLanes, SetSpread, SqliteDriver, SqliteLanes, SqliteTuning, Store,
};
pub use nodes::LocalNodes;
pub use redis::{
    DedupeMode, Homes, RedisBus, RedisConnectError, RedisEventLog, RedisLink, RedisNodes, RedisOptions,
    RedisTasks,
};
pub use sql::{Database, newest_schema};
pub use tasks::SqlTasks;
