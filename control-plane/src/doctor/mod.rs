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

use botloom_core::model::{WebhookCheck, WebhookFinding, WebhookStatus, WebhookTally};
use botloom_core::ports::{Notice, StoreResult};
use futures_util::future::join_all;
use metrics::gauge;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::app::Error;
use crate::state::App;

pub(crate) use check::is_left;
pub(crate) use pace::{PER_HOUR, Pacer, eta_secs};
pub(crate) use words::{message, remedy};

/// Checks that are claimed, made side by side, and settled together.
const BATCH: u32 = 32;
/// Batches of one node at a time: what bounds its memory and its calls.
const BATCHES: usize = 8;
/// What a claim lasts. Asking and setting take at most two waits for Telegram.
const LEASE_MS: i64 = 30_000;
/// Every so many looks, new bots are enrolled and all are counted.
const SLOW: u32 = 10;

/// Checks until `shutdown`.
pub(crate) async fn run(app: &App, shutdown: &CancellationToken) {
    let mut notices = app.deps.ports.bus.subscribe();
    let mut batches = JoinSet::new();
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
            start(app, &mut batches).await
        };
        if let Err(error) = look.await {
            tracing::warn!(%error, "webhooks cannot be checked at the moment");
        }
        looks = looks.wrapping_add(1);
        tokio::select! {
            // What is under way is given up: its claims end by themselves.
            () = shutdown.cancelled() => return,
            () = until_next(app, &mut notices, &mut batches) => {}
        }
    }
}

/// Starts batches of what is due.
async fn start(app: &App, batches: &mut JoinSet<()>) -> StoreResult<()> {
    let catalog = &app.deps.ports.catalog;
    let announced = catalog.announced_public_url().await?;
    let public = announced.and_then(|text| Url::parse(&text).ok());
    while batches.len() < BATCHES {
        let now = app.now();
        let claims = catalog
            .claim_webhook_checks(now, now.plus(LEASE_MS), BATCH)
            .await?;
        if claims.is_empty() {
            break;
        }
        batches.spawn(batch(app.clone(), public.clone(), claims));
    }
    Ok(())
}

/// Waits until it is time to look, a revision went live, or there is room again.
async fn until_next(app: &App, notices: &mut broadcast::Receiver<Notice>, batches: &mut JoinSet<()>) {
    let pause = tokio::time::sleep(app.options.webhook_look);
    tokio::pin!(pause);
    loop {
        tokio::select! {
            () = &mut pause => return,
            Some(ended) = batches.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a batch of checks of webhooks ended early");
                }
                if batches.len() + 1 == BATCHES {
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

async fn batch(app: App, public: Option<Url>, claims: Vec<WebhookCheck>) {
    let checks = claims.into_iter().map(|claim| {
        let bot = claim.bot.clone();
        let (app, public) = (&app, public.as_ref());
        async move {
            let checked = check::check(app, public, claim).await;
            // Its claim ends, and then it is checked again.
            let note = |error: &Error| tracing::warn!(%bot, ?error, "a webhook was not checked");
            checked.inspect_err(note).ok().flatten()
        }
    });
    let checked: Vec<_> = join_all(checks).await.into_iter().flatten().collect();
    let settled: Vec<_> = checked.iter().map(|checked| checked.settled.clone()).collect();
    if settled.is_empty() {
        return;
    }
    let held = match app.deps.ports.catalog.settle_webhook_checks(&settled).await {
        Ok(held) => held,
        Err(error) => {
            tracing::warn!(%error, "what checks of webhooks found is lost");
            return;
        }
    };
    for (checked, _) in checked.iter().zip(held).filter(|(_, held)| *held) {
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
