//! Waits until no node can start an update on the old revision any more, and marks the moment. Cannot fail.

use std::time::Duration;

use botloom_core::ids::{ChatId, Epoch};
use botloom_core::model::Deployment;
use botloom_core::ports::analytics::event::DEPLOYED;
use botloom_core::ports::{ActiveRevision, AnalyticsEvent, DEFAULT_RETENTION_MS};

use super::{StepDone, StepFailed};
use crate::Deps;

/// Longest that the end of a deployment waits for its mark in the telemetry.
const MARK_WAIT: Duration = Duration::from_millis(200);

pub(super) async fn run(deps: &Deps, barrier: Duration, row: &Deployment) -> Result<StepDone, StepFailed> {
    let epoch = row.epoch.unwrap_or_else(|| row.seen_epoch.next());
    let revision = ActiveRevision {
        epoch,
        rev: row.to_rev,
    };
    deps.sandboxes.barrier(&row.bot, revision, barrier).await;
    mark(deps, row, epoch).await;
    Ok(StepDone::Plain(None))
}

/// Marks the moment in the telemetry, so that numbers before and after it can be compared. It
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
