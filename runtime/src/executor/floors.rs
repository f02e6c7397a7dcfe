//! The lowest epoch on which updates of a bot may run here. Raised by the deployer's barrier, by notices, and by what
//! the store itself said last.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use botloom_core::ids::{BotId, Epoch};
use tokio::sync::watch;

/// One number for each bot that ran or flipped while this process lived.
#[derive(Debug, Default)]
pub(super) struct Floors(RwLock<HashMap<BotId, watch::Sender<Epoch>>>);

impl Floors {
    /// Never goes back.
    pub(super) fn raise(&self, bot: &BotId, epoch: Epoch) {
        let mut floors = self.0.write().unwrap_or_else(PoisonError::into_inner);
        floors.entry(bot.clone()).or_default().send_if_modified(|floor| {
            let raised = epoch > *floor;
            *floor = (*floor).max(epoch);
            raised
        });
    }

    pub(super) fn allows(&self, bot: &BotId, epoch: Epoch) -> bool {
        self.floor(bot).is_none_or(|floor| epoch >= floor)
    }

    /// As [`Self::allows`], and nothing below `epoch` is allowed from now on.
    pub(super) fn observe(&self, bot: &BotId, epoch: Epoch) -> bool {
        match self.floor(bot) {
            Some(floor) if floor >= epoch => floor == epoch,
            _ => {
                self.raise(bot, epoch);
                self.allows(bot, epoch)
            }
        }
    }

    /// Whether the bot ever ran or flipped here.
    pub(super) fn knows(&self, bot: &BotId) -> bool {
        self.floor(bot).is_some_and(|floor| floor > Epoch::default())
    }

    /// The floor of a bot, now and later.
    pub(super) fn watch(&self, bot: &BotId) -> watch::Receiver<Epoch> {
        if let Some(floor) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(bot) {
            return floor.subscribe();
        }
        let mut floors = self.0.write().unwrap_or_else(PoisonError::into_inner);
        floors.entry(bot.clone()).or_default().subscribe()
    }

    fn floor(&self, bot: &BotId) -> Option<Epoch> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(bot)
            .map(|floor| *floor.borrow())
    }
}
