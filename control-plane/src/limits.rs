//! Token buckets by address and by user.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use botloom_core::ids::UserId;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::code;
use crate::options::{InvalidOptions, Limits};
use crate::problem::Problem;

/// All buckets of the API.
#[derive(Debug)]
pub(crate) struct Rates {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    identity_logins: DefaultKeyedRateLimiter<IpAddr>,
    users: DefaultKeyedRateLimiter<UserId>,
    clock: DefaultClock,
}

impl Rates {
    pub(crate) fn new(limits: &Limits) -> Result<Self, InvalidOptions> {
        Ok(Self {
            addresses: DefaultKeyedRateLimiter::keyed(quota(
                limits.address_per_second,
                limits.address_burst,
            )?),
            identity_logins: DefaultKeyedRateLimiter::keyed(Quota::per_minute(positive(
                limits.identity_logins,
            )?)),
            users: DefaultKeyedRateLimiter::keyed(quota(limits.user_per_second, limits.user_burst)?),
            clock: DefaultClock::default(),
        })
    }

    /// Takes a token of the caller's address. Without a known peer everybody shares one bucket.
    pub(crate) fn address(&self, peer: Option<IpAddr>) -> Result<(), Problem> {
        let key = bucket(peer.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)));
        self.addresses
            .check_key(&key)
            .map_err(|until| self.refuse(&until))
    }

    /// Takes a token of an address for a login at an identity provider: each is a row in the store, and a request there.
    pub(crate) fn identity_logins(&self, bucket: IpAddr) -> Result<(), Problem> {
        self.identity_logins
            .check_key(&bucket)
            .map_err(|until| self.refuse(&until))
    }

    /// Takes a token of a user.
    pub(crate) fn user(&self, user: UserId) -> Result<(), Problem> {
        self.users.check_key(&user).map_err(|until| self.refuse(&until))
    }

    /// Drops buckets that are full again: they say nothing.
    pub(crate) fn forget_idle(&self) {
        self.addresses.retain_recent();
        self.identity_logins.retain_recent();
        self.users.retain_recent();
    }

    fn refuse(&self, until: &governor::NotUntil<<DefaultClock as Clock>::Instant>) -> Problem {
        let wait = until.wait_time_from(self.clock.now());
        let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Problem::new(
            code::RATE_LIMITED,
            "Too many requests; wait as long as Retry-After says.",
        )
        .retry_after(secs)
    }
}

fn positive(number: u32) -> Result<NonZeroU32, InvalidOptions> {
    NonZeroU32::new(number).ok_or(InvalidOptions("limits must be at least 1"))
}

fn quota(per_second: u32, burst: u32) -> Result<Quota, InvalidOptions> {
    Ok(Quota::per_second(positive(per_second)?).allow_burst(positive(burst)?))
}

/// One household or server has a /64 of IPv6 and may use all of it.
pub(crate) fn bucket(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_share_a_bucket() {
        let of = |text: &str| bucket(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn a_burst_is_allowed_and_then_told_how_long_to_wait() {
        let limits = Limits {
            user_per_second: 1,
            user_burst: 3,
            ..Limits::default()
        };
        let rates = Rates::new(&limits).unwrap();
        let (one, other) = (UserId::generate(), UserId::generate());
        for _ in 0..3 {
            rates.user(one).unwrap();
        }
        assert_eq!(
            rates.user(one).unwrap_err().status(),
            http::StatusCode::TOO_MANY_REQUESTS
        );
        rates.user(other).unwrap();
    }
}
