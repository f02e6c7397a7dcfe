//! Telegram's webhook: `POST /wh/{botId}`.
//!
//! What Telegram does with an answer decides the answers: a non-2xx blocks the chat's queue at its side and, with many
//! such chats, the whole bot. So a bad update is set aside and acknowledged; only our own trouble is answered with 503
//! or 429 and a short `Retry-After`, and Telegram keeps the update for us.

mod body;
mod door;
mod limiter;
mod load;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use botloom_core::ids::BotId;
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tracing::Instrument;
use tracing::field::Empty;

pub(crate) use door::{Door, Refusal};
pub(crate) use load::Load;

use crate::bots::{Found, LiveBot};
use crate::node::Node;
use crate::trace::TARGET;
use body::Body;
use limiter::Limiter;

/// Where Telegram puts the webhook's secret.
const SECRET: HeaderName = HeaderName::from_static("x-telegram-bot-api-secret-token");

/// What the routes share.
#[derive(Debug)]
struct Webhook {
    door: Arc<Door>,
    strangers: Limiter,
    node: Arc<Node>,
}

/// The routes. Serve them with connection info, so that strangers are counted by address.
pub(crate) fn router(node: Arc<Node>, door: Arc<Door>) -> Router {
    let webhook = Webhook {
        door,
        strangers: Limiter::default(),
        node,
    };
    Router::new()
        .route("/wh/{bot_id}", post(receive))
        .with_state(Arc::new(webhook))
}

async fn receive(
    State(webhook): State<Arc<Webhook>>,
    Path(bot_id): Path<String>,
    request: Request,
) -> Response {
    // Begins a trace whatever the request says: anybody may have written its headers.
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        "POST /wh/{bot_id}",
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = "POST",
        http.route = "/wh/{bot_id}",
        http.response.status_code = Empty,
    );
    let response = answer(&webhook, &bot_id, request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    metrics::counter!("botloom_ingress_answers_total", "status" => status.as_str().to_owned()).increment(1);
    response
}

async fn answer(webhook: &Webhook, bot_id: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let peer = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(Ipv4Addr::UNSPECIFIED.into(), |info| info.0.ip());
    let bot = match webhook.recognise(bot_id, &parts.headers, peer).await {
        Ok(bot) => bot,
        Err(answer) => return answer,
    };
    let outcome = match body::read(body).await {
        Body::Whole(bytes) => webhook.door.accept(&bot, vec![bytes]).await,
        Body::TooLarge { head } => webhook.door.refuse_oversized(&bot, head).await,
        Body::Broken => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    match outcome {
        Ok(()) => empty(StatusCode::OK),
        Err(Refusal::Busy) => later(StatusCode::TOO_MANY_REQUESTS, "5"),
        Err(Refusal::Unavailable) => later(StatusCode::SERVICE_UNAVAILABLE, "1"),
    }
}

impl Webhook {
    /// The bot, if the request comes from who knows its secret. The limiter stands only in the way of those who do not:
    /// whoever shares an address with them (behind a proxy that is not trusted) is served.
    async fn recognise(&self, id: &str, headers: &HeaderMap, peer: IpAddr) -> Result<Arc<LiveBot>, Response> {
        let Ok(id) = BotId::new(id) else {
            return Err(self.stranger(peer, StatusCode::NOT_FOUND));
        };
        let found = match self.node.bots.known(&id) {
            Some(bot) => Found::Live(bot),
            // Only this way costs a look into the catalog.
            None if self.strangers.is_exhausted(peer) => {
                return Err(later(StatusCode::TOO_MANY_REQUESTS, "1"));
            }
            None => self
                .node
                .bots
                .find(&id)
                .await
                .map_err(|_| later(StatusCode::SERVICE_UNAVAILABLE, "1"))?,
        };
        match found {
            Found::Unknown => Err(self.stranger(peer, StatusCode::NOT_FOUND)),
            Found::Deleted => Err(self.stranger(peer, StatusCode::GONE)),
            Found::Live(bot) => {
                let given = headers.get(SECRET).map_or(&b""[..], HeaderValue::as_bytes);
                if bot.is_secret(given) {
                    return Ok(bot);
                }
                // The bot may have been connected or deleted this very moment, before the notice of it came.
                if !given.is_empty() && !self.strangers.is_exhausted(peer) {
                    match self.node.bots.look_again(&id).await {
                        Ok(Found::Live(bot)) if bot.is_secret(given) => return Ok(bot),
                        Ok(Found::Deleted) => return Err(self.stranger(peer, StatusCode::GONE)),
                        Ok(_) | Err(_) => {}
                    }
                }
                self.node.meters.wrong_secrets.increment(1);
                Err(self.stranger(peer, StatusCode::UNAUTHORIZED))
            }
        }
    }

    fn stranger(&self, peer: IpAddr, status: StatusCode) -> Response {
        if self.strangers.count(peer) {
            empty(status)
        } else {
            later(StatusCode::TOO_MANY_REQUESTS, "1")
        }
    }
}

fn empty(status: StatusCode) -> Response {
    (status, [(CONTENT_LENGTH, HeaderValue::from_static("0"))]).into_response()
}

fn later(status: StatusCode, seconds: &'static str) -> Response {
    (status, [(RETRY_AFTER, HeaderValue::from_static(seconds))]).into_response()
}
