//! Reading the answers of scripts, item by item.

use botloom_core::ports::{StoreError, StoreResult};
use redis::{FromRedisValue, Value};

/// An array that a script answered.
pub(super) struct Reply(std::vec::IntoIter<Value>);

impl Reply {
    pub(super) fn of(value: Value) -> StoreResult<Self> {
        match value {
            Value::Array(items) => Ok(Self(items.into_iter())),
            _ => Err(unexpected()),
        }
    }

    /// The next item.
    pub(super) fn next<T: FromRedisValue>(&mut self) -> StoreResult<T> {
        let value = self.0.next().ok_or_else(unexpected)?;
        T::from_redis_value(value).map_err(|_| unexpected())
    }

    /// The next item, an array.
    pub(super) fn list(&mut self) -> StoreResult<Self> {
        Self::of(self.0.next().ok_or_else(unexpected)?)
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.as_slice().is_empty()
    }
}

pub(super) fn unexpected() -> StoreError {
    StoreError::Corrupt("a script answered something else".to_owned())
}
