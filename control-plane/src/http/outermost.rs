//! The layer around everything: request id, span, rate limit by address, deadline, panics, problems, security headers.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{self, HeaderName};
use http::{HeaderValue, Method, StatusCode};
use tracing::Instrument;
use uuid::Uuid;

use super::cors::{self, Permission};
use super::host::Site;
use crate::code;
use crate::pages::{self, PAGE_POLICY, PAGE_TYPE};
use crate::problem::{MEDIA_TYPE, Problem};
use crate::state::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Answers of the API are data: whoever shows one as a page gets nothing but text.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
/// Asked for by machines that watch, and cheap.
const UNMETERED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Id of a request, for handlers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestId(pub(crate) Uuid);

/// Marks the answer of a failure that a person sees in a browser: it becomes a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForPeople;

/// Wraps every request. Nothing leaves without its request id, and no failure without its problem document.
pub(crate) async fn outermost(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = Uuid::now_v7();
    request.extensions_mut().insert(RequestId(id));
    let id = id.to_string();
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let span = tracing::info_span!("request", request = %id, %method, route, user = tracing::field::Empty);
    let site = Site::of(&request, &app.options);
    let permission = site
        .as_ref()
        .and_then(|site| Permission::of(request.headers(), &method, site, &app.options));
    let secure = site.as_ref().is_some_and(|site| site.secure);
    let response = handle(&app, request, next, &route, site)
        .instrument(span.clone())
        .await;
    let mut response = finish(response, &id, &method, secure);
    cors::say(permission, &mut response);
    let status = response.status();
    let elapsed = started.elapsed();
    let labels = [
        ("method", known(&method).to_owned()),
        ("route", route),
        ("status", status.as_u16().to_string()),
    ];
    metrics::counter!("botloom_http_requests_total", &labels).increment(1);
    metrics::histogram!("botloom_http_request_seconds", &labels).record(elapsed.as_secs_f64());
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::info!(status = status.as_u16(), ms, "answered"));
    response
}

/// Completes the answers of a node that has no API: they look like those of one that has.
pub(crate) async fn finished(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    finish(
        next.run(request).await,
        &Uuid::now_v7().to_string(),
        &method,
        false,
    )
}

async fn handle(app: &App, request: Request, next: Next, route: &str, site: Option<Site>) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some(site) = site else {
        let detail = "A request needs exactly one Host.";
        return Problem::new(code::MALFORMED_REQUEST, detail).into_response();
    };
    parts.extensions.insert(site);
    let peer = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    if !UNMETERED.contains(&route)
        && let Err(problem) = app.rates.address(peer)
    {
        return problem.into_response();
    }
    let changes = !parts.method.is_safe();
    let work = AssertUnwindSafe(next.run(Request::from_parts(parts, body))).catch_unwind();
    let work = async move {
        if !changes {
            return work.await;
        }
        // What changes something comes to its end, the entry in the audit log included, though the caller hangs up or the
        // deadline passes.
        let ended = tokio::spawn(work.in_current_span()).await;
        ended.unwrap_or_else(|error| Err(Box::new(error)))
    };
    match tokio::time::timeout(app.options.limits.deadline, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!("a handler panicked");
            Problem::internal().into_response()
        }
        Err(_) => {
            tracing::error!("a request ran into the deadline");
            let detail = if changes {
                "The answer took too long, and what was asked for goes on; look before you ask again."
            } else {
                "The answer took too long; try again."
            };
            Problem::new(code::UNAVAILABLE, detail)
                .retry_after(1)
                .into_response()
        }
    }
}

/// Makes the answer complete: a problem document for every failure, and the headers that every answer has.
fn finish(mut response: Response, id: &str, method: &Method, secure: bool) -> Response {
    let status = response.status();
    if method == Method::OPTIONS && status == StatusCode::METHOD_NOT_ALLOWED {
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.body_mut() = Body::empty();
    } else if status.is_client_error() || status.is_server_error() {
        let problem = response
            .extensions_mut()
            .remove::<Problem>()
            .unwrap_or_else(|| Problem::of_status(status));
        let page = response.extensions_mut().remove::<ForPeople>().is_some();
        let body = if method == Method::HEAD {
            Body::empty()
        } else if page {
            Body::from(pages::failure(&problem, id))
        } else {
            Body::from(problem.body(id))
        };
        *response.status_mut() = problem.status();
        *response.body_mut() = body;
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        if page {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PAGE_TYPE));
            headers.insert(
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(PAGE_POLICY),
            );
        } else {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        }
        if problem.status() == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Cookie, Bearer"),
            );
        }
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("same-site"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(DATA_POLICY));
    if secure {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

/// Methods as a metric's label; callers may invent any number of them.
fn known(method: &Method) -> &str {
    let usual = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    if usual.contains(method) {
        method.as_str()
    } else {
        "other"
    }
}
