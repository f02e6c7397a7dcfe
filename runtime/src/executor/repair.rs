//! Lanes that went back: their store lost data, or was restored from an older copy. A node that ran a bot on a higher
//! epoch refuses the lower one and sets the lanes right from the catalog, which decides what is live.

use std::time::Duration;

use botloom_core::ids::BotId;
use botloom_core::ports::{ActiveRevision, Notice, SetRevision};
use moka::sync::Cache;

use super::Executor;
use crate::bots::Found;

/// Time between two repairs of one bot.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Bots whose repairs are remembered.
const MOST: u64 = 100_000;

/// Bots that were repaired a moment ago.
#[derive(Debug)]
pub(super) struct Repairs(Cache<BotId, ()>);

impl Default for Repairs {
    fn default() -> Self {
        Self(
            Cache::builder()
                .max_capacity(MOST)
                .time_to_live(AGAIN_AFTER)
                .build(),
        )
    }
}

impl Executor {
    /// Activates in the lanes what the catalog says is live. Monotone, so it never goes back.
    pub(super) async fn repair(&self, bot: &BotId) {
        if self.repairs.0.contains_key(bot) {
            return;
        }
        self.repairs.0.insert(bot.clone(), ());
        let revision = match self.node.bots.look_again(bot).await {
            Ok(Found::Live(row)) => row.revision,
            Ok(Found::Deleted | Found::Unknown) => None,
            Err(error) => {
                return tracing::error!(%bot, error = %error, "the store's epoch went back and the catalog is away, the bot waits");
            }
        };
        let Some(revision) = revision.filter(|active| self.floors.allows(bot, active.epoch)) else {
            return tracing::error!(%bot, "the store's epoch went back and the catalog's with it, the bot waits");
        };
        match self.node.ports.lanes.set_revision(bot, revision).await {
            Ok(SetRevision::Set) => {
                let ActiveRevision { epoch, rev } = revision;
                tracing::error!(%bot, %epoch, %rev, "the store's epoch went back, it was set right from the catalog");
                let notice = Notice::RevisionSet {
                    bot: bot.clone(),
                    revision,
                };
                self.node.ports.bus.publish(notice).await;
            }
            Ok(SetRevision::Superseded(_)) => {}
            Err(error) => tracing::warn!(%bot, error = %error, "the store's epoch could not be set right"),
        }
    }
}
