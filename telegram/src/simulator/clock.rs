//! Simulated time: seconds that may pass faster than real ones.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Counts simulated time from its making.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    scale: f64,
}

impl Clock {
    pub(crate) fn new(scale: f64) -> Self {
        Self {
            start: Instant::now(),
            scale,
        }
    }

    /// Simulated time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed().mul_f64(self.scale)
    }

    /// How long to wait really for a simulated span.
    pub(crate) fn real(&self, span: Duration) -> Duration {
        span.div_f64(self.scale)
    }
}

/// Real date in seconds, as Telegram writes it.
pub(crate) fn unix_seconds() -> i64 {
    unix_millis() / 1000
}

/// Real date in milliseconds.
pub(crate) fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
