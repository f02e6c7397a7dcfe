//! Sending a request: what is waited for, what is sent again, and when it is given up.

use std::error::Error as _;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use url::Url;

use crate::error::CommandError;
use crate::terminal::note;

/// Header of a request that may be sent twice and takes effect once.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// First pause before a request is sent again where the server asks for none; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// Waiting longer than this is told.
const SILENT: Duration = Duration::from_secs(2);

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For an answer to begin, and for each further piece of it. The server gives up a request after 20 s, and event
    /// streams have a heartbeat every 15 s.
    answer: Duration,
    /// In all, where the server asks to wait or is being started again.
    busy: Duration,
    /// The same while it has never answered: it may not be there at all.
    unseen: Duration,
}

impl Patience {
    /// That of commands that do work.
    pub(super) const WORK: Self = Self {
        answer: Duration::from_secs(30),
        busy: Duration::from_mins(1),
        unseen: Duration::from_secs(10),
    };
    /// That of a question whose answer is of use only now.
    pub(super) const QUESTION: Self = Self {
        answer: Duration::from_secs(10),
        busy: Duration::ZERO,
        unseen: Duration::ZERO,
    };
    /// That of the end of a command, for which somebody waits that wants nothing more of it.
    pub(super) const END: Self = Self {
        answer: Duration::from_secs(10),
        busy: Duration::from_secs(20),
        unseen: Duration::ZERO,
    };
}

/// A request, as often as it is needed.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether having arrived twice does nothing twice.
    pub(super) is_repeatable: bool,
}

impl Outgoing {
    fn request(&self) -> Result<Request<Full<Bytes>>, CommandError> {
        let mut request = Request::builder()
            .method(&self.method)
            .uri(&self.url)
            .body(Full::new(self.body.clone()))
            .map_err(|error| CommandError::Api(error.to_string()))?;
        request.headers_mut().extend(self.headers.clone());
        Ok(request)
    }
}

/// Why a request should be sent again.
struct Again {
    /// The pause that the server asks for.
    asked: Option<Duration>,
    because: String,
}

/// What came of sending a request once.
struct Tried {
    outcome: Result<Response<Body>, CommandError>,
    again: Option<Again>,
}

/// A client of one server.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    client: Client<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>,
    server: Url,
    patience: Patience,
    /// Whether the server has ever answered.
    seen: Arc<AtomicBool>,
}

impl Transport {
    pub(super) fn new(server: &Url, patience: Patience) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            server: server.clone(),
            patience,
            seen: Arc::default(),
        }
    }

    /// The same client with another patience.
    pub(super) fn with(&self, patience: Patience) -> Self {
        Self {
            patience,
            ..self.clone()
        }
    }

    /// Sends a request, again where that can help and does nothing twice; answers with the body unread.
    pub(super) async fn send(&self, outgoing: &Outgoing) -> Result<Response<Body>, CommandError> {
        let begun = Instant::now();
        let (mut pause, mut told) = (FIRST_PAUSE, false);
        loop {
            let Tried { outcome, again } = self.once(outgoing).await?;
            let Some(again) = again else { return outcome };
            let wait = again.asked.unwrap_or(pause);
            let most = if self.seen.load(Ordering::Relaxed) {
                self.patience.busy
            } else {
                self.patience.unseen
            };
            let left = most.saturating_sub(begun.elapsed());
            if wait > left {
                return outcome;
            }
            if !told && begun.elapsed() + wait > SILENT {
                told = true;
                let (because, left) = (again.because, left.as_secs());
                note(format!("{because}; trying again for up to {left} s"));
            }
            tokio::time::sleep(wait).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn once(&self, outgoing: &Outgoing) -> Result<Tried, CommandError> {
        let sent = self.client.request(outgoing.request()?);
        match tokio::time::timeout(self.patience.answer, sent).await {
            Err(_) => Err(self.silent()),
            Ok(Ok(answer)) => {
                self.seen.store(true, Ordering::Relaxed);
                let again = self.asks_again(outgoing, &answer);
                let outcome = Ok(answer.map(Body::new));
                Ok(Tried { outcome, again })
            }
            Ok(Err(error)) => {
                let again = is_transient(&error) && (error.is_connect() || outgoing.is_repeatable);
                let again = again.then(|| Again {
                    asked: None,
                    because: self.unreachable(&error),
                });
                let outcome = Err(self.failure(&error));
                Ok(Tried { outcome, again })
            }
        }
    }

    /// Whether an answer means: later.
    fn asks_again<T>(&self, outgoing: &Outgoing, answer: &Response<T>) -> Option<Again> {
        let status = answer.status();
        let asked = answer.headers().get(header::RETRY_AFTER);
        let wanted = match status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::SERVICE_UNAVAILABLE => outgoing.is_repeatable,
            // Somebody is at the first request with this key.
            StatusCode::CONFLICT => outgoing.headers.contains_key(&IDEMPOTENCY_KEY) && asked.is_some(),
            _ => false,
        };
        let secs = asked.and_then(|secs| secs.to_str().ok()?.trim().parse().ok());
        wanted.then(|| Again {
            asked: secs.filter(|secs| *secs > 0).map(Duration::from_secs),
            because: format!("{} asks to wait ({status})", self.server),
        })
    }

    /// The next piece of an answer.
    pub(super) async fn piece(&self, body: &mut Body) -> Result<Option<Bytes>, CommandError> {
        loop {
            let next = tokio::time::timeout(self.patience.answer, body.frame()).await;
            let Some(frame) = next.map_err(|_| self.silent())? else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| CommandError::Api(format!("the answer broke off: {error}")))?;
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
    }

    fn silent(&self) -> CommandError {
        CommandError::Api(format!(
            "{} takes connections and does not answer: nothing came for {} s; is that `botloom serve`?",
            self.server,
            self.patience.answer.as_secs()
        ))
    }

    fn unreachable(&self, error: &Error) -> String {
        format!("cannot reach {}: {}", self.server, root(error))
    }

    fn failure(&self, error: &Error) -> CommandError {
        CommandError::Api(if error.is_connect() {
            format!("{}; is `botloom serve` running there?", self.unreachable(error))
        } else {
            format!(
                "{} ended the connection before an answer ({}); whether the request was carried out is not known",
                self.server,
                root(error)
            )
        })
    }
}

/// What is at the bottom of an error.
fn root(error: &Error) -> String {
    let mut at: &dyn std::error::Error = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

/// Whether an error may be gone in a moment: the server is being started again, or has closed an idle connection. A name
/// that means nothing and a certificate that is not valid stay as they are.
fn is_transient(error: &Error) -> bool {
    if !error.is_connect() {
        return true;
    }
    let mut source = error.source();
    while let Some(at) = source {
        if let Some(io) = at.downcast_ref::<std::io::Error>() {
            return matches!(
                io.kind(),
                ErrorKind::ConnectionRefused
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::UnexpectedEof
            );
        }
        source = at.source();
    }
    false
}
