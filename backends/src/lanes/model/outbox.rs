//! Messages: in by commit, out by acknowledgement.

use std::sync::Arc;

use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{
    AckOut, AckOutOutcome, AfterAck, LaneLease, OutMessage, OutTurn, QueuedMessage, StoreResult,
};
use botloom_core::{Lane, TimestampMs};

use super::{Letter, MessageKey, Model, OutDelay, OutLane, Payload, Place, Records, StoredMessage};

/// Messages moved at once when a whole outbox goes to the dead letters.
const DEAD_BATCH: usize = 256;

impl<R: Records> Model<R> {
    /// Appends messages; leases the outbox if that is wanted, it was empty and its bot is not parked.
    pub(super) fn append_messages(
        &mut self,
        lane: &Lane,
        messages: &[OutMessage],
        want_out: bool,
        now: TimestampMs,
    ) -> StoreResult<Option<OutTurn>> {
        let known = self.outboxes.get(lane).cloned();
        let mut stored = Vec::with_capacity(if known.is_none() { messages.len() } else { 0 });
        for message in messages {
            let message = StoredMessage {
                key: MessageKey::new(message.class, self.number()),
                queued: QueuedMessage {
                    message: message.clone(),
                    attempts: 0,
                    maybe_sent: false,
                },
                begun: false,
            };
            self.records.push_message(lane, &message)?;
            if known.is_none() {
                stored.push(Arc::new(message));
            }
        }
        if let Some(mut entry) = known {
            entry.messages += messages.len();
            self.set_outbox(lane, Some(entry));
            return Ok(None);
        }
        let parked = self.parks.contains_key(&lane.bot);
        stored.sort_by_key(|message| message.key);
        stored.truncate(self.turn_updates());
        let mut entry = OutLane {
            messages: messages.len(),
            place: Place::Parked,
            granted: stored,
            delay: None,
        };
        if !want_out || parked {
            self.make_out_ready(lane, entry);
            return Ok(None);
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
        Ok(Some(turn))
    }

    pub(crate) fn begin_send(&mut self, lease: &LaneLease) -> StoreResult<bool> {
        let Some(mut entry) = self.held_out(lease) else {
            return Ok(false);
        };
        let Some(first) = entry.granted.first_mut() else {
            return Ok(false);
        };
        if first.queued.message.ambiguous == Ambiguous::Skip && !first.begun {
            let first = Arc::make_mut(first);
            first.begun = true;
            self.records.mark_message(&lease.lane, first)?;
            self.set_outbox(&lease.lane, Some(entry));
        }
        Ok(true)
    }

    pub(crate) fn ack_out(&mut self, acks: &[AckOut], now: TimestampMs) -> StoreResult<Vec<AckOutOutcome>> {
        acks.iter().map(|ack| self.ack_one(ack, now)).collect()
    }

    fn ack_one(&mut self, ack: &AckOut, now: TimestampMs) -> StoreResult<AckOutOutcome> {
        let lane = &ack.lease.lane;
        let Some(mut entry) = self.held_out(&ack.lease) else {
            return Ok(AckOutOutcome::Fenced);
        };
        let sent = ack.sent.min(entry.granted.len());
        for message in entry.granted.drain(..sent) {
            self.records.pop_message(lane, message.key)?;
        }
        entry.messages -= sent;
        if let Some(first) = entry.granted.first_mut().filter(|first| first.begun) {
            let first = Arc::make_mut(first);
            first.begun = false;
            self.records.mark_message(lane, first)?;
        }
        let mut dead_letters = Vec::new();
        if let Some((reason, detail)) = &ack.dead {
            let most = if ack.dead_all { usize::MAX } else { 1 };
            while dead_letters.len() < most && entry.messages > 0 {
                let batch = self.front(lane, &mut entry, most.min(DEAD_BATCH))?;
                for message in batch {
                    let id = self.bury(lane, &message, reason, detail, now)?;
                    dead_letters.push(id);
                    entry.messages -= 1;
                }
            }
        }
        let next = self.after_ack(lane, entry, ack.after, now)?;
        Ok(AckOutOutcome::Done {
            next: next.map(Box::new),
            dead_letters,
        })
    }

    /// Takes up to `limit` messages off the front: those that the holder was given first. At least one while any is
    /// left.
    pub(super) fn front(
        &mut self,
        lane: &Lane,
        entry: &mut OutLane,
        limit: usize,
    ) -> StoreResult<Vec<Arc<StoredMessage>>> {
        if entry.granted.is_empty() {
            let found = self.records.messages(lane, limit)?;
            if found.is_empty() {
                let lost = format!("outbox {lane} has {} messages less than counted", entry.messages);
                return Err(botloom_core::ports::StoreError::Corrupt(lost));
            }
            return Ok(found.into_iter().map(Arc::new).collect());
        }
        let limit = limit.min(entry.granted.len());
        Ok(entry.granted.drain(..limit).collect())
    }

    /// Moves a message to the dead letters.
    pub(super) fn bury(
        &mut self,
        lane: &Lane,
        message: &StoredMessage,
        reason: &str,
        detail: &str,
        now: TimestampMs,
    ) -> StoreResult<String> {
        self.records.pop_message(lane, message.key)?;
        self.add_letter(&Letter {
            bot: lane.bot.clone(),
            chat: Some(lane.chat.clone()),
            reason: reason.to_owned(),
            detail: detail.to_owned(),
            at: now,
            attempts: message.queued.attempts,
            payload: Payload::Message(message.queued.message.clone()),
        })
    }

    fn after_ack(
        &mut self,
        lane: &Lane,
        mut entry: OutLane,
        after: AfterAck,
        now: TimestampMs,
    ) -> StoreResult<Option<OutTurn>> {
        let delay = match after {
            _ if entry.messages == 0 => None,
            AfterAck::Delay { until, attempt } => Some((until, false, attempt)),
            AfterAck::FloodWait { until } => Some((until, true, 0)),
            AfterAck::Keep | AfterAck::Release => None,
        };
        if delay.is_none() {
            self.end_delay(lane, &mut entry)?;
        }
        if entry.messages == 0 {
            self.set_outbox(lane, None);
            return Ok(None);
        }
        if let Some((until, flood_wait, attempt)) = delay {
            if attempt > 0
                && let Some(first) = self.front(lane, &mut entry, 1)?.first_mut()
            {
                let first = Arc::make_mut(first);
                first.queued.attempts = first.queued.attempts.saturating_add(attempt);
                self.records.mark_message(lane, first)?;
            }
            entry.delay = Some(OutDelay { until, flood_wait });
            self.records.set_out_delay(lane, entry.delay)?;
            entry.granted.clear();
            entry.place = Place::Delayed {
                due: until,
                tie: self.number(),
            };
            self.set_outbox(lane, Some(entry));
            return Ok(None);
        }
        if after == AfterAck::Keep && !self.parks.contains_key(&lane.bot) {
            return self.grant_out(lane, entry, now).map(Some);
        }
        self.make_out_ready(lane, entry);
        Ok(None)
    }
}
