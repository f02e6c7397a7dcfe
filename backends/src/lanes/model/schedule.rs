//! Where lanes stand: ready in fair order, leased until a deadline, delayed until a moment, or parked with their bot.
//!
//! Order between bots is start-time fair queueing (Goyal, Vin, Chen 1996): a lane that becomes ready gets the start tag
//! `max(virtual time, finish tag of its bot)`, its bot's finish tag moves one behind it, and lanes are taken in the
//! order of start tags. A bot that was idle starts at the virtual time: idleness earns no credit.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use botloom_core::{BotId, Lane, TimestampMs};

/// Where one lane stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Waits for a worker.
    Ready { tag: u64, tie: u64 },
    /// Held under a token.
    Leased { deadline: TimestampMs, token: u64 },
    /// Waits for a moment.
    Delayed { due: TimestampMs, tie: u64 },
    /// Waits until its bot is no longer parked.
    Parked,
}

/// Lanes by place.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    ready: BTreeMap<(u64, u64), Lane>,
    leases: BTreeMap<(TimestampMs, u64), Lane>,
    delays: BTreeMap<(TimestampMs, u64), Lane>,
    /// Ordered, so that the same history hands lanes out alike wherever it is kept.
    parked: HashMap<BotId, BTreeSet<Lane>>,
    ready_of_bot: HashMap<BotId, u64>,
    finish: HashMap<BotId, u64>,
    virtual_time: u64,
    /// Whether a lane became ready since this was last taken.
    woke: bool,
}

impl Schedule {
    /// A place at the end of the bot's turn; `tie` orders equal tags.
    pub(crate) fn ready_place(&mut self, bot: &BotId, tie: u64) -> Place {
        let tag = self.virtual_time.max(self.finish.get(bot).copied().unwrap_or(0));
        self.finish.insert(bot.clone(), tag + 1);
        Place::Ready { tag, tie }
    }

    /// Counts turns that a bot took without waiting. Where nobody waits there is nothing to be fair about, and a debt
    /// made then would starve the bot later.
    pub(crate) fn charge(&mut self, bot: &BotId, turns: u64) {
        if turns > 0 && !self.ready.is_empty() {
            let finish = self.finish.entry(bot.clone()).or_insert(0);
            *finish = (*finish).max(self.virtual_time).saturating_add(turns);
        }
    }

    /// Moves a lane from one place to another; `None` is nowhere.
    pub(crate) fn relocate(&mut self, lane: &Lane, from: Option<Place>, to: Option<Place>) {
        if from == to {
            return;
        }
        match from {
            None => {}
            Some(Place::Ready { tag, tie }) => {
                self.ready.remove(&(tag, tie));
                if let Some(count) = self.ready_of_bot.get_mut(&lane.bot) {
                    *count -= 1;
                    if *count == 0 {
                        self.ready_of_bot.remove(&lane.bot);
                    }
                }
            }
            Some(Place::Leased { deadline, token }) => {
                self.leases.remove(&(deadline, token));
            }
            Some(Place::Delayed { due, tie }) => {
                self.delays.remove(&(due, tie));
            }
            Some(Place::Parked) => {
                if let Some(lanes) = self.parked.get_mut(&lane.bot) {
                    lanes.remove(lane);
                    if lanes.is_empty() {
                        self.parked.remove(&lane.bot);
                    }
                }
            }
        }
        match to {
            None => {}
            Some(Place::Ready { tag, tie }) => {
                self.ready.insert((tag, tie), lane.clone());
                *self.ready_of_bot.entry(lane.bot.clone()).or_insert(0) += 1;
                self.woke = true;
            }
            Some(Place::Leased { deadline, token }) => {
                self.leases.insert((deadline, token), lane.clone());
            }
            Some(Place::Delayed { due, tie }) => {
                self.delays.insert((due, tie), lane.clone());
            }
            Some(Place::Parked) => {
                self.parked
                    .entry(lane.bot.clone())
                    .or_default()
                    .insert(lane.clone());
            }
        }
    }

    /// The ready lane whose turn it is; the virtual time moves to its tag. The caller moves the lane away.
    pub(crate) fn next_ready(&mut self) -> Option<Lane> {
        let Some((&(tag, _), lane)) = self.ready.first_key_value() else {
            // Nobody waits: everybody starts alike next time, and tags of idle bots need no memory.
            self.finish.clear();
            return None;
        };
        self.virtual_time = self.virtual_time.max(tag);
        Some(lane.clone())
    }

    /// Lanes whose delay is over.
    pub(crate) fn due(&self, now: TimestampMs) -> Vec<Lane> {
        let due = self.delays.range(..=(now, u64::MAX));
        due.map(|(_, lane)| lane.clone()).collect()
    }

    /// Lanes whose lease ran out.
    pub(crate) fn expired(&self, now: TimestampMs) -> Vec<Lane> {
        let expired = self.leases.range(..=(now, u64::MAX));
        expired.map(|(_, lane)| lane.clone()).collect()
    }

    /// Lanes that wait for their parked bot.
    pub(crate) fn parked(&self, bot: &BotId) -> Vec<Lane> {
        let lanes = self.parked.get(bot);
        lanes.into_iter().flatten().cloned().collect()
    }

    /// When the next delay or lease ends.
    pub(crate) fn next_due(&self) -> Option<TimestampMs> {
        let delay = self.delays.keys().next().map(|key| key.0);
        let lease = self.leases.keys().next().map(|key| key.0);
        delay.into_iter().chain(lease).min()
    }

    /// Ready lanes of a bot.
    pub(crate) fn backlog(&self, bot: &BotId) -> u64 {
        self.ready_of_bot.get(bot).copied().unwrap_or(0)
    }

    /// Ready, leased and delayed lanes.
    pub(crate) fn sizes(&self) -> [u64; 3] {
        [self.ready.len(), self.leases.len(), self.delays.len()].map(|count| count as u64)
    }

    /// Answers once whether a lane became ready.
    pub(crate) fn take_woke(&mut self) -> bool {
        std::mem::take(&mut self.woke)
    }

    /// Whether exactly one index holds the lane, and it is this place; for the auditor.
    pub(crate) fn holds(&self, lane: &Lane, place: Place) -> bool {
        match place {
            Place::Ready { tag, tie } => self.ready.get(&(tag, tie)) == Some(lane),
            Place::Leased { deadline, token } => self.leases.get(&(deadline, token)) == Some(lane),
            Place::Delayed { due, tie } => self.delays.get(&(due, tie)) == Some(lane),
            Place::Parked => self
                .parked
                .get(&lane.bot)
                .is_some_and(|lanes| lanes.contains(lane)),
        }
    }

    /// Entries of all indexes together; for the auditor.
    pub(crate) fn entries(&self) -> usize {
        let parked: usize = self.parked.values().map(BTreeSet::len).sum();
        self.ready.len() + self.leases.len() + self.delays.len() + parked
    }
}
