//! Work on everything: sizes, forgetting a bot, the auditor of places, and repair.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use botloom_core::ports::{LaneStats, StoreError, StoreResult};
use botloom_core::{BotId, Lane};
use futures_util::future::try_join_all;
use redis::{FromRedisValue as _, cmd};

use super::inbox::lane_of;
use super::reply::{Reply, unexpected};
use super::scripts::{Place, member};
use super::{RedisLanes, args, codec};

/// Keys looked at in one step of a scan.
const STEP: usize = 1_000;
/// Lanes of each place of a shard whose first update is looked at for the oldest one.
const HEADS: usize = 8;
/// Shards asked at once for their sizes.
const AT_ONCE: usize = 128;
/// Lists of a lane.
const LISTS: [&str; 3] = ["q:in:", "q:out:", "q:urgent:"];

impl RedisLanes {
    /// Sizes. The oldest update is that of the first lanes of each place: about the oldest in a busy shard.
    pub(super) async fn sizes(&self) -> StoreResult<LaneStats> {
        let mut stats = LaneStats::default();
        let shards: Vec<u16> = (0..self.link.names().shards()).collect();
        for some in shards.chunks(AT_ONCE) {
            let parts = some.iter().map(|shard| self.sizes_of(*shard));
            for part in try_join_all(parts).await? {
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
        }
        Ok(stats)
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

    /// Forgets a bot, lane by lane: each lane is one step, the whole is not. Repeating it finishes what was interrupted.
    pub(super) async fn purge_bot(&self, bot: &BotId) -> StoreResult<()> {
        for shard in self.all_shards_of(bot) {
            // Without its revision the bot starts nothing that is not there yet.
            let place = Place::of(shard, bot.as_str());
            self.call(&self.scripts.purge_bot, place, &args![bot]).await?;
        }
        let mut lanes = BTreeSet::new();
        let state = format!("state:bot:{bot}:chat:");
        let lists = LISTS.map(|list| format!("{list}{bot}:"));
        let seen = ["idemp:update:", "idemp:b:"].map(|prefix| format!("{prefix}{bot}:"));
        let mut forgotten = Vec::new();
        self.scan(&format!("*:{bot}:*"), |key, name| {
            let chat = lists
                .iter()
                .chain([&state])
                .find_map(|prefix| name.strip_prefix(prefix.as_str()));
            if let Some(chat) = chat {
                lanes.insert(format!("{bot}:{chat}"));
            } else if seen.iter().any(|prefix| name.starts_with(prefix.as_str())) {
                forgotten.push(key);
            }
        })
        .await?;
        for lane in lanes {
            let shard = self.shard(&lane_of(&lane)?);
            self.call(&self.scripts.purge, Place::of(shard, &lane), &args![lane])
                .await?;
        }
        for key in forgotten {
            self.link.run::<u64>(cmd("DEL").arg(key)).await?;
        }
        // Counts that lanes left, and what came in between.
        for shard in self.all_shards_of(bot) {
            let place = Place::of(shard, bot.as_str());
            self.call(&self.scripts.purge_bot, place, &args![bot]).await?;
            self.inbound.touched(shard);
            self.outbound.touched(shard);
        }
        Ok(())
    }

    /// Walks over keys that match a pattern: `each` gets the key and its logical name. A key may come twice.
    pub(super) async fn scan(&self, pattern: &str, mut each: impl FnMut(String, String)) -> StoreResult<()> {
        for node in self.link.primaries().await? {
            let mut cursor = "0".to_owned();
            loop {
                let mut scan = cmd("SCAN");
                scan.arg(&cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(STEP);
                let (next, keys): (String, Vec<Vec<u8>>) = self.link.run_on(&node, &scan).await?;
                // Keys that are no text are not ours.
                for key in keys.into_iter().filter_map(|key| String::from_utf8(key).ok()) {
                    let name = self.link.names().logical(&key);
                    each(key, name);
                }
                cursor = next;
                if cursor == "0" {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Lanes that have a list.
    async fn lanes_with_work(&self) -> StoreResult<Vec<Lane>> {
        let mut lanes = BTreeSet::new();
        self.scan("q:*", |_, name| {
            if let Some(lane) = LISTS.iter().find_map(|list| name.strip_prefix(list)) {
                lanes.insert(lane.to_owned());
            }
        })
        .await?;
        lanes.iter().map(|lane| lane_of(lane)).collect()
    }

    /// Puts every lane with work that is in no place back among the ready ones; answers how many places were missing.
    /// For after a failover to a replica that lagged; harmless at any time.
    pub async fn repair(&self) -> StoreResult<u64> {
        let mut given = 0;
        for lane in self.lanes_with_work().await? {
            let (name, shard) = (member(&lane), self.shard(&lane));
            let value = self
                .call(&self.scripts.repair, Place::of(shard, &name), &args![name])
                .await?;
            let places = u64::from_redis_value(value).map_err(|_| unexpected())?;
            if places > 0 {
                given += places;
                self.lane_is_ready(shard);
                self.outbox_is_ready(shard);
            }
        }
        Ok(given)
    }

    /// The auditor: every lane with work is in exactly one place, on its shard, no other lane is in any, and counts are right;
    /// [`StoreError::Corrupt`] says what is wrong. Reads everything while nobody writes: for tests.
    pub async fn check(&self) -> StoreResult<()> {
        let mut faults = Vec::new();
        let (mut lists, mut sets, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
        self.scan("*", |key, name| {
            let kind = name.split(':').next().unwrap_or_default().to_owned();
            match kind.as_str() {
                "q" => lists.push((key, name)),
                "rz" | "lx" | "dl" | "oz" | "ox" | "odl" | "opz" => sets.push((key, name)),
                "cnt" | "ocnt" => hashes.push((key, kind)),
                _ => {}
            }
        })
        .await?;
        lists.sort();
        lists.dedup();
        sets.sort();
        sets.dedup();
        let mut places = BTreeMap::<(String, bool), Vec<String>>::new();
        // This node may not have heard of a change.
        self.read_spread().await?;
        for (key, name) in sets {
            let outbound = name.starts_with('o');
            let members: Vec<String> = self.link.run(cmd("ZRANGE").arg(&key).arg(0).arg(-1)).await?;
            for lane in members {
                if !name.ends_with(&format!(":{}", self.shard(&lane_of(&lane)?))) {
                    faults.push(format!("{lane:?} is in {name}, which is not of its shard"));
                }
                places.entry((lane, outbound)).or_default().push(name.clone());
            }
        }
        let mut work = BTreeMap::<(String, bool), u64>::new();
        for (key, name) in lists {
            let length: u64 = self.link.run(cmd("LLEN").arg(&key)).await?;
            if let Some(lane) = name.strip_prefix(LISTS[0]) {
                *work.entry((lane.to_owned(), false)).or_default() += length;
            } else if let Some(lane) = LISTS[1..].iter().find_map(|list| name.strip_prefix(list)) {
                *work.entry((lane.to_owned(), true)).or_default() += length;
            }
        }
        for (lane, found) in &places {
            if found.len() > 1 || !work.contains_key(lane) {
                faults.push(format!(
                    "{lane:?} is in {found:?} with {:?} items",
                    work.get(lane)
                ));
            }
        }
        for lane in work.keys().filter(|lane| !places.contains_key(lane)) {
            faults.push(format!("{lane:?} has work and no place"));
        }
        let mut counted = BTreeMap::<(String, bool), u64>::new();
        hashes.sort();
        hashes.dedup();
        for (key, kind) in hashes {
            let counts: HashMap<String, u64> = self.link.run(cmd("HGETALL").arg(&key)).await?;
            for (bot, count) in counts {
                *counted.entry((bot, kind == "ocnt")).or_default() += count;
            }
        }
        let mut sums = BTreeMap::<(String, bool), u64>::new();
        for ((lane, outbound), count) in &work {
            let bot = lane.split(':').next().unwrap_or_default().to_owned();
            *sums.entry((bot, *outbound)).or_default() += count;
        }
        if counted != sums {
            faults.push(format!("counted {counted:?}, found {sums:?}"));
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(StoreError::Corrupt(faults.join("; ")))
        }
    }
}
