//! Lets the revision answer a synthetic `/start`, in a real sandbox, with no effect outside.

use botloom_core::model::Deployment;

use super::{StepDone, StepFailed};
use crate::Deps;

pub(super) async fn run(deps: &Deps, row: &Deployment) -> Result<StepDone, StepFailed> {
    let report = deps.sandboxes.probe(&row.bot, &row.to_rev).await?;
    let detail = format!("/start: {} messages in {} µs", report.messages, report.wall_us);
    Ok(StepDone::Plain(Some(detail)))
}
