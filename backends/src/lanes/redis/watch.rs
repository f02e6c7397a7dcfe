//! Which shards are worth a visit: a node must not ask a thousand shards whenever it has a free worker.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use botloom_core::TimestampMs;
use botloom_core::ports::StoreResult;
use futures_util::future::join_all;
use tokio::sync::Notify;

/// Most turns taken from one shard in one visit, so that a script stays short.
const PER_VISIT: usize = 32;
/// Most shards visited at once.
const AT_ONCE: usize = 64;

/// What is known of the shards in one direction. Wrong knowledge delays: the sweep looks at every shard once a second.
#[derive(Debug, Default)]
pub(super) struct Watch {
    known: Mutex<Known>,
    hint: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// Shards to be visited. A mark stays until a visit that began after it found nothing: claims at the same time all
    /// see it.
    marks: BTreeMap<u16, Mark>,
    /// Number of the last mark.
    last: u64,
    /// When something in the shard is due.
    due: BTreeMap<u16, TimestampMs>,
    /// The next claim begins after this shard, so that none is always last.
    visited: u16,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    number: u64,
    /// Whether something is probably ready; otherwise something changed that may be due later.
    ready: bool,
}

impl Known {
    fn mark(&mut self, shard: u16, ready: bool) {
        self.last += 1;
        let number = self.last;
        let mark = self.marks.entry(shard).or_insert(Mark { number, ready });
        mark.number = number;
        mark.ready |= ready;
    }
}

/// A shard to be visited, with the number of its mark.
type Planned = (u16, Option<u64>);

/// What a visit found.
pub(super) struct Found<T> {
    pub(super) turns: Vec<T>,
    /// Whether something is ready that was not taken.
    pub(super) ready: bool,
    /// Whether the visit took all that it might and left nothing: the next one finds that nobody waits, and ends the
    /// account of who is ahead.
    pub(super) again: bool,
    /// When something is due next.
    pub(super) due: Option<TimestampMs>,
}

impl Watch {
    fn known(&self) -> MutexGuard<'_, Known> {
        // No change below can panic half-way.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something in the shard is ready.
    pub(super) fn ready(&self, shard: u16) {
        self.known().mark(shard, true);
        self.hint.notify_one();
    }

    /// Something in the shard may be due later.
    pub(super) fn touched(&self, shard: u16) {
        self.known().mark(shard, false);
    }

    /// What a look at the shard found.
    pub(super) fn seen(&self, shard: u16, ready: bool, due: Option<TimestampMs>) {
        match due {
            Some(due) => self.known().due.insert(shard, due),
            None => self.known().due.remove(&shard),
        };
        if ready {
            self.ready(shard);
        }
    }

    /// Resolves when something may have become ready since the last call.
    pub(super) async fn hint(&self) {
        self.hint.notified().await;
    }

    /// Takes up to `max` turns from the shards that have some, evenly; answers also when something is due next.
    pub(super) async fn gather<T, F: Future<Output = StoreResult<Found<T>>>>(
        &self,
        max: usize,
        now: TimestampMs,
        allowed: impl Fn(u16) -> bool,
        visit: impl Fn(u16, usize) -> F,
    ) -> StoreResult<(Vec<T>, Option<TimestampMs>)> {
        let (mut ready, mut look) = self.plan(now, &allowed);
        let mut turns = Vec::new();
        if max == 0 {
            look.extend(ready.drain(..));
        }
        if ready.len() + look.len() <= max {
            ready.extend(look);
        } else {
            for shards in look.chunks(AT_ONCE) {
                let shares = shards.iter().map(|planned| (*planned, 0)).collect();
                ready.extend(self.visit(shares, &visit, &mut turns).await?);
            }
        }
        while turns.len() < max && !ready.is_empty() {
            let left = max - turns.len();
            let count = ready.len().min(left).min(AT_ONCE);
            let shares = ready.drain(..count).enumerate().map(|(at, planned)| {
                let share = left / count + usize::from(at < left % count);
                (planned, share.min(PER_VISIT))
            });
            let shares = shares.collect();
            ready.extend(self.visit(shares, &visit, &mut turns).await?);
        }
        let known = self.known();
        let due = known.due.iter().filter(|(shard, _)| allowed(**shard));
        Ok((turns, due.map(|(_, due)| *due).min()))
    }

    /// Visits shards at once; answers which of them have more.
    async fn visit<T, F: Future<Output = StoreResult<Found<T>>>>(
        &self,
        shares: Vec<(Planned, usize)>,
        visit: &impl Fn(u16, usize) -> F,
        turns: &mut Vec<T>,
    ) -> StoreResult<Vec<Planned>> {
        let visits = shares.iter().map(|((shard, _), share)| visit(*shard, *share));
        let mut more = Vec::new();
        let mut failed = None;
        for ((planned, _), found) in shares.iter().zip(join_all(visits).await) {
            match found {
                Ok(found) => {
                    self.settle(*planned, &found);
                    if found.ready {
                        more.push(*planned);
                    }
                    turns.extend(found.turns);
                }
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            // What other shards gave is work in hand; without any the caller learns that the store is away.
            Some(error) if turns.is_empty() => Err(error),
            _ => Ok(more),
        }
    }

    /// Notes what a visit found; the mark goes unless it was made anew in between.
    fn settle<T>(&self, (shard, number): Planned, found: &Found<T>) {
        let mut known = self.known();
        known.visited = shard;
        match found.due {
            Some(due) => known.due.insert(shard, due),
            None => known.due.remove(&shard),
        };
        if known.marks.get(&shard).map(|mark| mark.number) == number {
            known.marks.remove(&shard);
        }
        if found.ready || found.again {
            known.mark(shard, found.ready);
        }
    }

    /// Shards with something ready, and shards to look at.
    fn plan(&self, now: TimestampMs, allowed: impl Fn(u16) -> bool) -> (VecDeque<Planned>, Vec<Planned>) {
        let known = self.known();
        let after = (Bound::Excluded(known.visited), Bound::Unbounded);
        let marks = known
            .marks
            .range(after)
            .chain(known.marks.range(..=known.visited));
        let marks = marks.filter(|(shard, _)| allowed(**shard));
        let (ready, touched): (Vec<_>, Vec<_>) = marks.partition(|(_, mark)| mark.ready);
        let planned = |(shard, mark): (&u16, &Mark)| (*shard, Some(mark.number));
        let due = known
            .due
            .iter()
            .filter(|(shard, due)| **due <= now && allowed(**shard) && !known.marks.contains_key(shard))
            .map(|(shard, _)| (*shard, None));
        (
            ready.into_iter().map(planned).collect(),
            touched.into_iter().map(planned).chain(due).collect(),
        )
    }
}
