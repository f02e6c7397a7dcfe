//! Columns to the types of the rows; what cannot be read is corrupt.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use botloom_core::TimestampMs;
use botloom_core::ports::{StoreError, StoreResult};
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::store_error;

/// Typed access to the columns of a row.
pub(crate) trait RowExt {
    fn text(&self, column: &str) -> StoreResult<String>;
    fn opt_text(&self, column: &str) -> StoreResult<Option<String>>;
    fn int(&self, column: &str) -> StoreResult<i64>;
    fn opt_int(&self, column: &str) -> StoreResult<Option<i64>>;
    fn opt_bytes(&self, column: &str) -> StoreResult<Option<Vec<u8>>>;

    /// A text that has the form of `T`.
    fn parsed<T: FromStr>(&self, column: &str) -> StoreResult<T> {
        parse(column, &self.text(column)?)
    }

    fn opt_parsed<T: FromStr>(&self, column: &str) -> StoreResult<Option<T>> {
        self.opt_text(column)?
            .map(|text| parse(column, &text))
            .transpose()
    }

    /// A number within the range of `T`.
    fn number<T: TryFrom<i64>>(&self, column: &str) -> StoreResult<T> {
        T::try_from(self.int(column)?).map_err(|_| corrupt(column))
    }

    fn opt_number<T: TryFrom<i64>>(&self, column: &str) -> StoreResult<Option<T>> {
        let number = self.opt_int(column)?;
        number
            .map(|value| T::try_from(value).map_err(|_| corrupt(column)))
            .transpose()
    }

    fn time(&self, column: &str) -> StoreResult<TimestampMs> {
        self.int(column).map(TimestampMs)
    }

    fn json<T: DeserializeOwned>(&self, column: &str) -> StoreResult<T> {
        serde_json::from_str(&self.text(column)?).map_err(|_| corrupt(column))
    }
}

impl RowExt for AnyRow {
    fn text(&self, column: &str) -> StoreResult<String> {
        self.try_get(column).map_err(store_error)
    }

    fn opt_text(&self, column: &str) -> StoreResult<Option<String>> {
        self.try_get(column).map_err(store_error)
    }

    fn int(&self, column: &str) -> StoreResult<i64> {
        self.try_get(column).map_err(store_error)
    }

    fn opt_int(&self, column: &str) -> StoreResult<Option<i64>> {
        self.try_get(column).map_err(store_error)
    }

    fn opt_bytes(&self, column: &str) -> StoreResult<Option<Vec<u8>>> {
        self.try_get(column).map_err(store_error)
    }
}

/// Between two warnings of rows of one list that cannot be read: some lists are read every second.
const WARN_EVERY: Duration = Duration::from_mins(1);

/// Reads the rows of a list. A row that cannot be read is passed over, and the others go on without it: while nodes are
/// replaced one by one, a newer one writes words that this one does not know.
pub(crate) fn readable<T>(
    list: &str,
    rows: &[AnyRow],
    read: impl Fn(&AnyRow) -> StoreResult<T>,
) -> StoreResult<Vec<T>> {
    static WARNED: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        match read(row) {
            Ok(item) => items.push(item),
            Err(StoreError::Corrupt(reason)) => {
                let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
                if warned.get(list).is_none_or(|at| at.elapsed() >= WARN_EVERY) {
                    warned.insert(list.to_owned(), Instant::now());
                    tracing::warn!(list, reason, "a row cannot be read and is passed over");
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(items)
}

fn parse<T: FromStr>(column: &str, text: &str) -> StoreResult<T> {
    text.parse().map_err(|_| corrupt(column))
}

fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("column {column}"))
}
