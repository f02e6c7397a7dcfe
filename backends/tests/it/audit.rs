//! The audit log can be added to and nothing else, also past this program.

use std::sync::Arc;

use botloom_backends::{Database, SqlCatalog};
use botloom_core::TimestampMs;
use botloom_core::ids::{AuditId, ProjectId};
use botloom_core::model::{AuditActor, AuditEntry};
use botloom_core::ports::{Audit as _, AuditQuery, Catalog, PageRequest};

use crate::support::postgres::TestDatabase;

const CHANGES: [&str; 3] = [
    "UPDATE audit_log SET verb = 'bot.renamed'",
    "UPDATE audit_log SET project_id = NULL WHERE verb = 'bot.deleted'",
    "DELETE FROM audit_log",
];

/// A catalog whose log has one entry, and what asks for it.
async fn noted(db: &Database) -> (Arc<dyn Catalog>, AuditQuery, AuditEntry) {
    let catalog = SqlCatalog::new(db);
    let project = ProjectId::generate();
    let entry = AuditEntry {
        id: AuditId::generate(),
        at: TimestampMs(1_795_200_000_000),
        actor: AuditActor::System,
        verb: "bot.deleted".into(),
        object_kind: "bot".into(),
        object_id: "a-bot".to_owned(),
        project: Some(project),
        address: None,
        request: None,
        before: None,
        after: None,
    };
    catalog.record(&entry).await.unwrap();
    let query = AuditQuery {
        projects: vec![project],
        ..AuditQuery::default()
    };
    (Arc::new(catalog), query, entry)
}

#[tokio::test]
async fn sqlite_refuses_to_change_what_was_noted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    let db = Database::open_sqlite(&path).await.unwrap();
    let (catalog, query, entry) = noted(&db).await;
    let file = rusqlite::Connection::open(&path).unwrap();
    for change in CHANGES {
        let refused = file.execute(change, []).unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{change}: {refused}");
    }
    let kept = catalog.audit(&query, &PageRequest::default()).await.unwrap();
    assert_eq!(kept.items, [entry]);
}

#[tokio::test]
async fn postgres_refuses_to_change_what_was_noted() {
    let database = TestDatabase::create().await;
    let db = database.open().await;
    let (catalog, query, entry) = noted(&db).await;
    let mut connection = database.connect().await;
    for change in CHANGES.into_iter().chain(["TRUNCATE audit_log"]) {
        let refused = sqlx::query(sqlx::AssertSqlSafe(change))
            .execute(&mut connection)
            .await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{change}: {refused}");
    }
    let kept = catalog.audit(&query, &PageRequest::default()).await.unwrap();
    assert_eq!(kept.items, [entry]);
}
