//! How much waits. Every home measures its own shards and tells the others, so that what a measurement costs does not grow
//! with the number of nodes.

use std::collections::HashMap;

use botloom_core::ports::{LaneStats, StoreResult};
use botloom_core::{BotId, TimestampMs};
use futures_util::future::{join_all, try_join_all};
use redis::cmd;
use serde::{Deserialize, Serialize};

use super::reply::{Reply, unexpected};
use super::scripts::Place;
use super::{RedisLanes, args, codec};

/// Lanes of each place of a shard whose first update is looked at for the oldest one.
const HEADS: usize = 8;
/// Shards asked at once for their sizes.
const AT_ONCE: usize = 128;
/// Where nodes tell what they measured: a field each.
const TOLD: &str = "sizes";
/// How long what a node told counts, ms. They measure every second.
const TOLD_LIFE: i64 = 5_000;

/// What a node measured at its own shards.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    at: i64,
    places: [u64; 3],
    messages: u64,
    oldest: Option<i64>,
    updates: HashMap<BotId, u64>,
}

impl RedisLanes {
    /// Sizes. The oldest update is that of the first lanes of each place: about the oldest in a busy shard.
    pub(super) async fn sizes(&self) -> StoreResult<LaneStats> {
        let mut stats = self.sizes_of_mine().await?;
        if self.homes.is_alone() {
            return Ok(stats);
        }
        let (me, now) = (self.homes.me().to_string(), self.about_now().0);
        let told = Told {
            at: now,
            places: [stats.ready, stats.leased, stats.delayed],
            messages: stats.messages,
            oldest: stats.oldest_update.map(|oldest| oldest.0),
            updates: stats.updates_by_bot.clone(),
        };
        let told = serde_json::to_string(&told).map_err(|_| unexpected())?;
        self.link
            .run::<u64>(cmd("HSET").arg(TOLD).arg(&me).arg(told))
            .await?;
        let others: HashMap<String, String> = self.link.run(cmd("HGETALL").arg(TOLD)).await?;
        for (node, told) in others {
            if node == me {
                continue;
            }
            match serde_json::from_str::<Told>(&told) {
                // Clocks of nodes may differ either way.
                Ok(told) if (now - told.at).abs() < TOLD_LIFE => add(&mut stats, told.into()),
                // A node that is gone, or of another version: its shards are measured by others.
                _ => {
                    self.link.run::<u64>(cmd("HDEL").arg(TOLD).arg(&node)).await?;
                }
            }
        }
        Ok(stats)
    }

    /// Sizes of the shards whose home this node is. One that cannot be asked (its primary is away) is left out, unless none
    /// can.
    async fn sizes_of_mine(&self) -> StoreResult<LaneStats> {
        let (mut stats, mut asked, mut failed) = (LaneStats::default(), 0, Vec::new());
        let shards = 0..self.link.names().shards();
        let mine: Vec<u16> = shards.filter(|shard| self.homes.is_mine(*shard)).collect();
        for some in mine.chunks(AT_ONCE) {
            for part in join_all(some.iter().map(|shard| self.sizes_of(*shard))).await {
                asked += 1;
                match part {
                    Ok(part) => add(&mut stats, part),
                    Err(error) => failed.push(error),
                }
            }
        }
        match failed.pop() {
            Some(error) if failed.len() + 1 == asked => Err(error),
            _ => Ok(stats),
        }
    }

    async fn sizes_of(&self, shard: u16) -> StoreResult<LaneStats> {
        let value = self
            .call(&self.scripts.stats, Place::of(shard, ""), &args![HEADS])
            .await?;
        let mut reply = Reply::of(value)?;
        let (ready, leased, delayed) = (reply.next()?, reply.next()?, reply.next()?);
        let counts: Vec<String> = reply.next()?;
        let messages: Vec<u64> = reply.next()?;
        let lanes: Vec<String> = reply.next()?;
        let mut updates_by_bot = HashMap::new();
        for pair in counts.chunks_exact(2) {
            let bot = BotId::new(&pair[0]).map_err(|_| unexpected())?;
            updates_by_bot.insert(bot, pair[1].parse().map_err(|_| unexpected())?);
        }
        let heads = lanes.iter().map(|lane| async move {
            let mut head = cmd("LINDEX");
            head.arg(self.key("qin", shard, lane)).arg(0);
            self.link.run::<Option<Vec<u8>>>(&head).await
        });
        let mut oldest_update = None;
        for head in try_join_all(heads).await?.into_iter().flatten() {
            let accepted = codec::update_of(&head)?.accepted_at;
            oldest_update = oldest_update.into_iter().chain([accepted]).min();
        }
        Ok(LaneStats {
            ready,
            leased,
            delayed,
            updates: updates_by_bot.values().sum(),
            messages: messages.iter().sum(),
            oldest_update,
            updates_by_bot,
        })
    }
}

impl From<Told> for LaneStats {
    fn from(told: Told) -> Self {
        let [ready, leased, delayed] = told.places;
        Self {
            ready,
            leased,
            delayed,
            updates: told.updates.values().sum(),
            messages: told.messages,
            oldest_update: told.oldest.map(TimestampMs),
            updates_by_bot: told.updates,
        }
    }
}

fn add(stats: &mut LaneStats, part: LaneStats) {
    stats.ready += part.ready;
    stats.leased += part.leased;
    stats.delayed += part.delayed;
    stats.updates += part.updates;
    stats.messages += part.messages;
    stats.oldest_update = stats.oldest_update.into_iter().chain(part.oldest_update).min();
    for (bot, updates) in part.updates_by_bot {
        *stats.updates_by_bot.entry(bot).or_insert(0) += updates;
    }
}
