//! SQLite: the file, its settings, its schema.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use botloom_core::ports::StoreError;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool, Connection as _, Executor as _};
use tokio::sync::Semaphore;

use super::{Database, Dialect, WAIT, install_drivers, schema_error, store_error};
use crate::error::ConnectError;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");

/// One connection writes at a time; the others keep reads from waiting for it.
const CONNECTIONS: u32 = 4;

/// Questions that take long, at a time; see [`Database::questions`].
const QUESTIONS: u32 = 2;

/// Settings of the connections for them.
const READING: &str = "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON;";

/// Settings of every other connection. Busy waits come first: the switch to WAL may meet another connection.
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
    PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864;";

/// Number of the newest migration that this version has, the same for both databases.
pub fn newest_schema() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

impl Database {
    /// Opens or makes the SQLite database at `path`, readable for its owner alone, and brings its schema up to date.
    /// `path` must be absolute.
    pub async fn open_sqlite(path: &Path) -> Result<Self, ConnectError> {
        install_drivers();
        make_private(path).map_err(StoreError::unavailable)?;
        let url = sqlite_url(path)?;
        migrate(&url).await?;
        let pool = pool(CONNECTIONS, PRAGMAS)
            .connect(&url)
            .await
            .map_err(store_error)?;
        let questions = pool_of_questions(&url)?;
        Ok(Self {
            pool,
            questions,
            dialect: Dialect::Sqlite {
                writer: Arc::new(Semaphore::new(1)),
            },
        })
    }
}

fn pool(connections: u32, pragmas: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WAIT)
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(pragmas).await.map(drop) })
        })
}

/// Connections are opened when somebody asks: many installations never do.
fn pool_of_questions(url: &str) -> Result<AnyPool, StoreError> {
    pool(QUESTIONS, READING).connect_lazy(url).map_err(store_error)
}

/// Brings the schema up to date over a connection of its own: a pool would try a file that cannot be opened again and
/// again until its time is over, and then tell of the time.
async fn migrate(url: &str) -> Result<(), ConnectError> {
    let mut connection = AnyConnection::connect(url).await.map_err(store_error)?;
    connection.execute(PRAGMAS).await.map_err(store_error)?;
    MIGRATIONS.run(&mut connection).await.map_err(schema_error)?;
    connection
        .close()
        .await
        .map_err(|error| store_error(error).into())
}

/// The file is made before SQLite makes it, because SQLite leaves the mode to the umask. Its side files take over the
/// mode of the main one.
fn make_private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

fn sqlite_url(path: &Path) -> Result<String, StoreError> {
    let path = path
        .to_str()
        .ok_or_else(|| StoreError::unavailable("the path of the database is not UTF-8"))?;
    let mut url = "sqlite://".to_owned();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    url.push_str("?mode=rwc");
    Ok(url)
}

#[cfg(test)]
mod tests {
    use sqlx::query;

    use super::*;

    /// Takes for ever.
    const ENDLESS: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    /// More than any close takes.
    const PATIENCE: Duration = Duration::from_mins(1);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_question_that_never_ends_does_not_keep_the_database_open() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open_sqlite(&folder.path().join("control.db"))
            .await
            .unwrap();
        let asked = db.clone();
        let asking = tokio::spawn(async move { query(ENDLESS).fetch_all(asked.questions()).await.is_ok() });
        while db.questions().size() < 1 || db.questions().num_idle() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Whoever asked is gone; the statement is not.
        asking.abort();
        tokio::time::timeout(PATIENCE, db.close())
            .await
            .expect("it is closed");
        assert!(db.check(PATIENCE).await.is_err(), "nothing is asked any more");
    }
}
