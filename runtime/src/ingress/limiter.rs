//! Counts strangers by address.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::DefaultClock;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

/// Wrong knocks of one address per second, and at once.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(5).expect("a constant");
const BURST: NonZeroU32 = NonZeroU32::new(20).expect("a constant");
/// Addresses remembered before those that behave again are forgotten …
const REMEMBERED: usize = 10_000;
/// … which is looked for once in so many knocks.
const SWEPT_EVERY: u32 = 1_024;

/// Limits wrong knocks. IPv6 hosts are counted by their /64: one host has all of it.
#[derive(Debug)]
pub(super) struct Limiter {
    limiter: RateLimiter<IpAddr, DashMapStateStore<IpAddr>, DefaultClock>,
    knocks: AtomicU32,
}

impl Default for Limiter {
    fn default() -> Self {
        let quota = Quota::per_second(PER_SECOND).allow_burst(BURST);
        Self {
            limiter: RateLimiter::dashmap(quota),
            knocks: AtomicU32::new(0),
        }
    }
}

impl Limiter {
    /// Counts one; `false` if it was too many.
    pub(super) fn count(&self, peer: IpAddr) -> bool {
        let knocks = self.knocks.fetch_add(1, Ordering::Relaxed);
        if knocks.is_multiple_of(SWEPT_EVERY) && self.limiter.len() > REMEMBERED {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(&network(peer)).is_ok()
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
