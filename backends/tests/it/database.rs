//! Opening, durability, and what failures look like from outside.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use botloom_backends::{ConnectError, Database, SqlCatalog, newest_schema};
use botloom_core::ids::{BotId, ProjectId, UserId};
use botloom_core::model::{Project, User};
use botloom_core::ports::{Accounts as _, Bots as _, NewBot, StoreError, Versions as _};
use botloom_core::{Coded as _, TimestampMs};

fn owner() -> (User, Project) {
    let user = User {
        id: UserId::generate(),
        email: "owner@example.org".to_owned(),
        password_hash: Some("hash".to_owned()),
        created_at: TimestampMs(1),
    };
    let project = Project {
        id: ProjectId::generate(),
        name: "default".to_owned(),
        created_at: TimestampMs(1),
    };
    (user, project)
}

/// Runs statements past all ports.
fn by_hand(path: &Path, sql: &str) {
    rusqlite::Connection::open(path)
        .unwrap()
        .execute_batch(sql)
        .unwrap();
}

#[tokio::test]
async fn rows_survive_closing_and_opening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    let (user, project) = owner();
    let db = Database::open_sqlite(&path).await.unwrap();
    assert!(
        SqlCatalog::new(&db)
            .create_first_owner(&user, &project)
            .await
            .unwrap()
    );
    db.close().await;
    let db = Database::open_sqlite(&path).await.unwrap();
    let catalog = SqlCatalog::new(&db);
    assert_eq!(catalog.user(user.id).await.unwrap(), Some(user));
    let (second, other) = owner();
    assert!(!catalog.create_first_owner(&second, &other).await.unwrap());
}

#[tokio::test]
async fn an_odd_path_is_a_path() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("a b?c#d%20é");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("control.db");
    Database::open_sqlite(&path).await.unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() > 0);
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing beside it"
    );
}

#[tokio::test]
async fn files_are_readable_for_their_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let _db = Database::open_sqlite(&dir.path().join("control.db"))
        .await
        .unwrap();
    let mut names = Vec::new();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
        names.push(file.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["control.db", "control.db-shm", "control.db-wal"]);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    Database::open_sqlite(&path).await.unwrap().close().await;
    let newer = newest_schema() + 1;
    by_hand(
        &path,
        &format!(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES ({newer}, 'of tomorrow', 1, x'00', 1)"
        ),
    );
    let error = Database::open_sqlite(&path).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::SchemaTooNew { found, newest } if found == newer && newest == newest_schema()),
        "{error:?}"
    );
    assert_eq!(error.code(), "schema-too-new");
    by_hand(
        &path,
        &format!("DELETE FROM _sqlx_migrations WHERE version = {newer}"),
    );
    Database::open_sqlite(&path).await.unwrap();
}

#[tokio::test]
async fn another_builds_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    Database::open_sqlite(&path).await.unwrap().close().await;
    by_hand(
        &path,
        "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1",
    );
    let error = Database::open_sqlite(&path).await.unwrap_err();
    assert!(matches!(error, ConnectError::SchemaChanged(1)), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    let mine = "these are my notes, not a database\n".repeat(100);
    std::fs::write(&path, &mine).unwrap();
    let error = Database::open_sqlite(&path).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::Store(StoreError::Corrupt(_))),
        "{error:?}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), mine);
}

#[tokio::test]
async fn what_cannot_be_read_is_corrupt_and_says_nothing_outside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    let db = Database::open_sqlite(&path).await.unwrap();
    let catalog = SqlCatalog::new(&db);
    let (user, project) = owner();
    catalog.create_first_owner(&user, &project).await.unwrap();
    let id = BotId::new("a-bot").unwrap();
    let bot = NewBot {
        id: id.clone(),
        project: project.id,
        name: "A bot".to_owned(),
        created_at: TimestampMs(1),
    };
    catalog.create_bot(&bot).await.unwrap();
    for damage in [
        "UPDATE bots SET ingress = 'pigeon'",
        "UPDATE bots SET ingress = NULL, epoch = -1",
        "UPDATE bots SET epoch = 0, active_rev = 'abc'",
        "UPDATE bots SET active_rev = NULL, project_id = x'00'",
    ] {
        by_hand(&path, &format!("PRAGMA foreign_keys = OFF; {damage}"));
        let error = catalog.bot(&id).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{damage}: {error:?}");
        assert_eq!(error.outside(), "Something went wrong on our side.");
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_unavailable_and_says_nothing_outside() {
    let dir = tempfile::tempdir().unwrap();
    let db = Database::open_sqlite(&dir.path().join("control.db"))
        .await
        .unwrap();
    let catalog = SqlCatalog::new(&db);
    db.check(Duration::from_secs(5)).await.unwrap();
    db.close().await;
    let answers = [
        catalog.has_users().await.map(drop),
        catalog
            .latest_version(&BotId::new("a-bot").unwrap())
            .await
            .map(drop),
        catalog.rename_bot(&BotId::new("a-bot").unwrap(), "x").await,
        db.check(Duration::from_secs(5)).await,
    ];
    for answer in answers {
        let error = answer.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert_eq!(
            error.outside(),
            "A part of the service is unavailable; try again."
        );
    }
}

#[tokio::test]
async fn a_write_waits_for_another_connection_instead_of_failing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.db");
    let db = Database::open_sqlite(&path).await.unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (user, project) = owner();
    let write = tokio::spawn({
        let catalog = SqlCatalog::new(&db);
        async move { catalog.create_first_owner(&user, &project).await }
    });
    // Readers do not wait for the writer.
    assert!(!SqlCatalog::new(&db).has_users().await.unwrap());
    other.execute_batch("COMMIT").unwrap();
    assert!(write.await.unwrap().unwrap());
}
