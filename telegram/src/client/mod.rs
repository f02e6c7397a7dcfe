//! Calls to the Bot API over kept-alive connections.
//!
//! Plain behaviour on purpose: no retries, no redirects, no proxies from the environment. Who calls decides what a
//! failure means ([`crate::classify`]).

mod methods;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use url::Url;

pub use methods::{BotCommand, GetUpdates, Me, SetWebhook, WebhookInfo};

use crate::error::chain;
use crate::{CallError, InvalidOptions, Token, Upload};
pub(crate) use wire::Connector;
use wire::{Sent, TrackedBody};

/// How to reach the Bot API.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where `/bot<token>/<method>` hangs: `https://api.telegram.org`, or a server of one's own, plain HTTP included.
    pub api_root: Url,
    /// Longest wait for an answer. Telegram itself sleeps out short floods for some seconds and then executes the call,
    /// so anything below 60 s makes duplicates.
    pub timeout: Duration,
    /// The same for calls that carry files.
    pub upload_timeout: Duration,
    /// Longest wait for name, connection and TLS together.
    pub connect_timeout: Duration,
    /// Largest answer in bytes. `getUpdates` answers about 4 MiB at most.
    pub max_answer: usize,
    /// Idle connections kept.
    pub max_idle: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            api_root: Url::parse("https://api.telegram.org").expect("a constant that parses"),
            timeout: Duration::from_mins(1),
            upload_timeout: Duration::from_mins(5),
            connect_timeout: Duration::from_secs(10),
            max_answer: 8 * 1024 * 1024,
            max_idle: 256,
        }
    }
}

/// A client for any number of bots. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    pool: Pool<Connector, TrackedBody>,
    root: String,
    options: Options,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client with its own connections. Nothing is sent yet.
    ///
    /// Fails when `api_root` is not `http` or `https`, has no host, or carries a query, fragment or password.
    pub fn new(options: Options) -> Result<Self, InvalidOptions> {
        let url = &options.api_root;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(InvalidOptions("the API root must be an http or https address"));
        }
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(InvalidOptions(
                "the API root must have no query, fragment, user or password",
            ));
        }
        let root = url.as_str().trim_end_matches('/').to_owned();
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(options.max_idle)
            .build(Connector::new(options.connect_timeout));
        Ok(Self {
            shared: Arc::new(Shared { pool, root, options }),
        })
    }

    /// Name of the host that is called, for traces.
    pub fn host(&self) -> &str {
        self.shared.options.api_root.host_str().unwrap_or_default()
    }

    /// Calls `method` with `params`, the text of a JSON object. Gives the `result` of the answer as Telegram wrote it.
    pub async fn call_raw(
        &self,
        token: &Token,
        method: &str,
        params: impl Into<Bytes>,
    ) -> Result<Box<RawValue>, CallError> {
        self.post(
            token,
            method,
            "application/json",
            params.into(),
            self.shared.options.timeout,
        )
        .await
    }

    /// Calls `method` with `params` serialised to JSON and reads the result as `R`.
    pub async fn call<P: Serialize + Sync, R: DeserializeOwned>(
        &self,
        token: &Token,
        method: &str,
        params: &P,
    ) -> Result<R, CallError> {
        self.call_within(token, method, params, self.shared.options.timeout)
            .await
    }

    /// Calls `method` with files. Waits for `upload_timeout`.
    pub async fn upload(
        &self,
        token: &Token,
        method: &str,
        upload: &Upload,
    ) -> Result<Box<RawValue>, CallError> {
        let boundary = upload.boundary();
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let body = upload.encode(&boundary);
        self.post(
            token,
            method,
            &content_type,
            body,
            self.shared.options.upload_timeout,
        )
        .await
    }

    /// Fetches a file by the `file_path` that `getFile` gave, at most `max` bytes of it (Telegram serves 20 MiB at
    /// most). A path that leads elsewhere is a [`CallError::BadCall`].
    pub async fn download(&self, token: &Token, file_path: &str, max: usize) -> Result<Bytes, CallError> {
        let safe = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        if !file_path.split('/').all(safe) {
            return Err(CallError::BadCall {
                detail: "not a file path of the Bot API".into(),
            });
        }
        let uri = self.uri(&format!("/file/bot{}/{file_path}", token.expose()))?;
        let request = request(Method::GET, uri, None, Bytes::new());
        let answer = self
            .exchange(token, request, max, self.shared.options.upload_timeout)
            .await?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(refusal(token, &answer))
        }
    }

    async fn call_within<P: Serialize + Sync, R: DeserializeOwned>(
        &self,
        token: &Token,
        method: &str,
        params: &P,
        timeout: Duration,
    ) -> Result<R, CallError> {
        let body = serde_json::to_vec(params).map_err(|e| CallError::BadCall {
            detail: e.to_string(),
        })?;
        let result = self
            .post(token, method, "application/json", body.into(), timeout)
            .await?;
        serde_json::from_str(result.get()).map_err(|e| CallError::BadAnswer {
            status: 200,
            detail: format!("result of {method}: {e}"),
        })
    }

    async fn post(
        &self,
        token: &Token,
        method: &str,
        content_type: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Box<RawValue>, CallError> {
        if method.is_empty() || method.len() > 64 || !method.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(CallError::BadCall {
                detail: "a method's name is made of letters and digits".into(),
            });
        }
        let uri = self.uri(&format!("/bot{}/{method}", token.expose()))?;
        // Without a byte of body nothing would tell whether the request was begun.
        let body = if body.is_empty() {
            Bytes::from_static(b"{}")
        } else {
            body
        };
        let request = request(Method::POST, uri, Some(content_type), body);
        let answer = self
            .exchange(token, request, self.shared.options.max_answer, timeout)
            .await?;
        read_envelope(token, &answer)
    }

    fn uri(&self, path: &str) -> Result<Uri, CallError> {
        // The parser's error does not quote its input, and says nothing worth telling either.
        format!("{}{path}", self.shared.root)
            .parse()
            .map_err(|_| CallError::BadCall {
                detail: "the API root makes no address".into(),
            })
    }

    async fn exchange(
        &self,
        token: &Token,
        request: Request<TrackedBody>,
        max: usize,
        timeout: Duration,
    ) -> Result<Answer, CallError> {
        let sent = request.body().sent();
        let exchange = async {
            let response = self.shared.pool.request(request).await.map_err(|e| {
                let detail = chain(&e, token);
                if e.is_connect() || !sent.begun() {
                    CallError::Connect { detail }
                } else {
                    CallError::Ambiguous { detail }
                }
            })?;
            let (head, body) = response.into_parts();
            let status = head.status.as_u16();
            // A refusal is short whatever was asked for.
            let max = if head.status.is_success() {
                max
            } else {
                self.shared.options.max_answer
            };
            if body.size_hint().lower() > max as u64 {
                return Err(too_large(status, max));
            }
            let body = Limited::new(body, max).collect().await.map_err(|e| {
                if e.is::<LengthLimitError>() {
                    CallError::BadAnswer {
                        status,
                        detail: format!("more than {max} bytes"),
                    }
                } else {
                    CallError::Ambiguous {
                        detail: chain(e.as_ref(), token),
                    }
                }
            })?;
            let retry_after = head.headers.get(header::RETRY_AFTER);
            let retry_after = retry_after
                .and_then(|v| v.to_str().ok())
                .and_then(|v| v.parse().ok());
            Ok(Answer {
                status,
                retry_after,
                body: body.to_bytes(),
            })
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(timed_out(&sent, timeout)),
        }
    }
}

fn too_large(status: u16, max: usize) -> CallError {
    CallError::BadAnswer {
        status,
        detail: format!("more than {max} bytes"),
    }
}

fn timed_out(sent: &Sent, timeout: Duration) -> CallError {
    let detail = format!("no answer within {timeout:?}");
    if sent.begun() {
        CallError::Ambiguous { detail }
    } else {
        CallError::Connect { detail }
    }
}

fn request(method: Method, uri: Uri, content_type: Option<&str>, body: Bytes) -> Request<TrackedBody> {
    let mut request = Request::new(TrackedBody::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(
        header::USER_AGENT,
        header::HeaderValue::from_static(concat!("botloom/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert(
        header::ACCEPT,
        header::HeaderValue::from_static("application/json"),
    );
    if let Some(value) = content_type.and_then(|text| header::HeaderValue::from_str(text).ok()) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    request
}

struct Answer {
    status: u16,
    retry_after: Option<u32>,
    body: Bytes,
}

#[derive(serde::Deserialize)]
struct Envelope<'a> {
    ok: bool,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error_code: Option<u16>,
    description: Option<String>,
    #[serde(default)]
    parameters: Option<crate::Parameters>,
}

fn read_envelope(token: &Token, answer: &Answer) -> Result<Box<RawValue>, CallError> {
    match serde_json::from_slice::<Envelope<'_>>(&answer.body) {
        Ok(Envelope {
            ok: true,
            result: Some(result),
            ..
        }) => Ok(result.to_owned()),
        Ok(Envelope { ok: true, .. }) => Err(CallError::BadAnswer {
            status: answer.status,
            detail: "an answer without a result".into(),
        }),
        _ => Err(refusal(token, answer)),
    }
}

/// The error in an answer that is no success: Telegram's own words, or what the status says when a proxy answered.
fn refusal(token: &Token, answer: &Answer) -> CallError {
    let status = answer.status;
    let envelope = serde_json::from_slice::<Envelope<'_>>(&answer.body)
        .ok()
        .filter(|e| !e.ok);
    if envelope.is_none() && status < 400 {
        return CallError::BadAnswer {
            status,
            detail: "not an answer of the Bot API".into(),
        };
    }
    let (code, description, parameters) = match envelope {
        Some(e) => (e.error_code.unwrap_or(status), e.description, e.parameters),
        None => (status, None, None),
    };
    let mut parameters = parameters.unwrap_or_default();
    if code == 429 {
        parameters.retry_after = parameters.retry_after.or(answer.retry_after);
    }
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|s| s.canonical_reason())
        .unwrap_or("");
    let description = description.map_or_else(|| reason.to_owned(), |text| token.scrub(&text));
    CallError::Api {
        code,
        description,
        parameters,
    }
}
