//! Headers of an `apiCall`.

use std::collections::BTreeMap;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Most headers a call may set.
const MAX_HEADERS: usize = 64;

/// Headers that decide how the request is framed or where it goes; they are the host's alone.
const RESERVED: [HeaderName; 11] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::EXPECT,
    header::ACCEPT_ENCODING,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
];

/// The headers of a request; `None` if one is malformed or reserved.
pub(super) fn build(
    given: &BTreeMap<String, String>,
    host: &str,
    idempotency_key: &str,
    has_body: bool,
) -> Option<HeaderMap> {
    if given.len() > MAX_HEADERS {
        return None;
    }
    let mut headers = HeaderMap::with_capacity(given.len() + 5);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("botloom/", env!("CARGO_PKG_VERSION"))),
    );
    if has_body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in given {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        if RESERVED.contains(&name) {
            return None;
        }
        headers.insert(name, HeaderValue::from_str(value).ok()?);
    }
    headers.insert(header::HOST, HeaderValue::from_str(host).ok()?);
    headers.insert("idempotency-key", HeaderValue::from_str(idempotency_key).ok()?);
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Option<HeaderMap> {
        build(
            &BTreeMap::from([(name.to_owned(), value.to_owned())]),
            "a.example",
            "bot:1:1",
            true,
        )
    }

    #[test]
    fn own_headers_pass_and_ours_win() {
        let headers = one("X-Api-Key", "k").unwrap();
        assert_eq!(headers["x-api-key"], "k");
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(
            one("Content-Type", "application/ld+json").unwrap()["content-type"],
            "application/ld+json"
        );
        assert_eq!(
            one("Idempotency-Key", "mine").unwrap()["idempotency-key"],
            "bot:1:1"
        );
    }

    #[test]
    fn framing_and_splitting_are_refused() {
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "connection",
            "a b",
            "",
            "x:",
            "x\r\ny",
        ] {
            assert!(one(name, "v").is_none(), "{name:?}");
        }
        for value in ["a\r\nHost: x", "a\nb", "a\0b"] {
            assert!(one("x", value).is_none(), "{value:?}");
        }
    }
}
