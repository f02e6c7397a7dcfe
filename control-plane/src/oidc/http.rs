//! Requests to the provider: bounded in time and size, no redirects, no proxies from the environment.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

use super::Authorities;

/// Longest wait for an answer, from the name to the last byte. People are waiting.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer in bytes. Metadata, key sets and tokens have some kilobytes.
const MAX_ANSWER: usize = 256 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("no answer within {TIMEOUT:?}")]
    Late,
    #[error("no connection: {0}")]
    Unreachable(String),
    #[error("the answer has more than {MAX_ANSWER} bytes")]
    TooLarge,
    #[error("status {0}")]
    Failed(u16),
    #[error("the provider is https, and an address that it names is not")]
    Unprotected,
}

/// A client for one provider.
#[derive(Clone)]
pub(crate) struct Http {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Whether requests without TLS are refused.
    protected: bool,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("protected", &self.protected)
            .finish_non_exhaustive()
    }
}

impl Http {
    pub(crate) fn new(protected: bool, authorities: &Authorities) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(authorities.tls())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Self { pool, protected }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if self.protected && request.uri().scheme_str() != Some("https") {
            return Err(HttpError::Unprotected);
        }
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let answer = async {
            let answer = self.pool.request(request).await;
            let (head, body) = answer
                .map_err(|error| HttpError::Unreachable(chain(&error)))?
                .into_parts();
            if head.status.is_server_error() {
                return Err(HttpError::Failed(head.status.as_u16()));
            }
            let body = Limited::new(body, MAX_ANSWER).collect().await;
            let body = body.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    HttpError::TooLarge
                } else {
                    HttpError::Unreachable(error.to_string())
                }
            })?;
            Ok(HttpResponse::from_parts(head, body.to_bytes().to_vec()))
        };
        tokio::time::timeout(TIMEOUT, answer)
            .await
            .unwrap_or(Err(HttpError::Late))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}

/// An error with its causes: the client's own text alone does not tell what failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
