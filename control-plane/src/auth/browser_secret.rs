//! A secret that lives in a cookie of one browser alone: 256 random bits. The store has its digest; what else belongs to it
//! is derived, so that it can be told again and nobody gets from it to the secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use botloom_core::Secret;
use botloom_core::hash::Sha256Hash;
use http::HeaderMap;

use super::session::cookie_of;

/// Characters of 32 bytes in Base64.
const LENGTH: usize = 43;

#[derive(Debug, Clone)]
pub(crate) struct BrowserSecret(Secret);

impl BrowserSecret {
    pub(crate) fn generate() -> Self {
        Self(Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())))
    }

    /// The secret in a request's cookie of this name. `None` without one, with several, and with a text that cannot be one.
    pub(crate) fn from_cookie(headers: &HeaderMap, name: &str) -> Option<Self> {
        let text = cookie_of(headers, name)?;
        let valid = text.len() == LENGTH
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        valid.then(|| Self(Secret::new(text)))
    }

    /// What is stored of it.
    pub(crate) fn digest(&self) -> Sha256Hash {
        Sha256Hash::of(self.0.expose())
    }

    /// Another secret that belongs to it, by its purpose.
    pub(crate) fn derive(&self, purpose: &str) -> String {
        let digest = Sha256Hash::of(format!("botloom {purpose} of {}", self.0.expose()));
        URL_SAFE_NO_PAD.encode(digest.0)
    }

    /// For the cookie.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }
}
