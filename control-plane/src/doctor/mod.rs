//! Whether Telegram delivers: every connected bot is checked every 32 seconds, by whichever node comes first.
//!
//! `rota` says when; `diagnose` compares what Telegram says with what should be and does nothing; `check` asks, sets right what
//! may be set right without being asked, and tells; `pace` bounds that for the whole installation, and `moves` holds it where a
//! new address does not work; `reach` tells of Telegram's silence. What matters is in the catalog: a node that dies is not missed.

mod check;
mod diagnose;
mod moves;
mod pace;
mod reach;
mod rota;
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
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::state::App;
use check::{Checked, Look};
use reach::Reach;
use rota::Rota;

pub(crate) use check::is_left;
pub(crate) use pace::{PER_HOUR, Pacer, eta_secs};
pub(crate) use words::{message, remedy};

/// Checks of one node at a time: what bounds its memory and its calls. One that waits for Telegram takes one place of these, and
/// holds up no other.
const PLACES: usize = 256;
/// Where all places were taken, so many are to be free before more is claimed.
const ROOM: usize = 64;
/// What a claim lasts. Asking and setting take at most two waits for Telegram.
const LEASE_MS: i64 = 30_000;
/// Batches of one node that are settled and told at a time.
const SETTLING: usize = 4;
/// Longest wait at a shutdown until what was found is stored.
const SETTLES: Duration = Duration::from_secs(3);
/// Every so many pauses between looks, new bots are enrolled and all are counted.
const SLOW: u32 = 10;

/// Checks until `shutdown`.
pub(crate) async fn run(app: &App, shutdown: &CancellationToken) {
    let (found, results) = mpsc::channel(PLACES);
    let looking = async move {
        tokio::select! {
            // What is under way is given up: its claims end by themselves.
            () = shutdown.cancelled() => {}
            () = look(app, &found) => {}
        }
    };
    let settling = settle(app, results);
    tokio::pin!(settling);
    tokio::select! {
        () = looking => {}
        () = &mut settling => return,
    }
    // What was found is kept, or these bots would not be checked before their claims end.
    if tokio::time::timeout(SETTLES, settling).await.is_err() {
        tracing::warn!("what the last checks of webhooks found could not be stored in time");
    }
}

/// What one node keeps between its looks.
#[derive(Debug)]
struct Memory {
    announced: bool,
    /// When it is time to look again, whatever happens until then.
    due: Instant,
    /// Checks that may be begun until then.
    budget: u32,
    /// When new bots are to be enrolled, and all to be counted.
    slow_due: Instant,
    rota: Arc<Rota>,
    reach: Arc<Reach>,
}

/// Starts checks for ever.
async fn look(app: &App, found: &mpsc::Sender<Checked>) {
    let mut notices = app.deps.ports.bus.subscribe();
    let mut checks = JoinSet::new();
    let begun = Instant::now();
    let mut memory = Memory {
        announced: false,
        due: begun,
        budget: 0,
        slow_due: begun,
        rota: Arc::default(),
        reach: Arc::default(),
    };
    loop {
        if let Err(error) = look_once(app, &mut memory, &mut checks, found).await {
            tracing::warn!(%error, "webhooks cannot be checked at the moment");
        }
        until_next(app, memory.due, &mut notices, &mut checks).await;
    }
}

async fn look_once(
    app: &App,
    memory: &mut Memory,
    checks: &mut JoinSet<()>,
    found: &mpsc::Sender<Checked>,
) -> StoreResult<()> {
    let catalog = &app.deps.ports.catalog;
    let pause = app.options.webhook_look;
    let now = Instant::now();
    let due = now >= memory.due;
    if due {
        memory.due = now + pause;
    }
    if !memory.announced {
        let public = app.options.public_url.as_ref().map(Url::as_str);
        catalog.announce_public_url(public).await?;
        memory.announced = true;
    }
    if now >= memory.slow_due {
        memory.reach.tell();
        catalog.enrol_webhook_checks(app.now()).await?;
        memory.slow_due = now + pause * SLOW;
        // Checks go on with what is known.
        if let Err(error) = count_all(app, memory).await {
            tracing::warn!(%error, "webhooks cannot be counted at the moment");
        }
    }
    if due {
        memory.budget = memory.rota.at_a_look(pause);
    }
    let announced = catalog.announced_public_url().await?;
    let look = Look {
        public: announced.and_then(|text| Url::parse(&text).ok()),
        rota: Arc::clone(&memory.rota),
        reach: Arc::clone(&memory.reach),
    };
    let begun = start(app, Arc::new(look), memory.budget, checks, found).await?;
    memory.budget = memory.budget.saturating_sub(begun);
    Ok(())
}

/// Counts all bots, looks whether moves are held, and gives every bot its place.
async fn count_all(app: &App, memory: &mut Memory) -> StoreResult<()> {
    let bots = count(app).await?;
    moves::survey(app).await?;
    if memory.rota.len() != bots {
        let ids = app.deps.ports.catalog.webhook_check_ids().await?;
        memory.rota = Arc::new(Rota::new(ids));
    }
    Ok(())
}

/// Starts what is due, as far as there is room, at most `budget`. Answers how many.
async fn start(
    app: &App,
    look: Arc<Look>,
    budget: u32,
    checks: &mut JoinSet<()>,
    found: &mpsc::Sender<Checked>,
) -> StoreResult<u32> {
    let room = u32::try_from(PLACES.saturating_sub(checks.len())).unwrap_or(u32::MAX);
    let limit = room.min(budget);
    if limit == 0 {
        return Ok(0);
    }
    let now = app.now();
    let catalog = &app.deps.ports.catalog;
    let claims = catalog
        .claim_webhook_checks(now, now.plus(LEASE_MS), limit)
        .await?;
    let begun = u32::try_from(claims.len()).unwrap_or(u32::MAX);
    for claim in claims {
        checks.spawn(one(app.clone(), Arc::clone(&look), claim, found.clone()));
    }
    Ok(begun)
}

/// Whether it is worth a transaction to claim more.
fn has_room(checks: &JoinSet<()>) -> bool {
    checks.len() + ROOM <= PLACES
}

/// Waits until it is time to look, a revision went live, or there is room again.
async fn until_next(
    app: &App,
    due: Instant,
    notices: &mut broadcast::Receiver<Notice>,
    checks: &mut JoinSet<()>,
) {
    let pause = tokio::time::sleep_until(due);
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

async fn one(app: App, look: Arc<Look>, claim: WebhookCheck, found: mpsc::Sender<Checked>) {
    let bot = claim.bot.clone();
    match check::check(&app, &look, claim).await {
        // Who settles goes with the node.
        Ok(Some(checked)) => drop(found.send(checked).await),
        Ok(None) => {}
        // Its claim ends, and then it is checked again.
        Err(error) => tracing::warn!(%bot, ?error, "a webhook was not checked"),
    }
}

/// Settles what was found until nobody finds any more, what came within half a look in one transaction.
async fn settle(app: &App, mut results: mpsc::Receiver<Checked>) {
    let mut settling = JoinSet::new();
    let mut batch = Vec::new();
    while results.recv_many(&mut batch, PLACES).await > 0 {
        if batch.len() < PLACES {
            tokio::time::sleep(app.options.webhook_look / 2).await;
            while batch.len() < PLACES
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
    while settling.join_next().await.is_some() {}
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

/// Tells the numbers of the whole installation; answers how many bots have a check.
async fn count(app: &App) -> StoreResult<usize> {
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
    let bots: u64 = tally.iter().map(|entry| entry.bots).sum();
    Ok(usize::try_from(bots).unwrap_or(usize::MAX))
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
