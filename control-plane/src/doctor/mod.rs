//! Whether Telegram delivers: every connected bot is checked every 25 to 40 seconds, by whichever node comes first.
//!
//! `diagnose` compares what Telegram says with what should be and does nothing; `check` asks, sets right what may be set
//! right without being asked, and tells; `pace` bounds that for the whole installation. All state is in the catalog: a node
//! that dies is not missed.

mod check;
mod diagnose;
mod pace;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use botloom_core::model::{WebhookCheck, WebhookFinding, WebhookStatus, WebhookTally};
use botloom_core::ports::{Notice, StoreResult};
use metrics::gauge;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::state::App;
use check::Checked;

pub(crate) use check::is_left;
pub(crate) use pace::{PER_HOUR, Pacer, eta_secs};
pub(crate) use words::{message, remedy};

/// Checks that are claimed, or settled, together.
const BATCH: u32 = 32;
/// Checks of one node at a time: what bounds its memory and its calls. One that waits for Telegram takes one place of these, and
/// holds up no other.
const PLACES: usize = 256;
/// What a claim lasts. Asking and setting take at most two waits for Telegram.
const LEASE_MS: i64 = 30_000;
/// How long what was found waits for more that can be settled with it.
const GATHER: Duration = Duration::from_millis(100);
/// Batches of one node that are settled and told at a time.
const SETTLING: usize = 8;
/// Every so many looks, new bots are enrolled and all are counted.
const SLOW: u32 = 10;

/// Checks until `shutdown`.
pub(crate) async fn run(app: &App, shutdown: &CancellationToken) {
    let (found, results) = mpsc::channel(PLACES);
    tokio::select! {
        // What is under way is given up: its claims end by themselves.
        () = shutdown.cancelled() => {}
        () = look(app, &found) => {}
        () = settle(app, results) => {}
    }
}

/// Starts checks for ever.
async fn look(app: &App, found: &mpsc::Sender<Checked>) {
    let mut notices = app.deps.ports.bus.subscribe();
    let mut checks = JoinSet::new();
    let (mut looks, mut announced) = (0, false);
    loop {
        let look = async {
            if !announced {
                let public = app.options.public_url.as_ref().map(Url::as_str);
                app.deps.ports.catalog.announce_public_url(public).await?;
                announced = true;
            }
            if looks % SLOW == 0 {
                app.deps.ports.catalog.enrol_webhook_checks(app.now()).await?;
                count(app).await?;
            }
            start(app, &mut checks, found).await
        };
        if let Err(error) = look.await {
            tracing::warn!(%error, "webhooks cannot be checked at the moment");
        }
        looks = looks.wrapping_add(1);
        until_next(app, &mut notices, &mut checks).await;
    }
}

/// Starts what is due, as far as there is room.
async fn start(app: &App, checks: &mut JoinSet<()>, found: &mpsc::Sender<Checked>) -> StoreResult<()> {
    let catalog = &app.deps.ports.catalog;
    let announced = catalog.announced_public_url().await?;
    let public = Arc::new(announced.and_then(|text| Url::parse(&text).ok()));
    while has_room(checks) {
        let now = app.now();
        let claims = catalog
            .claim_webhook_checks(now, now.plus(LEASE_MS), BATCH)
            .await?;
        if claims.is_empty() {
            break;
        }
        for claim in claims {
            checks.spawn(one(app.clone(), Arc::clone(&public), claim, found.clone()));
        }
    }
    Ok(())
}

/// Whether a whole batch may be claimed.
fn has_room(checks: &JoinSet<()>) -> bool {
    checks.len() + BATCH as usize <= PLACES
}

/// Waits until it is time to look, a revision went live, or there is room again.
async fn until_next(app: &App, notices: &mut broadcast::Receiver<Notice>, checks: &mut JoinSet<()>) {
    let pause = tokio::time::sleep(app.options.webhook_look);
    tokio::pin!(pause);
    loop {
        let had_room = has_room(checks);
        tokio::select! {
            () = &mut pause => return,
            Some(ended) = checks.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a check of a webhook ended early");
                }
                if !had_room && has_room(checks) {
                    return;
                }
            }
            notice = notices.recv() => match notice {
                // It may want other kinds of updates.
                Ok(Notice::RevisionSet { bot, .. }) => {
                    let hastened = app.deps.ports.catalog.hasten_webhook_check(&bot, app.now()).await;
                    if let Err(error) = hastened {
                        tracing::debug!(%bot, %error, "a check is not made earlier");
                    }
                    return;
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return pause.await,
            },
        }
    }
}

async fn one(app: App, public: Arc<Option<Url>>, claim: WebhookCheck, found: mpsc::Sender<Checked>) {
    let bot = claim.bot.clone();
    match check::check(&app, (*public).as_ref(), claim).await {
        // Who settles goes with the node.
        Ok(Some(checked)) => drop(found.send(checked).await),
        Ok(None) => {}
        // Its claim ends, and then it is checked again.
        Err(error) => tracing::warn!(%bot, ?error, "a webhook was not checked"),
    }
}

/// Settles what was found for ever, what came together in one transaction.
async fn settle(app: &App, mut results: mpsc::Receiver<Checked>) {
    let mut settling = JoinSet::new();
    let mut batch = Vec::new();
    while results.recv_many(&mut batch, BATCH as usize).await > 0 {
        if batch.len() < BATCH as usize {
            tokio::time::sleep(GATHER).await;
            while batch.len() < BATCH as usize
                && let Ok(checked) = results.try_recv()
            {
                batch.push(checked);
            }
        }
        while settling.len() >= SETTLING {
            if let Some(Err(error)) = settling.join_next().await {
                tracing::error!(%error, "what checks of webhooks found was told in part");
            }
        }
        settling.spawn(settle_batch(app.clone(), std::mem::take(&mut batch)));
    }
}

async fn settle_batch(app: App, batch: Vec<Checked>) {
    let settled: Vec<_> = batch.iter().map(|checked| checked.settled.clone()).collect();
    let held = match app.deps.ports.catalog.settle_webhook_checks(&settled).await {
        Ok(held) => held,
        Err(error) => {
            tracing::warn!(%error, "what checks of webhooks found is lost");
            return;
        }
    };
    for (checked, _) in batch.iter().zip(held).filter(|(_, held)| *held) {
        if let Err(error) = check::tell(&app, checked).await {
            tracing::warn!(bot = %checked.settled.claim.bot, ?error, "what was found is told later");
        }
    }
}

/// Tells the numbers of the whole installation.
async fn count(app: &App) -> StoreResult<()> {
    let tally = app.deps.ports.catalog.webhook_tally(None).await?;
    let mut findings: BTreeMap<WebhookFinding, u64> =
        WebhookFinding::ALL.iter().map(|finding| (*finding, 0)).collect();
    for entry in &tally {
        for finding in &entry.findings {
            *findings.entry(*finding).or_default() += entry.bots;
        }
    }
    for status in WebhookStatus::ALL {
        gauge!("botloom_webhooks", "status" => status.as_str()).set(as_f64(of_status(&tally, status)));
    }
    for (finding, bots) in findings {
        gauge!("botloom_webhook_findings", "finding" => finding.as_str()).set(as_f64(bots));
    }
    Ok(())
}

/// Bots of a status.
pub(crate) fn of_status(tally: &[WebhookTally], status: WebhookStatus) -> u64 {
    let of_it = tally.iter().filter(|entry| entry.status == status);
    of_it.map(|entry| entry.bots).sum()
}

#[expect(clippy::cast_precision_loss, reason = "a number of bots")]
const fn as_f64(bots: u64) -> f64 {
    bots as f64
}
