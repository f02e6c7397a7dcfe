//! Requests of bots to the outside.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector};
use rustls::ClientConfig;
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use botloom_core::bot_js::{ApiCall, ApiCallError};

use super::address::is_public;
use super::dial::Pinned;
use super::exchange::{Answer, Refusal, exchange};
use super::resolve::look_up;
use super::target::{AllowList, Target};
use super::{DevHosts, Resolve, headers};
use crate::trace::{TARGET, child};

/// Longest time of one request.
const MAX_TIMEOUT: Duration = Duration::from_secs(5);
/// Most requests after the first.
const MAX_RETRIES: u32 = 3;
/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 4;

/// The client of all bots of a node. Clones share their TLS set-up; connections are not kept, because a kept one would
/// outlive the check of its address.
#[derive(Debug, Clone)]
pub struct Guard {
    tls: Arc<ClientConfig>,
    resolver: Arc<dyn Resolve>,
    dev_hosts: Arc<DevHosts>,
    longest: Duration,
}

/// What bounds one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    /// Hosts the revision may call.
    pub(crate) allow: &'a AllowList,
    /// Largest answer in bytes.
    pub(crate) max_body: usize,
    /// `<bot>:<update>:<n>`.
    pub(crate) idempotency_key: &'a str,
}

struct Prepared {
    method: Method,
    /// Name as the program calls it.
    host: String,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    /// Set for development hosts: dialled without a check.
    fixed: Option<(String, u16)>,
}

impl Guard {
    /// A client that resolves names with `resolver`. `longest` bounds a call with all its retries and pauses: a retry
    /// that would begin later is not made.
    pub fn new(resolver: Arc<dyn Resolve>, dev_hosts: DevHosts, longest: Duration) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring offers the default protocol versions")
            .with_webpki_roots()
            .with_no_client_auth();
        Self {
            tls: Arc::new(tls),
            resolver,
            dev_hosts: Arc::new(dev_hosts),
            longest,
        }
    }

    /// Makes the call, with its retries.
    pub(crate) async fn call(&self, call: &ApiCall, attempt: Attempt<'_>) -> Result<Answer, Refusal> {
        let prepared = self.prepare(call, attempt).ok_or((ApiCallError::Denied, None))?;
        let one = Duration::from_millis(call.timeout_ms.into()).clamp(Duration::from_millis(1), MAX_TIMEOUT);
        let end = Instant::now() + self.longest;
        let retries = call.retries.min(MAX_RETRIES);
        let mut pause = f64::from(call.backoff.base_ms) / 1_000.0;
        let factor = if call.backoff.factor.is_finite() {
            call.backoff.factor.clamp(1.0, 10.0)
        } else {
            1.0
        };
        let mut tried = 0;
        loop {
            let span = child(|| prepared.span(tried));
            let outcome = timeout_at(Instant::now() + one, self.once(&prepared, attempt.max_body))
                .instrument(span.clone())
                .await
                .unwrap_or(Err((ApiCallError::Timeout, None)));
            describe(&span, &outcome);
            let refusal = match outcome {
                Ok(answer) => return Ok(answer),
                Err(refusal) => refusal,
            };
            let next = Instant::now() + Duration::from_secs_f64(pause.min(3_600.0));
            if tried >= retries || next >= end || !is_worth_a_retry(refusal) {
                return Err(refusal);
            }
            tokio::time::sleep_until(next).await;
            tried += 1;
            pause *= factor;
        }
    }

    fn prepare(&self, call: &ApiCall, attempt: Attempt<'_>) -> Option<Prepared> {
        let method = match call.method.as_str() {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "DELETE" => Method::DELETE,
            _ => return None,
        };
        let target = Target::parse(&call.url, &call.query, attempt.allow)?;
        let headers = headers::build(
            &call.headers,
            &target.host,
            attempt.idempotency_key,
            call.body.is_some(),
        )?;
        let body = call
            .body
            .as_ref()
            .map_or_else(Bytes::new, |body| Bytes::copy_from_slice(body.get().as_bytes()));
        let (origin, fixed) = match self.dev_hosts.base(&target.host) {
            Some(base) => {
                let host = base.host_str()?.trim_matches(['[', ']']).to_owned();
                (
                    base.as_str().trim_end_matches('/').to_owned(),
                    Some((host, base.port_or_known_default()?)),
                )
            }
            None => (format!("https://{}", target.host), None),
        };
        let uri = format!("{origin}{}", target.path_and_query).parse().ok()?;
        Some(Prepared {
            method,
            host: target.host,
            uri,
            headers,
            body,
            fixed,
        })
    }

    async fn once(&self, prepared: &Prepared, max_body: usize) -> Result<Answer, Refusal> {
        let addresses = self.addresses(prepared).await?;
        let mut connector = HttpsConnector::from((Pinned { addresses }, Arc::clone(&self.tls)));
        let stream = match connector.ready().await {
            Ok(ready) => tower::Service::call(ready, prepared.uri.clone()).await,
            Err(error) => Err(error),
        }
        .map_err(|_| (ApiCallError::Connect, None))?;
        let path = prepared
            .uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        let mut request = Request::new(Full::new(prepared.body.clone()));
        *request.method_mut() = prepared.method.clone();
        *request.uri_mut() = path.parse().map_err(|_| (ApiCallError::Denied, None))?;
        request.headers_mut().clone_from(&prepared.headers);
        exchange(stream, request, max_body).await
    }

    /// The addresses to dial. One address that is not public spoils the whole set: a name that answers with both is
    /// probing for the client that takes the wrong one.
    async fn addresses(&self, prepared: &Prepared) -> Result<Arc<[SocketAddr]>, Refusal> {
        let unreachable = |_| (ApiCallError::Connect, None);
        if let Some((host, port)) = &prepared.fixed {
            let found = look_up(host, *port).await.map_err(unreachable)?;
            return Ok(found.into_iter().take(MAX_ADDRESSES).collect());
        }
        let host = prepared.uri.host().unwrap_or_default();
        let found = self.resolver.resolve(host).await.map_err(unreachable)?;
        if !found.iter().copied().all(is_public) {
            return Err((ApiCallError::Denied, None));
        }
        Ok(found
            .into_iter()
            .take(MAX_ADDRESSES)
            .map(|ip| SocketAddr::new(ip, 443))
            .collect())
    }
}

impl Prepared {
    /// The span of a try. Path and query may hold what people wrote: the host has to do.
    fn span(&self, tried: u32) -> Span {
        tracing::info_span!(
            target: TARGET,
            "apiCall",
            otel.kind = "client",
            otel.status_code = Empty,
            http.request.method = self.method.as_str(),
            http.request.resend_count = tried,
            http.response.status_code = Empty,
            server.address = self.host,
            error.type = Empty,
        )
    }
}

fn describe(span: &Span, outcome: &Result<Answer, Refusal>) {
    let status = match outcome {
        Ok((status, _)) => Some(*status),
        Err((error, status)) => {
            span.record("error.type", tracing::field::debug(error));
            span.record("otel.status_code", "ERROR");
            *status
        }
    };
    if let Some(status) = status {
        span.record("http.response.status_code", status);
    }
}

fn is_worth_a_retry((error, status): Refusal) -> bool {
    match error {
        ApiCallError::Timeout | ApiCallError::Connect => true,
        ApiCallError::Status => status.is_some_and(|code| code == 408 || code == 429 || code >= 500),
        ApiCallError::TooLarge | ApiCallError::NotJson | ApiCallError::Denied | ApiCallError::Limit => false,
    }
}
