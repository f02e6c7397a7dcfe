//! Fetching turns, and giving back those that waited long enough.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Asked, Executor, Held};
use botloom_core::ports::{Claims, LaneLease};

/// Most turns fetched at once: what is claimed cannot be taken by another node.
const MOST: usize = 64;
/// Longest time between two claims, in case a hint was lost.
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);
/// Pause after the store failed.
const STORE_AWAY: Duration = Duration::from_millis(250);
/// How often parked turns are looked through.
const SWEEP: Duration = Duration::from_millis(50);
/// Pause when lanes had to be given back at once, so that they are not fetched again in a circle.
const LOT_FULL: Duration = Duration::from_millis(50);

impl Executor {
    /// Fetches and starts turns until the node goes down.
    pub(crate) async fn claim_turns(self: Arc<Self>) {
        let lanes = &self.node.ports.lanes;
        while !self.node.draining.is_cancelled() {
            let max = self.slots.free().min(MOST);
            if max == 0 {
                self.backlogged.store(true, Ordering::Relaxed);
                tokio::select! {
                    () = self.node.draining.cancelled() => return,
                    () = self.slots.freed() => continue,
                }
            }
            let asked = Asked::now(&self.node);
            let Claims { turns, next_due } = match lanes.claim(max).await {
                Ok(claims) => claims,
                Err(error) => {
                    tracing::warn!(error = %error, "no turns can be claimed");
                    self.rest(STORE_AWAY).await;
                    continue;
                }
            };
            let full = turns.len() >= max;
            self.backlogged.store(full, Ordering::Relaxed);
            let refused: Vec<LaneLease> = turns
                .into_iter()
                .filter_map(|turn| self.start_or_park(Held::new(Box::new(turn), asked)))
                .collect();
            if !refused.is_empty() {
                self.give_back(&refused).await;
                self.rest(LOT_FULL).await;
            } else if !full {
                let due = next_due.map_or(AT_LEAST_EVERY, |due| {
                    let ms = due.since(self.node.now()).max(1);
                    Duration::from_millis(ms.unsigned_abs()).min(AT_LEAST_EVERY)
                });
                tokio::select! {
                    () = self.node.draining.cancelled() => return,
                    () = lanes.ready() => {}
                    () = self.delayed.notified() => {}
                    () = tokio::time::sleep(due) => {}
                }
            }
        }
    }

    /// Gives parked lanes back when their time is over, and all of them when the node goes down.
    pub(crate) async fn sweep_parking(self: Arc<Self>) {
        loop {
            let all = tokio::select! {
                () = self.node.draining.cancelled() => true,
                () = tokio::time::sleep(SWEEP) => false,
            };
            self.give_back(&self.parking.leave(all)).await;
            if all {
                return;
            }
        }
    }

    /// Gives lanes back that were not started. What fails here the leases set right.
    pub(super) async fn give_back(&self, leases: &[LaneLease]) {
        if leases.is_empty() {
            return;
        }
        if let Err(error) = self.node.ports.lanes.release(leases).await {
            tracing::warn!(lanes = leases.len(), error = %error, "lanes could not be given back, their leases will end");
        }
    }

    async fn rest(&self, time: Duration) {
        tokio::select! {
            () = self.node.draining.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}
