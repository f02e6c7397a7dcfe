//! Whether a bot is so far behind that Telegram, which keeps updates for a day, is the better place for more of them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use botloom_core::ids::BotId;
use tokio::time::Instant;

use crate::node::Node;
use crate::options::Options;

/// How often sizes are asked for.
const EVERY: Duration = Duration::from_secs(1);
/// How long a measured lag counts.
const LAG_COUNTS: Duration = Duration::from_secs(5);

/// What waits. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Load(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waiting: RwLock<HashMap<BotId, u64>>,
    late: RwLock<HashMap<BotId, Instant>>,
    backlog: u64,
    lag: Duration,
    full_lane: u64,
}

impl Load {
    pub(crate) fn new(options: &Options) -> Self {
        Self(Arc::new(Shared {
            waiting: RwLock::default(),
            late: RwLock::default(),
            backlog: options.bot_backlog,
            lag: options.bot_lag,
            full_lane: options.lanes.queue_cap as u64,
        }))
    }

    /// Whether a bot should not get more now.
    pub(crate) fn is_behind(&self, bot: &BotId) -> bool {
        let waiting = self
            .0
            .waiting
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(bot)
            .copied()
            .unwrap_or(0);
        if waiting <= self.0.full_lane.min(self.0.backlog) {
            return false;
        }
        let late = self
            .0
            .late
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(bot)
            .copied();
        waiting > self.0.backlog || late.is_some_and(|at| at.elapsed() < LAG_COUNTS)
    }

    /// Notes how long an update had waited when it was started for the first time. Only for updates that had to wait for
    /// a place: one behind a slow update of its own chat does not count.
    pub(crate) fn started(&self, bot: &BotId, waited: Duration) {
        if waited > self.0.lag {
            self.0
                .late
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(bot.clone(), Instant::now());
        }
    }

    /// Measures until the node goes down.
    pub(crate) async fn run(self, node: Arc<Node>) {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = node.draining.cancelled() => return,
                _ = tick.tick() => {}
            }
            // Silence keeps the last numbers: without its store the door refuses everybody anyway.
            node.pool.measure_memory();
            let Ok(stats) = node.ports.lanes.stats().await else {
                continue;
            };
            #[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
            {
                node.meters.lanes_ready.set(stats.ready as f64);
                node.meters.updates_waiting.set(stats.updates as f64);
                node.meters.messages_waiting.set(stats.messages as f64);
                let age = stats.oldest_update.map_or(0, |at| node.now().since(at).max(0));
                node.meters.queue_age_seconds.set(age as f64 / 1_000.0);
                node.meters.lanes_leased.set(stats.leased as f64);
                node.meters.lanes_delayed.set(stats.delayed as f64);
            }
            *self.0.waiting.write().unwrap_or_else(PoisonError::into_inner) = stats.updates_by_bot;
            self.0
                .late
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .retain(|_, at| at.elapsed() < LAG_COUNTS);
        }
    }
}
