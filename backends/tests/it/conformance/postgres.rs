//! The suites of what is kept in SQL, on PostgreSQL.

use std::sync::Arc;

use botloom_backends::{LocalBus, SqlCatalog, SqlEventLog, SqlTasks};
use botloom_core::testing::conformance;

use crate::support::postgres::TestDatabase;

async fn catalog() -> (conformance::catalog::Subject, TestDatabase) {
    let database = TestDatabase::create().await;
    (Arc::new(SqlCatalog::new(&database.open().await)), database)
}

async fn tasks() -> (conformance::tasks::Subject, TestDatabase) {
    let database = TestDatabase::create().await;
    (Arc::new(SqlTasks::new(&database.open().await)), database)
}

async fn event_log() -> (conformance::event_log::Subject, TestDatabase) {
    let database = TestDatabase::create().await;
    let bus = Arc::new(LocalBus::new());
    let log = Arc::new(SqlEventLog::new(&database.open().await, bus.clone()));
    (conformance::event_log::Subject { log, bus }, database)
}

mod accounts {
    botloom_core::accounts_conformance!(super::catalog().await);
}
mod projects {
    botloom_core::projects_conformance!(super::catalog().await);
}
mod members {
    botloom_core::members_conformance!(super::catalog().await);
}
mod identities {
    botloom_core::identities_conformance!(super::catalog().await);
}
mod tokens {
    botloom_core::tokens_conformance!(super::catalog().await);
}
mod audit {
    botloom_core::audit_conformance!(super::catalog().await);
}
mod bots {
    botloom_core::bots_conformance!(super::catalog().await);
}
mod webhooks {
    botloom_core::webhooks_conformance!(super::catalog().await);
}
mod webhook_pace {
    botloom_core::webhook_pace_conformance!(super::catalog().await);
}

mod webhook_survey {
    botloom_core::webhook_survey_conformance!(super::catalog().await);
}
mod profiles {
    botloom_core::profiles_conformance!(super::catalog().await);
}
mod managed_bots {
    botloom_core::managed_bots_conformance!(super::catalog().await);
}
mod versions {
    botloom_core::versions_conformance!(super::catalog().await);
}
mod revisions {
    botloom_core::revisions_conformance!(super::catalog().await);
}
mod deployments {
    botloom_core::deployments_conformance!(super::catalog().await);
}
mod idempotency {
    botloom_core::idempotency_conformance!(super::catalog().await);
}
mod task_queues {
    botloom_core::tasks_conformance!(super::tasks().await);
}
mod events {
    botloom_core::event_log_conformance!(super::event_log().await);
}
