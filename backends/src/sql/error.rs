//! What the driver's errors mean for the caller of a port.

use botloom_core::ports::StoreError;
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::sqlite::SqliteError;

// Primary result codes, https://sqlite.org/rescode.html
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;

/// Any error of a statement.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(database) => match sqlite_code(database.as_ref()) {
            Some(SQLITE_FULL) => StoreError::Full,
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => StoreError::Corrupt(database.to_string()),
            _ if database.kind() != ErrorKind::Other => StoreError::Corrupt(database.to_string()),
            _ => StoreError::unavailable(error),
        },
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::RowNotFound => StoreError::Corrupt(error.to_string()),
        _ => StoreError::unavailable(error),
    }
}

/// An error of a statement that refers to a `what`.
pub(crate) fn missing(what: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| match &error {
        sqlx::Error::Database(database) if database.is_foreign_key_violation() => StoreError::Missing(what),
        _ => store_error(error),
    }
}

fn sqlite_code(error: &dyn DatabaseError) -> Option<i32> {
    let extended: i32 = error.try_downcast_ref::<SqliteError>()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}
