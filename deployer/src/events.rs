//! Tells who watches. A lost event delays the eye, never the deployment, so failures to log it are only logged.

use botloom_core::event::BotEvent;
use botloom_core::model::{BotRow, Deployment};
use botloom_core::ports::Ports;

/// Appends an event of a deployment to the log of the bot's project.
pub(crate) async fn tell(ports: &Ports, bot: &BotRow, event: BotEvent) {
    let at = ports.clock.now();
    if let Err(error) = ports.events.append(bot.project, &bot.id, at, &event).await {
        tracing::warn!(bot = %bot.id, event = event.name(), ?error, "the event was not logged");
    }
}

/// The event that ends a failed deployment.
pub(crate) fn failed(row: &Deployment) -> BotEvent {
    let reason = row
        .error
        .as_ref()
        .map_or_else(String::new, |error| error.detail.clone());
    BotEvent::DeployFailed {
        task_id: row.task,
        stage: row.stage.to_string(),
        reason,
    }
}
