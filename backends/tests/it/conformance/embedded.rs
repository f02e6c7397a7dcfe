//! Every case of every suite, on the embedded backends.

use std::sync::Arc;

use async_trait::async_trait;
use botloom_backends::{
    Database, DirArtifacts, LocalBus, LocalNodes, LocalOutcomes, SqlCatalog, SqlEventLog, SqlTasks,
    SqliteAnalytics,
};
use botloom_core::hash::RevHash;
use botloom_core::ids::BotId;
use botloom_core::ports::{ArtifactName, Artifacts};
use botloom_core::testing::conformance;
use tempfile::TempDir;

async fn database() -> (Database, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open_sqlite(&dir.path().join("control.db"))
        .await
        .unwrap();
    (db, dir)
}

async fn catalog() -> (conformance::catalog::Subject, TempDir) {
    let (db, dir) = database().await;
    (Arc::new(SqlCatalog::new(&db)), dir)
}

async fn tasks() -> (conformance::tasks::Subject, TempDir) {
    let (db, dir) = database().await;
    (Arc::new(SqlTasks::new(&db)), dir)
}

async fn event_log() -> (conformance::event_log::Subject, TempDir) {
    let (db, dir) = database().await;
    let bus = Arc::new(LocalBus::new());
    let log = Arc::new(SqlEventLog::new(&db, bus.clone()));
    (conformance::event_log::Subject { log, bus }, dir)
}

async fn analytics() -> (conformance::analytics::Subject, TempDir) {
    let (db, dir) = database().await;
    (Arc::new(SqliteAnalytics::new(&db)), dir)
}

fn bus() -> (conformance::bus::Subject, ()) {
    (Arc::new(LocalBus::new()), ())
}

fn nodes() -> (conformance::nodes::Subject, ()) {
    let bus = Arc::new(LocalBus::new());
    let nodes = Arc::new(LocalNodes::new(bus.clone()));
    (vec![conformance::nodes::Member { nodes, bus }], ())
}

fn outcomes() -> (conformance::outcomes::Subject, ()) {
    (vec![Arc::new(LocalOutcomes::new())], ())
}

#[derive(Debug)]
struct Folder {
    dir: TempDir,
}

impl Folder {
    fn open(&self) -> DirArtifacts {
        DirArtifacts::open(self.dir.path()).unwrap()
    }
}

#[async_trait]
impl conformance::artifacts::DamageableArtifacts for Folder {
    fn store(&self) -> Arc<dyn Artifacts> {
        Arc::new(self.open())
    }

    async fn overwrite(&self, bot: &BotId, rev: &RevHash, name: ArtifactName, bytes: &[u8]) {
        let path = self.open().path(bot, rev, name);
        assert!(path.exists(), "there is something to damage");
        std::fs::write(path, bytes).unwrap();
    }

    async fn crash_while_writing(&self, bot: &BotId, rev: &RevHash, name: ArtifactName, bytes: &[u8]) {
        let path = self.open().path(bot, rev, name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(self.dir.path().join("tmp").join("0"), bytes).unwrap();
    }
}

fn artifacts() -> (conformance::artifacts::Subject, ()) {
    let dir = tempfile::tempdir().unwrap();
    (Arc::new(Folder { dir }), ())
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
mod telemetry {
    botloom_core::analytics_conformance!(super::analytics().await);
}
mod local_bus {
    botloom_core::bus_conformance!(super::bus());
}
mod local_nodes {
    botloom_core::nodes_conformance!(super::nodes());
}
mod local_outcomes {
    botloom_core::outcomes_conformance!(super::outcomes());
}
mod folder {
    botloom_core::artifacts_conformance!(super::artifacts());
}
