//! Places of outboxes: who may send, who waits, which bots are parked.

use std::sync::Arc;

use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{LaneLease, OutTurn, StoreResult, Token};
use botloom_core::{BotId, Lane, TimestampMs};

use super::{Model, OutLane, Place, Records, StoredMessage};

impl<R: Records> Model<R> {
    pub(crate) fn claim_out(
        &mut self,
        max: usize,
        now: TimestampMs,
    ) -> StoreResult<(Vec<OutTurn>, Option<TimestampMs>)> {
        while let Some((until, bot)) = self.park_ends.first().cloned() {
            if until > now {
                break;
            }
            self.unpark(&bot)?;
        }
        for lane in self.outbound.due(now) {
            if let Some(entry) = self.outboxes.get(&lane).cloned() {
                self.make_out_ready(&lane, entry);
            }
        }
        for lane in self.outbound.expired(now) {
            if let Some(entry) = self.outboxes.get(&lane).cloned() {
                self.suspect(&lane, &entry)?;
                self.make_out_ready(&lane, entry);
            }
        }
        let mut turns = Vec::new();
        while turns.len() < max {
            let Some(lane) = self.outbound.next_ready() else {
                break;
            };
            let Some(mut entry) = self.outboxes.get(&lane).cloned() else {
                break;
            };
            if self.parks.contains_key(&lane.bot) {
                entry.place = Place::Parked;
                self.set_outbox(&lane, Some(entry));
                continue;
            }
            turns.push(self.grant_out(&lane, entry, now)?);
        }
        let park_end = self.park_ends.first().map(|end| end.0);
        let next_due = self.outbound.next_due().into_iter().chain(park_end).min();
        Ok((turns, next_due))
    }

    /// A sender's lease ended without an answer: what it was sending may have been sent.
    fn suspect(&mut self, lane: &Lane, entry: &OutLane) -> StoreResult<()> {
        let Some(first) = entry.granted.first() else {
            return Ok(());
        };
        if first.begun || first.queued.message.ambiguous == Ambiguous::Resend {
            let mut first = StoredMessage::clone(first);
            first.begun = false;
            first.queued.maybe_sent = true;
            self.records.mark_message(lane, &first)?;
        }
        Ok(())
    }

    /// Leases an outbox and answers its first messages.
    pub(super) fn grant_out(
        &mut self,
        lane: &Lane,
        mut entry: OutLane,
        now: TimestampMs,
    ) -> StoreResult<OutTurn> {
        if entry.granted.is_empty() || entry.granted.len() < entry.messages {
            let limit = self.turn_updates();
            let first = self.records.messages(lane, limit)?;
            entry.granted = first.into_iter().map(Arc::new).collect();
        }
        let (token, place) = self.lease_out(now);
        entry.place = place;
        let turn = OutTurn {
            lease: LaneLease {
                lane: lane.clone(),
                token,
            },
            messages: entry.granted.iter().map(|stored| stored.queued.clone()).collect(),
        };
        self.set_outbox(lane, Some(entry));
        Ok(turn)
    }

    pub(super) fn lease_out(&mut self, now: TimestampMs) -> (Token, Place) {
        let token = self.token();
        let deadline = now.plus(self.limits.out_lease_ms);
        let place = Place::Leased {
            deadline,
            token: token.0,
        };
        (token, place)
    }

    /// The place of an outbox that could be sent from: ready, unless its bot is parked.
    pub(super) fn ready_out(&mut self, bot: &BotId) -> Place {
        if self.parks.contains_key(bot) {
            return Place::Parked;
        }
        let tie = self.number();
        self.outbound.ready_place(bot, tie)
    }

    pub(super) fn make_out_ready(&mut self, lane: &Lane, mut entry: OutLane) {
        entry.granted.clear();
        entry.place = self.ready_out(&lane.bot);
        self.set_outbox(lane, Some(entry));
    }

    pub(super) fn held_out(&self, lease: &LaneLease) -> Option<OutLane> {
        let entry = self.outboxes.get(&lease.lane)?;
        match entry.place {
            Place::Leased { token, .. } if token == lease.token.0 => Some(entry.clone()),
            _ => None,
        }
    }

    pub(crate) fn renew_out(&mut self, leases: &[LaneLease], now: TimestampMs) -> Vec<Option<Token>> {
        let renew_one = |lease: &LaneLease| {
            let mut entry = self.held_out(lease)?;
            entry.place = Place::Leased {
                deadline: now.plus(self.limits.out_lease_ms),
                token: lease.token.0,
            };
            self.set_outbox(&lease.lane, Some(entry));
            Some(lease.token)
        };
        leases.iter().map(renew_one).collect()
    }

    /// Takes back a sender's lease that reached nobody: nothing was sent under it.
    pub(crate) fn release_out(&mut self, lease: &LaneLease) {
        if let Some(entry) = self.held_out(lease) {
            self.make_out_ready(&lease.lane, entry);
        }
    }

    pub(crate) fn park(
        &mut self,
        bot: &BotId,
        until: Option<TimestampMs>,
        now: TimestampMs,
    ) -> StoreResult<()> {
        match until.filter(|until| *until > now) {
            None => self.unpark(bot),
            Some(until) => {
                self.records.put_park(bot, Some(until))?;
                self.set_park(bot, Some(until));
                Ok(())
            }
        }
    }

    fn unpark(&mut self, bot: &BotId) -> StoreResult<()> {
        if !self.parks.contains_key(bot) {
            return Ok(());
        }
        self.records.put_park(bot, None)?;
        self.set_park(bot, None);
        for lane in self.outbound.parked(bot) {
            if let Some(entry) = self.outboxes.get(&lane).cloned() {
                self.make_out_ready(&lane, entry);
            }
        }
        Ok(())
    }
}
