//! Makes Telegram show the commands and descriptions of live revisions, after the fact: no deployment waits for it, and none
//! fails because of it.
//!
//! What is to be done follows from the catalog alone: connected bots whose active revision is not the settled one. Every node
//! with the API looks; a claim says who is at a bot. Whoever dies leaves a claim that ends by itself, and marks of what it
//! was about to change, so that nothing that it may have published is forgotten.

mod plan;
mod publish;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use botloom_core::ports::{Notice, StoreResult};
use futures_util::StreamExt as _;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::state::App;

/// How often every node looks, in case that no notice came.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Bots that one look takes up.
const BATCH: u32 = 100;
/// Bots at a time: a call that hangs must not hold up all others.
const AT_ONCE: usize = 4;

/// Publishes until `shutdown`.
pub(crate) async fn run(app: &App, shutdown: &CancellationToken) {
    let mut notices = app.deps.ports.bus.subscribe();
    while !shutdown.is_cancelled() {
        match look(app, shutdown).await {
            // There may be more.
            Ok(BATCH) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(?error, "profiles are published later"),
        }
        tokio::select! {
            () = worth_a_look(&mut notices) => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Publishes what is due; answers for how many bots that could be done.
async fn look(app: &App, shutdown: &CancellationToken) -> StoreResult<u32> {
    let due = app.deps.ports.catalog.due_profiles(app.now(), BATCH).await?;
    let taken = AtomicU32::new(0);
    let publishing = futures_util::stream::iter(due).for_each_concurrent(AT_ONCE, async |bot| {
        if shutdown.is_cancelled() {
            return;
        }
        if let Err(error) = publish::publish(app, &bot, shutdown).await {
            tracing::warn!(bot = %bot.id, ?error, "the profile is published later");
        } else {
            taken.fetch_add(1, Ordering::Relaxed);
        }
    });
    publishing.await;
    Ok(taken.into_inner())
}

async fn worth_a_look(notices: &mut Receiver<Notice>) {
    loop {
        match notices.recv().await {
            Ok(Notice::RevisionSet { .. } | Notice::BotChanged { .. }) | Err(RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
