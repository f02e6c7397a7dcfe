//! Telling the lanes as a whole, while no node uses them. Filling them: `import.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{DedupKey, Direction, StoreError, StoreResult};
use botloom_core::{BotId, ChatId, Lane, TimestampMs};
use bytes::Bytes;
use futures_util::future::try_join_all;
use redis::{Cmd, FromRedisValue, cmd};
use tokio::sync::mpsc;

use super::inbox::lane_of;
use super::{RedisLanes, codec};
use crate::transfer::{LaneItem, LaneTransfer, SEEN_MARGIN_MS};

/// Keys read at once.
const AT_ONCE: usize = 256;
/// Beginnings of the names that lanes use.
const OURS: [&str; 5] = ["q:", "state:", "idemp:", "dlq:", "revs"];

/// Where told items go. Once nobody listens, what is told is dropped.
struct Teller(mpsc::Sender<LaneItem>);

impl Teller {
    async fn tell(&self, item: LaneItem) {
        // The listener gives the reason why it stopped.
        self.0.send(item).await.ok();
    }
}

#[async_trait]
impl LaneTransfer for RedisLanes {
    async fn is_empty(&self) -> StoreResult<bool> {
        let mut empty = true;
        self.scan("*", |_, name| {
            empty &= !OURS.iter().any(|prefix| name.starts_with(prefix));
        })
        .await?;
        Ok(empty)
    }

    async fn export(&self, now: TimestampMs, out: mpsc::Sender<LaneItem>) -> StoreResult<()> {
        let teller = Teller(out);
        self.tell_shards(now, &teller).await?;
        let names = self.names().await?;
        self.tell_seen(now, &names, &teller).await?;
        self.tell_documents(now, &names, &teller).await?;
        self.tell_updates(&names, &teller).await?;
        self.tell_messages(&names, &teller).await?;
        self.tell_letters(&names, &teller).await
    }

    async fn import(&self, items: Vec<LaneItem>) -> StoreResult<()> {
        self.take_all(items).await
    }

    async fn finish(&self) -> StoreResult<()> {
        self.repair().await.map(drop)
    }
}

fn corrupt(key: &str) -> StoreError {
    StoreError::Corrupt(format!("key {key} of Redis cannot be read"))
}

/// What a list of Redis holds, with the chats and bots in its name read.
type Named = BTreeMap<String, String>;

impl RedisLanes {
    /// All keys of lanes: logical name and key. A scan may find a key twice.
    async fn names(&self) -> StoreResult<Named> {
        let mut names = Named::new();
        self.scan("*", |key, name| {
            if OURS.iter().any(|prefix| name.starts_with(prefix)) {
                names.insert(name, key);
            }
        })
        .await?;
        Ok(names)
    }

    /// Reads a key each for many names, some at a time.
    async fn read_each<T: FromRedisValue>(
        &self,
        keys: &[&String],
        command: impl Fn(&str) -> Cmd,
    ) -> StoreResult<Vec<T>> {
        let mut answers = Vec::with_capacity(keys.len());
        for some in keys.chunks(AT_ONCE) {
            let commands: Vec<Cmd> = some.iter().map(|key| command(key)).collect();
            let reads = commands.iter().map(|command| self.link.run::<T>(command));
            answers.extend(try_join_all(reads).await?);
        }
        Ok(answers)
    }

    /// Revisions, parks, tries, delays: what shards keep for all their lanes. Bots on several shards are told once.
    async fn tell_shards(&self, now: TimestampMs, teller: &Teller) -> StoreResult<()> {
        let (mut revisions, mut parks) = (BTreeSet::new(), BTreeSet::new());
        for shard in 0..self.link.names().shards() {
            let key = |name| self.link.names().of_shard(name, shard);
            let active: HashMap<String, String> = self.link.run(cmd("HGETALL").arg(key("revs"))).await?;
            for (bot, revision) in active {
                let bot = BotId::new(&bot).map_err(|_| corrupt("revs"))?;
                if revisions.insert(bot.clone()) {
                    let revision = codec::revision_of(&revision)?;
                    teller.tell(LaneItem::Revision { bot, revision }).await;
                }
            }
            let parked: Vec<(String, f64)> = self.scores(&key("opark")).await?;
            for (bot, until) in parked {
                let bot = BotId::new(&bot).map_err(|_| corrupt("opark"))?;
                let until = moment(until);
                if until > now && parks.insert(bot.clone()) {
                    teller.tell(LaneItem::Park { bot, until }).await;
                }
            }
            let tries: HashMap<String, u32> = self.link.run(cmd("HGETALL").arg(key("att"))).await?;
            for (lane, attempts) in tries {
                let lane = lane_of(&lane)?;
                teller.tell(LaneItem::Attempts { lane, attempts }).await;
            }
            let waits: HashMap<String, i64> = self.link.run(cmd("HGETALL").arg(key("oflood"))).await?;
            for (name, stamp) in self.scores(&key("odl")).await? {
                let (lane, until) = (lane_of(&name)?, moment(stamp / 4_096.0));
                if until > now {
                    // Nodes of older versions leave entries behind; their moments tell that they are over.
                    let flood_wait = waits.get(&name).is_some_and(|end| TimestampMs(*end) > now);
                    teller
                        .tell(LaneItem::OutDelay {
                            lane,
                            until,
                            flood_wait,
                        })
                        .await;
                }
            }
        }
        Ok(())
    }

    async fn scores(&self, key: &str) -> StoreResult<Vec<(String, f64)>> {
        let mut range = cmd("ZRANGE");
        range.arg(key).arg(0).arg(-1).arg("WITHSCORES");
        self.link.run(&range).await
    }

    async fn tell_seen(&self, now: TimestampMs, names: &Named, teller: &Teller) -> StoreResult<()> {
        let still = |until: &TimestampMs| until.since(now) > SEEN_MARGIN_MS;
        let mut told = BTreeSet::new();
        let single: Vec<_> = with_prefix(names, "idemp:update:");
        let keys: Vec<&String> = single.iter().map(|(_, key)| *key).collect();
        let values: Vec<Option<i64>> = self.read_each(&keys, get).await?;
        for ((rest, key), until) in single.iter().zip(values) {
            let (bot, dedup) = rest.split_once(':').ok_or_else(|| corrupt(key))?;
            let until = until.map(TimestampMs).filter(still);
            let (Ok(bot), Some(dedup), Some(until)) = (BotId::new(bot), codec::dedup_of(dedup), until) else {
                continue;
            };
            if told.insert((bot.clone(), codec::dedup_name(&dedup))) {
                teller
                    .tell(LaneItem::Seen {
                        bot,
                        key: dedup,
                        until,
                    })
                    .await;
            }
        }
        for (rest, key) in with_prefix(names, "idemp:b:") {
            let read = || {
                let (bot, block) = rest.rsplit_once(':')?;
                Some((BotId::new(bot).ok()?, block.parse::<i64>().ok()?))
            };
            let (bot, block) = read().ok_or_else(|| corrupt(key))?;
            let life: i64 = self.link.run(cmd("PTTL").arg(key)).await?;
            let bits: Option<Vec<u8>> = self.link.run(&get(key)).await?;
            let until = self.about_now().plus(life);
            for bit in bits
                .iter()
                .flat_map(|bits| set_bits(bits))
                .filter(|_| still(&until))
            {
                let dedup = DedupKey::Update(block * 1_024 + bit);
                if told.insert((bot.clone(), codec::dedup_name(&dedup))) {
                    let bot = bot.clone();
                    teller
                        .tell(LaneItem::Seen {
                            bot,
                            key: dedup,
                            until,
                        })
                        .await;
                }
            }
        }
        Ok(())
    }

    async fn tell_documents(&self, now: TimestampMs, names: &Named, teller: &Teller) -> StoreResult<()> {
        let named = with_prefix(names, "state:bot:");
        let keys: Vec<&String> = named.iter().map(|(_, key)| *key).collect();
        let values: Vec<Option<Vec<u8>>> = self.read_each(&keys, get).await?;
        for ((rest, key), value) in named.iter().zip(values) {
            let read = || {
                let (bot, chat) = rest.split_once(":chat:")?;
                Some(Lane {
                    bot: BotId::new(bot).ok()?,
                    chat: ChatId::new(chat).ok()?,
                })
            };
            let lane = read().ok_or_else(|| corrupt(key))?;
            let until = codec::forgotten_at(value.as_deref())?;
            if let Some(document) = codec::document_of(value, Some(now))? {
                teller
                    .tell(LaneItem::State {
                        lane,
                        document,
                        until,
                    })
                    .await;
            }
        }
        Ok(())
    }

    async fn tell_updates(&self, names: &Named, teller: &Teller) -> StoreResult<()> {
        for (lane, key) in with_prefix(names, "q:in:") {
            let lane = lane_of(lane)?;
            let entries: Vec<Vec<u8>> = self.link.run(&all(key)).await?;
            for (position, entry) in (0..).zip(entries) {
                let update = codec::update_of(&entry)?;
                let lane = lane.clone();
                teller
                    .tell(LaneItem::Update {
                        lane,
                        position,
                        update,
                    })
                    .await;
            }
        }
        Ok(())
    }

    /// Messages in the order in which they are sent: urgent ones first. What a sender may have been sending when its
    /// node ended without a word is told as such.
    async fn tell_messages(&self, names: &Named, teller: &Teller) -> StoreResult<()> {
        let queues = ["q:urgent:", "q:out:"];
        let lanes: BTreeSet<&str> = queues
            .iter()
            .flat_map(|prefix| with_prefix(names, prefix))
            .map(|(lane, _)| lane)
            .collect();
        for name in lanes {
            let lane = lane_of(name)?;
            let shard = self.shard(&lane);
            let of_shard = |key| self.link.names().of_shard(key, shard);
            let leased: Option<f64> = self.link.run(cmd("ZSCORE").arg(of_shard("ox")).arg(name)).await?;
            let doubt: bool = self
                .link
                .run(cmd("HEXISTS").arg(of_shard("odoubt")).arg(name))
                .await?;
            let in_hand = leased.is_some() || doubt;
            let mut position = 0;
            for prefix in queues {
                let Some(key) = names.get(&format!("{prefix}{name}")) else {
                    continue;
                };
                let entries: Vec<Vec<u8>> = self.link.run(&all(key)).await?;
                for (at, entry) in entries.iter().enumerate() {
                    let mut message = codec::message_of(entry)?;
                    let resent = message.message.ambiguous == Ambiguous::Resend;
                    message.maybe_sent |= codec::is_begun(entry) || (in_hand && at == 0 && resent);
                    let lane = lane.clone();
                    teller
                        .tell(LaneItem::Message {
                            lane,
                            position,
                            message,
                        })
                        .await;
                    position += 1;
                }
            }
        }
        Ok(())
    }

    async fn tell_letters(&self, names: &Named, teller: &Teller) -> StoreResult<()> {
        for direction in [Direction::In, Direction::Out] {
            let bots: BTreeSet<&str> = with_prefix(names, &format!("dlq:{direction}:"))
                .into_iter()
                .map(|(bot, _)| bot)
                .collect();
            for bot in bots {
                let bot = BotId::new(bot).map_err(|_| corrupt("dlq"))?;
                for (position, (mut letter, attempts)) in (0..).zip(self.all_letters(&bot, direction).await?)
                {
                    let message = match direction {
                        Direction::In => None,
                        Direction::Out => Some(codec::message_of(&letter.body)?.message),
                    };
                    if message.is_some() {
                        letter.body = Bytes::new();
                    }
                    teller
                        .tell(LaneItem::Letter {
                            position,
                            attempts,
                            letter,
                            message,
                        })
                        .await;
                }
            }
        }
        Ok(())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "scores are milliseconds, far below 2^53"
)]
fn moment(score: f64) -> TimestampMs {
    TimestampMs(score.floor() as i64)
}

fn get(key: &str) -> Cmd {
    let mut get = cmd("GET");
    get.arg(key);
    get
}

fn all(key: &str) -> Cmd {
    let mut range = cmd("LRANGE");
    range.arg(key).arg(0).arg(-1);
    range
}

fn with_prefix<'a>(names: &'a Named, prefix: &str) -> Vec<(&'a str, &'a String)> {
    let from = names.range(prefix.to_owned()..);
    from.map_while(|(name, key)| Some((name.strip_prefix(prefix)?, key)))
        .collect()
}

/// Numbers of the bits that are set, counted as Redis does: from the highest bit of the first byte.
fn set_bits(bytes: &[u8]) -> impl Iterator<Item = i64> {
    (0_i64..).zip(bytes).flat_map(|(at, byte)| {
        (0..8).filter_map(move |bit| (byte & (0x80 >> bit) != 0).then_some(at * 8 + bit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_count_from_the_highest() {
        assert_eq!(
            set_bits(&[0b1000_0001, 0, 0b0100_0000]).collect::<Vec<_>>(),
            [0, 7, 17]
        );
    }

    #[test]
    fn names_are_found_by_their_beginning() {
        let names = ["q:in:a:1", "q:in:b:2", "q:out:a:1"].map(|name| (name.to_owned(), name.to_uppercase()));
        let names = Named::from(names);
        let found: Vec<&str> = with_prefix(&names, "q:in:")
            .into_iter()
            .map(|(rest, _)| rest)
            .collect();
        assert_eq!(found, ["a:1", "b:2"]);
    }
}
