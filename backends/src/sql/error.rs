//! What the driver's errors mean for the caller of a port.

use botloom_core::ports::StoreError;
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use crate::failures::note_failure;

// Primary result codes, https://sqlite.org/rescode.html
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const POSTGRES_DISK_FULL: &str = "53100";
/// What is asked does not fit what is stored: wrong types, characters that no text may hold.
const POSTGRES_DATA_EXCEPTION: &str = "22";
const POSTGRES_DATA_CORRUPTED: &str = "XX001";
const POSTGRES_INDEX_CORRUPTED: &str = "XX002";

/// Any error of a statement.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(database) => {
            if is_full(database.as_ref()) {
                StoreError::Full
            } else if database.kind() != ErrorKind::Other || is_corrupt(database.as_ref()) {
                StoreError::Corrupt(database.to_string())
            } else {
                // Among them deadlocks (40P01), statements given up (57014), servers that stop or start (57P01, 57P03).
                away(error)
            }
        }
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::RowNotFound => StoreError::Corrupt(error.to_string()),
        _ => away(error),
    }
}

fn away(error: sqlx::Error) -> StoreError {
    note_failure("database");
    StoreError::unavailable(error)
}

/// An error of a statement that refers to a `what`.
pub(crate) fn missing(what: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| match &error {
        sqlx::Error::Database(database) if database.is_foreign_key_violation() => StoreError::Missing(what),
        _ => store_error(error),
    }
}

fn is_full(error: &dyn DatabaseError) -> bool {
    sqlite_code(error) == Some(SQLITE_FULL) || postgres_code(error) == Some(POSTGRES_DISK_FULL)
}

fn is_corrupt(error: &dyn DatabaseError) -> bool {
    matches!(sqlite_code(error), Some(SQLITE_CORRUPT | SQLITE_NOTADB))
        || postgres_code(error).is_some_and(|code| {
            code.starts_with(POSTGRES_DATA_EXCEPTION)
                || [POSTGRES_DATA_CORRUPTED, POSTGRES_INDEX_CORRUPTED].contains(&code)
        })
}

fn postgres_code(error: &dyn DatabaseError) -> Option<&str> {
    Some(error.try_downcast_ref::<PgDatabaseError>()?.code())
}

fn sqlite_code(error: &dyn DatabaseError) -> Option<i32> {
    let extended: i32 = error.try_downcast_ref::<SqliteError>()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

#[cfg(test)]
mod tests {
    use botloom_core::Coded as _;
    use sqlx::query;

    use super::*;
    use crate::sql::Database;

    /// A limit on pages fails like a full disk, with the same result code. It holds per connection.
    async fn limit_pages(db: &Database, pages: u32) {
        let mut connections = Vec::new();
        while let Some(connection) = db.reader().try_acquire() {
            connections.push(connection);
        }
        connections.push(db.reader().acquire().await.unwrap());
        while connections.len() < db.reader().options().get_max_connections() as usize {
            connections.push(db.reader().acquire().await.unwrap());
        }
        for connection in &mut connections {
            let pragma = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
            query(pragma).execute(&mut **connection).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open_sqlite(&dir.path().join("control.db"))
            .await
            .unwrap();
        let insert = "INSERT INTO projects (id, name, created_at) VALUES ($1, $2, 1)";
        db.execute(query(insert).bind("small").bind("small"))
            .await
            .unwrap();
        limit_pages(&db, 60).await;
        let large = "x".repeat(1_000_000);
        let alone = db
            .execute(query(insert).bind("alone").bind(&*large))
            .await
            .unwrap_err();
        let mut tx = db.write().await.unwrap();
        let together = query(insert)
            .bind("together")
            .bind(&*large)
            .execute(tx.connection())
            .await;
        for error in [alone, together.map_err(store_error).unwrap_err()] {
            assert!(matches!(error, StoreError::Full), "{error:?}");
            assert_eq!(error.code(), "storage-full");
        }
        drop(tx);
        let rows = query("SELECT id FROM projects")
            .fetch_all(db.reader())
            .await
            .unwrap();
        assert_eq!(rows.len(), 1);
        db.execute(query(insert).bind("other").bind("other"))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn constraints_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open_sqlite(&dir.path().join("control.db"))
            .await
            .unwrap();
        let member = "INSERT INTO members (project_id, user_id, role) VALUES ('p', 'u', 'owner')";
        let broken = db.execute_for("project", query(member)).await.unwrap_err();
        assert!(matches!(broken, StoreError::Missing("project")), "{broken:?}");
        let project = "INSERT INTO projects (id, name, created_at) VALUES ('p', 'name', 1)";
        db.execute(query(project)).await.unwrap();
        let twice = db.execute_for("project", query(project)).await.unwrap_err();
        assert!(matches!(twice, StoreError::Corrupt(_)), "{twice:?}");
        assert!(!twice.outside().contains("projects"));
    }
}
