//! `Idempotency-Key`: the same request twice has one effect and one answer.
//!
//! A key belongs to a user, or to one of their API tokens, and a route. Its claim is a lease, so a holder that dies blocks it for 30 s at most; task
//! ids come from the key, so the next try meets what the dead one began. The work goes on when its caller hangs up. Requests
//! with a key that is being worked on wait for its answer.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use botloom_core::fault;
use botloom_core::hash::Sha256Hash;
use botloom_core::ids::{BotId, TaskId};
use botloom_core::ports::{IdempotencyClaim, IdempotencyKey, StoredResponse};
use futures_util::FutureExt;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Builder;

use crate::app::access;
use crate::app::actor::Actor;
use crate::auth::policy::Action;
use crate::code;
use crate::http::answer::Answer;
use crate::problem::{MEDIA_TYPE, Problem};
use crate::state::App;

/// Keys are kept so long: 24 h.
pub(crate) const KEPT_MS: i64 = 24 * 3_600_000;
/// A claim whose holder died is given away after this time. Longer than any request may take.
const LEASE_MS: i64 = 30_000;
const MAX_KEY: usize = 255;
/// How often a request looks whether another node has answered.
const LOOK: Duration = Duration::from_millis(200);
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What a request with a key is about: a bot, and what is to be done to it.
pub(crate) type About = Option<(BotId, Action)>;

/// Does `work` once for a key; without a key, once for the request. `work` gets the task id that belongs to the key. An
/// answer is given again to those alone who still may ask.
pub(crate) async fn once<F, W>(
    app: &App,
    actor: Actor,
    route: &'static str,
    headers: &HeaderMap,
    fingerprint: Sha256Hash,
    about: About,
    work: W,
) -> Result<Response, Problem>
where
    W: FnOnce(Option<TaskId>) -> F + Send + 'static,
    F: Future<Output = Result<Answer, Problem>> + Send + 'static,
{
    let Some(key) = read_key(headers)? else {
        let outcome = tokio::spawn(work(None).in_current_span())
            .await
            .map_err(|_| Problem::internal())?;
        return outcome.map(IntoResponse::into_response);
    };
    // A token may do less than its user: it is not told what was answered to others.
    let route = actor
        .grant
        .map_or_else(|| route.to_owned(), |grant| format!("{route} by {}", grant.token));
    let key = IdempotencyKey {
        user: actor.user,
        route,
        key,
    };
    let catalog = app.deps.ports.catalog.clone();
    if let Some(stored) = claim(app, &key, &fingerprint).await? {
        if let Some((bot, action)) = about {
            access::bot(app, actor, &bot, action).await?;
        }
        return replay(stored);
    }
    fault::point("key-claimed");
    let task = task_of(&key, &fingerprint);
    let at_it = app.running.begin(&key);
    let held = async move {
        let _at_it = at_it;
        let outcome = AssertUnwindSafe(work(Some(task))).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| Err(Problem::internal()));
        fault::point("key-worked");
        let kept = match store(&outcome) {
            Some(response) => catalog.complete_key(&key, &response).await,
            None => catalog.release_key(&key).await,
        };
        if let Err(error) = kept {
            // The lease runs out and the next try does the same again, which has no second effect.
            tracing::warn!(?error, "the answer of an idempotency key was not kept");
        }
        outcome
    };
    let outcome = tokio::spawn(held.in_current_span())
        .await
        .map_err(|_| Problem::internal())?;
    outcome.map(IntoResponse::into_response)
}

/// Claims the key, or answers what is stored for it. Waits for who is at it.
async fn claim(
    app: &App,
    key: &IdempotencyKey,
    fingerprint: &Sha256Hash,
) -> Result<Option<StoredResponse>, Problem> {
    let catalog = &app.deps.ports.catalog;
    let until = Instant::now() + app.options.limits.key_wait;
    loop {
        match catalog.claim_key(key, fingerprint, app.now(), LEASE_MS).await? {
            IdempotencyClaim::Claimed => return Ok(None),
            IdempotencyClaim::Replay(stored) => return Ok(Some(stored)),
            IdempotencyClaim::Mismatch => {
                let detail = "This key was used with another body; take a new key for a new request.";
                return Err(Problem::new(code::IDEMPOTENCY_KEY_REUSED, detail));
            }
            IdempotencyClaim::InProgress => {}
        }
        if Instant::now() >= until {
            let detail =
                "The first request with this key has not been answered yet; ask again for its answer.";
            return Err(Problem::new(code::IDEMPOTENCY_IN_PROGRESS, detail).retry_after(1));
        }
        tokio::time::timeout_at(until, app.running.ended(key)).await.ok();
    }
}

/// Keys that this node is working on, so that those who wait need not ask the store again and again.
#[derive(Debug, Default)]
pub(crate) struct Running(Arc<Mutex<HashMap<IdempotencyKey, watch::Receiver<()>>>>);

/// Being at a key, until dropped.
struct AtIt {
    key: IdempotencyKey,
    running: Running,
    /// Its end is the signal.
    _ends: watch::Sender<()>,
}

impl Running {
    fn begin(&self, key: &IdempotencyKey) -> AtIt {
        let (ends, ended) = watch::channel(());
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(key.clone(), ended);
        AtIt {
            key: key.clone(),
            running: Self(self.0.clone()),
            _ends: ends,
        }
    }

    /// Waits until this node is not at the key any more. Where another node may be, until it is time to ask again.
    async fn ended(&self, key: &IdempotencyKey) {
        let running = {
            let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            running.get(key).cloned()
        };
        match running {
            Some(mut running) => drop(running.changed().await),
            None => tokio::time::sleep(LOOK).await,
        }
    }
}

impl Drop for AtIt {
    fn drop(&mut self) {
        let mut running = self.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.key);
    }
}

/// Whether a request states a key.
pub(crate) fn is_keyed(headers: &HeaderMap) -> bool {
    headers.contains_key(&KEY)
}

fn read_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(&KEY).iter();
    let (value, more) = (values.next(), values.next());
    let Some(value) = value else { return Ok(None) };
    let key = value
        .to_str()
        .ok()
        .filter(|key| (1..=MAX_KEY).contains(&key.len()) && more.is_none());
    match key {
        Some(key) if key.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) => Ok(Some(key.to_owned())),
        _ => {
            let detail = "Send one Idempotency-Key of 1 to 255 printable ASCII characters.";
            Err(Problem::new(code::IDEMPOTENCY_KEY_INVALID, detail))
        }
    }
}

/// An id of version 8 (RFC 9562: meaning up to us) that only this key with this body has.
fn task_of(key: &IdempotencyKey, fingerprint: &Sha256Hash) -> TaskId {
    let digest = Sha256Hash::of(format!("{}\n{}\n{}\n{fingerprint}", key.user, key.route, key.key));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    TaskId(Builder::from_custom_bytes(bytes).into_uuid())
}

/// The answer to keep; `None` where the same request may end otherwise later.
fn store(outcome: &Result<Answer, Problem>) -> Option<StoredResponse> {
    match outcome {
        Ok(answer) => {
            let text = |(name, value): &(HeaderName, HeaderValue)| {
                Some((name.to_string(), value.to_str().ok()?.into()))
            };
            let headers = answer.headers.iter().filter_map(text).collect();
            Some(StoredResponse {
                status: answer.status.as_u16(),
                headers,
                body: answer.body.clone(),
            })
        }
        Err(problem) => {
            let status = problem.status();
            if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                return None;
            }
            let (mut headers, body) = problem.to_stored();
            headers.push((header::CONTENT_TYPE.to_string(), MEDIA_TYPE.to_owned()));
            Some(StoredResponse {
                status: status.as_u16(),
                headers,
                body,
            })
        }
    }
}

fn replay(stored: StoredResponse) -> Result<Response, Problem> {
    let status = StatusCode::from_u16(stored.status).map_err(|_| Problem::internal())?;
    let mut headers = HeaderMap::new();
    for (name, value) in stored.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    let failed = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value == MEDIA_TYPE);
    let mut response = if failed {
        let problem = Problem::from_stored(status, &stored.body).ok_or_else(Problem::internal)?;
        problem.into_response()
    } else {
        (status, stored.body).into_response()
    };
    response.headers_mut().extend(headers);
    Ok(response)
}
