//! The port `Chats`: the places of a bot's shards, some members at a time, and each chat in one look.

use async_trait::async_trait;
use botloom_core::ports::{
    ChatPlace, ChatView, Chats, DeadLetterReason, Direction, FirstMessage, Freed, Page, PageRequest, Remedy,
    Standing, StoreResult,
};
use botloom_core::{BotId, ChatId, Lane, TimestampMs};
use futures_util::future::try_join_all;
use redis::cmd;

use super::inbox::lane_of;
use super::reply::{Reply, unexpected};
use super::scripts::{Declared, Place, member};
use super::spread::Placed;
use super::{RedisLanes, args, codec};
use crate::lanes::BY_HAND;

/// Most items of one page.
const PAGE: u32 = 200;
/// Members of a place that are asked for at once, and how often one call asks.
const MEMBERS: usize = 250;
const SCANS: usize = 60;
/// A score's moment in ms stands above this.
const COUNTER: f64 = 4_096.0;

/// Where a list goes on: in which place, on which of the bot's shards, at which cursor of the server, behind which chat of
/// what is found there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    place: usize,
    shard: usize,
    scan: String,
    after: Option<ChatId>,
}

impl Cursor {
    const fn start() -> Self {
        Self {
            place: 0,
            shard: 0,
            scan: String::new(),
            after: None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let (place, shard) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let scan = parts.next()?;
        let after = parts.next()?;
        let digits = scan.len() <= 20 && scan.bytes().all(|byte| byte.is_ascii_digit());
        digits.then_some(Self {
            place,
            shard,
            scan: scan.to_owned(),
            after: ChatId::new(after).ok(),
        })
    }

    /// Where the server goes on.
    fn at(&self) -> &str {
        if self.scan.is_empty() { "0" } else { &self.scan }
    }

    /// Behind what the server gave; `shards` is the number of the bot's shards.
    fn advance(&mut self, scan: String, shards: usize) {
        self.after = None;
        if scan != "0" {
            self.scan = scan;
            return;
        }
        self.scan.clear();
        self.shard += 1;
        if self.shard >= shards {
            (self.shard, self.place) = (0, self.place + 1);
        }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let after = self.after.as_ref().map_or("", ChatId::as_str);
        write!(f, "{}.{}.{}.{after}", self.place, self.shard, self.scan)
    }
}

/// The set of a shard that holds the chats of a place.
const fn set_of(place: ChatPlace) -> &'static str {
    match place {
        ChatPlace::Queued => "rz",
        ChatPlace::Running => "lx",
        ChatPlace::Retrying => "dl",
        ChatPlace::Outgoing => "oz",
        ChatPlace::Sending => "ox",
        ChatPlace::Held => "odl",
        ChatPlace::Parked => "opz",
    }
}

impl RedisLanes {
    /// Some members of a place that belong to the bot, in order, and where the server goes on.
    async fn members(
        &self,
        bot: &BotId,
        set: &str,
        shard: u16,
        scan: &str,
    ) -> StoreResult<(String, Vec<ChatId>)> {
        let mut command = cmd("ZSCAN");
        command.arg(self.link.names().of_shard(set, shard)).arg(scan);
        command
            .arg("MATCH")
            .arg(format!("{bot}:*"))
            .arg("COUNT")
            .arg(MEMBERS);
        let (next, found): (String, Vec<String>) = self.link.run(&command).await?;
        // Names and scores take turns. A name that cannot be read is for who claims it.
        let lanes = found.chunks(2).filter_map(|pair| lane_of(pair.first()?).ok());
        let mut chats: Vec<ChatId> = lanes.map(|lane| lane.chat).collect();
        chats.sort_unstable();
        chats.dedup();
        Ok((next, chats))
    }

    async fn view(&self, lane: &Lane, spread: u16) -> StoreResult<Placed<ChatView>> {
        let (name, bot) = (member(lane), &lane.bot);
        let shard = self.link.names().shard(bot, &lane.chat, spread);
        let value = self
            .call(
                &self.scripts.look,
                Place::of(shard, &name),
                &args![name, bot, spread],
            )
            .await?;
        let mut reply = Reply::of(value)?;
        if reply.next::<String>()? == "LAYOUT" {
            return Ok(Placed::Elsewhere(reply.next()?));
        }
        let inbound: (String, f64) = (reply.next()?, reply.next()?);
        let updates = reply.next()?;
        let head: Vec<u8> = reply.next()?;
        let attempts = reply.next()?;
        let outbound: (String, f64) = (reply.next()?, reply.next()?);
        let messages = reply.next()?;
        let first: Vec<u8> = reply.next()?;
        let parked = moment(reply.next()?);
        // What cannot be read is for who claims it.
        let first = codec::message_of(&first).ok();
        Ok(Placed::Here(ChatView {
            chat: lane.chat.clone(),
            updates,
            oldest_update: codec::update_of(&head).ok().map(|update| update.accepted_at),
            attempts,
            inbound: standing(&inbound, parked),
            messages,
            first_message: first.map(|queued| FirstMessage {
                method: queued.message.method,
                attempts: queued.attempts,
            }),
            outbound: standing(&outbound, parked),
        }))
    }

    async fn free(
        &self,
        lane: &Lane,
        direction: Direction,
        remedy: Remedy,
        spread: u16,
    ) -> StoreResult<Placed<Freed>> {
        let (name, bot) = (member(lane), &lane.bot);
        let shard = self.link.names().shard(bot, &lane.chat, spread);
        let remedy = match remedy {
            Remedy::Retry => "retry",
            Remedy::SetAside => "aside",
        };
        let reason = DeadLetterReason::ByHand.as_str();
        let cap = self.limits.dead_letter_cap.max(1);
        let args = args![name, bot, remedy, reason, BY_HAND, lane.chat, cap, spread];
        let place = Place {
            letters: direction,
            ..Place::of(shard, &name)
        };
        let script = match direction {
            Direction::In => &self.scripts.free,
            Direction::Out => &self.scripts.free_out,
        };
        let mut reply = self.change(script, place, &args).await?;
        let freed = match reply.next::<String>()?.as_str() {
            "EMPTY" => return Ok(Placed::Here(Freed::Empty)),
            "BUSY" => return Ok(Placed::Here(Freed::Busy)),
            "FREE" => return Ok(Placed::Here(Freed::NotBlocked)),
            "WAITS" => return Ok(Placed::Here(Freed::NotBefore(moment(reply.next()?)))),
            "LAYOUT" => return Ok(Placed::Elsewhere(reply.next()?)),
            "RETRIED" => Freed::Retried,
            "ASIDE" => {
                let entry: String = reply.next()?;
                Freed::SetAside(self.letter_id(direction, bot, shard, &entry))
            }
            _ => return Err(unexpected()),
        };
        match direction {
            Direction::In => self.lane_is_ready(shard),
            Direction::Out => self.outbox_is_ready(shard),
        }
        Ok(Placed::Here(freed))
    }

    async fn change(&self, script: &Declared, place: Place<'_>, args: &[Vec<u8>]) -> StoreResult<Reply> {
        Reply::of(self.call(script, place, args).await?)
    }

    async fn forget(&self, lane: &Lane, spread: u16) -> StoreResult<Placed<bool>> {
        let (name, bot) = (member(lane), &lane.bot);
        let shard = self.link.names().shard(bot, &lane.chat, spread);
        let args = args![name, bot, spread];
        let mut reply = self
            .change(&self.scripts.forget, Place::of(shard, &name), &args)
            .await?;
        if reply.next::<String>()? == "LAYOUT" {
            return Ok(Placed::Elsewhere(reply.next()?));
        }
        let was_running = reply.next::<u8>()? == 1;
        if was_running {
            self.lane_is_ready(shard);
        }
        Ok(Placed::Here(was_running))
    }
}

/// A place as the script names it, with its score.
fn standing((name, score): &(String, f64), parked: TimestampMs) -> Option<Standing> {
    let until = moment(score / COUNTER);
    Some(match name.as_str() {
        "r" => Standing::Ready,
        "l" => Standing::Leased { until },
        "d" => Standing::Delayed { until },
        "p" => Standing::Parked { until: parked },
        _ => return None,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "scores are milliseconds, far below 2^53"
)]
fn moment(score: f64) -> TimestampMs {
    TimestampMs(score.floor() as i64)
}

#[async_trait]
impl Chats for RedisLanes {
    async fn chats(
        &self,
        bot: &BotId,
        place: Option<ChatPlace>,
        page: &PageRequest,
    ) -> StoreResult<Page<ChatView>> {
        let mut page_of = Page {
            items: Vec::new(),
            next_cursor: None,
        };
        let mut cursor = match page.cursor.as_deref().map(Cursor::parse) {
            Some(None) => return Ok(page_of),
            cursor => cursor.flatten().unwrap_or_else(Cursor::start),
        };
        let places = match &place {
            Some(place) => std::slice::from_ref(place),
            None => ChatPlace::ALL.as_slice(),
        };
        // Another node may have spread the bot.
        self.read_spread().await?;
        let shards: Vec<u16> = self.shards_of(bot).collect();
        let limit = page.limit.clamp(1, PAGE) as usize;
        for _ in 0..SCANS {
            let (Some(looked_for), Some(shard)) = (places.get(cursor.place), shards.get(cursor.shard)) else {
                return Ok(page_of);
            };
            let (next, mut chats) = self
                .members(bot, set_of(*looked_for), *shard, cursor.at())
                .await?;
            chats.retain(|chat| cursor.after.as_ref().is_none_or(|after| chat > after));
            let room = limit - page_of.items.len();
            let all = chats.len() <= room;
            chats.truncate(room);
            let looks = chats.iter().map(|chat| async move {
                let lane = Lane {
                    bot: bot.clone(),
                    chat: chat.clone(),
                };
                self.chat(&lane).await
            });
            for view in try_join_all(looks).await? {
                // One that stands in two of the places was told at the first of them.
                let first = places
                    .iter()
                    .find(|place| view.places().any(|found| found == **place));
                if first == Some(looked_for) {
                    page_of.items.push(view);
                }
            }
            if all {
                cursor.advance(next, shards.len());
            } else {
                cursor.after = chats.pop();
            }
            if cursor.place >= places.len() {
                return Ok(page_of);
            }
            if page_of.items.len() == limit {
                break;
            }
        }
        page_of.next_cursor = Some(cursor.to_string());
        Ok(page_of)
    }

    async fn chat(&self, lane: &Lane) -> StoreResult<ChatView> {
        self.in_place(&lane.bot, |spread| self.view(lane, spread)).await
    }

    async fn free_updates(&self, lane: &Lane, remedy: Remedy) -> StoreResult<Freed> {
        self.in_place(&lane.bot, |spread| self.free(lane, Direction::In, remedy, spread))
            .await
    }

    async fn free_messages(&self, lane: &Lane, remedy: Remedy) -> StoreResult<Freed> {
        self.in_place(&lane.bot, |spread| {
            self.free(lane, Direction::Out, remedy, spread)
        })
        .await
    }

    async fn forget_state(&self, lane: &Lane) -> StoreResult<bool> {
        self.in_place(&lane.bot, |spread| self.forget(lane, spread)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_went() {
        let mut cursor = Cursor::start();
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor.clone()));
        cursor.after = ChatId::new("p:a.b-c").ok();
        cursor.advance("17".to_owned(), 2);
        assert_eq!((cursor.at(), &cursor.after), ("17", &None));
        cursor.after = ChatId::new("p:a.b-c").ok();
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor.clone()));
        cursor.advance("0".to_owned(), 2);
        cursor.advance("0".to_owned(), 2);
        assert_eq!((cursor.place, cursor.shard, cursor.at()), (1, 0, "0"));
        for other in ["", "1.2", "a.0.0.", "0.0.x.", "0.0.123456789012345678901."] {
            assert_eq!(Cursor::parse(other), None, "{other}");
        }
    }
}
