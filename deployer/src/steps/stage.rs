//! Puts the files of the revision within reach of every node.

use botloom_core::model::Deployment;

use super::{StepDone, StepFailed};
use crate::Deps;

pub(super) async fn run(deps: &Deps, row: &Deployment) -> Result<StepDone, StepFailed> {
    deps.sandboxes.stage(&row.bot, &row.to_rev).await?;
    Ok(StepDone::Plain(None))
}
