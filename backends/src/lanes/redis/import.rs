//! Filling the lanes with what another store told, while no node uses them.

use std::collections::{BTreeMap, HashMap};

use botloom_core::ports::{
    DedupKey, Direction, Lanes as _, NewDeadLetter, OutClass, OutMessage, Outbox as _, StoreResult,
};
use botloom_core::{BotId, ChatId, Lane, TimestampMs};
use futures_util::{TryStreamExt as _, stream};
use redis::cmd;

use super::scripts::member;
use super::{RedisLanes, codec};
use crate::redis::DedupeMode;
use crate::transfer::LaneItem;

/// How long dead letters are kept, ms.
const LETTERS_KEPT_MS: u64 = 14 * 86_400_000;

/// Queues, documents and ids filled at once.
const AT_ONCE: usize = 256;
/// Entries appended to a list in one command: bounds its bytes.
const PUSHED_AT_ONCE: usize = 100;

/// What is to be appended: lane, list and count of its entries; the entries.
type Pushes = BTreeMap<(Lane, &'static str, &'static str), Vec<Vec<u8>>>;

/// The queue whose order an item keeps: which one of a chat or of a bot.
fn queue_of(item: &LaneItem) -> Option<(&'static str, BotId, Option<ChatId>)> {
    let of = |queue, lane: &Lane| Some((queue, lane.bot.clone(), Some(lane.chat.clone())));
    match item {
        LaneItem::Update { lane, .. } => of("in", lane),
        LaneItem::Message { lane, .. } => of("out", lane),
        LaneItem::Letter { letter, message, .. } => {
            let queue = match LaneItem::direction(message.as_ref()) {
                Direction::In => "letters in",
                Direction::Out => "letters out",
            };
            Some((queue, letter.bot.clone(), None))
        }
        _ => None,
    }
}

impl RedisLanes {
    /// Takes items in the order in which they were told, as far as it matters.
    pub(super) async fn take_all(&self, items: Vec<LaneItem>) -> StoreResult<()> {
        let mut queues = HashMap::<_, Vec<LaneItem>>::new();
        let mut others = Vec::new();
        for item in items {
            match queue_of(&item) {
                Some(queue) => queues.entry(queue).or_default().push(item),
                None => others.push(vec![item]),
            }
        }
        // The items of a queue one after the other: their order is that of the queue.
        stream::iter(queues.into_values().chain(others).map(Ok))
            .try_for_each_concurrent(AT_ONCE, async |items| {
                let mut pushes = Pushes::new();
                for item in items {
                    self.take(item, &mut pushes).await?;
                }
                self.push(pushes).await
            })
            .await
    }

    /// Takes an item; what goes to a list of a lane is put down in `pushes`.
    async fn take(&self, item: LaneItem, pushes: &mut Pushes) -> StoreResult<()> {
        match item {
            LaneItem::Revision { bot, revision } => self.set_revision(&bot, revision).await.map(drop),
            LaneItem::Park { bot, until } => self.park(&bot, Some(until)).await,
            LaneItem::Seen { bot, key, until } => self.take_seen(&bot, &key, until).await,
            LaneItem::State {
                lane,
                document,
                until,
            } => {
                let key = self.key("state", self.shard(&lane), &member(&lane));
                let mut set = cmd("SET");
                set.arg(key).arg(codec::document(&document, until));
                if let Some(until) = until {
                    set.arg("PX").arg(until.since(self.about_now()).max(1));
                }
                self.link.run(&set).await
            }
            LaneItem::Update { lane, update, .. } => {
                let list = pushes.entry((lane, "qin", "cnt")).or_default();
                list.push(codec::update(&update));
                Ok(())
            }
            LaneItem::Message { lane, message, .. } => {
                let list = if message.message.class == OutClass::Urgent {
                    "qurgent"
                } else {
                    "qout"
                };
                let list = pushes.entry((lane, list, "ocnt")).or_default();
                list.push(codec::queued_message(&message));
                Ok(())
            }
            LaneItem::Attempts { lane, attempts } => {
                let key = self.link.names().of_shard("att", self.shard(&lane));
                let mut set = cmd("HSET");
                set.arg(key).arg(member(&lane)).arg(attempts);
                self.link.run::<u64>(&set).await.map(drop)
            }
            LaneItem::OutDelay {
                lane,
                until,
                flood_wait,
            } => {
                let of_shard = |name| self.link.names().of_shard(name, self.shard(&lane));
                if flood_wait {
                    let mut set = cmd("HSET");
                    set.arg(of_shard("oflood")).arg(member(&lane)).arg(until.0);
                    self.link.run::<u64>(&set).await?;
                }
                let mut add = cmd("ZADD");
                add.arg(of_shard("odl")).arg(until.0 * 4_096).arg(member(&lane));
                self.link.run::<u64>(&add).await.map(drop)
            }
            LaneItem::Letter {
                attempts,
                letter,
                message,
                ..
            } => self.take_letter(&letter, attempts, message.as_ref()).await,
        }
    }

    async fn take_seen(&self, bot: &BotId, dedup: &DedupKey, until: TimestampMs) -> StoreResult<()> {
        let life = until.since(self.about_now()).max(1);
        let (name, bit) = self.seen_key(bot, dedup);
        // An id is looked for on the shard of its chat, which is one of the bot's.
        for shard in self.shards_of(bot) {
            let key = self.link.names().phys(&name, shard);
            match bit {
                None => {
                    let mut set = cmd("SET");
                    set.arg(&key).arg(until.0).arg("PX").arg(life);
                    self.link.run::<()>(&set).await?;
                }
                Some(bit) => {
                    self.link
                        .run::<u8>(cmd("SETBIT").arg(&key).arg(bit).arg(1))
                        .await?;
                    // The block lives as long as any of its ids could.
                    let whole = self.limits.dedup_ttl_ms.max(life);
                    self.link.run::<u8>(cmd("PEXPIRE").arg(&key).arg(whole)).await?;
                }
            }
        }
        debug_assert!(self.link.options().dedupe == DedupeMode::Bitmap || bit.is_none());
        Ok(())
    }

    /// Appends to lists of lanes; their places come at the end, by repair.
    async fn push(&self, pushes: Pushes) -> StoreResult<()> {
        for ((lane, list, count), entries) in pushes {
            let shard = self.shard(&lane);
            let key = self.key(list, shard, &member(&lane));
            for some in entries.chunks(PUSHED_AT_ONCE) {
                self.link.run::<u64>(cmd("RPUSH").arg(&key).arg(some)).await?;
            }
            let key = self.link.names().of_shard(count, shard);
            let mut add = cmd("HINCRBY");
            add.arg(key).arg(lane.bot.as_str()).arg(entries.len());
            self.link.run::<i64>(&add).await?;
        }
        Ok(())
    }

    async fn take_letter(
        &self,
        letter: &NewDeadLetter,
        attempts: u32,
        message: Option<&OutMessage>,
    ) -> StoreResult<()> {
        let bot = &letter.bot;
        let shard = match &letter.chat {
            Some(chat) => self.link.names().shard(bot, chat, self.spread_of(bot)),
            None => self.all_shards_of(bot).next().unwrap_or(0),
        };
        let body = message.map_or_else(|| letter.body.to_vec(), codec::message);
        let key = self.letters_key(bot, LaneItem::direction(message), shard);
        let mut add = cmd("XADD");
        add.arg(&key).arg("*");
        add.arg("t").arg(letter.at.0);
        add.arg("c").arg(letter.chat.as_ref().map_or("", ChatId::as_str));
        add.arg("r").arg(&letter.reason).arg("d").arg(&letter.detail);
        add.arg("n").arg(attempts).arg("b").arg(body);
        self.link.run::<String>(&add).await?;
        let mut expire = cmd("PEXPIRE");
        expire.arg(&key).arg(LETTERS_KEPT_MS);
        self.link.run::<u8>(&expire).await.map(drop)
    }
}
