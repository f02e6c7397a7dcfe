//! The flip: the catalog decides who wins, the lanes make it true for users.

use std::time::Duration;

use botloom_core::fault;
use botloom_core::ids::{ChatId, Epoch};
use botloom_core::model::{BotRow, Deployment};
use botloom_core::ports::analytics::event::DEPLOYED;
use botloom_core::ports::{ActiveRevision, AnalyticsEvent, DEFAULT_RETENTION_MS, Notice, SetRevision};

use super::{StepDone, StepFailed};
use crate::{Deps, code, faults};

/// Longest that a flip waits for its mark in the telemetry.
const MARK_WAIT: Duration = Duration::from_secs(2);

pub(super) async fn run(deps: &Deps, row: &Deployment, bot: &BotRow) -> Result<StepDone, StepFailed> {
    let ports = &deps.ports;
    let wanted = row.seen_epoch.next();
    let revision = ActiveRevision {
        epoch: wanted,
        rev: row.to_rev,
    };
    // Lanes ahead of the catalog (one was restored from an older copy) would refuse the flip after the catalog took it.
    let ahead = ports
        .lanes
        .revision(&row.bot)
        .await?
        .filter(|active| active.epoch >= wanted && *active != revision);
    if let Some(active) = ahead {
        tracing::error!(bot = %row.bot, ?active, ?revision, "lanes are ahead of the catalog");
        return Err(superseded());
    }
    // Only one deployment of a bot is under way, so this epoch with this revision can only be an earlier try of ours
    // that died before it could note its success.
    let flipped_before = bot.epoch == wanted && bot.active_rev == Some(row.to_rev);
    if !flipped_before {
        fault::point(faults::BEFORE_ACTIVATE);
        ports
            .catalog
            .activate(&row.bot, row.seen_epoch, row.to_rev)
            .await?
            .ok_or_else(superseded)?;
    }
    fault::point(faults::AFTER_ACTIVATE);

    match ports.lanes.set_revision(&row.bot, revision).await? {
        SetRevision::Set => {}
        SetRevision::Superseded(active) if active == revision => {}
        SetRevision::Superseded(_) => return Err(superseded()),
    }
    fault::point(faults::AFTER_SET_REVISION);
    ports
        .bus
        .publish(Notice::RevisionSet {
            bot: row.bot.clone(),
            revision,
        })
        .await;
    let kind = if row.rollback { "rollback" } else { "deploy" };
    metrics::counter!("botloom_flips_total", "kind" => kind).increment(1);
    mark(deps, row, wanted).await;
    Ok(StepDone::Flipped(wanted))
}

/// Marks the moment in the telemetry, so that numbers before and after it can be compared. A lost mark delays nothing. It
/// tells of no person, so it is kept by the default, whatever the bot says.
async fn mark(deps: &Deps, row: &Deployment, epoch: Epoch) {
    let at = deps.ports.clock.now();
    let mark = AnalyticsEvent {
        id: format!("{}:{DEPLOYED}:{epoch}", row.bot),
        bot: row.bot.clone(),
        chat: ChatId::new("-").expect("the chat of nobody has the form of a chat id"),
        rev: Some(row.to_rev),
        at,
        expires_at: at.plus(DEFAULT_RETENTION_MS),
        event: DEPLOYED.to_owned(),
        flow: None,
        step: None,
        fields: format!(r#"{{"epoch":{epoch}}}"#),
    };
    let recorded = tokio::time::timeout(MARK_WAIT, deps.ports.analytics.record(&[mark])).await;
    if !matches!(recorded, Ok(Ok(()))) {
        tracing::warn!(bot = %row.bot, %epoch, "the deployment was not marked in the telemetry");
    }
}

fn superseded() -> StepFailed {
    metrics::counter!("botloom_epochs_refused_total").increment(1);
    StepFailed::final_(code::SUPERSEDED, "Another activation of the bot came first.")
}
