//! Bots that are too busy for one shard: spread over up to eight, each chat on one of them.
//!
//! Which shards a bot has decides where a lane is, so all nodes must agree: every shard of a spread bot knows the number,
//! and turns away whoever believes another and comes without a lease (`elsewhere` in `common.lua`). Zero means closed: the
//! bot is being moved.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::sync::PoisonError;

use botloom_core::ports::{StoreError, StoreResult};
use botloom_core::{BotId, ChatId};
use futures_util::stream::{self, TryStreamExt as _};
use redis::{FromRedisValue as _, cmd};

use super::reply::unexpected;
use super::scripts::Place;
use super::{RedisLanes, args};
use crate::redis::MAX_SPREAD;

/// Where the numbers are kept for nodes that start.
const SPREAD: &str = "botloom:spread";
/// Begins the names of keys that keep update ids as bits.
const BITS: &str = "idemp:b:";
/// Keys that are copied at once.
const COPIES: usize = 64;
/// How long what a home says of its backlog counts, ms.
const SHARE_LIFE: u64 = 3_000;
/// How long it is kept, ms: a node that was slow, or whose clock differs, is not forgotten at once.
const SHARE_KEPT: u64 = SHARE_LIFE * 4;
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

/// What a script answers that looks whether its caller knows the bot's spread.
pub(super) enum Placed<T> {
    /// It does.
    Here(T),
    /// Nothing was done, and this is the spread; 0 while the bot is being moved.
    Elsewhere(u16),
}

/// An update id, or some as bits, that a bot knows: what its copies on several shards say together.
struct Known {
    value: Vec<u8>,
    /// Rest of its life, ms. None: for ever.
    life: Option<u64>,
}

impl Known {
    /// Both together: all bits of either, or the later of the moments until which the id is known.
    fn with(mut self, other: Self, bits: bool) -> Self {
        if bits {
            let length = self.value.len().max(other.value.len());
            self.value.resize(length, 0);
            for (byte, more) in self.value.iter_mut().zip(&other.value) {
                *byte |= more;
            }
        } else if (self.value.len(), &self.value) < (other.value.len(), &other.value) {
            self.value = other.value;
        }
        self.life = self.life.zip(other.life).map(|(one, another)| one.max(another));
        self
    }
}

impl RedisLanes {
    /// Runs an attempt with the spread of the bot that is known here, and once more if the shards know another.
    pub(super) async fn in_place<T, F>(
        &self,
        bot: &BotId,
        attempt: impl Fn(u16) -> F + Send,
    ) -> StoreResult<T>
    where
        F: Future<Output = StoreResult<Placed<T>>> + Send,
    {
        for _ in 0..2 {
            match attempt(self.spread_of(bot)).await? {
                Placed::Here(answer) => return Ok(answer),
                Placed::Elsewhere(0) => break,
                Placed::Elsewhere(spread) => self.note_spread(bot, spread),
            }
        }
        Err(StoreError::unavailable("the bot is being moved"))
    }

    /// Spreads a bot over `shards` shards (1 to 8). The bot must be drained: no updates, messages or dead letters. Updates
    /// that arrive meanwhile, new revisions and parks are answered `Unavailable` and come again. If it ends with an error,
    /// the bot may stay closed until it is called again.
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
        let seen = ["idemp:update:", BITS].map(|prefix| format!("{prefix}{bot}:"));
        let (mut documents, mut known) = (BTreeMap::new(), BTreeMap::<_, BTreeSet<_>>::new());
        self.scan(&format!("*:{bot}:*"), |key, name| {
            if let Some(chat) = name.strip_prefix(&state) {
                if let Ok(chat) = ChatId::new(chat) {
                    documents.insert(key, names.phys(&name, names.shard(bot, &chat, spread)));
                }
            } else if seen.iter().any(|prefix| name.starts_with(prefix.as_str())) {
                known.entry(name).or_default().insert(key);
            }
        })
        .await?;
        let moves = documents.iter().filter(|(from, to)| from != to);
        stream::iter(moves.map(|(from, to)| Ok(self.move_document(from, to))))
            .try_buffer_unordered(COPIES)
            .try_collect::<()>()
            .await?;
        let copies = known.iter().map(|(name, sources)| {
            let targets: BTreeSet<String> = to.iter().map(|shard| names.phys(name, *shard)).collect();
            Ok(self.copy_known(name.starts_with(BITS), sources, targets))
        });
        stream::iter(copies)
            .try_buffer_unordered(COPIES)
            .try_collect::<()>()
            .await
    }

    async fn move_document(&self, from: &str, to: &str) -> StoreResult<()> {
        let dump: Option<Vec<u8>> = self.link.run(cmd("DUMP").arg(from)).await?;
        let life: i64 = self.link.run(cmd("PTTL").arg(from)).await?;
        if let Some(dump) = dump {
            let mut restore = cmd("RESTORE");
            restore.arg(to).arg(life.max(0)).arg(dump).arg("REPLACE");
            self.link.run::<()>(&restore).await?;
            self.link.run::<u64>(cmd("UNLINK").arg(from)).await?;
        }
        Ok(())
    }

    /// Gives every target what the sources know together; only then a source that is no target goes. Done again after an
    /// interruption it comes to the same.
    async fn copy_known(
        &self,
        bits: bool,
        sources: &BTreeSet<String>,
        targets: BTreeSet<String>,
    ) -> StoreResult<()> {
        let mut known: Option<Known> = None;
        for key in sources {
            let value: Option<Vec<u8>> = self.link.run(cmd("GET").arg(key)).await?;
            let life: i64 = self.link.run(cmd("PTTL").arg(key)).await?;
            // -1: for ever; -2 or 0: gone.
            if let (Some(value), life @ (-1 | 1..)) = (value, life) {
                let life = u64::try_from(life).ok();
                known = Some(match known {
                    None => Known { value, life },
                    Some(other) => other.with(Known { value, life }, bits),
                });
            }
        }
        let Some(known) = known else { return Ok(()) };
        for key in &targets {
            let mut set = cmd("SET");
            set.arg(key).arg(&known.value);
            if let Some(life) = known.life {
                set.arg("PX").arg(life);
            }
            self.link.run::<()>(&set).await?;
        }
        for key in sources.difference(&targets) {
            self.link.run::<u64>(cmd("UNLINK").arg(key)).await?;
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
            .run::<u8>(cmd("PEXPIRE").arg(&key).arg(SHARE_KEPT))
            .await?;
        let posted: HashMap<String, String> = self.link.run(cmd("HGETALL").arg(&key)).await?;
        let (mut others, mut gone) = (Vec::new(), Vec::new());
        for (node, post) in posted.into_iter().filter(|(node, _)| *node != me) {
            let read = || {
                let (backlog, at) = post.split_once(' ')?;
                Some((backlog.parse::<u64>().ok()?, at.parse::<i64>().ok()?))
            };
            // Clocks of nodes may differ either way.
            match read().map(|(backlog, at)| (backlog, now.abs_diff(at))) {
                Some((backlog, age)) if age < SHARE_LIFE => others.push(backlog),
                Some((_, age)) if age < SHARE_KEPT => {}
                _ => gone.push(node),
            }
        }
        if !gone.is_empty() {
            // Every process that ever ran would stay otherwise, for as long as the bot has messages.
            self.link.run::<u64>(cmd("HDEL").arg(&key).arg(&gone)).await?;
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
