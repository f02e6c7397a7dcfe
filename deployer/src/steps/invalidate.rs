//! Waits until no node can start an update on the old revision any more. Cannot fail.

use std::time::Duration;

use botloom_core::model::Deployment;
use botloom_core::ports::ActiveRevision;

use super::{StepDone, StepFailed};
use crate::Deps;

pub(super) async fn run(deps: &Deps, barrier: Duration, row: &Deployment) -> Result<StepDone, StepFailed> {
    let epoch = row.epoch.unwrap_or_else(|| row.seen_epoch.next());
    let revision = ActiveRevision {
        epoch,
        rev: row.to_rev,
    };
    deps.sandboxes.barrier(&row.bot, revision, barrier).await;
    Ok(StepDone::Plain(None))
}
