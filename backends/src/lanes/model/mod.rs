//! The rules of lanes, outboxes and dead letters as one state machine without time, threads or input of its own.
//!
//! Every step takes `now` and answers what happened. What must survive goes through [`Records`]; places of lanes,
//! leases, tags and the first updates of busy lanes are memory. Steps are grouped: [`Model::settle`] ends a group that
//! became durable, [`Model::rollback`] takes the memory back to where the group began, for a group that did not.

mod chats;
mod check;
mod dead;
mod documents;
mod inbound;
mod outbound;
mod outbox;
mod records;
mod schedule;
mod turn;
mod undo;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use botloom_core::ports::{
    ActiveRevision, Direction, LaneLimits, LaneStats, SetRevision, StoreResult, Token,
};
use botloom_core::{BotId, Lane, TimestampMs};
use bytes::Bytes;

pub(crate) use dead::Replay;
pub(crate) use records::{
    LaneSummary, Letter, MessageKey, OutDelay, OutboxSummary, Payload, Records, StoredMessage, StoredUpdate,
};
use schedule::{Place, Schedule};
use undo::Undo;

/// Envelopes kept in memory for lanes that nobody holds; beyond it they are read again when their turn comes.
const CACHED_ENVELOPES: usize = 32 << 20;

/// A lane with updates.
#[derive(Debug, Clone)]
struct InLane {
    updates: usize,
    /// When the first update came.
    oldest: TimestampMs,
    /// Tries of the first update.
    attempts: u32,
    place: Place,
    /// How many updates the holder was given; they stand first in `head`.
    granted: usize,
    /// First updates, as far as they are in memory.
    head: VecDeque<StoredUpdate>,
}

impl InLane {
    fn cached_bytes(&self) -> usize {
        self.head.iter().map(|stored| stored.update.envelope.len()).sum()
    }
}

/// An outbox with messages.
#[derive(Debug, Clone)]
struct OutLane {
    messages: usize,
    place: Place,
    /// What the holder was given, in its order; empty unless leased.
    granted: Vec<Arc<StoredMessage>>,
    /// The delay that is on record: the one it is in, or one that is over.
    delay: Option<OutDelay>,
}

/// The state machine.
#[derive(Debug)]
pub(crate) struct Model<R> {
    limits: LaneLimits,
    records: R,
    /// Last number given to an update, a message, a token or a tie.
    last: u64,
    inbound: Schedule,
    outbound: Schedule,
    /// Ordered, so that the chats of a bot can be told page by page.
    lanes: BTreeMap<Lane, InLane>,
    outboxes: BTreeMap<Lane, OutLane>,
    revisions: HashMap<BotId, ActiveRevision>,
    parks: HashMap<BotId, TimestampMs>,
    park_ends: BTreeSet<(TimestampMs, BotId)>,
    letters: HashMap<(BotId, Direction), u64>,
    updates: u64,
    messages: u64,
    updates_of_bot: HashMap<BotId, u64>,
    cached: usize,
    undo: Vec<Undo>,
    /// Which check is left out, to prove that the tests notice.
    #[cfg(test)]
    pub(crate) without: Option<Check>,
}

/// The three checks on which "once, in order, on one revision" rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Fence,
    Dedup,
    Revision,
}

impl<R: Records> Model<R> {
    /// Takes up what the last run left: no leases, every lane with updates ready.
    pub(crate) fn load(mut records: R, limits: LaneLimits, now: TimestampMs) -> StoreResult<Self> {
        let run = records.begin_run()?;
        records.suspect_heads()?;
        let mut model = Self {
            limits,
            records,
            last: run << 40,
            inbound: Schedule::default(),
            outbound: Schedule::default(),
            lanes: BTreeMap::new(),
            outboxes: BTreeMap::new(),
            revisions: HashMap::new(),
            parks: HashMap::new(),
            park_ends: BTreeSet::new(),
            letters: HashMap::new(),
            updates: 0,
            messages: 0,
            updates_of_bot: HashMap::new(),
            cached: 0,
            undo: Vec::new(),
            #[cfg(test)]
            without: None,
        };
        model.revisions = model.records.revisions()?.into_iter().collect();
        for (bot, until) in model.records.parks()? {
            if until > now {
                model.park_ends.insert((until, bot.clone()));
                model.parks.insert(bot, until);
            } else {
                model.records.put_park(&bot, None)?;
            }
        }
        for (bot, direction, count) in model.records.dead_counts()? {
            model.letters.insert((bot, direction), count);
        }
        // Who has waited longest comes first; the order of the records says nothing.
        let mut lanes = model.records.lanes()?;
        lanes.sort_by(|a, b| (a.oldest, &a.lane).cmp(&(b.oldest, &b.lane)));
        for found in lanes {
            let place = model.ready_in(&found.lane.bot);
            let lane = InLane {
                updates: found.updates,
                oldest: found.oldest,
                attempts: found.attempts,
                place,
                granted: 0,
                head: VecDeque::new(),
            };
            model.set_lane(&found.lane, Some(lane));
        }
        let mut outboxes = model.records.outboxes()?;
        outboxes.sort_by(|a, b| a.lane.cmp(&b.lane));
        for found in outboxes {
            let place = match found.delay {
                Some(delay) if delay.until > now => Place::Delayed {
                    due: delay.until,
                    tie: model.number(),
                },
                _ => model.ready_out(&found.lane.bot),
            };
            let outbox = OutLane {
                messages: found.messages,
                place,
                granted: Vec::new(),
                delay: found.delay,
            };
            model.set_outbox(&found.lane, Some(outbox));
        }
        model.undo.clear();
        Ok(model)
    }

    /// What the last steps wrote is durable.
    pub(crate) fn settle(&mut self) {
        self.undo.clear();
    }

    /// The records, for what is not a rule: transactions, sweeping, closing.
    pub(crate) const fn records(&mut self) -> &mut R {
        &mut self.records
    }

    /// Gives up the memory and keeps the records.
    pub(crate) fn into_records(self) -> R {
        self.records
    }

    pub(crate) const fn limits(&self) -> LaneLimits {
        self.limits
    }

    /// Answers once whether lanes became ready, and whether outboxes did.
    pub(crate) fn take_woke(&mut self) -> (bool, bool) {
        (self.inbound.take_woke(), self.outbound.take_woke())
    }

    pub(crate) fn set_revision(&mut self, bot: &BotId, revision: ActiveRevision) -> StoreResult<SetRevision> {
        let current = self.revisions.get(bot).copied();
        if let Some(current) = current.filter(|current| current.epoch >= revision.epoch) {
            return Ok(SetRevision::Superseded(current));
        }
        self.records.put_revision(bot, revision)?;
        self.undo.push(Undo::Revision(bot.clone(), current));
        self.revisions.insert(bot.clone(), revision);
        Ok(SetRevision::Set)
    }

    pub(crate) fn revision(&self, bot: &BotId) -> Option<ActiveRevision> {
        self.revisions.get(bot).copied()
    }

    pub(crate) fn state(&mut self, lane: &Lane, now: TimestampMs) -> StoreResult<Option<Bytes>> {
        self.records.state(lane, now)
    }

    pub(crate) fn purge(&mut self, bot: &BotId) -> StoreResult<()> {
        self.records.purge(bot)?;
        let lanes: Vec<Lane> = self
            .lanes
            .keys()
            .filter(|lane| lane.bot == *bot)
            .cloned()
            .collect();
        for lane in lanes {
            self.set_lane(&lane, None);
        }
        let outboxes: Vec<Lane> = self
            .outboxes
            .keys()
            .filter(|lane| lane.bot == *bot)
            .cloned()
            .collect();
        for lane in outboxes {
            self.set_outbox(&lane, None);
        }
        let revision = self.revisions.remove(bot);
        self.undo.push(Undo::Revision(bot.clone(), revision));
        self.set_park(bot, None);
        for direction in [Direction::In, Direction::Out] {
            self.set_letters(bot, direction, 0);
        }
        Ok(())
    }

    pub(crate) fn stats(&self) -> LaneStats {
        let [ready, leased, delayed] = self.inbound.sizes();
        LaneStats {
            ready,
            leased,
            delayed,
            updates: self.updates,
            messages: self.messages,
            oldest_update: self.lanes.values().map(|lane| lane.oldest).min(),
            updates_by_bot: self.updates_of_bot.clone(),
        }
    }

    /// The next number; never the same twice, also over restarts.
    const fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn token(&mut self) -> Token {
        Token(self.number())
    }

    fn ready_in(&mut self, bot: &BotId) -> Place {
        let tie = self.number();
        self.inbound.ready_place(bot, tie)
    }

    #[cfg(test)]
    fn skips(&self, check: Check) -> bool {
        self.without == Some(check)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "tests leave checks out, by instance")]
    const fn skips(&self, _check: Check) -> bool {
        false
    }
}
