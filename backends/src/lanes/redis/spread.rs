//! Bots that are too busy for one shard: spread over up to eight, each chat on one of them.
//!
//! Which shards a bot has decides where a lane is, so all nodes must agree at the door: every shard of a spread bot knows
//! the number, and turns an update away whose sender believes another (`ingest.lua`). Zero means closed: the bot is being
//! moved.

use std::collections::HashMap;
use std::sync::PoisonError;

use botloom_core::BotId;
use botloom_core::ports::StoreResult;
use redis::{FromRedisValue as _, cmd};

use super::reply::unexpected;
use super::scripts::Place;
use super::{RedisLanes, args};
use crate::redis::MAX_SPREAD;

/// Where the numbers are kept for nodes that start.
const SPREAD: &str = "botloom:spread";
/// How long what a home says of its backlog counts, ms.
const SHARE_LIFE: i64 = 3_000;
/// Messages per second at which the backlog of a home is taken to be as much as the whole bot may send. The documented
/// limit of Telegram for bulk messages (Bots FAQ).
const BOT_RATE: f64 = 30.0;

/// What became of [`RedisLanes::set_spread`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetSpread {
    /// The bot is spread over that many shards.
    Set,
    /// Nothing changed: updates, messages or dead letters of the bot wait. Stop its updates and let it drain.
    Busy,
}

impl RedisLanes {
    /// Spreads a bot over `shards` shards (1 to 8). The bot must be drained: no updates, messages or dead letters. Updates
    /// that arrive meanwhile are answered `Unavailable`; Telegram sends them again. If it ends with an error, the bot may
    /// stay closed until it is called again.
    pub async fn set_spread(&self, bot: &BotId, shards: u16) -> StoreResult<SetSpread> {
        let names = self.link.names();
        let shards = shards.clamp(1, MAX_SPREAD.min(names.shards()));
        let stored: Option<u16> = self.link.run(cmd("HGET").arg(SPREAD).arg(bot.as_str())).await?;
        let before = stored.unwrap_or(1);
        let all: Vec<u16> = names.shards_of(bot, before.max(shards)).collect();
        for (at, shard) in all.iter().enumerate() {
            let place = Place::of(*shard, bot.as_str());
            let value = self.call(&self.scripts.close, place, &args![bot]).await?;
            if u8::from_redis_value(value).map_err(|_| unexpected())? == 0 {
                self.open_shards(bot, &all[..at], before).await?;
                return Ok(SetSpread::Busy);
            }
        }
        self.copy_what_stays(bot, shards, &all).await?;
        self.link
            .run::<u8>(cmd("HSET").arg(SPREAD).arg(bot.as_str()).arg(shards))
            .await?;
        self.note_spread(bot, shards);
        self.open_shards(bot, &all, shards).await?;
        Ok(SetSpread::Set)
    }

    async fn open_shards(&self, bot: &BotId, shards: &[u16], spread: u16) -> StoreResult<()> {
        for shard in shards {
            let key = self.link.names().of_shard("spread", *shard);
            self.link
                .run::<u8>(cmd("HSET").arg(key).arg(bot.as_str()).arg(spread))
                .await?;
        }
        Ok(())
    }

    /// Copies what a drained bot keeps to where it will be looked for: revision and park on every shard, known update
    /// ids on every shard, documents on the shard of their chat. On one server only the first two are kept by shard.
    async fn copy_what_stays(&self, bot: &BotId, spread: u16, all: &[u16]) -> StoreResult<()> {
        let names = self.link.names();
        let (first, to) = (all[0], &all[..usize::from(spread)]);
        let revision: Option<String> = self
            .link
            .run(cmd("HGET").arg(names.of_shard("revs", first)).arg(bot.as_str()))
            .await?;
        let park: Option<String> = self
            .link
            .run(
                cmd("ZSCORE")
                    .arg(names.of_shard("opark", first))
                    .arg(bot.as_str()),
            )
            .await?;
        for shard in to {
            if let Some(revision) = &revision {
                let key = names.of_shard("revs", *shard);
                self.link
                    .run::<u8>(cmd("HSET").arg(key).arg(bot.as_str()).arg(revision))
                    .await?;
            }
            if let Some(until) = &park {
                let key = names.of_shard("opark", *shard);
                self.link
                    .run::<u8>(cmd("ZADD").arg(key).arg(until).arg(bot.as_str()))
                    .await?;
            }
        }
        if !self.link.is_cluster() {
            return Ok(());
        }
        let state = format!("state:bot:{bot}:chat:");
        let seen = ["idemp:update:", "idemp:b:"].map(|prefix| format!("{prefix}{bot}:"));
        let mut copies = Vec::new();
        self.scan(&format!("*:{bot}:*"), |key, name| {
            if let Some(chat) = name.strip_prefix(&state) {
                if let Ok(chat) = botloom_core::ChatId::new(chat) {
                    copies.push((key, names.phys(&name, names.shard(bot, &chat, spread))));
                }
            } else if seen.iter().any(|prefix| name.starts_with(prefix.as_str())) {
                copies.extend(to.iter().map(|shard| (key.clone(), names.phys(&name, *shard))));
            }
        })
        .await?;
        for (from, to) in copies.into_iter().filter(|(from, to)| from != to) {
            let dump: Option<Vec<u8>> = self.link.run(cmd("DUMP").arg(&from)).await?;
            let life: i64 = self.link.run(cmd("PTTL").arg(&from)).await?;
            if let Some(dump) = dump {
                let mut restore = cmd("RESTORE");
                restore.arg(&to).arg(life.max(0)).arg(dump).arg("REPLACE");
                self.link.run::<()>(&restore).await?;
                self.link.run::<u64>(cmd("UNLINK").arg(&from)).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn read_spread(&self) -> StoreResult<()> {
        let stored: HashMap<String, u16> = self.link.run(cmd("HGETALL").arg(SPREAD)).await?;
        let known = stored
            .into_iter()
            .filter_map(|(bot, shards)| Some((BotId::new(bot).ok()?, shards)))
            .collect();
        *self.spread.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    pub(super) fn note_spread(&self, bot: &BotId, shards: u16) {
        let mut known = self.spread.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(bot.clone(), shards);
    }

    pub(super) fn spread_of(&self, bot: &BotId) -> u16 {
        let known = self.spread.read().unwrap_or_else(PoisonError::into_inner);
        known.get(bot).copied().unwrap_or(1)
    }

    /// Shards on which the bot has lanes.
    pub(super) fn shards_of(&self, bot: &BotId) -> impl Iterator<Item = u16> + use<> {
        self.link.names().shards_of(bot, self.spread_of(bot))
    }

    /// Shards whose dead letters of the bot have a stream of their own: on one server there is one stream.
    pub(super) fn letter_shards(&self, bot: &BotId) -> impl Iterator<Item = u16> + use<> {
        let most = if self.link.is_cluster() { MAX_SPREAD } else { 1 };
        self.link.names().shards_of(bot, most)
    }

    /// Shards on which the bot could have anything.
    pub(super) fn all_shards_of(&self, bot: &BotId) -> impl Iterator<Item = u16> + use<> {
        self.link.names().shards_of(bot, MAX_SPREAD)
    }

    /// Which of the bot's streams of dead letters lies on the shard.
    pub(super) fn offset_of(&self, bot: &BotId, shard: u16) -> usize {
        self.letter_shards(bot)
            .position(|found| found == shard)
            .unwrap_or(0)
    }

    /// This node's part of the rate of each bot. A bot on one shard has one home and takes no trip.
    pub(super) async fn shares(&self, backlogs: &[(BotId, u64)]) -> StoreResult<Vec<f64>> {
        let shares = backlogs.iter().map(|(bot, backlog)| async move {
            if self.spread_of(bot) == 1 {
                Ok(1.0)
            } else {
                self.share(bot, *backlog).await
            }
        });
        futures_util::future::try_join_all(shares).await
    }

    async fn share(&self, bot: &BotId, backlog: u64) -> StoreResult<f64> {
        let (me, now) = (self.homes.me().to_string(), self.about_now().0);
        let key = format!("share:{bot}");
        self.link
            .run::<u8>(cmd("HSET").arg(&key).arg(&me).arg(format!("{backlog} {now}")))
            .await?;
        self.link
            .run::<u8>(cmd("PEXPIRE").arg(&key).arg(SHARE_LIFE * 4))
            .await?;
        let posted: HashMap<String, String> = self.link.run(cmd("HGETALL").arg(&key)).await?;
        let mut others = Vec::new();
        for (node, post) in posted {
            let Some((backlog, at)) = post.split_once(' ') else {
                continue;
            };
            let (backlog, at): (u64, i64) = (backlog.parse().unwrap_or(0), at.parse().unwrap_or(0));
            if node == me {
                continue;
            }
            // Clocks of nodes may differ either way.
            if (now - at).abs() < SHARE_LIFE {
                others.push(backlog);
            }
        }
        Ok(max_min(backlog, &others))
    }
}

/// The max-min fair part of a rate: who needs less than an equal part leaves the rest to the others, and what nobody
/// needs is shared evenly. Everybody needs a little, so that a first message does not wait for the next exchange.
fn max_min(mine: u64, others: &[u64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "backlogs are far below 2^52")]
    let demand = |backlog: u64, homes: usize| backlog as f64 / BOT_RATE + 0.25 / homes as f64;
    let homes = others.len() + 1;
    let mut demands: Vec<f64> = others.iter().map(|backlog| demand(*backlog, homes)).collect();
    let mine = demand(mine, homes);
    demands.push(mine);
    demands.sort_by(f64::total_cmp);
    let mut left = 1.0;
    for (at, demand) in demands.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "eight homes at most")]
        let equal = left / (homes - at) as f64;
        if *demand >= equal {
            // This one and all that need more get equal parts.
            return if mine >= *demand { equal } else { mine };
        }
        left -= demand;
    }
    #[expect(clippy::cast_precision_loss, reason = "eight homes at most")]
    let even = left / homes as f64;
    mine + even
}

#[cfg(test)]
mod tests {
    use super::max_min;

    #[test]
    fn shares_are_max_min_fair_and_add_up_to_one() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(max_min(7, &[]), 1.0));
        assert!(near(max_min(1_000, &[1_000]), 0.5));
        assert!(near(max_min(0, &[0]), 0.5));
        assert!(near(max_min(0, &[1_000]), 0.125), "enough for a first message");
        assert!(near(max_min(1_000, &[0]), 0.875));
        for backlogs in [
            [0, 0, 0],
            [3, 50, 900],
            [5, 5, 500],
            [1_000, 1_000, 1_000],
            [0, 1, 9],
        ] {
            let sum: f64 = (0..3)
                .map(|at| {
                    let others: Vec<u64> = (0..3)
                        .filter(|other| *other != at)
                        .map(|at| backlogs[at])
                        .collect();
                    max_min(backlogs[at], &others)
                })
                .sum();
            assert!(near(sum, 1.0), "{backlogs:?} add up to {sum}");
        }
    }
}
