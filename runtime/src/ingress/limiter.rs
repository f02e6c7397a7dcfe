//! Counts strangers by address.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use governor::clock::DefaultClock;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

/// Wrong knocks of one address per second, and at once.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(5).expect("a constant");
const BURST: NonZeroU32 = NonZeroU32::new(20).expect("a constant");
/// Addresses remembered before those that behave again are forgotten …
const REMEMBERED: usize = 10_000;
/// … which is looked for at most this often, however many knock: a look goes through all of them.
const SWEPT_EVERY: Duration = Duration::from_secs(1);

/// Limits wrong knocks. IPv6 hosts are counted by their /64: one host has all of it.
#[derive(Debug)]
pub(super) struct Limiter {
    limiter: RateLimiter<IpAddr, DashMapStateStore<IpAddr>, DefaultClock>,
    swept: Mutex<Instant>,
}

impl Default for Limiter {
    fn default() -> Self {
        let quota = Quota::per_second(PER_SECOND).allow_burst(BURST);
        Self {
            limiter: RateLimiter::dashmap(quota),
            swept: Mutex::new(Instant::now()),
        }
    }
}

impl Limiter {
    /// Counts one; `false` if it was too many.
    pub(super) fn count(&self, peer: IpAddr) -> bool {
        if self.is_sweep_due(Instant::now()) && self.limiter.len() > REMEMBERED {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(&network(peer)).is_ok()
    }

    /// Whether it is time to look again; says so to one of those who ask.
    fn is_sweep_due(&self, now: Instant) -> bool {
        // Who finds it locked knocks while somebody else looks at the time.
        let Ok(mut swept) = self.swept.try_lock() else {
            return false;
        };
        let due = now.duration_since(*swept) >= SWEPT_EVERY;
        if due {
            *swept = now;
        }
        due
    }

    /// Whether the next one would be too many. Counts it as one.
    pub(super) fn is_exhausted(&self, peer: IpAddr) -> bool {
        !self.count(peer)
    }
}

fn network(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(
            || Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
            IpAddr::V4,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_looked_through_once_in_a_while() {
        let limiter = Limiter::default();
        let begun = *limiter.swept.lock().unwrap();
        let due = |ms| limiter.is_sweep_due(begun + Duration::from_millis(ms));
        let sweeps = (0..10_000).filter(|knock| due(knock / 2)).count();
        assert_eq!(sweeps, 4, "10,000 knocks in five seconds");
    }

    #[test]
    fn addresses_are_counted_apart() {
        let limiter = Limiter::default();
        let passed = |peer: &str| (0..25).filter(|_| limiter.count(peer.parse().unwrap())).count();
        assert!((20..23).contains(&passed("192.0.2.1")));
        assert!((20..23).contains(&passed("192.0.2.2")));
        assert!((20..23).contains(&passed("2001:db8::1")));
        assert!(passed("2001:db8::2") < 3, "the same /64");
        assert!(passed("::ffff:192.0.2.1") < 3, "the same host");
    }
}
