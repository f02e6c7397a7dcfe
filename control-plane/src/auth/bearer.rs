//! API tokens as they are sent: `Authorization: Bearer blm_…`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use botloom_core::hash::Sha256Hash;
use botloom_core::secret::Secret;
use http::{HeaderMap, header};

/// How every token begins, so that scanners for leaked secrets find it.
const PREFIX: &str = "blm_";
/// Last use is noted at most this often.
pub(crate) const TOUCH_MS: i64 = 60_000;
/// A token that has expired is told as such, and listed, for so long: 30 days.
pub(crate) const TOLD_MS: i64 = 30 * 24 * 3_600_000;

/// A new token: 256 random bits.
pub(crate) fn generate() -> Secret {
    let random = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    Secret::new(format!("{PREFIX}{random}"))
}

/// What is stored of a token.
pub(crate) fn digest(token: &Secret) -> Sha256Hash {
    Sha256Hash::of(token.expose())
}

/// What a request brings instead of a session.
#[derive(Debug)]
pub(crate) enum Bearer {
    /// Nothing of the kind.
    None,
    /// A text that may be a token.
    Token(Secret),
    /// Something that cannot be one, or several.
    Unreadable,
}

/// Reads `Authorization`. Other schemes are somebody else's: proxies in front use Basic for themselves.
pub(crate) fn read(headers: &HeaderMap) -> Bearer {
    let mut found = Bearer::None;
    for value in headers.get_all(header::AUTHORIZATION) {
        let text = value.to_str().unwrap_or_default();
        let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            continue;
        }
        let token = token.trim();
        let random = token.strip_prefix(PREFIX).unwrap_or_default();
        let valid = random.len() == 43
            && random
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        found = match found {
            Bearer::None if valid => Bearer::Token(Secret::new(token)),
            _ => Bearer::Unreadable,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Bearer {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        read(&headers)
    }

    #[test]
    fn a_token_is_read_back() {
        let token = generate();
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let read = of(&[&format!("{scheme} {}", token.expose())]);
            assert!(matches!(read, Bearer::Token(read) if digest(&read) == digest(&token)));
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_none_and_other_schemes_are_not_ours() {
        let token = generate();
        let good = format!("Bearer {}", token.expose());
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer blm_short",
            "Bearer xyz",
            &format!("{good}x"),
            &format!("{good} x"),
        ] {
            assert!(matches!(of(&[bad]), Bearer::Unreadable), "{bad}");
        }
        assert!(matches!(of(&[&good, &good]), Bearer::Unreadable));
        assert!(matches!(of(&[]), Bearer::None));
        assert!(matches!(of(&["Basic dXNlcjpwYXNz"]), Bearer::None));
        assert!(matches!(of(&["Basic dXNlcjpwYXNz", &good]), Bearer::Token(_)));
    }
}
