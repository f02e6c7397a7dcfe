//! The SQL database under catalog, tasks, events and analytics: connections, the one way to write, migrations.
//!
//! Statements are plain texts with `$1` placeholders that SQLite and PostgreSQL both accept; what must be atomic is
//! one statement, a compare-and-set, or a [`WriteTx`].

pub(crate) mod cursor;
mod error;
mod open;
mod row;

use std::sync::Arc;
use std::time::Duration;

use botloom_core::ports::{StoreError, StoreResult};
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AnyPool, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use error::{missing, store_error};
pub use open::newest_schema;
pub(crate) use row::RowExt;

/// How long a caller waits for a connection or for its turn to write.
const WAIT: Duration = Duration::from_secs(10);

/// An opened database with the newest schema. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Database {
    pool: AnyPool,
    /// SQLite has one writer at a time. Waiting in line here is fair; waiting inside SQLite is polling with luck.
    writer: Arc<Semaphore>,
}

impl Database {
    fn new(pool: AnyPool) -> Self {
        Self {
            pool,
            writer: Arc::new(Semaphore::new(1)),
        }
    }

    /// For statements that only read.
    pub(crate) fn reader(&self) -> &AnyPool {
        &self.pool
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
        let done = query.execute(&self.pool).await;
        Ok(done.map(|result| result.rows_affected()))
    }

    /// Opens a transaction that will write: it sees the newest rows, and nobody else writes until it ends. Dropping it
    /// undoes it.
    pub(crate) async fn write(&self) -> StoreResult<WriteTx> {
        let turn = self.turn_to_write().await?;
        // A transaction that begins by reading and writes later fails under other writers, whatever the timeout.
        let tx = self
            .pool
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(store_error)?;
        Ok(WriteTx { tx, _turn: turn })
    }

    async fn turn_to_write(&self) -> StoreResult<OwnedSemaphorePermit> {
        let turn = tokio::time::timeout(WAIT, Arc::clone(&self.writer).acquire_owned()).await;
        turn.map_err(StoreError::unavailable)?
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

    /// Waits for what is under way and closes the connections; every later call fails.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A transaction that writes.
#[derive(Debug)]
pub(crate) struct WriteTx {
    tx: Transaction<'static, Any>,
    _turn: OwnedSemaphorePermit,
}

impl WriteTx {
    /// Runs statements in the transaction.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.tx
    }

    /// Makes it last.
    pub(crate) async fn commit(self) -> StoreResult<()> {
        self.tx.commit().await.map_err(store_error)
    }
}
