//! The secret of a login under way. It lives in a cookie of the browser alone; state, nonce and PKCE verifier are derived
//! from it, so that nothing of a login can be read in the store, and no other browser can finish it.

use botloom_core::hash::Sha256Hash;
use http::HeaderMap;
use subtle::ConstantTimeEq;

use crate::auth::browser_secret::BrowserSecret;
use crate::http::host::Site;

/// A login has to come back within 10 minutes.
pub(crate) const ATTEMPT_MS: i64 = 600_000;

/// The secret in the cookie of a login under way.
#[derive(Debug, Clone)]
pub(crate) struct AttemptSecret(BrowserSecret);

impl AttemptSecret {
    pub(crate) fn generate() -> Self {
        Self(BrowserSecret::generate())
    }

    /// The secret in a request's cookies. `None` without one, with several, and with a text that cannot be one.
    pub(crate) fn from_cookies(headers: &HeaderMap, site: &Site) -> Option<Self> {
        BrowserSecret::from_cookie(headers, site.attempt_cookie()).map(Self)
    }

    /// What is stored of it.
    pub(crate) fn digest(&self) -> Sha256Hash {
        self.0.digest()
    }

    fn derive(&self, what: &str) -> String {
        self.0.derive(&format!("oidc {what}"))
    }

    /// `state`: ties the provider's answer to this browser.
    pub(crate) fn state(&self) -> String {
        self.derive("state")
    }

    /// Whether an answer's `state` is this login's.
    pub(crate) fn is_state(&self, state: &str) -> bool {
        self.state().as_bytes().ct_eq(state.as_bytes()).into()
    }

    /// `nonce`: ties the ID token to this login.
    pub(crate) fn nonce(&self) -> String {
        self.derive("nonce")
    }

    /// The PKCE verifier (RFC 7636): 43 characters, ties the code to this login.
    pub(crate) fn verifier(&self) -> String {
        self.derive("verifier")
    }

    /// The `Set-Cookie` that gives it to the browser.
    pub(crate) fn set_cookie(&self, site: &Site) -> String {
        cookie(site, self.0.expose(), ATTEMPT_MS / 1000)
    }

    /// The `Set-Cookie` that takes it away.
    pub(crate) fn clear_cookie(site: &Site) -> String {
        cookie(site, "", 0)
    }
}

/// `Lax`: the provider sends the browser back by a link of its own, and `Strict` would keep the cookie away then.
fn cookie(site: &Site, value: &str, max_age: i64) -> String {
    let secure = if site.secure { "; Secure" } else { "" };
    format!(
        "{}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}",
        site.attempt_cookie()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_derived_differs_by_use_and_by_login() {
        let (one, other) = (AttemptSecret::generate(), AttemptSecret::generate());
        let all = [
            one.state(),
            one.nonce(),
            one.verifier(),
            other.state(),
            one.digest().to_string(),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(one.verifier().len(), 43);
        assert!(one.is_state(&one.state()));
        for wrong in ["", &other.state(), &one.nonce(), &one.state()[1..]] {
            assert!(!one.is_state(wrong), "{wrong}");
        }
        assert!(!format!("{one:?}").contains(one.0.expose()));
    }

    #[test]
    fn the_cookie_is_read_back() {
        let site = Site {
            authority: "x".into(),
            secure: true,
        };
        let secret = AttemptSecret::generate();
        let cookie = secret.set_cookie(&site);
        assert!(cookie.starts_with("__Host-botloom_login=") && cookie.ends_with("SameSite=Lax; Secure"));
        let mut headers = HeaderMap::new();
        let pair = cookie.split(';').next().unwrap();
        headers.append("cookie", pair.parse().unwrap());
        let read = AttemptSecret::from_cookies(&headers, &site).unwrap();
        assert_eq!(read.digest(), secret.digest());
        headers.append("cookie", pair.parse().unwrap());
        assert!(AttemptSecret::from_cookies(&headers, &site).is_none());
    }
}
