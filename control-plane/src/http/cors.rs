//! Cross-origin requests: pages of origins that are trusted may read answers and send what the API understands.

use axum::response::Response;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method};

use super::host::Site;
use crate::options::Options;

/// How long a browser keeps what a preflight request told, seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, x-csrf-token",
);
const RESPONSE_HEADERS: HeaderValue =
    HeaderValue::from_static("etag, idempotent-replayed, location, retry-after, x-request-id");

/// What a browser that asks for a page of another origin may be told.
#[derive(Debug, Clone)]
pub(crate) struct Permission {
    origin: HeaderValue,
    preflight: bool,
}

impl Permission {
    /// `None`: no page asks, or one that is not trusted.
    pub(crate) fn of(headers: &HeaderMap, method: &Method, site: &Site, options: &Options) -> Option<Self> {
        let origin = headers.get(header::ORIGIN)?;
        let trusted = site.trusts(origin.to_str().ok()?, options);
        trusted.then(|| Self {
            origin: origin.clone(),
            preflight: method == Method::OPTIONS
                && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD),
        })
    }
}

/// Says what is permitted, and to caches that it depends on who asks.
pub(crate) fn say(permission: Option<Permission>, response: &mut Response) {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    let Some(Permission { origin, preflight }) = permission else {
        return;
    };
    let mut set = |name: HeaderName, value: HeaderValue| drop(headers.insert(name, value));
    set(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    set(
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    set(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
    if preflight {
        set(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        set(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        set(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
}
