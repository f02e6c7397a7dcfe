//! Browsers that an account was logged in with before: their logins are counted apart, so that nobody who guesses from
//! elsewhere can keep the account's person out.
//!
//! The cookie is sealed with the installation's key and says for which account it is, and under which of its passwords: it
//! ends when that is changed. It gives no rights: whoever steals it may make as many guesses as somebody at another address. (OWASP, "Slow Down Online Guessing Attacks with Device
//! Cookies".)

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use botloom_core::hash::Sha256Hash;
use botloom_core::model::User;
use botloom_core::secret::Secret;
use botloom_core::vault::{SecretContext, Vault};

use crate::http::host::Site;

/// A browser is remembered so long: a year.
const MAX_AGE_SECS: i64 = 365 * 24 * 3600;
/// Longest cookie that is looked at.
const MAX_COOKIE: usize = 512;
const CONTEXT: SecretContext<'_> = SecretContext::Installation("login device");

/// A new cookie for an account: names the account by a digest, and the browser by 128 random bits.
pub(crate) fn issue(vault: &Vault, user: &User) -> Secret {
    let random = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
    let text = Secret::new(format!("{}.{random}", account(user)));
    Secret::new(URL_SAFE_NO_PAD.encode(vault.seal(&text, &CONTEXT)))
}

/// The browser that a cookie stands for, if it is one of this account with its present password.
pub(crate) fn recognise(vault: &Vault, cookie: &Secret, user: &User) -> Option<Sha256Hash> {
    if cookie.expose().len() > MAX_COOKIE {
        return None;
    }
    let sealed = URL_SAFE_NO_PAD.decode(cookie.expose()).ok()?;
    let text = vault.open(&sealed, &CONTEXT).ok()?;
    let (of, _) = text.expose().split_once('.')?;
    (of == account(user)).then(|| Sha256Hash::of(text.expose()))
}

fn account(user: &User) -> String {
    Sha256Hash::of(format!(
        "{}\n{}",
        user.id,
        user.password_hash.as_deref().unwrap_or_default()
    ))
    .to_string()
}

/// The `Set-Cookie` that has the browser keep it.
pub(crate) fn set_cookie(cookie: &Secret, site: &Site) -> String {
    let secure = if site.secure { "; Secure" } else { "" };
    format!(
        "{}={}; Path=/; Max-Age={MAX_AGE_SECS}; HttpOnly; SameSite=Lax{secure}",
        site.device_cookie(),
        cookie.expose()
    )
}

#[cfg(test)]
mod tests {
    use botloom_core::TimestampMs;
    use botloom_core::ids::UserId;

    use super::*;

    fn user(password_hash: &str) -> User {
        User {
            id: UserId::generate(),
            email: "ada@example.org".to_owned(),
            password_hash: Some(password_hash.to_owned()),
            created_at: TimestampMs(0),
        }
    }

    #[test]
    fn a_browser_is_known_for_its_own_account_with_its_present_password_alone() {
        let vault = Vault::new(&[7; 32]);
        let (ada, bob) = (user("hash"), user("hash"));
        let cookie = issue(&vault, &ada);
        let known = recognise(&vault, &cookie, &ada);
        assert!(known.is_some());
        assert_ne!(known, recognise(&vault, &issue(&vault, &ada), &ada));
        assert_eq!(recognise(&vault, &cookie, &bob), None);
        let changed = User {
            password_hash: Some("another".to_owned()),
            ..ada.clone()
        };
        assert_eq!(recognise(&vault, &cookie, &changed), None);
        assert_eq!(recognise(&Vault::new(&[8; 32]), &cookie, &ada), None);
        for forged in ["", "x", "AAAA", &"A".repeat(600)] {
            assert_eq!(recognise(&vault, &Secret::new(forged), &ada), None);
        }
    }
}
