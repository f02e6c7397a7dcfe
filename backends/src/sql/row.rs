//! Columns to the types of the rows; what cannot be read is corrupt.

use std::str::FromStr;

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

fn parse<T: FromStr>(column: &str, text: &str) -> StoreResult<T> {
    text.parse().map_err(|_| corrupt(column))
}

fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("column {column}"))
}
