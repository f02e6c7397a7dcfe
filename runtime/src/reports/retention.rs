//! How long the telemetry of each bot is kept. Rows are also made where no program is at hand (sends, failures), so it is
//! remembered from the program that ran last.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use botloom_core::ids::BotId;
use botloom_core::ports::DEFAULT_RETENTION_MS;

/// Milliseconds by bot; a few dozen bytes for each bot that ran on this node. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Retention(Arc<RwLock<HashMap<BotId, i64>>>);

impl Retention {
    /// Remembers what a program says.
    pub(super) fn learn(&self, bot: &BotId, ttl_ms: Option<i64>) {
        let ttl_ms = ttl_ms.unwrap_or(DEFAULT_RETENTION_MS);
        if self.known(bot) != Some(ttl_ms) {
            let mut by_bot = self.0.write().unwrap_or_else(PoisonError::into_inner);
            by_bot.insert(bot.clone(), ttl_ms);
        }
    }

    /// What was learned, or the default.
    pub(super) fn ttl_ms(&self, bot: &BotId) -> i64 {
        self.known(bot).unwrap_or(DEFAULT_RETENTION_MS)
    }

    fn known(&self, bot: &BotId) -> Option<i64> {
        let by_bot = self.0.read().unwrap_or_else(PoisonError::into_inner);
        by_bot.get(bot).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_program_of_a_bot_decides() {
        let (retention, bot) = (Retention::default(), BotId::new("pizza").unwrap());
        assert_eq!(retention.ttl_ms(&bot), DEFAULT_RETENTION_MS);
        for (said, kept) in [(Some(5), 5), (Some(7), 7), (None, DEFAULT_RETENTION_MS)] {
            retention.learn(&bot, said);
            assert_eq!(retention.ttl_ms(&bot), kept);
        }
        assert_eq!(
            retention.ttl_ms(&BotId::new("other").unwrap()),
            DEFAULT_RETENTION_MS
        );
    }
}
