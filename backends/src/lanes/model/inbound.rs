//! Updates: in at the door, out by commit or fail.

use std::collections::VecDeque;

use botloom_core::ports::{
    Claims, Commit, CommitOutcome, Fail, FailOutcome, Ingest, IngestOutcome, LaneLease, NextTurn,
    QueuedUpdate, StateChange, StoreResult, Token,
};
use botloom_core::{Lane, TimestampMs};
use bytes::Bytes;

use super::{Check, InLane, Letter, Model, Payload, Place, Records, StoredUpdate};

impl<R: Records> Model<R> {
    pub(crate) fn ingest(&mut self, items: &[Ingest], now: TimestampMs) -> StoreResult<Vec<IngestOutcome>> {
        items.iter().map(|item| self.ingest_one(item, now)).collect()
    }

    fn ingest_one(&mut self, item: &Ingest, now: TimestampMs) -> StoreResult<IngestOutcome> {
        let (lane, bot) = (&item.lane, &item.lane.bot);
        if self.is_full(lane) {
            return Ok(if self.records.seen(bot, &item.dedup, now)? {
                IngestOutcome::Duplicate
            } else {
                IngestOutcome::Full
            });
        }
        let until = now.plus(self.limits.dedup_ttl_ms);
        let fresh = self.records.see(bot, &item.dedup, now, until)?;
        if !fresh && !self.skips(Check::Dedup) {
            return Ok(IngestOutcome::Duplicate);
        }
        let update = QueuedUpdate {
            dedup: item.dedup.clone(),
            envelope: item.envelope.clone(),
            accepted_at: item.accepted_at,
            trace: item.trace.clone(),
        };
        let (entry, first) = self.append_update(lane, update)?;
        if !first {
            self.set_lane(lane, Some(entry));
            return Ok(IngestOutcome::Queued);
        }
        if item.want_turn {
            self.inbound.charge(bot, 1);
            let state = self.records.state(lane, now)?;
            let turn = self.grant(lane, entry, state, now)?;
            return Ok(IngestOutcome::Granted(Box::new(turn)));
        }
        self.make_ready(lane, entry);
        let backlog = self.inbound.backlog(bot);
        Ok(IngestOutcome::Ready { backlog })
    }

    pub(super) fn is_full(&self, lane: &Lane) -> bool {
        let waiting = self.lanes.get(lane).map_or(0, |entry| entry.updates);
        waiting >= self.limits.queue_cap.max(1)
    }

    /// Writes an update to the end of its lane. Answers what the lane becomes, and whether it was empty; the caller
    /// gives it its place.
    pub(super) fn append_update(&mut self, lane: &Lane, update: QueuedUpdate) -> StoreResult<(InLane, bool)> {
        let seq = self.number();
        self.records.push_update(lane, seq, &update)?;
        let known = self.lanes.get(lane);
        let first = known.is_none();
        let mut entry = known.cloned().unwrap_or_else(|| InLane {
            updates: 0,
            oldest: update.accepted_at,
            attempts: 0,
            place: Place::Parked, // replaced by the caller: the lane is new
            granted: 0,
            head: VecDeque::new(),
        });
        if self.may_cache(&entry, update.envelope.len()) {
            entry.head.push_back(StoredUpdate { seq, update });
        }
        entry.updates += 1;
        Ok((entry, first))
    }

    pub(crate) fn claim(&mut self, max: usize, now: TimestampMs) -> StoreResult<Claims> {
        for lane in self.inbound.due(now) {
            if let Some(entry) = self.lanes.get(&lane).cloned() {
                self.make_ready(&lane, entry);
            }
        }
        for lane in self.inbound.expired(now) {
            if let Some(mut entry) = self.lanes.get(&lane).cloned() {
                entry.attempts += 1;
                self.records.set_attempts(&lane, entry.attempts)?;
                self.make_ready(&lane, entry);
            }
        }
        let mut turns = Vec::new();
        while turns.len() < max {
            let Some(lane) = self.inbound.next_ready() else {
                break;
            };
            let Some(entry) = self.lanes.get(&lane).cloned() else {
                break;
            };
            let state = self.records.state(&lane, now)?;
            turns.push(self.grant(&lane, entry, state, now)?);
        }
        Ok(Claims {
            turns,
            next_due: self.inbound.next_due(),
        })
    }

    /// The lane, if this lease holds it. A lease that ran out and was not taken back still holds.
    fn held(&self, lease: &LaneLease) -> Option<InLane> {
        let entry = self.lanes.get(&lease.lane)?;
        match entry.place {
            Place::Leased { token, .. } if token == lease.token.0 || self.skips(Check::Fence) => {
                Some(entry.clone())
            }
            _ => None,
        }
    }

    pub(crate) fn renew(&mut self, leases: &[LaneLease], now: TimestampMs) -> Vec<Option<Token>> {
        let renew_one = |lease: &LaneLease| {
            let mut entry = self.held(lease)?;
            entry.place = Place::Leased {
                deadline: now.plus(self.limits.lease_ms),
                token: lease.token.0,
            };
            self.set_lane(&lease.lane, Some(entry));
            Some(lease.token)
        };
        leases.iter().map(renew_one).collect()
    }

    pub(crate) fn release(&mut self, leases: &[LaneLease]) {
        for lease in leases {
            if let Some(entry) = self.held(lease) {
                self.make_ready(&lease.lane, entry);
            }
        }
    }

    pub(crate) fn commit(&mut self, commits: &[Commit], now: TimestampMs) -> StoreResult<Vec<CommitOutcome>> {
        commits
            .iter()
            .map(|commit| self.commit_one(commit, now))
            .collect()
    }

    fn commit_one(&mut self, commit: &Commit, now: TimestampMs) -> StoreResult<CommitOutcome> {
        let lane = &commit.lease.lane;
        let Some(mut entry) = self.held(&commit.lease) else {
            return Ok(CommitOutcome::Fenced);
        };
        let active = self.revision(&lane.bot);
        if commit.revision.is_some() && commit.revision != active && !self.skips(Check::Revision) {
            return Ok(CommitOutcome::Stale(active));
        }
        self.change_state(lane, &commit.state, now)?;
        let out = if commit.messages.is_empty() {
            None
        } else {
            self.append_messages(lane, &commit.messages, commit.want_out, now)?
        };
        self.pop(lane, &mut entry, commit.updates)?;
        let charge = u64::from(commit.charge);
        if entry.updates == 0 {
            self.inbound.charge(&lane.bot, charge);
            self.set_lane(lane, None);
            return Ok(CommitOutcome::Committed {
                next: None,
                out: out.map(Box::new),
            });
        }
        let next = match commit.next {
            NextTurn::Keep => {
                self.inbound.charge(&lane.bot, charge.saturating_add(1));
                let state = self.state_after(lane, &commit.state, now)?;
                Some(Box::new(self.grant(lane, entry, state, now)?))
            }
            NextTurn::Release => {
                self.inbound.charge(&lane.bot, charge);
                self.make_ready(lane, entry);
                None
            }
        };
        Ok(CommitOutcome::Committed {
            next,
            out: out.map(Box::new),
        })
    }

    /// Takes `count` of the granted updates off the lane; the next one has no tries yet.
    pub(super) fn pop(&mut self, lane: &Lane, entry: &mut InLane, count: usize) -> StoreResult<()> {
        let count = count.clamp(1, entry.granted.max(1));
        self.fill(lane, entry, count)?;
        let through = entry.head.get(count - 1).map_or(0, |stored| stored.seq);
        self.records.pop_updates(lane, through)?;
        entry.head.drain(..count);
        entry.updates -= count;
        entry.granted = 0;
        if entry.attempts > 0 {
            entry.attempts = 0;
            self.records.set_attempts(lane, 0)?;
        }
        if entry.updates > 0 {
            self.fill(lane, entry, 1)?;
            entry.oldest = entry
                .head
                .front()
                .map_or(entry.oldest, |first| first.update.accepted_at);
        }
        Ok(())
    }

    fn change_state(&mut self, lane: &Lane, change: &StateChange, now: TimestampMs) -> StoreResult<()> {
        match change {
            StateChange::Keep { ttl_ms: None } => Ok(()),
            StateChange::Keep { ttl_ms: Some(ttl) } => self.records.touch_state(lane, now, now.plus(*ttl)),
            StateChange::Put { document, ttl_ms } => {
                let until = ttl_ms.map(|ttl| now.plus(ttl));
                self.records.put_state(lane, document, until)
            }
            StateChange::Delete => self.records.delete_state(lane),
        }
    }

    /// What [`Self::state`] would answer right after the change.
    fn state_after(
        &mut self,
        lane: &Lane,
        change: &StateChange,
        now: TimestampMs,
    ) -> StoreResult<Option<Bytes>> {
        match change {
            StateChange::Put {
                document,
                ttl_ms: None | Some(1..),
            } => Ok(Some(document.clone())),
            StateChange::Delete => Ok(None),
            StateChange::Put { .. } | StateChange::Keep { .. } => self.records.state(lane, now),
        }
    }

    pub(crate) fn fail(&mut self, fail: &Fail, now: TimestampMs) -> StoreResult<FailOutcome> {
        let lane = &fail.lease.lane;
        let Some(mut entry) = self.held(&fail.lease) else {
            return Ok(FailOutcome::Fenced);
        };
        entry.attempts += 1;
        if entry.attempts < fail.max_attempts {
            self.records.set_attempts(lane, entry.attempts)?;
            entry.granted = 0;
            entry.place = Place::Delayed {
                due: fail.retry_at,
                tie: self.number(),
            };
            self.shed(&mut entry);
            self.set_lane(lane, Some(entry));
            return Ok(FailOutcome::Delayed);
        }
        self.fill(lane, &mut entry, 1)?;
        let body = entry
            .head
            .front()
            .map_or_else(Bytes::new, |first| first.update.envelope.clone());
        let letter = Letter {
            bot: lane.bot.clone(),
            chat: Some(lane.chat.clone()),
            reason: fail.reason.clone(),
            detail: fail.detail.clone(),
            at: now,
            attempts: entry.attempts,
            payload: Payload::Update(body),
        };
        let id = self.add_letter(&letter)?;
        self.pop(lane, &mut entry, 1)?;
        if entry.updates == 0 {
            self.set_lane(lane, None);
        } else {
            self.make_ready(lane, entry);
        }
        Ok(FailOutcome::DeadLettered(id))
    }
}
