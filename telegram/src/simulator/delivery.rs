//! Posts updates to a bot's webhook as the official server does: one per queue, failed ones again and again until they
//! expire.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rand::Rng;
use tokio_util::sync::CancellationToken;

use super::api;
use super::clock::unix_seconds;
use super::journal::Event;
use super::lanes::Next;
use super::params::Params;
use super::world::{Shared, Webhook, World};
use crate::client::Connector;

/// Time a receiver has to answer.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
/// A receiver that answers nothing but 410 for this long has gone.
const GONE_AFTER: Duration = Duration::from_hours(23);
/// Longest pause that a receiver may ask for.
const MAX_RETRY_AFTER: u64 = 3600;
/// Most of an answer that is read.
const MAX_ANSWER: usize = 1024 * 1024;

type PostBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// Connections to webhooks.
#[derive(Debug)]
pub(crate) struct Poster(Pool<Connector, PostBody>);

impl Poster {
    pub(crate) fn new() -> Self {
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(Connector::new(Duration::from_secs(10)));
        Self(pool)
    }
}

/// How one delivery went.
enum Posted {
    /// 2xx, with what the answer holds.
    Taken {
        status: u16,
        content_type: String,
        body: Bytes,
    },
    /// Another status, and the pause asked for.
    Refused { status: u16, retry_after: Option<u64> },
    /// No answer; with words unless the official server keeps silent about it.
    Failed(Option<String>),
}

/// What the path does to one delivery.
#[derive(Clone, Copy)]
enum Trouble {
    None,
    Slow(Duration),
    Cut,
}

/// Starts the deliveries of a webhook that was just set.
pub(crate) fn spawn(shared: &Arc<Shared>, bot: i64, ended: CancellationToken) {
    let task = run(Arc::clone(shared), bot, ended.clone());
    let shutdown = shared.shutdown.clone();
    shared.tasks.spawn(async move {
        tokio::select! {
            () = task => {}
            () = ended.cancelled() => {}
            () = shutdown.cancelled() => {}
        }
    });
}

async fn run(shared: Arc<Shared>, bot: i64, ended: CancellationToken) {
    loop {
        let (wake, due) = {
            let mut world = shared.world();
            let world = &mut *world;
            // Webhooks end under this lock; past it, the one in the bot's state is this task's own.
            if ended.is_cancelled() {
                return;
            }
            let Some(bot_state) = world.bots.get_mut(&bot) else {
                return;
            };
            let wake = Arc::clone(&bot_state.wake);
            let now = shared.clock.now();
            let chaos = &mut bot_state.chaos;
            let Some(webhook) = bot_state.webhook.as_mut() else {
                return;
            };
            let limit = usize::try_from(webhook.max_connections).unwrap_or(usize::MAX);
            while !chaos.hold && webhook.lanes.in_flight() < limit {
                let shuffle = chaos.shuffle;
                let rng = &mut world.rng;
                let next = webhook
                    .lanes
                    .pop(now, |n| if shuffle { rng.random_range(0..n) } else { 0 });
                let Some(next) = next else { break };
                let update = bot_state
                    .queue
                    .pending
                    .get(&next.update_id)
                    .filter(|update| update.expires > now);
                let Some(update) = update else {
                    bot_state.queue.pending.remove(&next.update_id);
                    webhook.lanes.done(next.lane);
                    continue;
                };
                let trouble = if chaos.cut > 0 {
                    chaos.cut -= 1;
                    Trouble::Cut
                } else if chaos.slow > 0 {
                    chaos.slow -= 1;
                    Trouble::Slow(Duration::from_millis(chaos.slow_ms))
                } else {
                    Trouble::None
                };
                let request = request(webhook, update.json.clone(), trouble);
                let delivery = deliver(Arc::clone(&shared), bot, next, request, ended.clone());
                let (ended, shutdown) = (ended.clone(), shared.shutdown.clone());
                shared.tasks.spawn(async move {
                    tokio::select! {
                        () = delivery => {}
                        () = ended.cancelled() => {}
                        () = shutdown.cancelled() => {}
                    }
                });
            }
            (
                wake,
                webhook
                    .lanes
                    .due()
                    .map(|due| shared.clock.real(due.saturating_sub(now))),
            )
        };
        // A day stands for "until something happens".
        let pause = due.unwrap_or(Duration::from_hours(24));
        let _ = tokio::time::timeout(pause, wake.notified()).await;
    }
}

fn request(webhook: &Webhook, json: Bytes, trouble: Trouble) -> Request<PostBody> {
    let length = json.len();
    let body: PostBody = match trouble {
        Trouble::None => Full::new(json)
            .map_err(|never: Infallible| match never {})
            .boxed_unsync(),
        Trouble::Slow(_) | Trouble::Cut => {
            let (first, second) = (json.slice(..length / 2), json.slice(length / 2..));
            let steps = stream::unfold(0_u8, move |step| {
                let (first, second) = (first.clone(), second.clone());
                async move {
                    match (step, trouble) {
                        (0, _) => Some((Ok(Frame::data(first)), 1)),
                        (1, Trouble::Slow(pause)) => {
                            tokio::time::sleep(pause).await;
                            Some((Ok(Frame::data(second)), 2))
                        }
                        (1, _) => Some((Err(std::io::Error::other("cut on command")), 2)),
                        _ => None,
                    }
                }
            });
            BodyExt::boxed_unsync(StreamBody::new(steps))
        }
    };
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    // Both parsers agree on what setWebhook lets through; what they disagree on fails as a delivery.
    *request.uri_mut() = webhook.url.as_str().parse().unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CONTENT_LENGTH, header::HeaderValue::from(length));
    if let Some(Ok(secret)) = webhook.secret.as_deref().map(header::HeaderValue::from_str) {
        headers.insert("X-Telegram-Bot-Api-Secret-Token", secret);
    }
    request
}

async fn deliver(
    shared: Arc<Shared>,
    bot: i64,
    next: Next,
    request: Request<PostBody>,
    ended: CancellationToken,
) {
    let timeout = shared.clock.real(READ_TIMEOUT);
    let posted = tokio::time::timeout(timeout, post(&shared.poster, request))
        .await
        .unwrap_or_else(|_| Posted::Failed(Some("Read timeout expired".into())));
    let method_call = settle(&shared, bot, next, posted, &ended);
    if let Some((content_type, body)) = method_call {
        let mut params = Params::default();
        if params.add_body(&content_type, &body).is_ok() {
            api::call_in_answer(&shared, bot, params);
        }
    }
}

async fn post(poster: &Poster, request: Request<PostBody>) -> Posted {
    let response = match poster.0.request(request).await {
        Ok(response) => response,
        Err(error) if error.is_connect() => {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(next) = cause.source() {
                cause = next;
            }
            return Posted::Failed(Some(format!("Connection failed: {cause}")));
        }
        // The official server tries again without a word when a connection closes.
        Err(_) => return Posted::Failed(None),
    };
    let (head, body) = response.into_parts();
    let text = |name| {
        head.headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or("")
            .to_ascii_lowercase()
    };
    let body = Limited::new(body, MAX_ANSWER)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let status = head.status.as_u16();
    match body {
        Err(_) => Posted::Failed(None),
        Ok(body) if head.status.is_success() => Posted::Taken {
            status,
            content_type: text(header::CONTENT_TYPE),
            body,
        },
        Ok(_) => Posted::Refused {
            status,
            retry_after: text(header::RETRY_AFTER).parse().ok(),
        },
    }
}

/// Writes down how a delivery went and decides what comes next. Gives the body of an answer that may hold a call.
fn settle(
    shared: &Shared,
    bot: i64,
    next: Next,
    posted: Posted,
    ended: &CancellationToken,
) -> Option<(String, Bytes)> {
    let mut world = shared.world();
    let (status, error, retry_after, answer) = match posted {
        Posted::Taken {
            status,
            content_type,
            body,
        } => (status, None, None, Some((content_type, body))),
        Posted::Refused { status, retry_after } => {
            let reason = StatusCode::from_u16(status)
                .ok()
                .and_then(|s| s.canonical_reason())
                .unwrap_or("");
            (
                status,
                Some(format!("Wrong response from the webhook: {status} {reason}")),
                retry_after,
                None,
            )
        }
        Posted::Failed(words) => (0, words, None, None),
    };
    if world.journal.keeps_entries() {
        let error = error.clone();
        let event = Event::Delivery {
            update_id: next.update_id,
            attempt: next.attempt,
            status,
            error,
        };
        shared.note(&mut world, bot, &event);
    }
    world.journal.count_delivery(status);
    // A webhook that was replaced meanwhile has lanes of its own.
    if ended.is_cancelled() {
        return None;
    }
    apply(
        shared,
        &mut world,
        bot,
        next,
        status,
        error,
        retry_after,
        answer.is_some(),
    );
    answer.filter(|(_, body)| !body.is_empty())
}

#[expect(clippy::too_many_arguments, reason = "the parts of one outcome, used once")]
fn apply(
    shared: &Shared,
    world: &mut World,
    bot: i64,
    next: Next,
    status: u16,
    error: Option<String>,
    retry_after: Option<u64>,
    taken: bool,
) {
    let now = shared.clock.now();
    let World { bots, rng, .. } = world;
    let Some(bot) = bots.get_mut(&bot) else { return };
    let Some(webhook) = &mut bot.webhook else { return };
    bot.wake.notify_one();
    webhook.gone_since = if status == 410 {
        webhook.gone_since.or(Some(now))
    } else {
        None
    };
    if taken {
        if bot.chaos.duplicate > 0 {
            bot.chaos.duplicate -= 1;
            webhook.lanes.retry(next.lane, now);
        } else {
            bot.queue.pending.remove(&next.update_id);
            webhook.lanes.done(next.lane);
        }
        return;
    }
    if let Some(words) = error {
        webhook.last_error = Some((unix_seconds(), words));
    }
    if webhook
        .gone_since
        .is_some_and(|since| now.saturating_sub(since) >= GONE_AFTER)
    {
        bot.end_webhook();
        return;
    }
    let pause = match (retry_after, next.attempt) {
        (Some(secs), _) => Duration::from_secs(secs.min(MAX_RETRY_AFTER)),
        (None, 1) => Duration::ZERO,
        (None, attempt) => {
            let longest = rng.random_range(60..=120_u64);
            Duration::from_secs((1 << (attempt - 1).min(7)).min(longest))
        }
    };
    let expires = bot
        .queue
        .pending
        .get(&next.update_id)
        .map_or(now, |update| update.expires);
    if now + pause >= expires {
        bot.queue.pending.remove(&next.update_id);
        webhook.lanes.done(next.lane);
    } else {
        webhook.lanes.retry(next.lane, now + pause);
    }
}
