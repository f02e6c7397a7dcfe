//! The only places where memory of lanes changes: each keeps indexes and sums right, and notes how to go back.

use botloom_core::ports::{ActiveRevision, Direction};
use botloom_core::{BotId, Lane, TimestampMs};

use super::{InLane, Model, OutLane, Records};

/// How one thing was before a step.
#[derive(Debug)]
pub(super) enum Undo {
    Lane(Lane, Option<InLane>),
    Outbox(Lane, Option<OutLane>),
    Revision(BotId, Option<ActiveRevision>),
    Park(BotId, Option<TimestampMs>),
    Letters(BotId, Direction, u64),
}

impl<R: Records> Model<R> {
    pub(super) fn set_lane(&mut self, lane: &Lane, new: Option<InLane>) {
        let place = new.as_ref().map(|entry| entry.place);
        let updates = new.as_ref().map_or(0, |entry| entry.updates) as u64;
        let cached = new.as_ref().map_or(0, InLane::cached_bytes);
        let old = match new {
            Some(entry) => self.lanes.insert(lane.clone(), entry),
            None => self.lanes.remove(lane),
        };
        self.inbound
            .relocate(lane, old.as_ref().map(|entry| entry.place), place);
        let before = old.as_ref().map_or(0, |entry| entry.updates) as u64;
        self.cached = self.cached + cached - old.as_ref().map_or(0, InLane::cached_bytes);
        if updates != before {
            self.updates = self.updates + updates - before;
            let of_bot = self.updates_of_bot.entry(lane.bot.clone()).or_insert(0);
            *of_bot = *of_bot + updates - before;
            if *of_bot == 0 {
                self.updates_of_bot.remove(&lane.bot);
            }
        }
        self.undo.push(Undo::Lane(lane.clone(), old));
    }

    pub(super) fn set_outbox(&mut self, lane: &Lane, new: Option<OutLane>) {
        let place = new.as_ref().map(|entry| entry.place);
        let messages = new.as_ref().map_or(0, |entry| entry.messages) as u64;
        let old = match new {
            Some(entry) => self.outboxes.insert(lane.clone(), entry),
            None => self.outboxes.remove(lane),
        };
        self.outbound
            .relocate(lane, old.as_ref().map(|entry| entry.place), place);
        self.messages = self.messages + messages - old.as_ref().map_or(0, |entry| entry.messages) as u64;
        self.undo.push(Undo::Outbox(lane.clone(), old));
    }

    pub(super) fn set_park(&mut self, bot: &BotId, until: Option<TimestampMs>) {
        let old = match until {
            Some(until) => {
                self.park_ends.insert((until, bot.clone()));
                self.parks.insert(bot.clone(), until)
            }
            None => self.parks.remove(bot),
        };
        if let Some(old) = old.filter(|old| Some(*old) != until) {
            self.park_ends.remove(&(old, bot.clone()));
        }
        self.undo.push(Undo::Park(bot.clone(), old));
    }

    pub(super) fn set_letters(&mut self, bot: &BotId, direction: Direction, count: u64) {
        let key = (bot.clone(), direction);
        let old = if count == 0 {
            self.letters.remove(&key)
        } else {
            self.letters.insert(key, count)
        };
        self.undo
            .push(Undo::Letters(bot.clone(), direction, old.unwrap_or(0)));
    }

    /// Takes the memory back to the last [`Model::settle`]. Tags of fairness and spent numbers stay: they only ever
    /// grow and no promise hangs on them.
    pub(crate) fn rollback(&mut self) {
        let steps = std::mem::take(&mut self.undo);
        for step in steps.into_iter().rev() {
            match step {
                Undo::Lane(lane, old) => self.set_lane(&lane, old),
                Undo::Outbox(lane, old) => self.set_outbox(&lane, old),
                Undo::Revision(bot, Some(old)) => {
                    self.revisions.insert(bot, old);
                }
                Undo::Revision(bot, None) => {
                    self.revisions.remove(&bot);
                }
                Undo::Park(bot, old) => self.set_park(&bot, old),
                Undo::Letters(bot, direction, old) => self.set_letters(&bot, direction, old),
            }
        }
        self.undo.clear();
    }
}
