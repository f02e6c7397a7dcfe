//! Which shards are worth a visit: a node must not ask a thousand shards whenever it has a free worker.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    /// Shards that probably have something ready, in the order they are to be visited.
    ready: VecDeque<u16>,
    /// Shards in which something changed that may be due later.
    touched: BTreeSet<u16>,
    /// When something in the shard is due.
    due: BTreeMap<u16, TimestampMs>,
}

/// What a visit found.
pub(super) struct Found<T> {
    pub(super) turns: Vec<T>,
    /// Whether something is ready that was not taken.
    pub(super) ready: bool,
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
        let mut known = self.known();
        if !known.ready.contains(&shard) {
            known.ready.push_back(shard);
        }
        drop(known);
        self.hint.notify_one();
    }

    /// Something in the shard may be due later.
    pub(super) fn touched(&self, shard: u16) {
        self.known().touched.insert(shard);
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
        let (mut ready, look) = self.plan(now, &allowed);
        let mut turns = Vec::new();
        if ready.len() + look.len() <= max {
            ready.extend(look);
        } else {
            for shards in look.chunks(AT_ONCE) {
                let shares = shards.iter().map(|shard| (*shard, 0)).collect();
                ready.extend(self.visit(shares, &visit, &mut turns).await?);
            }
        }
        while turns.len() < max && !ready.is_empty() {
            let left = max - turns.len();
            let count = ready.len().min(left).min(AT_ONCE);
            let shares = ready.drain(..count).enumerate().map(|(at, shard)| {
                let share = left / count + usize::from(at < left % count);
                (shard, share.min(PER_VISIT))
            });
            let shares = shares.collect();
            match self.visit(shares, &visit, &mut turns).await {
                Ok(more) => ready.extend(more),
                Err(error) => {
                    ready.into_iter().for_each(|shard| self.touched(shard));
                    return Err(error);
                }
            }
        }
        for shard in ready {
            self.ready(shard);
        }
        let known = self.known();
        let due = known.due.iter().filter(|(shard, _)| allowed(**shard));
        Ok((turns, due.map(|(_, due)| *due).min()))
    }

    /// Visits shards at once; answers which of them have more.
    async fn visit<T, F: Future<Output = StoreResult<Found<T>>>>(
        &self,
        shares: Vec<(u16, usize)>,
        visit: &impl Fn(u16, usize) -> F,
        turns: &mut Vec<T>,
    ) -> StoreResult<Vec<u16>> {
        let visits = shares.iter().map(|(shard, share)| visit(*shard, *share));
        let mut more = Vec::new();
        let mut failed = None;
        for ((shard, _), found) in shares.iter().zip(join_all(visits).await) {
            match found {
                Ok(found) => {
                    self.seen(*shard, false, found.due);
                    turns.extend(found.turns);
                    if found.ready {
                        more.push(*shard);
                    }
                }
                Err(error) => {
                    self.touched(*shard);
                    failed = Some(error);
                }
            }
        }
        match failed {
            // What other shards gave is work in hand; without any the caller learns that the store is away.
            Some(error) if turns.is_empty() => Err(error),
            _ => Ok(more),
        }
    }

    /// Shards with something ready, and shards to look at.
    fn plan(&self, now: TimestampMs, allowed: impl Fn(u16) -> bool) -> (VecDeque<u16>, Vec<u16>) {
        let mut known = self.known();
        let mut ready = std::mem::take(&mut known.ready);
        ready.retain(|shard| allowed(*shard));
        let mut look = std::mem::take(&mut known.touched);
        look.extend(known.due.iter().filter(|(_, due)| **due <= now).map(|(shard, _)| *shard));
        look.retain(|shard| allowed(*shard) && !ready.contains(shard));
        (ready, look.into_iter().collect())
    }
}
