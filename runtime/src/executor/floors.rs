//! The lowest epoch on which updates of a bot may start here. Raised by the deployer's barrier and by notices.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use botloom_core::ids::{BotId, Epoch};

/// One number for each bot that flipped while this process lived.
#[derive(Debug, Default)]
pub(super) struct Floors(RwLock<HashMap<BotId, Epoch>>);

impl Floors {
    /// Never goes back.
    pub(super) fn raise(&self, bot: &BotId, epoch: Epoch) {
        let mut floors = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let floor = floors.entry(bot.clone()).or_default();
        *floor = (*floor).max(epoch);
    }

    pub(super) fn allows(&self, bot: &BotId, epoch: Epoch) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(bot)
            .is_none_or(|floor| epoch >= *floor)
    }
}
