//! The generic cell rate algorithm: one moment per bucket.

use std::time::Duration;

use tokio::time::Instant;

/// A rate with a burst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate {
    /// Between two sends, at the steady rate.
    pub(super) every: Duration,
    /// Sends that may come at once.
    pub(super) burst: u32,
}

impl Rate {
    /// `count` per `period`; `None` (no limit) for 0.
    pub(super) fn new(count: f64, period: Duration, burst: u32) -> Option<Self> {
        (count > 0.0).then(|| Self {
            every: period.div_f64(count),
            burst: burst.max(1),
        })
    }
}

/// A bucket: the moment from which it is as if it had never been used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bucket(Option<Instant>);

impl Bucket {
    /// How long until a send fits. `now` is the earliest moment for it.
    pub(super) fn wait(self, rate: Rate, now: Instant) -> Duration {
        let tolerance = rate.every * (rate.burst - 1);
        self.0.map_or(Duration::ZERO, |full| {
            (full.saturating_duration_since(now)).saturating_sub(tolerance)
        })
    }

    /// Takes the place of one send at `at`.
    pub(super) fn take(&mut self, rate: Rate, at: Instant) {
        self.0 = Some(self.0.map_or(at, |full| full.max(at)) + rate.every);
    }

    /// Whether forgetting the bucket changes nothing.
    pub(super) fn is_full(self, now: Instant) -> bool {
        self.0.is_none_or(|full| full <= now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In any window, sends are at most rate × length + burst.
        #[test]
        fn never_more_than_rate_and_burst(
            burst in 1_u32..10,
            every in 1_u64..2_000,
            gaps in prop::collection::vec(0_u64..3_000, 1..80),
        ) {
            let rate = Rate { every: Duration::from_millis(every), burst };
            let (mut bucket, mut now) = (Bucket::default(), Instant::now());
            let mut sends: Vec<Instant> = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                let at = now + bucket.wait(rate, now);
                bucket.take(rate, at);
                sends.push(at);
            }
            sends.sort();
            for (first, from) in sends.iter().enumerate() {
                for (last, to) in sends.iter().enumerate().skip(first) {
                    let allowed = to.duration_since(*from).as_millis() / u128::from(every) + u128::from(burst);
                    prop_assert!((last - first + 1) as u128 <= allowed);
                }
            }
        }
    }

    #[test]
    fn a_burst_passes_at_once_and_fills_up_again() {
        let rate = Rate::new(1.0, Duration::from_secs(1), 3).unwrap();
        let (mut bucket, now) = (Bucket::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..5 {
            let wait = bucket.wait(rate, now);
            bucket.take(rate, now + wait);
            waits.push(wait.as_secs());
        }
        assert_eq!(waits, [0, 0, 0, 1, 2]);
        assert!(!bucket.is_full(now + Duration::from_secs(4)));
        assert!(bucket.is_full(now + Duration::from_secs(5)));
        assert_eq!(Rate::new(0.0, Duration::from_secs(1), 3), None);
    }
}
