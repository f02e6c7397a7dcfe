//! Between our types and columns.

use std::sync::Arc;

use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{DedupKey, Direction, OutClass, OutMessage, StoreError};
use botloom_core::{ChatId, TimestampMs, TraceParent};
use bytes::Bytes;
use rusqlite::types::{FromSqlError, FromSqlResult, ToSqlOutput, Type, ValueRef};
use rusqlite::{ErrorCode, Row, ToSql};

/// What an error of SQLite means to the caller.
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    match (error.sqlite_error_code(), &error) {
        (Some(ErrorCode::DiskFull), _) => StoreError::Full,
        (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), _)
        | (None, rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..)) => {
            StoreError::Corrupt(error.to_string())
        }
        _ => StoreError::unavailable(error),
    }
}

/// An update id as a column: numbers and texts are never equal.
pub(super) struct Uid<'a>(pub(super) &'a DedupKey);

impl ToSql for Uid<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            DedupKey::Update(id) => (*id).into(),
            DedupKey::Synthetic(id) => ToSqlOutput::Borrowed(ValueRef::Text(id.as_bytes())),
        })
    }
}

pub(super) fn dedup(value: ValueRef<'_>) -> FromSqlResult<DedupKey> {
    match value {
        ValueRef::Integer(id) => Ok(DedupKey::Update(id)),
        other => Ok(DedupKey::Synthetic(Arc::from(other.as_str()?))),
    }
}

pub(super) const fn class_number(class: OutClass) -> i64 {
    match class {
        OutClass::Urgent => 0,
        OutClass::Reply => 1,
        OutClass::Bulk => 2,
    }
}

pub(super) const fn ambiguous_number(ambiguous: Ambiguous) -> i64 {
    match ambiguous {
        Ambiguous::Resend => 0,
        Ambiguous::Skip => 1,
    }
}

pub(super) const fn direction_number(direction: Direction) -> i64 {
    match direction {
        Direction::In => 0,
        Direction::Out => 1,
    }
}

fn class(number: i64) -> Option<OutClass> {
    match number {
        0 => Some(OutClass::Urgent),
        1 => Some(OutClass::Reply),
        2 => Some(OutClass::Bulk),
        _ => None,
    }
}

fn ambiguous(number: i64) -> Option<Ambiguous> {
    match number {
        0 => Some(Ambiguous::Resend),
        1 => Some(Ambiguous::Skip),
        _ => None,
    }
}

pub(super) fn direction(row: &Row<'_>, column: usize) -> rusqlite::Result<Direction> {
    match row.get::<_, i64>(column)? {
        0 => Ok(Direction::In),
        1 => Ok(Direction::Out),
        other => Err(out_of_range(column, other)),
    }
}

/// A message from the columns `class, ambiguous, not_after, method, cause` from `first` on, and its parameters.
pub(super) fn message(row: &Row<'_>, first: usize, params: usize) -> rusqlite::Result<OutMessage> {
    let class_column = row.get(first)?;
    let ambiguous_column = row.get(first + 1)?;
    Ok(OutMessage {
        class: class(class_column).ok_or_else(|| out_of_range(first, class_column))?,
        ambiguous: ambiguous(ambiguous_column).ok_or_else(|| out_of_range(first + 1, ambiguous_column))?,
        not_after: row.get::<_, Option<i64>>(first + 2)?.map(TimestampMs),
        method: row.get(first + 3)?,
        cause: row.get(first + 4)?,
        params: bytes(row, params)?,
        trace: None,
    })
}

pub(super) fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    row.get::<_, Vec<u8>>(column).map(Bytes::from)
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<TimestampMs> {
    row.get(column).map(TimestampMs)
}

/// A span. One that cannot be read is worth less than the update it came with.
pub(super) fn trace(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<TraceParent>> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    Ok(text.and_then(|text| TraceParent::new(text).ok()))
}

/// Counts and numbers of ours, which are stored as signed.
pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<usize> {
    let value = row.get::<_, i64>(column)?;
    usize::try_from(value).map_err(|_| out_of_range(column, value))
}

pub(super) fn chat(row: &Row<'_>, column: usize) -> rusqlite::Result<ChatId> {
    let text = row.get_ref(column)?.as_str()?;
    ChatId::new(text).map_err(|error| malformed(column, error))
}

/// A text or blob that is not what we store.
pub(super) fn malformed(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn out_of_range(column: usize, value: i64) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        Type::Integer,
        Box::new(FromSqlError::OutOfRange(value)),
    )
}
