//! Handing a lane out: its first updates from memory or records, under a new token.

use botloom_core::ports::{LaneLease, StoreResult, Token, Turn};
use botloom_core::{Lane, TimestampMs};
use bytes::Bytes;

use super::{CACHED_ENVELOPES, InLane, Model, Place, Records};

impl<R: Records> Model<R> {
    /// Most updates of one turn.
    pub(super) fn turn_updates(&self) -> usize {
        self.limits.turn_updates.max(1)
    }

    /// A lease of a lane from now on.
    pub(super) fn lease_in(&mut self, now: TimestampMs) -> (Token, Place) {
        let token = self.token();
        let deadline = now.plus(self.limits.lease_ms);
        let place = Place::Leased {
            deadline,
            token: token.0,
        };
        (token, place)
    }

    /// Leases the lane and answers its turn. `entry` is what the lane becomes apart from the lease.
    pub(super) fn grant(
        &mut self,
        lane: &Lane,
        mut entry: InLane,
        state: Option<Bytes>,
        now: TimestampMs,
    ) -> StoreResult<Turn> {
        let wanted = entry.updates.min(self.turn_updates());
        self.fill(lane, &mut entry, wanted)?;
        let (token, place) = self.lease_in(now);
        entry.granted = wanted;
        entry.place = place;
        let turn = Turn {
            lease: LaneLease {
                lane: lane.clone(),
                token,
            },
            revision: self.revision(&lane.bot),
            attempts: entry.attempts,
            updates: entry
                .head
                .iter()
                .take(wanted)
                .map(|stored| stored.update.clone())
                .collect(),
            state,
        };
        self.set_lane(lane, Some(entry));
        Ok(turn)
    }

    /// Brings the first `wanted` updates into memory.
    pub(super) fn fill(&mut self, lane: &Lane, entry: &mut InLane, wanted: usize) -> StoreResult<()> {
        let have = entry.head.len();
        if have < wanted {
            let after = entry.head.back().map_or(0, |stored| stored.seq);
            entry
                .head
                .extend(self.records.updates(lane, after, wanted - have)?);
        }
        Ok(())
    }

    /// Puts the lane among the ready ones; `entry` is what it becomes apart from that.
    pub(super) fn make_ready(&mut self, lane: &Lane, mut entry: InLane) {
        entry.granted = 0;
        entry.place = self.ready_in(&lane.bot);
        self.shed(&mut entry);
        self.set_lane(lane, Some(entry));
    }

    /// Drops what is in memory of a lane that nobody holds, if memory is scarce.
    pub(super) fn shed(&self, entry: &mut InLane) {
        if self.cached > CACHED_ENVELOPES {
            entry.head.clear();
        }
    }

    /// Whether an update that arrives now may stay in memory: it follows what is there, and there is room.
    pub(super) fn may_cache(&self, entry: &InLane, bytes: usize) -> bool {
        entry.head.len() == entry.updates
            && entry.head.len() < self.turn_updates()
            && self.cached + bytes <= CACHED_ENVELOPES
    }
}
