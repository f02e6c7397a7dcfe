//! Keeps lanes and catalog of one mind: a process that died between the two steps of a flip, or lanes restored from an
//! older copy, are put right here, and so is a catalog restored from one: its revision goes live again past the epochs
//! that it does not know. Activation is monotone in the epoch, so repeating it never goes back.

use botloom_core::ports::{ActiveRevision, Notice, SetRevision, StoreResult};
use tokio_util::sync::CancellationToken;

use crate::{Deps, Options};

/// Compares at start and every [`Options::reconcile_every`] until `shutdown`.
pub async fn run(deps: &Deps, options: Options, shutdown: &CancellationToken) {
    loop {
        if let Err(error) = reconcile(deps).await {
            tracing::warn!(?error, "cannot compare active revisions");
        }
        tokio::select! {
            () = tokio::time::sleep(options.reconcile_every) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// One comparison; answers how many bots were behind.
pub async fn reconcile(deps: &Deps) -> StoreResult<usize> {
    let mut behind = 0;
    for bot in deps.ports.catalog.live_bots().await? {
        let Some(rev) = bot.active_rev else { continue };
        let revision = ActiveRevision {
            epoch: bot.epoch,
            rev,
        };
        let active = deps.ports.lanes.revision(&bot.id).await?;
        let revision = match active {
            Some(active) if active.epoch > revision.epoch => {
                // A flip that came in between is no reason: then the catalog has moved on, and this changes nothing.
                let overtaken = deps
                    .ports
                    .catalog
                    .overtake(&bot.id, bot.epoch, active.epoch)
                    .await?;
                let Some(epoch) = overtaken else { continue };
                tracing::warn!(bot = %bot.id, ahead = %active.epoch, "the catalog was behind the lanes");
                ActiveRevision { epoch, rev }
            }
            _ => revision,
        };
        if active.is_some_and(|active| active.epoch >= revision.epoch) {
            continue;
        }
        if deps.ports.lanes.set_revision(&bot.id, revision).await? == SetRevision::Set {
            tracing::warn!(bot = %bot.id, epoch = %revision.epoch, "lanes did not have the revision of the catalog");
            deps.ports
                .bus
                .publish(Notice::RevisionSet {
                    bot: bot.id,
                    revision,
                })
                .await;
            behind += 1;
        }
    }
    Ok(behind)
}
