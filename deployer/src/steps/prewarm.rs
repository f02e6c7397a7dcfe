//! Loads the revision into sandboxes, so that the first user after the flip waits for nothing.

use botloom_core::model::Deployment;
use botloom_core::ports::Notice;

use super::{StepDone, StepFailed, or_urgent};
use crate::Deps;

pub(super) async fn run(deps: &Deps, row: &Deployment) -> Result<StepDone, StepFailed> {
    deps.ports
        .bus
        .publish(Notice::RevisionPrepare {
            bot: row.bot.clone(),
            rev: row.to_rev,
        })
        .await;
    let sandboxes = &deps.sandboxes;
    let done = sandboxes.prewarm(&row.bot, &row.to_rev, row.min_sandboxes).await;
    or_urgent(row, done)?;
    Ok(StepDone::Plain(Some(format!("{} sandboxes", row.min_sandboxes))))
}
