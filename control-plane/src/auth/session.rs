//! Sessions: what is in the cookie, what is stored, when it ends.

use std::net::IpAddr;

use botloom_core::TimestampMs;
use botloom_core::hash::Sha256Hash;
use botloom_core::ids::UserId;
use botloom_core::model::Session;
use http::HeaderMap;
use http::header;
use subtle::ConstantTimeEq;

use super::browser_secret::BrowserSecret;
use crate::app::Error;
use crate::http::host::Site;

/// A session ends so long after its last use: 12 h.
pub(crate) const IDLE_MS: i64 = 12 * 3_600_000;
/// A session ends so long after the login, whatever happens: 7 days.
pub(crate) const ABSOLUTE_MS: i64 = 7 * 24 * 3_600_000;
/// What gives an account away for good needs a login within so long: 10 minutes.
pub(crate) const FRESH_MS: i64 = 600_000;
/// Last use is noted at most this often.
pub(crate) const TOUCH_MS: i64 = 60_000;

/// A session id.
#[derive(Debug, Clone)]
pub(crate) struct SessionId(BrowserSecret);

impl SessionId {
    pub(crate) fn generate() -> Self {
        Self(BrowserSecret::generate())
    }

    /// The id in a request's cookies. `None` without one, with several, and with a text that cannot be one.
    pub(crate) fn from_cookies(headers: &HeaderMap, site: &Site) -> Option<Self> {
        BrowserSecret::from_cookie(headers, site.cookie()).map(Self)
    }

    pub(crate) fn digest(&self) -> Sha256Hash {
        self.0.digest()
    }

    /// The CSRF token that belongs to the session.
    pub(crate) fn csrf_token(&self) -> String {
        self.0.derive("csrf token")
    }

    /// A new session under this id.
    pub(crate) fn open(
        &self,
        user: UserId,
        now: TimestampMs,
        address: Option<IpAddr>,
        agent: Option<String>,
    ) -> Session {
        let csrf = Sha256Hash::of(self.csrf_token());
        Session {
            hash: self.digest(),
            user,
            csrf,
            created_at: now,
            seen_at: now,
            address,
            agent,
        }
    }

    /// The `Set-Cookie` that gives the id to the browser.
    pub(crate) fn set_cookie(&self, site: &Site) -> String {
        cookie(site, self.0.expose(), ABSOLUTE_MS / 1000)
    }
}

/// The `Set-Cookie` that takes the id away.
pub(crate) fn clear_cookie(site: &Site) -> String {
    cookie(site, "", 0)
}

fn cookie(site: &Site, value: &str, max_age: i64) -> String {
    let secure = if site.secure { "; Secure" } else { "" };
    format!(
        "{}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}",
        site.cookie()
    )
}

/// The cookie of this name. `None` without one, and with several.
pub(crate) fn cookie_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let pairs = pairs
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (value, None) => value,
        _ => None,
    }
}

/// Whether a session has ended by itself.
pub(crate) fn is_over(session: &Session, now: TimestampMs) -> bool {
    now.since(session.seen_at) >= IDLE_MS || now.since(session.created_at) >= ABSOLUTE_MS
}

/// Refuses a session whose login is not fresh.
pub(crate) fn require_fresh(session: &Session, now: TimestampMs) -> Result<(), Error> {
    if now.since(session.created_at) < FRESH_MS {
        Ok(())
    } else {
        Err(Error::FreshLoginRequired)
    }
}

/// Whether the token belongs to the session.
pub(crate) fn csrf_fits(session: &Session, token: &str) -> bool {
    Sha256Hash::of(token).0.ct_eq(&session.csrf.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(secure: bool) -> Site {
        Site {
            authority: "x".into(),
            secure,
        }
    }

    #[test]
    fn cookies_follow_the_scheme() {
        let id = SessionId::generate();
        let secure = id.set_cookie(&site(true));
        assert!(
            secure.starts_with("__Host-botloom=") && secure.ends_with("; HttpOnly; SameSite=Lax; Secure")
        );
        assert!(secure.contains("; Path=/; Max-Age=604800;"));
        let plain = id.set_cookie(&site(false));
        assert!(plain.starts_with("botloom_session=") && !plain.contains("Secure"));
    }

    #[test]
    fn exactly_one_well_formed_cookie_counts() {
        let read = |cookies: &[&str]| {
            let mut headers = HeaderMap::new();
            for cookie in cookies {
                headers.append(header::COOKIE, cookie.parse().unwrap());
            }
            SessionId::from_cookies(&headers, &site(false)).map(|id| id.digest())
        };
        let value = "A".repeat(43);
        let good = format!("botloom_session={value}");
        let digest = Some(Sha256Hash::of(&value));
        assert_eq!(read(&[&good]), digest);
        assert_eq!(read(&[&format!("theme=dark; {good}; x=y")]), digest);
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[&good, &good]), None);
        assert_eq!(read(&[&format!("{good}; {good}")]), None);
        assert_eq!(read(&["botloom_session=short"]), None);
        assert_eq!(read(&[&format!("botloom_session={}", "A".repeat(4096))]), None);
        assert_eq!(read(&[&format!("__Host-botloom={value}")]), None);
    }

    #[test]
    fn a_session_ends_idle_or_old() {
        let mut session = SessionId::generate().open(UserId::generate(), TimestampMs(0), None, None);
        assert!(!is_over(&session, TimestampMs(IDLE_MS - 1)));
        assert!(is_over(&session, TimestampMs(IDLE_MS)));
        session.seen_at = TimestampMs(ABSOLUTE_MS - 1);
        assert!(!is_over(&session, TimestampMs(ABSOLUTE_MS - 1)));
        assert!(is_over(&session, TimestampMs(ABSOLUTE_MS)));
    }

    #[test]
    fn a_csrf_token_fits_its_own_session_only() {
        let (one, other) = (SessionId::generate(), SessionId::generate());
        let session = one.open(UserId::generate(), TimestampMs(0), None, None);
        assert!(csrf_fits(&session, &one.csrf_token()));
        assert!(!csrf_fits(&session, &other.csrf_token()));
        assert!(!csrf_fits(&session, ""));
    }
}
