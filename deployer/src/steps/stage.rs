//! Puts the files of the revision within reach of every node.

use botloom_core::model::Deployment;

use super::{StepDone, StepFailed, or_urgent};
use crate::Deps;

pub(super) async fn run(deps: &Deps, row: &Deployment) -> Result<StepDone, StepFailed> {
    or_urgent(row, deps.sandboxes.stage(&row.bot, &row.to_rev).await)?;
    Ok(StepDone::Plain(None))
}
