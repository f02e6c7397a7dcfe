//! How failures look: `application/problem+json` (RFC 9457). The only place that turns errors into answers.

use axum::response::{IntoResponse, Response};
use botloom_core::{Coded, Kind};
use http::header::{self, HeaderName};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::code::{self, Code};

/// Media type of every failure.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// A failure on its way out. The request id is added by the outermost layer, which also writes the body.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    /// Boxed: results carry problems everywhere and are mostly fine.
    about: Box<About>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What a problem tells; this is also what is kept to be told again.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct About {
    slug: String,
    title: String,
    detail: String,
    errors: Vec<Value>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self::build(code.status, code.slug, code.title.to_owned(), detail.into())
    }

    fn build(status: StatusCode, slug: &str, title: String, detail: String) -> Self {
        let about = About {
            slug: slug.to_owned(),
            title,
            detail,
            errors: Vec::new(),
        };
        Self {
            status,
            about: Box::new(about),
            headers: Vec::new(),
        }
    }

    /// Names the parts at fault, one object each.
    #[must_use]
    pub(crate) fn with_errors<T: Serialize>(mut self, errors: &[T]) -> Self {
        self.about.errors = errors
            .iter()
            .filter_map(|error| serde_json::to_value(error).ok())
            .collect();
        self
    }

    /// Adds a header, in place of one that is there; a value that cannot be one is left out.
    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.retain(|(present, _)| *present != name);
            self.headers.push((name, value));
        }
        self
    }

    #[must_use]
    pub(crate) fn retry_after(self, secs: u64) -> Self {
        self.with_header(header::RETRY_AFTER, &secs.max(1).to_string())
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The problem that a bare status stands for, as the router and the HTTP stack produce it.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found(),
            StatusCode::METHOD_NOT_ALLOWED => Self::new(
                code::METHOD_NOT_ALLOWED,
                "The address exists, but not with this method; see Allow.",
            ),
            status if status.is_client_error() => Self {
                status,
                ..Self::new(code::MALFORMED_REQUEST, "The request cannot be read.")
            },
            _ => Self::internal(),
        }
    }

    /// Title, detail and slug.
    pub(crate) fn words(&self) -> (&str, &str, &str) {
        (&self.about.title, &self.about.detail, &self.about.slug)
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            code::INTERNAL,
            "Something went wrong on our side; the request id helps to find out what.",
        )
    }

    pub(crate) fn not_found() -> Self {
        Self::new(code::NOT_FOUND, "It does not exist, or you may not know of it.")
    }

    /// The body, with the id of the request that it answers.
    pub(crate) fn body(&self, instance: &str) -> Vec<u8> {
        let mut body = serde_json::json!({
            "type": format!("/problems/{}", self.about.slug),
            "title": self.about.title,
            "status": self.status.as_u16(),
            "detail": self.about.detail,
            "instance": instance,
        });
        if !self.about.errors.is_empty() {
            body["errors"] = Value::Array(self.about.errors.clone());
        }
        body.to_string().into_bytes()
    }

    /// Headers and body for the idempotency store: everything but the request id.
    pub(crate) fn to_stored(&self) -> (Vec<(String, String)>, Vec<u8>) {
        let text = |(name, value): &(HeaderName, HeaderValue)| {
            Some((name.to_string(), value.to_str().ok()?.to_owned()))
        };
        let headers = self.headers.iter().filter_map(text).collect();
        (headers, serde_json::to_vec(&self.about).unwrap_or_default())
    }

    /// The way back from [`Self::to_stored`].
    pub(crate) fn from_stored(status: StatusCode, body: &[u8]) -> Option<Self> {
        Some(Self {
            status,
            about: serde_json::from_slice(body).ok()?,
            headers: Vec::new(),
        })
    }
}

impl<E: Coded> From<E> for Problem {
    fn from(error: E) -> Self {
        let kind = error.kind();
        match kind {
            Kind::Internal => tracing::error!(code = error.code(), ?error, "request failed"),
            Kind::Unavailable => tracing::warn!(code = error.code(), ?error, "dependency unavailable"),
            _ => tracing::debug!(code = error.code(), ?error, "request refused"),
        }
        let problem = match code::find(error.code()) {
            Some(code) => Self::new(code, error.outside()),
            // Codes of other crates: their kind decides.
            None => Self::build(
                status_of(kind),
                error.code(),
                error.code().replace('-', " "),
                error.outside(),
            ),
        };
        if kind.is_retryable() {
            problem.retry_after(error.retry_after().unwrap_or(1))
        } else {
            problem
        }
    }
}

const fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Gone => StatusCode::GONE,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.headers_mut().extend(self.headers.iter().cloned());
        response.extensions_mut().insert(self);
        response
    }
}
