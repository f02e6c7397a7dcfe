//! How long Telegram asked the manager bot to wait, as far as this node knows.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What is believed of a wait: nobody asks for more than an hour, and a mistake must end by itself.
const LONGEST_SECS: u32 = 3_600;

/// The end of the wait.
#[derive(Debug, Default)]
pub(crate) struct Rest(Mutex<Option<Instant>>);

impl Rest {
    /// Telegram said so many seconds; a longer wait stays.
    pub(crate) fn begin(&self, secs: u32) {
        let end = Instant::now() + Duration::from_secs(secs.min(LONGEST_SECS).into());
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(Some(end));
    }

    /// What is left of it.
    pub(crate) fn left(&self) -> Option<Duration> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// The same in whole seconds, none too few.
    pub(crate) fn secs_left(&self) -> Option<u32> {
        let secs = self.left()?.as_millis().div_ceil(1_000);
        Some(u32::try_from(secs).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_holds() {
        let rest = Rest::default();
        assert_eq!(rest.secs_left(), None);
        rest.begin(0);
        assert_eq!(rest.left(), None, "it is over");
        rest.begin(3_600);
        rest.begin(2);
        assert_eq!(rest.secs_left(), Some(3_600));
        rest.begin(u32::MAX);
        assert_eq!(rest.secs_left(), Some(3_600), "not more than is believed");
    }
}
