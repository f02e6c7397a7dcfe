//! The backends against the contracts of their ports, and what is special about each.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, also in its helpers, a panic is the report"
)]

mod artifacts;
mod audit;
mod clickhouse;
mod conformance;
mod data_dir;
mod database;
mod embedded;
mod lanes;
mod newer;
mod postgres;
mod proxy;
mod readiness;
mod redis_bus;
mod redis_events;
mod redis_tasks;
mod s3;
mod schema_parity;
mod settings;
mod support;
mod telemetry;
mod transfer;
