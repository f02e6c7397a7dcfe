//! Keeps lanes and catalog of one mind: a process that died between the two steps of a flip, or lanes restored from an
//! older copy, are put right here. Activation is monotone in the epoch, so repeating it never goes back.

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
        if active.is_some_and(|active| active.epoch >= revision.epoch) {
            continue;
        }
        if deps.ports.lanes.set_revision(&bot.id, revision).await? == SetRevision::Set {
            tracing::warn!(bot = %bot.id, epoch = %revision.epoch, "lanes were behind the catalog");
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
