//! The watch over new revisions: one on which too many updates fail goes back to the one before, without anybody's doing.
//!
//! What is watched stands in the rows of deployments, so every deployer looks, and one that dies is not missed. The way
//! back is a rollback like any other, under an id that every deployer derives alike: it is started once.

use std::time::Duration;

use botloom_core::event::BotEvent;
use botloom_core::ids::Epoch;
use botloom_core::model::{BotRow, Deployment, Stage, TaskStatus};
use botloom_core::ports::{NewDeploymentOutcome, OutcomeCounts, PageRequest, StoreResult};
use botloom_core::time::TimestampMs;
use tokio_util::sync::CancellationToken;

use crate::{Deps, Options, events, sweeper};

/// How long a revision is watched after its deployment was reported, which is at most half a second after its flip
/// unless a deployer died in between.
pub const WATCH: Duration = Duration::from_mins(1);
/// So many updates are enough for a judgement before the watch is over.
const ENOUGH: u64 = 20;
/// So many must have failed: one update that nothing can be done with is no reason.
const AT_LEAST_FAILED: u64 = 2;
/// The share of failed updates that is never too much is one in so many: 5 %.
const ONE_IN: u64 = 20;
/// A watch that nobody looked at for so long after its end is given up, ms.
const STALE_MS: i64 = 5 * 60_000;
/// So many deployments of the same revision do not end its watch.
const AGAIN: u32 = 20;
/// So many times the share of the revision before is not too much either.
const TIMES_BEFORE: u64 = 3;

/// Until when a deployment that succeeds at `now` is watched; `None` where there is nothing to go back to, or it is a
/// way back itself.
pub(crate) fn until(row: &Deployment, now: TimestampMs) -> Option<TimestampMs> {
    let has_before = row.from_rev.is_some_and(|before| before != row.to_rev);
    (has_before && !row.rollback).then(|| now.plus(i64::try_from(WATCH.as_millis()).unwrap_or(i64::MAX)))
}

/// Why a revision with the outcomes `after` is unhealthy, in words for the author, given those of the epoch `before` it;
/// `None` if it is not, or not enough is known yet. `over`: more will not be known.
#[must_use]
pub fn verdict(after: OutcomeCounts, before: OutcomeCounts, over: bool) -> Option<String> {
    let wide = u128::from;
    let enough = over || after.total() >= ENOUGH;
    let above_share = wide(after.failed) * wide(ONE_IN) > wide(after.total());
    // Compared as products: a revision before without updates has no share, and excuses nothing.
    let above_before = before.total() == 0
        || wide(after.failed) * wide(before.total())
            > wide(TIMES_BEFORE) * wide(before.failed) * wide(after.total());
    if !(enough && after.failed >= AT_LEAST_FAILED && above_share && above_before) {
        return None;
    }
    let before = match before.total() {
        0 => "before there were none".to_owned(),
        total => format!("before {} of {total}", before.failed),
    };
    Some(format!(
        "{} of {} updates failed, {before}",
        after.failed,
        after.total()
    ))
}

/// Looks every [`Options::watch_every`] until `shutdown`.
pub async fn run(deps: &Deps, options: Options, shutdown: &CancellationToken) {
    if !options.auto_rollback {
        return;
    }
    loop {
        if let Err(error) = look(deps).await {
            tracing::warn!(?error, "cannot look for revisions that are watched");
        }
        tokio::select! {
            () = tokio::time::sleep(options.watch_every) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// One look at everything that is watched.
pub async fn look(deps: &Deps) -> StoreResult<()> {
    for row in deps.ports.catalog.watched_deployments().await? {
        let (bot, task) = (row.bot.clone(), row.task);
        if let Err(error) = judge(deps, row).await {
            tracing::warn!(%bot, deploy = %task, ?error, "a new revision cannot be judged yet");
        }
    }
    Ok(())
}

async fn judge(deps: &Deps, row: Deployment) -> StoreResult<()> {
    let (ports, now) = (&deps.ports, deps.ports.clock.now());
    let (Some(epoch), Some(until)) = (row.epoch, row.watch_until) else {
        return Ok(());
    };
    let Some(bot) = ports.catalog.bot(&row.bot).await? else {
        return Ok(());
    };
    if bot.deleted_at.is_some() || !only_again(deps, &row, epoch, bot.epoch).await? {
        // If a rollback of ours did that, whoever started it may have died before it could say so.
        let started = ports.catalog.deployment(&row.task.of_its_rollback()).await?;
        return end(deps, &bot, row, started.and_then(|rollback| rollback.reason)).await;
    }
    if until.plus(STALE_MS) < now {
        // Nobody looked in time: what was counted since says nothing about the flip.
        return end(deps, &bot, row, None).await;
    }
    if bot.paused_at.is_some() {
        return postpone(deps, row, now).await;
    }
    let mut after = ports.outcomes.counts(&row.bot, bot.epoch).await?;
    if bot.epoch != epoch {
        let earlier = ports.outcomes.counts(&row.bot, epoch).await?;
        after.ok = after.ok.saturating_add(earlier.ok);
        after.failed = after.failed.saturating_add(earlier.failed);
    }
    let before = ports.outcomes.counts(&row.bot, row.seen_epoch).await?;
    let over = until <= now;
    match verdict(after, before, over) {
        Some(reason) => roll_back(deps, &bot, row, reason).await,
        None if over => end(deps, &bot, row, None).await,
        None => Ok(()),
    }
}

/// Whether since the flip to `epoch` nothing else went live than the same revision once more: that is no reason to trust it.
async fn only_again(deps: &Deps, row: &Deployment, epoch: Epoch, now: Epoch) -> StoreResult<bool> {
    if now == epoch {
        return Ok(true);
    }
    let newest = PageRequest {
        limit: AGAIN,
        ..PageRequest::default()
    };
    let page = deps.ports.catalog.deployments(&row.bot, &newest).await?;
    // One whose deployer has not written down its flip yet is none the less one.
    let flips = page.items.iter().filter(|later| match later.epoch {
        Some(at) => at > epoch && at <= now,
        None => !later.status.is_final() && later.seen_epoch.next() == now,
    });
    let again = flips.filter(|later| later.to_rev == row.to_rev && later.from_rev == Some(row.to_rev));
    Ok(now.0.checked_sub(epoch.0) == Some(again.count() as u64))
}

/// A bot that is paused shows nothing: its minute begins when it goes on. Written now and then, not at every look.
async fn postpone(deps: &Deps, row: Deployment, now: TimestampMs) -> StoreResult<()> {
    let whole = i64::try_from(WATCH.as_millis()).unwrap_or(i64::MAX);
    if row.watch_until.is_some_and(|until| until > now.plus(whole / 2)) {
        return Ok(());
    }
    let later = Deployment {
        watch_until: Some(now.plus(whole)),
        ..row
    };
    // Another deployer may have been faster.
    deps.ports.catalog.save_deployment(&later).await.map(drop)
}

/// Starts the rollback unless another deployment of the bot is under way: then the next look decides anew.
async fn roll_back(deps: &Deps, bot: &BotRow, row: Deployment, reason: String) -> StoreResult<()> {
    let ports = &deps.ports;
    let Some(to_rev) = row.from_rev else {
        return Ok(());
    };
    // A rollback that nobody could carry out would fail, and there is no second one.
    if deps.sandboxes.live_nodes().await == 0 {
        return Ok(());
    }
    let now = ports.clock.now();
    let mut rollback = Deployment {
        task: row.task.of_its_rollback(),
        bot: row.bot.clone(),
        status: TaskStatus::Queued,
        stage: Stage::Preflight,
        stages: Vec::new(),
        from_rev: Some(row.to_rev),
        to_rev,
        seen_epoch: bot.epoch,
        epoch: None,
        rollback: true,
        min_sandboxes: row.min_sandboxes,
        error: None,
        watch_until: None,
        reason: Some(reason),
        author: None,
        created_at: now,
        updated_at: now,
        version: 0,
    };
    match ports.catalog.create_deployment(&rollback).await? {
        NewDeploymentOutcome::Created => {}
        NewDeploymentOutcome::Existing => {
            // Somebody else counted a moment earlier or later; the words of the one who was first hold.
            if let Some(stored) = ports.catalog.deployment(&rollback.task).await? {
                rollback = stored;
            }
        }
        NewDeploymentOutcome::Busy(_) => return Ok(()),
    }
    ports
        .tasks
        .enqueue(&sweeper::task(&rollback, bot.project))
        .await?;
    end(deps, bot, row, rollback.reason).await
}

/// Ends the watch; with a reason the revision was found unhealthy, which is told by whoever ends it.
async fn end(deps: &Deps, bot: &BotRow, row: Deployment, reason: Option<String>) -> StoreResult<()> {
    let ended = Deployment {
        watch_until: None,
        reason: reason.clone(),
        updated_at: deps.ports.clock.now(),
        ..row
    };
    if !deps.ports.catalog.save_deployment(&ended).await? {
        // Another deployer was faster.
        return Ok(());
    }
    let Some(reason) = reason else {
        return Ok(());
    };
    metrics::counter!("botloom_auto_rollbacks_total").increment(1);
    tracing::warn!(bot = %ended.bot, deploy = %ended.task, rev = %ended.to_rev, reason, "a new revision is unhealthy, the one before comes back");
    let unhealthy = BotEvent::DeployFailed {
        task_id: ended.task,
        stage: Stage::Health.to_string(),
        reason,
    };
    events::tell(&deps.ports, bot, unhealthy).await;
    Ok(())
}
