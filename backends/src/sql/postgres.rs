//! PostgreSQL: the connections, their settings, the schema.

use std::str::FromStr as _;
use std::time::Duration;

use botloom_core::Secret;
use botloom_core::ports::StoreError;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AnyConnection, Connection as _, Executor as _};

use super::{Database, Dialect, install_drivers, schema_error, store_error};
use crate::error::ConnectError;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");

/// Oldest supported server, as `server_version_num` has it: `ON CONFLICT`, partial indexes and what else is used are
/// much older, 15 is the oldest that the tests run on.
const OLDEST: i64 = 150_000;

/// Connections of one process: a server allows 100 unless told otherwise, and several processes share it.
const CONNECTIONS: u32 = 10;

/// How long a connection may take to be made, and a caller waits for one.
const CONNECT: Duration = Duration::from_secs(5);

/// A connection that rested longer is tried before it is used: what stands between may have forgotten it.
const REST: Duration = Duration::from_secs(5);

/// How long a connection may take to show that it can be used again.
const PROOF: Duration = Duration::from_secs(5);

/// Settings of every connection. The server ends what takes longer than the callers wait, and with it the locks of a
/// process that is gone without a word. Isolation is named because a role or a database may set another default.
const SESSION: &str = "SET statement_timeout = '8s'; SET lock_timeout = '5s'; \
    SET idle_in_transaction_session_timeout = '20s'; SET default_transaction_isolation = 'read committed'; \
    SET client_min_messages = 'warning';";

/// Settings of the connection that brings the schema up to date: a migration may take its time, waiting for the one
/// that another process runs may not take for ever.
const MIGRATING: &str =
    "SET statement_timeout = 0; SET lock_timeout = '120s'; SET client_min_messages = 'warning';";

impl Database {
    /// Connects to a PostgreSQL database (`postgres://user:password@host:port/database`, version 15 or newer) and
    /// brings its schema up to date. Any number of processes may do so at once: one migrates, the others wait for it.
    ///
    /// At most 10 connections are held; a statement takes at most 8 seconds, waiting for a lock 5. Neither errors nor
    /// logs hold the URL.
    pub async fn open_postgres(url: &Secret) -> Result<Self, ConnectError> {
        install_drivers();
        let options = parse(url)?;
        migrate(&options).await?;
        let options = AnyConnectOptions::from_str(url.expose()).map_err(store_error)?;
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT)
            .idle_timeout(Duration::from_mins(10))
            .max_lifetime(Duration::from_mins(30))
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(SESSION).await.map(drop) })
            })
            .before_acquire(|connection, seen| {
                Box::pin(async move { Ok(seen.idle_for < REST || prove(connection).await.is_ok()) })
            })
            // Whoever gave up on a server that stalls leaves a connection behind that must not fill the pool.
            .after_release(|connection, _| Box::pin(async move { prove(connection).await.map(|()| true) }))
            .connect_with(options)
            .await
            .map_err(store_error)?;
        Ok(Self {
            questions: pool.clone(),
            pool,
            dialect: Dialect::Postgres,
        })
    }
}

fn parse(url: &Secret) -> Result<PgConnectOptions, ConnectError> {
    let url = url.expose();
    // The driver takes any scheme here and chooses by it later.
    let known = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    let options = known.then(|| PgConnectOptions::from_str(url).ok());
    options.flatten().ok_or(ConnectError::InvalidUrl {
        service: "PostgreSQL",
        form: "postgres://USER:PASSWORD@HOST:PORT/DATABASE",
    })
}

/// Whether the server still answers on a connection.
async fn prove(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    tokio::time::timeout(PROOF, connection.ping())
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)?
}

/// The driver holds an advisory lock of the database while it migrates.
async fn migrate(options: &PgConnectOptions) -> Result<(), ConnectError> {
    let connecting = tokio::time::timeout(CONNECT, PgConnection::connect_with(options));
    let mut connection = connecting
        .await
        .map_err(StoreError::unavailable)?
        .map_err(store_error)?;
    check_version(&mut connection).await?;
    connection.execute(MIGRATING).await.map_err(store_error)?;
    // What `run` does, without a bound on lifetimes that keeps callers from spawning this.
    MIGRATIONS
        .run_direct(None, &mut connection, false)
        .await
        .map_err(schema_error)?;
    connection
        .close()
        .await
        .map_err(|error| store_error(error).into())
}

async fn check_version(connection: &mut PgConnection) -> Result<(), ConnectError> {
    let number: i64 = sqlx::query_scalar("SELECT current_setting('server_version_num')::bigint")
        .fetch_one(connection)
        .await
        .map_err(store_error)?;
    new_enough(number)
}

fn new_enough(number: i64) -> Result<(), ConnectError> {
    if number >= OLDEST {
        return Ok(());
    }
    Err(ConnectError::ServerTooOld {
        service: "PostgreSQL",
        found: format!("{}.{}", number / 10_000, number % 10_000),
        oldest: (OLDEST / 10_000).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use botloom_core::Coded as _;

    use super::*;

    #[test]
    fn servers_before_15_are_refused() {
        new_enough(150_000).unwrap();
        new_enough(170_004).unwrap();
        let error = new_enough(140_012).unwrap_err();
        assert_eq!(error.code(), "server-too-old");
        assert_eq!(
            error.outside(),
            "PostgreSQL is of version 14.12, at least 15 is needed; upgrade it."
        );
    }

    #[test]
    fn both_dialects_have_the_same_migrations() {
        let names = |migrations: &Migrator| -> Vec<_> {
            let all = migrations.iter();
            all.map(|one| (one.version, one.description.to_string()))
                .collect()
        };
        assert_eq!(names(&MIGRATIONS), names(&super::super::sqlite::MIGRATIONS));
    }
}
