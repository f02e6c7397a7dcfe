//! Telemetry: the named queries, written once for every engine that answers them, and telemetry in SQLite.

mod named;
mod sqlite;

pub(crate) use named::{Dialect, statement};
pub use sqlite::SqliteAnalytics;
