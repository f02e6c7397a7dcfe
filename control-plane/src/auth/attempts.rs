//! Failed logins: how many a minute, for an account from an address, for an account, for an address, and apart from all
//! these for a browser that is known.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use botloom_core::TimestampMs;
use botloom_core::hash::Sha256Hash;
use moka::sync::Cache;

const WINDOW_MS: i64 = 60_000;
/// Windows remembered; the ones idle for longest go first.
const WINDOWS: u64 = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Both(IpAddr, Sha256Hash),
    Account(Sha256Hash),
    Address(IpAddr),
    Known(Sha256Hash),
}

/// Where an attempt comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// From somewhere; an IPv6 network counts as one address.
    Address(IpAddr),
    /// From a browser or a session that the account was logged in with: counted by itself, so that what others do
    /// elsewhere does not keep it out.
    Known(Sha256Hash),
}

type Window = Arc<Mutex<VecDeque<TimestampMs>>>;

/// Counts failed logins.
#[derive(Debug)]
pub(crate) struct Attempts {
    limit: usize,
    windows: Cache<Key, Window>,
}

/// A login under way. It counts as failed until [`Attempt::forgive`].
#[derive(Debug)]
pub(crate) struct Attempt {
    at: TimestampMs,
    windows: Vec<Window>,
}

impl Attempts {
    pub(crate) fn new(limit: u32) -> Self {
        let windows = Cache::builder()
            .max_capacity(WINDOWS)
            .time_to_idle(Duration::from_mins(2))
            .build();
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            windows,
        }
    }

    /// Begins a login; refused with the seconds to wait where too many failed within the last minute. Whether the
    /// account exists plays no part. It is counted before the password is looked at, so parallel guesses count too.
    pub(crate) fn begin(&self, source: Source, email: &str, now: TimestampMs) -> Result<Attempt, u64> {
        let account = Sha256Hash::of(email.to_lowercase());
        let keys = match source {
            Source::Known(hash) => vec![(Key::Known(hash), self.limit)],
            Source::Address(address) => vec![
                (Key::Both(address, account), self.limit),
                (Key::Account(account), self.limit.saturating_mul(2)),
                (Key::Address(address), self.limit.saturating_mul(4)),
            ],
        };
        let mut attempt = Attempt {
            at: now,
            windows: Vec::with_capacity(keys.len()),
        };
        for (key, limit) in keys {
            let window = self.windows.get_with(key, Window::default);
            let wait = count(&window, limit, now);
            if let Some(ms) = wait {
                attempt.forgive();
                return Err(u64::try_from(ms).unwrap_or(0).div_ceil(1000));
            }
            attempt.windows.push(window);
        }
        Ok(attempt)
    }
}

/// Notes an attempt, or answers after how many milliseconds one will be allowed.
fn count(window: &Window, limit: usize, now: TimestampMs) -> Option<i64> {
    let mut times = window.lock().unwrap_or_else(PoisonError::into_inner);
    while times.front().is_some_and(|time| now.since(*time) >= WINDOW_MS) {
        times.pop_front();
    }
    if times.len() >= limit {
        return times.front().map(|oldest| WINDOW_MS - now.since(*oldest));
    }
    times.push_back(now);
    None
}

impl Attempt {
    /// Takes the attempt out of the count.
    pub(crate) fn forgive(&self) {
        for window in &self.windows {
            let mut times = window.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(index) = times.iter().rposition(|time| *time == self.at) {
                times.remove(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Source {
        Source::Address(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn five_a_minute_for_an_account_from_an_address() {
        let attempts = Attempts::new(5);
        let at = |ms: i64| TimestampMs(1_000_000 + ms);
        for n in 0..5 {
            attempts.begin(address(1), "A@example.com", at(n * 1000)).unwrap();
        }
        assert_eq!(
            attempts.begin(address(1), "a@example.com", at(5000)).unwrap_err(),
            55
        );
        attempts.begin(address(2), "a@example.com", at(5000)).unwrap();
        attempts.begin(address(1), "b@example.com", at(5000)).unwrap();
        attempts.begin(address(1), "a@example.com", at(60_000)).unwrap();
    }

    #[test]
    fn an_account_is_guarded_against_many_addresses_and_an_address_against_many_accounts() {
        let attempts = Attempts::new(5);
        let now = TimestampMs(0);
        for n in 0..10 {
            attempts.begin(address(n), "a@example.com", now).unwrap();
        }
        assert!(attempts.begin(address(99), "a@example.com", now).is_err());
        for n in 0..20 {
            attempts
                .begin(address(100), &format!("{n}@example.com"), now)
                .unwrap();
        }
        assert!(attempts.begin(address(100), "new@example.com", now).is_err());
    }

    #[test]
    fn logins_that_succeed_do_not_count() {
        let attempts = Attempts::new(2);
        for _ in 0..50 {
            attempts
                .begin(address(1), "a@example.com", TimestampMs(0))
                .unwrap()
                .forgive();
        }
    }

    #[test]
    fn what_strangers_do_does_not_count_for_who_is_known() {
        let attempts = Attempts::new(5);
        let (now, known) = (TimestampMs(0), Source::Known(Sha256Hash::of("a browser")));
        while attempts.begin(address(1), "a@example.com", now).is_ok() {}
        for _ in 0..5 {
            attempts.begin(known, "a@example.com", now).unwrap();
        }
        assert!(attempts.begin(known, "a@example.com", now).is_err());
        attempts
            .begin(Source::Known(Sha256Hash::of("another")), "a@example.com", now)
            .unwrap();
    }
}
