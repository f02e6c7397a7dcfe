//! Answers in the Bot API's envelope.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Parameters;

/// A call's refusal, in Telegram's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) description: String,
    pub(crate) parameters: Parameters,
}

/// The result of a call.
pub(crate) type Outcome = Result<Value, Refusal>;

impl Refusal {
    pub(crate) fn new(code: u16, description: impl Into<String>) -> Self {
        Self {
            code,
            description: description.into(),
            parameters: Parameters::default(),
        }
    }

    /// 400 with the prefix that Telegram gives it.
    pub(crate) fn bad(text: impl AsRef<str>) -> Self {
        Self::new(400, format!("Bad Request: {}", text.as_ref()))
    }

    pub(crate) fn forbidden(text: &str) -> Self {
        Self::new(403, format!("Forbidden: {text}"))
    }

    pub(crate) fn retry_after(secs: u32) -> Self {
        let mut refusal = Self::new(429, format!("Too Many Requests: retry after {secs}"));
        refusal.parameters.retry_after = Some(secs);
        refusal
    }

    pub(crate) fn migrated(to: i64) -> Self {
        let mut refusal = Self::bad("group chat was upgraded to a supergroup chat");
        refusal.parameters.migrate_to_chat_id = Some(to);
        refusal
    }
}

/// What the connection does with an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut;

/// The HTTP answer to a call.
pub(crate) fn http(outcome: &Outcome) -> Response<axum::body::Body> {
    let (status, value) = match outcome {
        Ok(result) => (200, json!({ "ok": true, "result": result })),
        Err(refusal) => {
            let mut value =
                json!({ "ok": false, "error_code": refusal.code, "description": refusal.description });
            if refusal.parameters != Parameters::default() {
                value["parameters"] = json!(refusal.parameters);
            }
            (refusal.code, value)
        }
    };
    let mut response = Response::new(axum::body::Body::from(Bytes::from(value.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Err(Refusal {
        parameters: Parameters {
            retry_after: Some(secs),
            ..
        },
        ..
    }) = outcome
    {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(*secs));
    }
    response
}

/// An answer that is never given: the connection closes instead.
pub(crate) fn cut() -> Response<axum::body::Body> {
    let mut response = Response::new(axum::body::Body::empty());
    response.extensions_mut().insert(Cut);
    response
}
