//! Which update goes to a webhook next: one at a time per queue, oldest first, queues side by side.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// Telegram's delivery queue: its name and the chat, person or poll.
pub(crate) type LaneKey = (&'static str, i64);

/// The queues of one bot while its webhook is set.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    by_key: HashMap<LaneKey, Lane>,
    ready: VecDeque<LaneKey>,
    /// By the moment they become ready, and a number that keeps equal moments apart.
    paused: BTreeMap<(Duration, u64), LaneKey>,
    in_flight: usize,
    tick: u64,
}

#[derive(Debug, Default)]
struct Lane {
    updates: VecDeque<i64>,
    failures: u32,
}

/// A delivery to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) lane: LaneKey,
    pub(crate) update_id: i64,
    /// From 1.
    pub(crate) attempt: u32,
}

impl Lanes {
    /// Adds an update behind the others of its queue.
    pub(crate) fn push(&mut self, key: LaneKey, update_id: i64) {
        let lane = self.by_key.entry(key).or_default();
        lane.updates.push_back(update_id);
        if lane.updates.len() == 1 {
            self.ready.push_back(key);
        }
    }

    /// Takes the head of a queue that is ready; `pick` chooses among that many.
    pub(crate) fn pop(&mut self, now: Duration, pick: impl FnOnce(usize) -> usize) -> Option<Next> {
        while let Some(entry) = self.paused.first_entry().filter(|entry| entry.key().0 <= now) {
            self.ready.push_back(entry.remove());
        }
        if self.ready.is_empty() {
            return None;
        }
        let at = pick(self.ready.len()).min(self.ready.len() - 1);
        let key = self.ready.remove(at)?;
        let lane = self.by_key.get(&key)?;
        self.in_flight += 1;
        Some(Next {
            lane: key,
            update_id: *lane.updates.front()?,
            attempt: lane.failures + 1,
        })
    }

    /// The head in flight is delivered or dead: the next one may go.
    pub(crate) fn done(&mut self, key: LaneKey) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(lane) = self.by_key.get_mut(&key) {
            lane.updates.pop_front();
            lane.failures = 0;
            if lane.updates.is_empty() {
                self.by_key.remove(&key);
            } else {
                self.ready.push_back(key);
            }
        }
    }

    /// The head in flight stays and goes again at `at`.
    pub(crate) fn retry(&mut self, key: LaneKey, at: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(lane) = self.by_key.get_mut(&key) {
            lane.failures += 1;
            self.tick += 1;
            self.paused.insert((at, self.tick), key);
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// When the next paused queue becomes ready.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.paused.first_key_value().map(|((at, _), _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever fails and in whichever order queues are picked: each queue's updates come in order, one at a time,
        /// and all of them come.
        #[test]
        fn order_and_completeness(
            updates in proptest::collection::vec(0_i64..5, 1..60),
            luck in proptest::collection::vec((any::<u8>(), any::<bool>()), 400),
        ) {
            let mut lanes = Lanes::default();
            for (id, lane) in (0_i64..).zip(&updates) {
                lanes.push(("chat", *lane), id);
            }
            let mut delivered: HashMap<i64, Vec<i64>> = HashMap::new();
            let mut flying: Vec<Next> = Vec::new();
            let mut now = Duration::ZERO;
            let mut luck = luck.into_iter();
            loop {
                let (pick, fail) = luck.next().unwrap_or((0, false));
                if let Some(next) = lanes.pop(now, |n| usize::from(pick) % n) {
                    prop_assert!(flying.iter().all(|other| other.lane != next.lane), "two at a time");
                    flying.push(next);
                }
                if flying.is_empty() {
                    match lanes.due() {
                        Some(due) => now = due,
                        None => break,
                    }
                } else if pick % 3 == 0 {
                    let next = flying.swap_remove(usize::from(pick) % flying.len());
                    if fail {
                        lanes.retry(next.lane, now + Duration::from_secs(2));
                    } else {
                        lanes.done(next.lane);
                        delivered.entry(next.lane.1).or_default().push(next.update_id);
                    }
                }
            }
            prop_assert_eq!(lanes.in_flight(), 0);
            prop_assert_eq!(delivered.values().map(Vec::len).sum::<usize>(), updates.len());
            for ids in delivered.values() {
                prop_assert!(ids.is_sorted());
            }
        }
    }
}
