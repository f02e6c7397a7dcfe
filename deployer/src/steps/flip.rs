//! The flip: the catalog decides who wins, the lanes make it true for users.

use botloom_core::fault;
use botloom_core::model::{BotRow, Deployment};
use botloom_core::ports::{ActiveRevision, Notice, SetRevision};

use super::{StepDone, StepFailed};
use crate::{Deps, code, faults};

pub(super) async fn run(deps: &Deps, row: &Deployment, bot: &BotRow) -> Result<StepDone, StepFailed> {
    let ports = &deps.ports;
    let wanted = row.seen_epoch.next();
    let revision = ActiveRevision {
        epoch: wanted,
        rev: row.to_rev,
    };
    // Lanes ahead of the catalog (it was restored from an older copy) would refuse the flip after the catalog took it. The
    // next deployment finds an epoch that is past theirs.
    let ahead = ports
        .lanes
        .revision(&row.bot)
        .await?
        .filter(|active| active.epoch >= wanted && *active != revision);
    if let Some(active) = ahead {
        tracing::error!(bot = %row.bot, ?active, ?revision, "lanes are ahead of the catalog");
        ports.catalog.overtake(&row.bot, bot.epoch, active.epoch).await?;
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
    Ok(StepDone::Flipped(wanted))
}

fn superseded() -> StepFailed {
    metrics::counter!("botloom_epochs_refused_total").increment(1);
    StepFailed::final_(code::SUPERSEDED, "Another activation of the bot came first.")
}
