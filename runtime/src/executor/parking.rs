//! Turns that cannot start now. They keep their lease for a while, so that nobody spins on them, and their attempts do
//! not grow.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use botloom_core::ids::BotId;
use botloom_core::ports::LaneLease;
use tokio::time::Instant;

use super::Held;

/// How long a turn of a bot that has its share waits for a place before the lane goes back.
pub(super) const CAPPED: Duration = Duration::from_millis(250);
/// How long a turn waits when something it needs is away.
pub(super) const TROUBLE: Duration = Duration::from_secs(1);
/// Most turns that wait; the lanes of further ones go back at once.
const MOST: usize = 10_000;

/// What a turn waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// A place: its bot has its share.
    Capped,
    /// A revision of its bot.
    NoRevision,
    /// The end of its bot's pause.
    Paused,
    /// A store, a sandbox, its turn in quarantine.
    Trouble,
}

/// The parking lot.
#[derive(Debug)]
pub(super) struct Parking {
    lot: Mutex<Lot>,
    /// Longest stay after the lease began, so that the lane can be given back in time.
    longest: Duration,
}

#[derive(Debug, Default)]
struct Lot {
    by_bot: HashMap<BotId, VecDeque<Parked>>,
    count: usize,
}

#[derive(Debug)]
struct Parked {
    held: Held,
    until: Instant,
    why: Why,
}

impl Parking {
    pub(super) fn new(longest: Duration) -> Self {
        Self {
            lot: Mutex::default(),
            longest,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lot> {
        // No change below can panic half-way.
        self.lot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a turn for a while. Answers its lease if it must be given back at once.
    pub(super) fn park(&self, held: Held, time: Duration, why: Why) -> Option<LaneLease> {
        let until = (Instant::now() + time).min(held.leased + self.longest);
        let mut lot = self.lock();
        if lot.count >= MOST {
            return Some(held.lease);
        }
        lot.count += 1;
        let bot = held.bot().clone();
        lot.by_bot
            .entry(bot)
            .or_default()
            .push_back(Parked { held, until, why });
        None
    }

    /// The turn of a bot that waited longest for this.
    pub(super) fn take(&self, bot: &BotId, why: Why) -> Option<Held> {
        let mut lot = self.lock();
        if lot.count == 0 {
            return None;
        }
        let queue = lot.by_bot.get_mut(bot)?;
        let at = queue.iter().position(|parked| parked.why == why)?;
        let parked = queue.remove(at)?;
        if queue.is_empty() {
            lot.by_bot.remove(bot);
        }
        lot.count -= 1;
        Some(parked.held)
    }

    /// Bots with turns that wait for this.
    pub(super) fn waiting_for(&self, why: Why) -> Vec<BotId> {
        let lot = self.lock();
        let waiting = lot
            .by_bot
            .iter()
            .filter(|(_, queue)| queue.iter().any(|parked| parked.why == why));
        waiting.map(|(bot, _)| bot.clone()).collect()
    }

    /// Leases to be given back: those whose time is over, or all.
    pub(super) fn leave(&self, all: bool) -> Vec<LaneLease> {
        let now = Instant::now();
        let mut lot = self.lock();
        let mut leases = Vec::new();
        lot.by_bot.retain(|_, queue| {
            queue.retain(|parked| {
                let stays = !all && parked.until > now;
                if !stays {
                    leases.push(parked.held.lease.clone());
                }
                stays
            });
            !queue.is_empty()
        });
        lot.count -= leases.len();
        leases
    }
}
