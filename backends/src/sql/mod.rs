//! The SQL database under catalog, tasks, events and analytics: connections, the one way to write, migrations.
//!
//! Statements are plain texts with `$1` placeholders that SQLite and PostgreSQL both accept; what must be atomic is
//! one statement, a compare-and-set, or a [`WriteTx`]. What differs stands in `sqlite.rs` and `postgres.rs`.

pub(crate) mod cursor;
mod error;
mod postgres;
mod row;
mod sqlite;
mod statement;

use std::sync::{Arc, Once};
use std::time::Duration;

use botloom_core::ports::{StoreError, StoreResult};
use sqlx::any::{AnyArguments, install_default_drivers};
use sqlx::migrate::MigrateError;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AnyPool, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ConnectError;

pub(crate) use error::{missing, store_error};
pub(crate) use row::{RowExt, readable};
pub use sqlite::newest_schema;
pub(crate) use statement::Statement;

/// How long a caller waits for a connection or for its turn to write.
const WAIT: Duration = Duration::from_secs(10);

/// What questions that are under way get when the database is closed.
const LAST_QUESTIONS: Duration = Duration::from_secs(1);

/// `$first, $first+1 …`: as many placeholders as there are values. Statements with lists of any length are put together of
/// these, never of values.
pub(crate) fn placeholders(first: usize, count: usize) -> String {
    let all: Vec<String> = (first..first + count)
        .map(|number| format!("${number}"))
        .collect();
    all.join(", ")
}

/// An opened database with the newest schema. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Database {
    pool: AnyPool,
    /// For what takes long; on PostgreSQL the same connections.
    questions: AnyPool,
    dialect: Dialect,
}

/// What the two databases want differently.
#[derive(Debug, Clone)]
enum Dialect {
    Sqlite {
        /// SQLite has one writer at a time. Waiting in line here is fair; waiting inside SQLite is polling with luck.
        writer: Arc<Semaphore>,
    },
    /// Writers run side by side: what one statement reads, another transaction may change before the next one.
    Postgres,
}

impl Database {
    /// For statements that only read; see [`Statement`] for those of the ports.
    pub(crate) fn reader(&self) -> &AnyPool {
        &self.pool
    }

    /// For statements that only read and take as long as they take. On SQLite they have connections of their own: one that
    /// nobody waits for any more is busy until its statement ends, and must not be missed by anybody else.
    pub(crate) fn questions(&self) -> &AnyPool {
        &self.questions
    }

    /// Runs one writing statement as a transaction of its own; answers how many rows it touched.
    pub(crate) async fn execute(&self, query: Query<'_, Any, AnyArguments>) -> StoreResult<u64> {
        self.try_execute(query).await?.map_err(store_error)
    }

    /// As [`Database::execute`]; a broken reference becomes [`StoreError::Missing`] of `what`.
    pub(crate) async fn execute_for(
        &self,
        what: &'static str,
        query: Query<'_, Any, AnyArguments>,
    ) -> StoreResult<u64> {
        self.try_execute(query).await?.map_err(missing(what))
    }

    async fn try_execute(
        &self,
        query: Query<'_, Any, AnyArguments>,
    ) -> StoreResult<Result<u64, sqlx::Error>> {
        let _turn = self.turn_to_write().await?;
        let done = statement::in_time(query.execute(&self.pool)).await?;
        Ok(done.map(|result| result.rows_affected()))
    }

    /// Opens a transaction that will write. On SQLite it sees the newest rows, and nobody else writes until it ends; on
    /// PostgreSQL each of its statements sees what was committed before that statement, so whatever depends on rows
    /// read earlier must be guarded by a unique key or a compare-and-set. Dropping it undoes it.
    pub(crate) async fn write(&self) -> StoreResult<WriteTx> {
        let turn = self.turn_to_write().await?;
        let begin = async {
            match self.dialect {
                // A transaction that begins by reading and writes later fails under other writers, whatever the timeout.
                Dialect::Sqlite { .. } => self.pool.begin_with("BEGIN IMMEDIATE").await,
                Dialect::Postgres => self.pool.begin().await,
            }
        };
        let tx = statement::in_time(begin).await?.map_err(store_error)?;
        Ok(WriteTx { tx, _turn: turn })
    }

    async fn turn_to_write(&self) -> StoreResult<Option<OwnedSemaphorePermit>> {
        let Dialect::Sqlite { writer } = &self.dialect else {
            return Ok(None);
        };
        let turn = tokio::time::timeout(WAIT, Arc::clone(writer).acquire_owned()).await;
        turn.map_err(StoreError::unavailable)?
            .map(Some)
            .map_err(StoreError::unavailable)
    }

    /// Whether the database answers within `limit`: for readiness.
    pub async fn check(&self, limit: Duration) -> StoreResult<()> {
        let answer = tokio::time::timeout(limit, sqlx::query("SELECT 1").execute(&self.pool)).await;
        answer
            .map_err(StoreError::unavailable)?
            .map(drop)
            .map_err(store_error)
    }

    /// Waits for what is under way and closes the connections; every later call fails. Questions are waited for one second:
    /// one that nobody waits for any more may take for ever, and all of them only read.
    pub async fn close(&self) {
        self.pool.close().await;
        if tokio::time::timeout(LAST_QUESTIONS, self.questions.close())
            .await
            .is_err()
        {
            tracing::debug!("a question that takes long is left to end with the process");
        }
    }
}

/// A transaction that writes.
#[derive(Debug)]
pub(crate) struct WriteTx {
    tx: Transaction<'static, Any>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl WriteTx {
    /// Runs statements in the transaction.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.tx
    }

    /// Makes it last.
    pub(crate) async fn commit(self) -> StoreResult<()> {
        statement::in_time(self.tx.commit()).await?.map_err(store_error)
    }
}

/// Makes both databases known to the driver that chooses by URL.
fn install_drivers() {
    static DRIVERS: Once = Once::new();
    DRIVERS.call_once(install_default_drivers);
}

fn schema_error(error: MigrateError) -> ConnectError {
    match error {
        MigrateError::VersionMissing(found) => ConnectError::SchemaTooNew {
            found,
            newest: newest_schema(),
        },
        MigrateError::VersionMismatch(version) | MigrateError::Dirty(version) => {
            ConnectError::SchemaChanged(version)
        }
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
            store_error(source).into()
        }
        other => StoreError::unavailable(other).into(),
    }
}
