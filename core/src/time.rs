//! The clock as a port, so that tests drive it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A moment in milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct TimestampMs(pub i64);

impl TimestampMs {
    /// This moment plus `ms` milliseconds.
    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`; negative if it is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// RFC 3339 in UTC with milliseconds, as the API prints times.
    pub fn to_rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(
            |_| "1970-01-01T00:00:00.000Z".to_owned(),
            |moment| format!("{moment:.3}"),
        )
    }
}

impl std::str::FromStr for TimestampMs {
    type Err = crate::ids::InvalidId;

    /// Reads RFC 3339; what is finer than a millisecond is cut off.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let moment: jiff::Timestamp = text.parse().map_err(|_| crate::ids::InvalidId { what: "time" })?;
        Ok(Self(moment.as_millisecond()))
    }
}

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Wall-clock time.
    fn now(&self) -> TimestampMs;
}

/// A clock that is handed around.
pub type SharedClock = Arc<dyn Clock>;

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> TimestampMs {
        TimestampMs(jiff::Timestamp::now().as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_back_as_printed() {
        for ms in [0, 1, 1_795_200_000_123] {
            assert_eq!(TimestampMs(ms).to_rfc3339().parse(), Ok(TimestampMs(ms)));
        }
        assert_eq!("1970-01-01T01:00:00+01:00".parse(), Ok(TimestampMs(0)));
        for bad in ["", "0", "1970-01-01", "yesterday"] {
            assert!(bad.parse::<TimestampMs>().is_err(), "{bad}");
        }
    }

    #[test]
    fn printed_as_rfc3339_with_milliseconds() {
        assert_eq!(TimestampMs(0).to_rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            TimestampMs(1_795_200_000_007).to_rfc3339(),
            "2026-11-20T18:40:00.007Z"
        );
    }
}
