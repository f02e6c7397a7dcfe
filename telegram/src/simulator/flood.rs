//! Rate limits: the generic cell rate algorithm, one moment per bucket.

use std::time::Duration;

use super::options::Rate;

/// What one chat or bot has used up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bucket {
    /// When it will be full again.
    full_at: Duration,
    /// Refused until then.
    closed_until: Duration,
}

impl Bucket {
    /// Takes one call, or tells how many seconds to wait. A call that comes during the wait adds `penalty` seconds.
    pub(crate) fn take(&mut self, rate: Rate, now: Duration, penalty: u32) -> Result<(), u32> {
        if now < self.closed_until {
            self.closed_until += Duration::from_secs(penalty.into());
            return Err(seconds(self.closed_until.saturating_sub(now)));
        }
        let step = Duration::from_secs_f64(rate.per_secs.max(0.0) / f64::from(rate.count.max(1)));
        let room = step * rate.burst.max(1);
        let full_at = self.full_at.max(now) + step;
        if full_at > now + room {
            let wait = seconds(full_at.saturating_sub(now + room));
            self.closed_until = now + Duration::from_secs(wait.into());
            return Err(wait);
        }
        self.full_at = full_at;
        Ok(())
    }
}

fn seconds(span: Duration) -> u32 {
    let whole = u32::try_from(span.as_secs()).unwrap_or(u32::MAX - 1);
    if span.subsec_nanos() > 0 {
        whole + 1
    } else {
        whole.max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let rate = Rate {
            count: 20,
            per_secs: 60.0,
            burst: 5,
        };
        let mut bucket = Bucket::default();
        let now = Duration::from_secs(100);
        for _ in 0..5 {
            bucket.take(rate, now, 0).unwrap();
        }
        assert_eq!(bucket.take(rate, now, 0), Err(3));
        assert_eq!(
            bucket.take(rate, now + Duration::from_secs(1), 10),
            Err(12),
            "impatience costs"
        );
        bucket.take(rate, now + Duration::from_secs(13), 0).unwrap();
    }

    proptest! {
        #[test]
        fn patience_is_always_rewarded(count in 1_u32..50, per in 1_u32..100, burst in 1_u32..10, n in 1_usize..60) {
            let rate = Rate { count, per_secs: per.into(), burst };
            let mut bucket = Bucket::default();
            let mut now = Duration::ZERO;
            for _ in 0..n {
                if let Err(wait) = bucket.take(rate, now, 7) {
                    now += Duration::from_secs(wait.into());
                    prop_assert_eq!(bucket.take(rate, now, 7), Ok(()));
                }
            }
        }
    }
}
