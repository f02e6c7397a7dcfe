//! PostgreSQL: opening by many at once, refusals, and a server that stops, stalls and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use botloom_backends::{ConnectError, Database, SqlCatalog, newest_schema};
use botloom_core::ids::{BotId, ProjectId, UserId};
use botloom_core::model::{Project, User};
use botloom_core::ports::{Accounts as _, Bots as _, NewBot, PageRequest, StoreError};
use botloom_core::{Coded as _, Secret, TimestampMs};
use sqlx::PgConnection;
use url::Url;

use crate::support::postgres::TestDatabase;
use crate::support::proxy::Proxy;
use crate::support::{PATIENCE, eventually};

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

fn bot(project: ProjectId, name: &str) -> NewBot {
    NewBot {
        id: BotId::new(name).unwrap(),
        project,
        name: "A bot".to_owned(),
        created_at: TimestampMs(1),
    }
}

/// Whether nothing that is printed of an error holds the text.
fn keeps_to_itself(error: &ConnectError, secret: &str) -> bool {
    let mut all = format!("{error:?} {error} {}", error.outside());
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        all.push_str(&inner.to_string());
        source = inner.source();
    }
    !all.contains(secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_migrate_once() {
    let database = TestDatabase::create().await;
    let starting: Vec<_> = (0..8)
        .map(|_| {
            let url = database.url();
            tokio::spawn(async move { Database::open_postgres(&url).await })
        })
        .collect();
    let mut opened = Vec::new();
    for start in starting {
        opened.push(SqlCatalog::new(&start.await.unwrap().unwrap()));
    }
    let (user, project) = owner();
    assert!(opened[0].create_first_owner(&user, &project).await.unwrap());
    for catalog in &opened {
        assert!(catalog.has_users().await.unwrap());
    }
}

#[tokio::test]
async fn a_newer_or_another_schema_is_refused() {
    let database = TestDatabase::create().await;
    database.open().await.close().await;
    let newer = newest_schema() + 1;
    let insert = format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES ({newer}, 'of tomorrow', true, '\\x00', 1)"
    );
    database.by_hand(&insert).await;
    let error = Database::open_postgres(&database.url()).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::SchemaTooNew { found, newest } if found == newer && newest == newest_schema()),
        "{error:?}"
    );
    database
        .by_hand(&format!("DELETE FROM _sqlx_migrations WHERE version = {newer}"))
        .await;
    database.open().await.close().await;
    database
        .by_hand("UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 1")
        .await;
    let error = Database::open_postgres(&database.url()).await.unwrap_err();
    assert!(matches!(error, ConnectError::SchemaChanged(1)), "{error:?}");
}

#[tokio::test]
async fn an_address_that_is_none_is_told_without_being_printed() {
    for url in [
        "postgres://botloom:hush@host:port/db",
        "mysql://botloom:hush@host/db",
        "hush",
    ] {
        let error = Database::open_postgres(&Secret::new(url)).await.unwrap_err();
        assert_eq!(error.code(), "service-url-invalid", "{url}");
        assert!(keeps_to_itself(&error, "hush"), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_told_without_the_address() {
    let error = Database::open_postgres(&Secret::new("postgres://botloom:hush@127.0.0.1:1/db"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ConnectError::Store(StoreError::Unavailable(_))),
        "{error:?}"
    );
    assert!(keeps_to_itself(&error, "hush"), "{error:?}");
    let database = TestDatabase::create().await;
    let mut url = Url::parse(database.url().expose()).unwrap();
    url.set_path("no-such-database");
    url.set_password(Some("hush")).unwrap();
    let error = Database::open_postgres(&Secret::new(url)).await.unwrap_err();
    assert!(keeps_to_itself(&error, "hush"), "{error:?}");
}

#[tokio::test]
async fn constraints_are_told_apart() {
    let database = TestDatabase::create().await;
    let catalog = SqlCatalog::new(&database.open().await);
    let missing = catalog.create_bot(&bot(ProjectId::generate(), "a-bot")).await;
    assert!(
        matches!(missing, Err(StoreError::Missing("project"))),
        "{missing:?}"
    );
    let (user, project) = owner();
    catalog.create_first_owner(&user, &project).await.unwrap();
    assert!(catalog.create_bot(&bot(project.id, "a-bot")).await.unwrap());
    assert!(!catalog.create_bot(&bot(project.id, "a-bot")).await.unwrap());
    let nul = catalog
        .rename_bot(&BotId::new("a-bot").unwrap(), "a\0b")
        .await
        .unwrap_err();
    assert!(matches!(nul, StoreError::Corrupt(_)), "{nul:?}");
    assert_eq!(nul.outside(), "Something went wrong on our side.");
}

/// Statements in this database that wait for a lock.
async fn waiting_for_locks(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_lock_that_another_holds_costs_a_bounded_wait() {
    let database = TestDatabase::create().await;
    let catalog = SqlCatalog::new(&database.open().await);
    let (user, project) = owner();
    catalog.create_first_owner(&user, &project).await.unwrap();
    catalog.create_bot(&bot(project.id, "a-bot")).await.unwrap();
    let mut holder = database.connect().await;
    sqlx::raw_sql("BEGIN; SELECT 1 FROM bots FOR UPDATE")
        .execute(&mut holder)
        .await
        .unwrap();
    let id = BotId::new("a-bot").unwrap();
    let error = catalog.rename_bot(&id, "waits").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_eq!(
        waiting_for_locks(&mut holder).await,
        0,
        "it does not happen later"
    );
    assert!(catalog.bot(&id).await.unwrap().is_some(), "readers do not wait");
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    catalog.rename_bot(&id, "goes").await.unwrap();
}

/// A database behind a proxy.
async fn behind_a_proxy() -> (TestDatabase, Proxy, Database) {
    let database = TestDatabase::create().await;
    let mut url = Url::parse(database.url().expose()).unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let proxy = Proxy::before(server).await;
    url.set_ip_host(proxy.address().ip()).unwrap();
    url.set_port(Some(proxy.address().port())).unwrap();
    let db = Database::open_postgres(&Secret::new(url)).await.unwrap();
    (database, proxy, db)
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_a_server_that_comes_back_is_used_again() {
    let (database, proxy, db) = behind_a_proxy().await;
    let catalog = Arc::new(SqlCatalog::new(&db));
    let (user, project) = owner();
    catalog.create_first_owner(&user, &project).await.unwrap();
    let (ending, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (catalog, ending, failed) = (Arc::clone(&catalog), Arc::clone(&ending), Arc::clone(&failed));
            tokio::spawn(async move {
                let mut written = Vec::new();
                for number in 0.. {
                    if ending.load(Ordering::Relaxed) {
                        break;
                    }
                    let new = bot(project.id, &format!("bot-{writer}-{number}"));
                    match catalog.create_bot(&new).await {
                        Ok(_) => written.push(new.id),
                        Err(StoreError::Unavailable(_)) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(other) => panic!("{other:?}"),
                    }
                }
                written
            })
        })
        .collect();
    // Once the connections end, once the server ends what runs on them.
    for round in 0..2 {
        let before = failed.load(Ordering::Relaxed);
        if round == 0 {
            proxy.cut();
            eventually("a writer meets the loss", || async {
                failed.load(Ordering::Relaxed) > before
            })
            .await;
            proxy.open();
        } else {
            database
                .by_hand(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = current_database() AND pid <> pg_backend_pid()",
                )
                .await;
        }
        eventually("the database answers again", || async {
            db.check(Duration::from_secs(5)).await.is_ok()
        })
        .await;
    }
    ending.store(true, Ordering::Relaxed);
    for writer in writers {
        for id in writer.await.unwrap() {
            assert!(catalog.bot(&id).await.unwrap().is_some(), "{id} was acknowledged");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stalls_costs_a_bounded_wait_and_is_used_again() {
    let (_database, proxy, db) = behind_a_proxy().await;
    let catalog = SqlCatalog::new(&db);
    assert!(!catalog.has_users().await.unwrap());
    proxy.stall();
    let page = PageRequest {
        cursor: None,
        limit: 1,
    };
    let project = ProjectId::generate();
    let (projects, new) = ([project], bot(project, "a-bot"));
    let (read, listed, written) = tokio::join!(
        catalog.has_users(),
        catalog.bots(&projects, &page),
        catalog.create_bot(&new),
    );
    for answer in [read.map(drop), listed.map(drop), written.map(drop)] {
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    proxy.open();
    eventually("the database answers again", || async {
        catalog.has_users().await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_comes_costs_a_bounded_wait() {
    let (database, proxy, db) = behind_a_proxy().await;
    let catalog = Arc::new(SqlCatalog::new(&db));
    let (user, project) = owner();
    catalog.create_first_owner(&user, &project).await.unwrap();
    catalog.create_bot(&bot(project.id, "a-bot")).await.unwrap();
    let mut holder = database.connect().await;
    sqlx::raw_sql("BEGIN; SELECT 1 FROM bots FOR UPDATE")
        .execute(&mut holder)
        .await
        .unwrap();
    let renaming = tokio::spawn({
        let catalog = Arc::clone(&catalog);
        async move { catalog.rename_bot(&BotId::new("a-bot").unwrap(), "waits").await }
    });
    for _ in 0..1_000 {
        if waiting_for_locks(&mut holder).await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // Even the error of the server is swallowed.
    proxy.stall();
    let answer = tokio::time::timeout(PATIENCE, renaming)
        .await
        .expect("it ends by itself");
    assert!(matches!(answer.unwrap(), Err(StoreError::Unavailable(_))));
    proxy.open();
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    eventually("the database answers again", async || {
        catalog.has_users().await.is_ok()
    })
    .await;
}
