//! The port `DeadLetters`: one stream per bot and direction, on the shard of the lane that each letter came from.
//!
//! A letter's id is `<i or o>-<id in its stream>`, followed by `-<n>` if it lies on the bot's n-th shard.

use async_trait::async_trait;
use botloom_core::ports::{
    DeadLetter, DeadLetters, DedupKey, Direction, LetterCount, LetterOrder, LetterQuery, NewDeadLetter,
    OutClass, Page, PageRequest, QueuedMessage, QueuedUpdate, StoreError, StoreResult,
};
use botloom_core::{BotId, ChatId, Lane, TimestampMs};
use bytes::Bytes;
use futures_util::future::try_join_all;
use redis::{Value, cmd};

use super::reply::{Reply, unexpected};
use super::scripts::{Place, key_of, member};
use super::spread::Placed;
use super::{RedisLanes, args, codec};

/// Most items of one page.
const PAGE: u32 = 200;
/// Pages that one call reads for a filter, at most.
const ROUNDS: usize = 10;
/// Letters that the server looks through in one step of a count: each may be 64 KiB, and nobody else is served meanwhile.
const LOOKED_AT: usize = 100;

/// What an id says. The order is that of the letters: the time, the number in it, the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct LetterId {
    ms: u64,
    seq: u64,
    /// Which of the bot's shards.
    offset: u16,
    outbound: bool,
}

impl LetterId {
    /// One spelling only, so that two ids are never the same letter.
    fn parse(id: &str) -> Option<Self> {
        let mut parts = id.split('-');
        let outbound = match parts.next()? {
            "i" => false,
            "o" => true,
            _ => return None,
        };
        let parsed = Self {
            outbound,
            ms: parts.next()?.parse().ok()?,
            seq: parts.next()?.parse().ok()?,
            offset: parts.next().map_or(Some(0), |offset| offset.parse().ok())?,
        };
        (parsed.to_string() == id).then_some(parsed)
    }

    const fn direction(self) -> Direction {
        if self.outbound {
            Direction::Out
        } else {
            Direction::In
        }
    }

    fn entry(self) -> String {
        format!("{}-{}", self.ms, self.seq)
    }
}

impl std::fmt::Display for LetterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let direction = if self.outbound { 'o' } else { 'i' };
        write!(f, "{direction}-{}-{}", self.ms, self.seq)?;
        if self.offset > 0 {
            write!(f, "-{}", self.offset)?;
        }
        Ok(())
    }
}

/// A letter with what it holds, as stored.
struct Stored {
    id: LetterId,
    letter: NewDeadLetter,
    attempts: u32,
}

impl RedisLanes {
    /// The id of a letter whose place in the stream of the shard is known.
    pub(super) fn letter_id(&self, direction: Direction, bot: &BotId, shard: u16, entry: &str) -> String {
        let letter = direction.as_str().chars().next().unwrap_or('i');
        match self.offset_of(bot, shard) {
            0 => format!("{letter}-{entry}"),
            offset => format!("{letter}-{entry}-{offset}"),
        }
    }

    pub(super) fn letters_key(&self, bot: &BotId, direction: Direction, shard: u16) -> String {
        let place = Place {
            letters: direction,
            ..Place::of(shard, bot.as_str())
        };
        key_of(self.link.names(), "dlq", place)
    }

    /// All letters of a bot with their tries, oldest first, as they are stored.
    pub(super) async fn all_letters(
        &self,
        bot: &BotId,
        direction: Direction,
    ) -> StoreResult<Vec<(NewDeadLetter, u32)>> {
        let mut letters = Vec::new();
        for (offset, shard) in (0..).zip(self.letter_shards(bot)) {
            let mut range = cmd("XRANGE");
            range
                .arg(self.letters_key(bot, direction, shard))
                .arg("-")
                .arg("+");
            letters.extend(read(bot, direction, offset, self.link.run(&range).await?)?);
        }
        letters.sort_by_key(|stored| stored.id);
        Ok(letters
            .into_iter()
            .map(|stored| (stored.letter, stored.attempts))
            .collect())
    }

    /// The next `limit` letters of a direction beyond one, in the order asked for and whatever else is asked for, and
    /// whether there are more.
    async fn beyond(
        &self,
        bot: &BotId,
        query: &LetterQuery,
        from: Option<LetterId>,
        limit: usize,
    ) -> StoreResult<(Vec<Stored>, bool)> {
        let newest_first = query.order == LetterOrder::NewestFirst;
        let reads = (0..)
            .zip(self.letter_shards(bot))
            .map(|(offset, shard)| async move {
                // Of letters of one moment and number, those on later shards are newer.
                let start = from.map(|id| {
                    let inclusive = if newest_first {
                        offset < id.offset
                    } else {
                        offset > id.offset
                    };
                    format!("{}{}", if inclusive { "" } else { "(" }, id.entry())
                });
                let (name, start, end) = if newest_first {
                    ("XREVRANGE", start.unwrap_or_else(|| "+".to_owned()), "-")
                } else {
                    ("XRANGE", start.unwrap_or_else(|| "-".to_owned()), "+")
                };
                let mut range = cmd(name);
                range.arg(self.letters_key(bot, query.direction, shard));
                range.arg(start).arg(end).arg("COUNT").arg(limit + 1);
                read(bot, query.direction, offset, self.link.run(&range).await?)
            });
        let mut found: Vec<Stored> = try_join_all(reads).await?.into_iter().flatten().collect();
        found.sort_by_key(|stored| stored.id);
        if newest_first {
            found.reverse();
        }
        let more = found.len() > limit;
        found.truncate(limit);
        Ok((found, more))
    }

    /// How many letters on one shard a filter means, and how many of the first `most` were looked at. Letters stay on the
    /// server: most of what they hold says nothing about the filter.
    async fn count_on(
        &self,
        bot: &BotId,
        query: &LetterQuery,
        shard: u16,
        most: usize,
    ) -> StoreResult<(u64, usize)> {
        let wanted = |value: Option<&str>| value.map_or_else(String::new, |value| format!("={value}"));
        let chat = wanted(query.chat.as_ref().map(ChatId::as_str));
        let reason = wanted(query.reason.as_deref());
        let place = Place {
            letters: query.direction,
            ..Place::of(shard, bot.as_str())
        };
        let (mut meant, mut looked_at, mut from) = (0, 0, "-".to_owned());
        while looked_at < most {
            let step = LOOKED_AT.min(most - looked_at);
            let args = args![bot, from, step, chat, reason];
            let mut reply = Reply::of(self.call(&self.scripts.count_letters, place, &args).await?)?;
            meant += reply.next::<u64>()?;
            let seen: usize = reply.next()?;
            looked_at += seen;
            if seen < step {
                break;
            }
            from = format!("({}", reply.next::<String>()?);
        }
        Ok((meant, looked_at))
    }

    async fn find(&self, bot: &BotId, id: &str) -> StoreResult<Option<Stored>> {
        let Some(id) = LetterId::parse(id) else {
            return Ok(None);
        };
        let Some(shard) = self.letter_shards(bot).nth(id.offset.into()) else {
            return Ok(None);
        };
        let key = self.letters_key(bot, id.direction(), shard);
        let found: Value = self
            .link
            .run(cmd("XRANGE").arg(key).arg(id.entry()).arg(id.entry()))
            .await?;
        Ok(read(bot, id.direction(), id.offset, found)?.pop())
    }
}

/// A letter on its way back.
struct PutBack {
    id: LetterId,
    lane: Lane,
    dedup: DedupKey,
    /// As it is stored in its list.
    entry: Vec<u8>,
    /// Which list: `update`, `urgent` or `message`.
    kind: &'static str,
}

impl RedisLanes {
    async fn bury(&self, letter: &NewDeadLetter, spread: u16) -> StoreResult<Placed<String>> {
        let bot = &letter.bot;
        let shard = match &letter.chat {
            Some(chat) => self.link.names().shard(bot, chat, spread),
            None => self.letter_shards(bot).next().unwrap_or(0),
        };
        let mut args = args![
            bot,
            self.limits.dead_letter_cap.max(1),
            letter.at.0,
            letter.chat.as_ref().map_or("", ChatId::as_str),
            letter.reason,
            letter.detail,
        ]
        .to_vec();
        args.push(letter.body.to_vec());
        args.extend(args![spread]);
        let place = Place::of(shard, bot.as_str());
        let mut reply = Reply::of(self.call(&self.scripts.set_aside, place, &args).await?)?;
        match reply.next::<String>()?.as_str() {
            "DONE" => {
                let entry: String = reply.next()?;
                Ok(Placed::Here(self.letter_id(Direction::In, bot, shard, &entry)))
            }
            "LAYOUT" => Ok(Placed::Elsewhere(reply.next()?)),
            _ => Err(unexpected()),
        }
    }

    /// Whether the letter was still there.
    async fn put_back(&self, back: &PutBack, spread: u16) -> StoreResult<Placed<bool>> {
        // A lane and its letters share a shard: a bot is spread anew only without letters.
        let bot = &back.lane.bot;
        let name = member(&back.lane);
        let shard = self.link.names().shard(bot, &back.lane.chat, spread);
        let (seen, _) = self.seen_key(bot, &back.dedup);
        let mut args = args![name, bot, back.id.entry()].to_vec();
        args.push(back.entry.clone());
        args.extend(args![
            back.kind,
            self.limits.queue_cap.max(1),
            self.limits.dedup_ttl_ms,
            spread,
        ]);
        let place = Place {
            letters: back.id.direction(),
            seen: &seen,
            ..Place::of(shard, &name)
        };
        let mut reply = Reply::of(self.call(&self.scripts.replay, place, &args).await?)?;
        match reply.next::<String>()?.as_str() {
            "DONE" if back.id.outbound => self.outbox_is_ready(shard),
            "DONE" => self.lane_is_ready(shard),
            "MISSING" => return Ok(Placed::Here(false)),
            "FULL" => return Err(StoreError::Full),
            "LAYOUT" => return Ok(Placed::Elsewhere(reply.next()?)),
            _ => return Err(unexpected()),
        }
        Ok(Placed::Here(true))
    }
}

/// Letters of one stream.
fn read(bot: &BotId, direction: Direction, offset: u16, entries: Value) -> StoreResult<Vec<Stored>> {
    let mut entries = Reply::of(entries)?;
    let mut letters = Vec::new();
    while !entries.is_empty() {
        let mut entry = entries.list()?;
        let place: String = entry.next()?;
        let (ms, seq) = place.split_once('-').ok_or_else(unexpected)?;
        let id = LetterId {
            ms: ms.parse().map_err(|_| unexpected())?,
            seq: seq.parse().map_err(|_| unexpected())?,
            offset,
            outbound: direction == Direction::Out,
        };
        let mut fields = entry.list()?;
        let mut letter = NewDeadLetter {
            bot: bot.clone(),
            chat: None,
            reason: String::new(),
            detail: String::new(),
            body: Bytes::new(),
            at: TimestampMs(0),
        };
        let mut attempts = 0;
        while !fields.is_empty() {
            match fields.next::<String>()?.as_str() {
                "t" => letter.at = TimestampMs(fields.next()?),
                "c" => letter.chat = ChatId::new(fields.next::<String>()?).ok(),
                "r" => letter.reason = fields.next()?,
                "d" => letter.detail = fields.next()?,
                "n" => attempts = fields.next()?,
                "b" => letter.body = Bytes::from(fields.next::<Vec<u8>>()?),
                _ => return Err(unexpected()),
            }
        }
        letters.push(Stored { id, letter, attempts });
    }
    Ok(letters)
}

/// As people see it: a message is shown as method and parameters, or as it is if it cannot be read.
fn shown(stored: Stored) -> DeadLetter {
    let mut letter = stored.letter;
    let message = stored
        .id
        .outbound
        .then(|| codec::message_of(&letter.body).ok())
        .flatten();
    if let Some(QueuedMessage { message, .. }) = message {
        let method = serde_json::Value::from(message.method).to_string();
        let mut body = format!("{{\"method\":{method},\"params\":").into_bytes();
        body.extend_from_slice(&message.params);
        body.push(b'}');
        letter.body = Bytes::from(body);
    }
    DeadLetter {
        id: stored.id.to_string(),
        direction: stored.id.direction(),
        letter,
        attempts: stored.attempts,
    }
}

#[async_trait]
impl DeadLetters for RedisLanes {
    async fn set_aside(&self, letter: NewDeadLetter) -> StoreResult<String> {
        self.in_place(&letter.bot, |spread| self.bury(&letter, spread))
            .await
    }

    async fn letters(
        &self,
        bot: &BotId,
        query: &LetterQuery,
        page: &PageRequest,
    ) -> StoreResult<Page<DeadLetter>> {
        let nothing = Page {
            items: Vec::new(),
            next_cursor: None,
        };
        let mut from = match page.cursor.as_deref().map(LetterId::parse) {
            Some(None) => return Ok(nothing),
            from => from.flatten(),
        };
        let limit = page.limit.clamp(1, PAGE) as usize;
        let (mut found, mut more): (Vec<Stored>, bool) = (Vec::new(), true);
        for _ in 0..ROUNDS {
            let (read, others) = self.beyond(bot, query, from, limit).await?;
            more = others;
            for stored in read {
                if found.len() == limit {
                    more = true;
                    break;
                }
                from = Some(stored.id);
                if query.means(stored.letter.chat.as_ref(), &stored.letter.reason) {
                    found.push(stored);
                }
            }
            if !more || found.len() == limit {
                break;
            }
        }
        let next_cursor = from.filter(|_| more).map(|last| last.to_string());
        Ok(Page {
            items: found.into_iter().map(shown).collect(),
            next_cursor,
        })
    }

    async fn count(&self, bot: &BotId, query: &LetterQuery) -> StoreResult<LetterCount> {
        let (mut letters, mut looked_at) = (0, 0);
        // As many as one stream holds: only of a bot with several, on a cluster, some are not looked at.
        let most = self.limits.dead_letter_cap.max(1);
        for shard in self.letter_shards(bot) {
            let key = self.letters_key(bot, query.direction, shard);
            let there: usize = self.link.run(cmd("XLEN").arg(key)).await?;
            if !query.is_filter() {
                letters += there as u64;
            } else if there > 0 && looked_at == most {
                return Ok(LetterCount {
                    letters,
                    at_least: true,
                });
            } else if there > 0 {
                let (meant, seen) = self.count_on(bot, query, shard, most - looked_at).await?;
                letters += meant;
                looked_at += seen;
                if seen < there && looked_at == most {
                    return Ok(LetterCount {
                        letters,
                        at_least: true,
                    });
                }
            }
        }
        Ok(LetterCount::exactly(letters))
    }

    async fn dead_letter(&self, bot: &BotId, id: &str) -> StoreResult<Option<DeadLetter>> {
        Ok(self.find(bot, id).await?.map(shown))
    }

    async fn replay(&self, bot: &BotId, id: &str) -> StoreResult<bool> {
        let Some(stored) = self.find(bot, id).await? else {
            return Ok(false);
        };
        let Some(chat) = stored.letter.chat else {
            return Ok(false);
        };
        let lane = Lane {
            bot: bot.clone(),
            chat,
        };
        let dedup = DedupKey::Synthetic(format!("replay:{id}").into());
        let (entry, kind) = if stored.id.outbound {
            let mut message = codec::message_of(&stored.letter.body)?.message;
            // The person who replays it wants it sent now, however late that is.
            message.not_after = None;
            let kind = if message.class == OutClass::Urgent {
                "urgent"
            } else {
                "message"
            };
            (codec::message(&message), kind)
        } else {
            let accepted_at = match self.test_now() {
                Some(now) => now,
                None => self.link.now().await?,
            };
            let update = QueuedUpdate {
                dedup: dedup.clone(),
                envelope: stored.letter.body,
                accepted_at,
                trace: None,
            };
            (codec::update(&update), "update")
        };
        let back = PutBack {
            id: stored.id,
            lane,
            dedup,
            entry,
            kind,
        };
        self.in_place(bot, |spread| self.put_back(&back, spread)).await
    }

    async fn discard(&self, bot: &BotId, id: &str) -> StoreResult<bool> {
        let Some(id) = LetterId::parse(id) else {
            return Ok(false);
        };
        let Some(shard) = self.letter_shards(bot).nth(id.offset.into()) else {
            return Ok(false);
        };
        let key = self.letters_key(bot, id.direction(), shard);
        let deleted: u64 = self.link.run(cmd("XDEL").arg(key).arg(id.entry())).await?;
        Ok(deleted > 0)
    }
}
