//! What goes on without being asked for: wake-ups between nodes, the sweep that makes lost ones harmless, and help for
//! homes that have no place left.

use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use uuid::Uuid;

use super::RedisLanes;
use crate::redis::{QUIET, RedisLink};

/// How often a part of the shards is looked at.
const TICK: Duration = Duration::from_millis(50);
/// Ticks in which every shard is looked at once.
const TICKS: u16 = 20;
/// Ticks between two looks for shards that need help.
const HELP_EVERY: u64 = 5;
/// Most foreign shards looked at in one such look.
const HELPED_AT_ONCE: usize = 64;
/// Wait before a lost subscription is made anew, and between looks whether the lanes still live.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) fn start(lanes: &Arc<RedisLanes>) {
    let channel = lanes.link.channel(&format!("wake:{}", lanes.homes.me()));
    tokio::spawn(listen(Arc::downgrade(lanes), lanes.link.clone(), channel));
    // A test's clock stands still: what its store does by itself would be a surprise.
    if lanes.clock.is_none() {
        tokio::spawn(sweep(Arc::downgrade(lanes)));
    }
}

async fn listen(lanes: Weak<RedisLanes>, link: RedisLink, channel: String) {
    let channels = std::slice::from_ref(&channel);
    while lanes.strong_count() > 0 {
        if let Ok(mut subscription) = link.subscribe(channels).await {
            let mut heard = Instant::now();
            loop {
                match tokio::time::timeout(PAUSE, subscription.next()).await {
                    Ok(Some(message)) => match lanes.upgrade() {
                        Some(lanes) => {
                            heard = Instant::now();
                            lanes.woken(&message.payload);
                        }
                        None => return,
                    },
                    Ok(None) => break,
                    Err(_) if lanes.strong_count() == 0 => return,
                    Err(_) if heard.elapsed() < QUIET => {}
                    Err(_) => {
                        // The silent one, which may still stand, is kept until the new one does.
                        if let Ok(another) = link.subscribe(channels).await {
                            subscription = another;
                        }
                        heard = Instant::now();
                    }
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn sweep(lanes: Weak<RedisLanes>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut tick, mut version) = (0_u64, None);
    loop {
        ticks.tick().await;
        let Some(lanes) = lanes.upgrade() else { return };
        let now = lanes.homes.version();
        if version.replace(now) != Some(now) {
            lanes.look_at_mine();
        }
        lanes.look(tick).await;
        if tick.is_multiple_of(HELP_EVERY) {
            lanes.look_for_help().await;
        }
        if tick.is_multiple_of(TICKS.into()) {
            // Stale knowledge of spread bots is found out at the door.
            lanes.read_spread().await.ok();
        }
        tick += 1;
    }
}

impl RedisLanes {
    /// A lane of the shard is ready: whoever may claim it hears of it.
    pub(super) fn lane_is_ready(&self, shard: u16) {
        if self.homes.is_mine(shard) || self.helps(shard) {
            self.inbound.ready(shard);
        }
        self.wake(shard, 'i');
    }

    /// An outbox of the shard is ready.
    pub(super) fn outbox_is_ready(&self, shard: u16) {
        if self.homes.is_mine(shard) {
            self.outbound.ready(shard);
        }
        self.wake(shard, 'o');
    }

    /// Tells the home of a foreign shard. Nobody waits for it: the home also looks by itself.
    fn wake(&self, shard: u16, direction: char) {
        let home = self.homes.home(shard);
        if home != self.homes.me() {
            let link = self.link.clone();
            tokio::spawn(async move {
                let channel = link.channel(&format!("wake:{home}"));
                link.publish(&channel, format!("{direction}{shard}").as_bytes())
                    .await
                    .ok();
            });
        }
    }

    fn woken(&self, payload: &[u8]) {
        let shard = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<u16>().ok();
        match payload.split_first() {
            Some((b'i', rest)) => shard(rest)
                .into_iter()
                .for_each(|shard| self.inbound.ready(shard)),
            Some((b'o', rest)) => shard(rest)
                .into_iter()
                .for_each(|shard| self.outbound.ready(shard)),
            _ => {}
        }
    }

    /// The next claims look at every shard of this node.
    pub(super) fn look_at_mine(&self) {
        for shard in 0..self.link.names().shards() {
            if self.homes.is_mine(shard) {
                self.inbound.touched(shard);
                self.outbound.touched(shard);
            }
        }
    }

    /// Looks at this tick's part of the shards: what is due becomes ready, what is ready gets known.
    async fn look(&self, tick: u64) {
        let shards = self.link.names().shards();
        let part = u16::try_from(tick % u64::from(TICKS)).unwrap_or(0);
        let mine = (part..shards)
            .step_by(TICKS.into())
            .filter(|shard| self.homes.is_mine(*shard));
        let looks = mine.map(|shard| async move {
            let (inbound, outbound) = tokio::join!(self.visit(shard, 0), self.visit_out(shard, 0));
            // A shard that cannot be reached is looked at again in a second.
            if let Ok(found) = inbound {
                self.inbound.seen(shard, found.ready, found.due);
            }
            if let Ok(found) = outbound {
                self.outbound.seen(shard, found.ready, found.due);
            }
        });
        join_all(looks).await;
    }

    /// Looks for work in shards whose home has no place left, while most of this node is idle.
    async fn look_for_help(&self) {
        let mut helped = Vec::new();
        if self.homes.is_idle() {
            let shards = self.link.names().shards();
            // From a random place on, so that idle nodes do not all take the same.
            let from = u16::try_from(Uuid::new_v4().as_u128() % u128::from(shards)).unwrap_or(0);
            let foreign = (0..shards)
                .map(|shard| (shard + from) % shards)
                .filter(|shard| self.homes.is_saturated_elsewhere(*shard))
                .take(HELPED_AT_ONCE);
            let looks = foreign.map(|shard| async move {
                let found = self.visit(shard, 0).await.ok()?;
                found.ready.then_some(shard)
            });
            helped = join_all(looks).await.into_iter().flatten().collect();
        }
        self.helped
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&helped);
        for shard in helped {
            self.inbound.ready(shard);
        }
    }

    /// Whether this node takes turns of a foreign shard.
    pub(super) fn helps(&self, shard: u16) -> bool {
        let helped = self.helped.read().unwrap_or_else(PoisonError::into_inner);
        helped.contains(&shard) && self.homes.is_idle()
    }
}
