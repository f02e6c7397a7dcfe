//! How a backend fails.

use crate::error::{Coded, Kind};

/// Result of a port.
pub type StoreResult<T> = Result<T, StoreError>;

/// A backend did not do what was asked. Nothing was changed, unless the variant says that nobody knows.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Down, stalled, or shutting down. Whether the change happened is unknown: ask again, every method says what
    /// happens twice.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No space left.
    #[error("the store is full")]
    Full,
    /// What was stored is not what we store.
    #[error("stored data is corrupt: {0}")]
    Corrupt(String),
    /// What the change refers to does not exist.
    #[error("{0} does not exist")]
    Missing(&'static str),
}

impl StoreError {
    /// Wraps a driver's error.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}

impl Coded for StoreError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unavailable(_) | Self::Full => Kind::Unavailable,
            Self::Corrupt(_) => Kind::Internal,
            Self::Missing(_) => Kind::NotFound,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Full => "storage-full",
            Self::Corrupt(_) => "internal",
            Self::Missing(_) => "not-found",
        }
    }

    fn outside(&self) -> String {
        match self {
            Self::Unavailable(_) => "A part of the service is unavailable; try again.".to_owned(),
            Self::Full => "The storage is full; free some space.".to_owned(),
            Self::Corrupt(_) => "Something went wrong on our side.".to_owned(),
            Self::Missing(what) => format!("The {what} does not exist."),
        }
    }
}
