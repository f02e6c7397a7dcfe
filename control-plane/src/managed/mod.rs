//! Hears from the manager bot which bots people made. One node at a time asks, under a lease; an update is confirmed to
//! Telegram only when what it tells is in the catalog, so whoever takes over is told it again.

mod rest;
mod update;

pub(crate) use rest::Rest;

use std::time::Duration;

use botloom_core::ports::StoreResult;
use botloom_core::{Coded as _, Kind};
use botloom_telegram::{CallError, Class, GetUpdates, Token, classify};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::managed;
use crate::state::App;

/// Name of the lease.
const LEASE: &str = "manager-bot";
/// Life of the lease, and so how long nobody asks after a node died; prolonged before each update, which takes less.
const LEASE_MS: i64 = 30_000;
/// How often it is prolonged during a poll.
const PROLONG_EVERY: Duration = Duration::from_secs(10);
/// Seconds that a poll waits for an update.
const POLL_SECS: u8 = 25;
/// How often a node without the lease looks whether it is free.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Pause after something failed.
const AGAIN: Duration = Duration::from_secs(2);
/// So often is taking a bot in tried again before those behind it have their turn. Its request waits for its asker then.
const TRIES: u32 = 5;
/// Pause after Telegram refused: somebody else asks, or the token is wrong.
const REFUSED: Duration = Duration::from_secs(30);

/// Asks until `shutdown`, if there is a manager bot.
pub(crate) async fn run(app: &App, shutdown: &CancellationToken) {
    let Some(token) = &app.options.manager_bot else {
        return;
    };
    let me = Uuid::new_v4();
    tokio::select! {
        () = listen(app, token, me) => {}
        () = shutdown.cancelled() => {}
    }
    if let Err(error) = app.deps.ports.catalog.end_lease(LEASE, me).await {
        tracing::debug!(?error, "the lease of the manager bot ends by itself");
    }
}

/// How far the updates were taken in.
#[derive(Debug, Default)]
struct Progress {
    /// What is asked for next; 0: where Telegram is.
    offset: i64,
    /// How often the first one behind it could not be taken in.
    failed: u32,
}

async fn listen(app: &App, token: &Token, me: Uuid) {
    let mut progress = Progress::default();
    loop {
        let pause = turn(app, token, me, &mut progress).await;
        // During a long pause too: whoever took over would ask Telegram before its time.
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = lost(app, me) => {}
        }
    }
}

/// One poll; answers how long to rest.
async fn turn(app: &App, token: &Token, me: Uuid, progress: &mut Progress) -> Duration {
    match hold(app, me).await {
        Ok(true) => {}
        Ok(false) => {
            // Where the other one is by now only Telegram knows.
            *progress = Progress::default();
            return LOOK_EVERY;
        }
        Err(error) => {
            tracing::warn!(?error, "nobody hears the manager bot");
            return AGAIN;
        }
    }
    if let Some(left) = app.manager_rest.left() {
        return left;
    }
    let poll = GetUpdates {
        offset: progress.offset,
        limit: 0,
        timeout_secs: POLL_SECS,
        allowed_updates: Some(&["managed_bot"]),
    };
    let polled = tokio::select! {
        polled = app.deps.telegram.get_updates(token, poll) => polled,
        () = lost(app, me) => return LOOK_EVERY,
    };
    match polled {
        Ok(updates) => take(app, me, &updates, progress).await,
        Err(error) => rest(app, &error),
    }
}

/// Prolongs the lease as long as it can.
async fn lost(app: &App, me: Uuid) {
    loop {
        tokio::time::sleep(PROLONG_EVERY).await;
        if !matches!(hold(app, me).await, Ok(true)) {
            return;
        }
    }
}

async fn hold(app: &App, me: Uuid) -> StoreResult<bool> {
    let now = app.now();
    let catalog = &app.deps.ports.catalog;
    catalog.hold_lease(LEASE, me, now, now.plus(LEASE_MS)).await
}

/// Takes updates in, in order, as far as it goes.
async fn take(app: &App, me: Uuid, updates: &[Box<RawValue>], progress: &mut Progress) -> Duration {
    for update in updates {
        if !matches!(hold(app, me).await, Ok(true)) {
            return LOOK_EVERY;
        }
        let Some(read) = update::read(update.get()) else {
            tracing::warn!("an update of the manager bot cannot be read");
            return REFUSED;
        };
        if let Some((username, made)) = &read.made {
            match managed::made(app, username, made).await {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::Internal) => {
                    // Nothing failed if the manager bot is to wait. A new bot's own wait is one try of several.
                    if let Some(left) = app.manager_rest.left() {
                        return left;
                    }
                    if progress.failed < TRIES {
                        progress.failed += 1;
                        tracing::warn!(?error, "a managed bot is taken in later");
                        return AGAIN;
                    }
                    tracing::warn!(bot = made.id, ?error, "a managed bot was not taken in");
                }
                Err(error) => tracing::warn!(bot = made.id, ?error, "a managed bot was not taken in"),
            }
        }
        *progress = Progress {
            offset: read.id + 1,
            failed: 0,
        };
    }
    Duration::ZERO
}

fn rest(app: &App, error: &CallError) -> Duration {
    match classify(error, "getUpdates") {
        Class::RetryAfter { secs } => {
            app.manager_rest.begin(secs);
            Duration::from_secs(secs.into())
        }
        Class::Transient { .. } => AGAIN,
        _ => {
            tracing::warn!(%error, "Telegram does not tell of managed bots");
            REFUSED
        }
    }
}
