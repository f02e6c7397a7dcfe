//! Lanes whose update was tried twice run one at a time for each bot. What they do to a worker hits their own bot's
//! calls at most, so other bots' lanes need not wait for them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use botloom_core::ids::BotId;

/// The bots that have a lane in quarantine right now.
#[derive(Debug, Default)]
pub(super) struct Quarantine(Arc<Mutex<HashSet<BotId>>>);

/// The place of a bot; given back when dropped.
#[derive(Debug)]
pub(super) struct Alone {
    inside: Arc<Mutex<HashSet<BotId>>>,
    bot: BotId,
}

impl Quarantine {
    /// The bot's place, if no other lane of the bot has it.
    pub(super) fn enter(&self, bot: &BotId) -> Option<Alone> {
        lock(&self.0).insert(bot.clone()).then(|| Alone {
            inside: Arc::clone(&self.0),
            bot: bot.clone(),
        })
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        lock(&self.inside).remove(&self.bot);
    }
}

fn lock(inside: &Mutex<HashSet<BotId>>) -> MutexGuard<'_, HashSet<BotId>> {
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_for_each_bot() {
        let quarantine = Quarantine::default();
        let (one, other) = (BotId::new("one").unwrap(), BotId::new("other").unwrap());
        let alone = quarantine.enter(&one).unwrap();
        assert!(quarantine.enter(&one).is_none());
        assert!(quarantine.enter(&other).is_some(), "other bots do not wait");
        drop(alone);
        assert!(quarantine.enter(&one).is_some());
    }
}
