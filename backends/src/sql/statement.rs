//! Reading statements: each with a bound on its time, so that a database that stalls costs its callers that and no more.

use std::future::Future;
use std::time::Duration;

use botloom_core::ports::{StoreError, StoreResult};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection};

use super::{Database, store_error};
use crate::failures::note_failure;

/// Longest wait for one statement, its connection included. PostgreSQL gives a statement up earlier by itself; this is
/// for a server that no longer answers, or a network that swallows what is sent.
const LIMIT: Duration = Duration::from_secs(10);

/// How a port reads rows.
pub(crate) trait Statement {
    /// At most one row, over any connection.
    async fn optional(self, db: &Database) -> StoreResult<Option<AnyRow>>;

    /// All rows, over any connection.
    async fn all(self, db: &Database) -> StoreResult<Vec<AnyRow>>;

    /// At most one row, within a transaction.
    async fn optional_in(self, connection: &mut AnyConnection) -> StoreResult<Option<AnyRow>>;

    /// All rows, within a transaction.
    async fn all_in(self, connection: &mut AnyConnection) -> StoreResult<Vec<AnyRow>>;

    /// Rows touched, within a transaction.
    async fn execute_in(self, connection: &mut AnyConnection) -> StoreResult<u64>;
}

impl Statement for Query<'_, Any, AnyArguments> {
    async fn optional(self, db: &Database) -> StoreResult<Option<AnyRow>> {
        in_time(self.fetch_optional(db.reader()))
            .await?
            .map_err(store_error)
    }

    async fn all(self, db: &Database) -> StoreResult<Vec<AnyRow>> {
        in_time(self.fetch_all(db.reader())).await?.map_err(store_error)
    }

    async fn optional_in(self, connection: &mut AnyConnection) -> StoreResult<Option<AnyRow>> {
        in_time(self.fetch_optional(connection))
            .await?
            .map_err(store_error)
    }

    async fn all_in(self, connection: &mut AnyConnection) -> StoreResult<Vec<AnyRow>> {
        in_time(self.fetch_all(connection)).await?.map_err(store_error)
    }

    async fn execute_in(self, connection: &mut AnyConnection) -> StoreResult<u64> {
        let done = in_time(self.execute(connection)).await?.map_err(store_error)?;
        Ok(done.rows_affected())
    }
}

/// The answer of the driver, or [`StoreError::Unavailable`] when there is none in time.
pub(super) async fn in_time<T>(answer: impl Future<Output = T>) -> StoreResult<T> {
    tokio::time::timeout(LIMIT, answer).await.map_err(|late| {
        note_failure("database");
        StoreError::unavailable(late)
    })
}
