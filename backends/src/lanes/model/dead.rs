//! What was set aside, and its way back.

use std::sync::Arc;

use botloom_core::ports::{
    DeadLetter, DedupKey, Direction, LetterQuery, NewDeadLetter, Page, PageRequest, QueuedUpdate, StoreResult,
};
use botloom_core::{BotId, Lane, TimestampMs};
use bytes::Bytes;

use super::{Letter, Model, Payload, Records};

/// Most items of one page.
const PAGE: u32 = 200;

/// What became of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replay {
    Done,
    /// There is none, or it has no chat.
    Missing,
    /// Its lane is at its cap; nothing changed.
    LaneFull,
}

impl<R: Records> Model<R> {
    pub(crate) fn set_aside(&mut self, letter: &NewDeadLetter) -> StoreResult<String> {
        self.add_letter(&Letter {
            bot: letter.bot.clone(),
            chat: letter.chat.clone(),
            reason: letter.reason.clone(),
            detail: letter.detail.clone(),
            at: letter.at,
            attempts: 0,
            payload: Payload::Update(letter.body.clone()),
        })
    }

    /// Stores a dead letter; the oldest beyond the cap go.
    pub(super) fn add_letter(&mut self, letter: &Letter) -> StoreResult<String> {
        let direction = letter.payload.direction();
        let number = self.records.add_letter(letter)?;
        let cap = (self.limits.dead_letter_cap as u64).max(1);
        let mut count = self.letter_count(&letter.bot, direction) + 1;
        if count > cap {
            self.records
                .delete_oldest_letters(&letter.bot, direction, count - cap)?;
            count = cap;
        }
        self.set_letters(&letter.bot, direction, count);
        Ok(number.to_string())
    }

    fn letter_count(&self, bot: &BotId, direction: Direction) -> u64 {
        let key = (bot.clone(), direction);
        self.letters.get(&key).copied().unwrap_or(0)
    }

    pub(crate) fn dead_letters(
        &mut self,
        bot: &BotId,
        query: &LetterQuery,
        page: &PageRequest,
    ) -> StoreResult<Page<DeadLetter>> {
        let from = page.cursor.as_deref().map(number_of);
        if from == Some(None) {
            return Ok(Page {
                items: Vec::new(),
                next_cursor: None,
            });
        }
        let limit = page.limit.clamp(1, PAGE) as usize;
        let mut found = self.records.letters(bot, query, from.flatten(), limit + 1)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| more).map(|last| last.0.to_string());
        let items = found.into_iter().map(|(number, letter)| shown(number, letter));
        Ok(Page {
            items: items.collect(),
            next_cursor,
        })
    }

    pub(crate) fn count_dead_letters(&mut self, bot: &BotId, query: &LetterQuery) -> StoreResult<u64> {
        if query.is_filter() {
            self.records.count_letters(bot, query)
        } else {
            Ok(self.letter_count(bot, query.direction))
        }
    }

    pub(crate) fn dead_letter(&mut self, bot: &BotId, id: &str) -> StoreResult<Option<DeadLetter>> {
        let Some(number) = number_of(id) else {
            return Ok(None);
        };
        let letter = self.records.letter(bot, number)?;
        Ok(letter.map(|letter| shown(number, letter)))
    }

    pub(crate) fn replay(&mut self, bot: &BotId, id: &str, now: TimestampMs) -> StoreResult<Replay> {
        let Some((number, letter)) = self.find(bot, id)? else {
            return Ok(Replay::Missing);
        };
        let Some(chat) = letter.chat else {
            return Ok(Replay::Missing);
        };
        let direction = letter.payload.direction();
        let lane = Lane {
            bot: bot.clone(),
            chat,
        };
        match letter.payload {
            Payload::Update(envelope) => {
                if self.is_full(&lane) {
                    return Ok(Replay::LaneFull);
                }
                let dedup = DedupKey::Synthetic(Arc::from(format!("replay:{number}")));
                let until = now.plus(self.limits.dedup_ttl_ms);
                self.records.see(bot, &dedup, now, until)?;
                let update = QueuedUpdate {
                    dedup,
                    envelope,
                    accepted_at: now,
                    trace: None,
                };
                let (entry, first) = self.append_update(&lane, update)?;
                if first {
                    self.make_ready(&lane, entry);
                } else {
                    self.set_lane(&lane, Some(entry));
                }
            }
            Payload::Message(mut message) => {
                // The person who replays it wants it sent now, however late that is.
                message.not_after = None;
                self.append_messages(&lane, &[message], false, now)?;
            }
        }
        self.forget(bot, direction, number)?;
        Ok(Replay::Done)
    }

    pub(crate) fn discard(&mut self, bot: &BotId, id: &str) -> StoreResult<bool> {
        let Some((number, letter)) = self.find(bot, id)? else {
            return Ok(false);
        };
        self.forget(bot, letter.payload.direction(), number)?;
        Ok(true)
    }

    fn find(&mut self, bot: &BotId, id: &str) -> StoreResult<Option<(u64, Letter)>> {
        let Some(number) = number_of(id) else {
            return Ok(None);
        };
        let letter = self.records.letter(bot, number)?;
        Ok(letter.map(|letter| (number, letter)))
    }

    fn forget(&mut self, bot: &BotId, direction: Direction, number: u64) -> StoreResult<()> {
        self.records.delete_letter(bot, number)?;
        let count = self.letter_count(bot, direction).saturating_sub(1);
        self.set_letters(bot, direction, count);
        Ok(())
    }
}

/// The number in an id or a cursor. One spelling only, so that two ids are never the same letter.
fn number_of(id: &str) -> Option<u64> {
    let number = id
        .parse::<u64>()
        .ok()
        .filter(|number| i64::try_from(*number).is_ok())?;
    (number.to_string() == id).then_some(number)
}

fn shown(number: u64, letter: Letter) -> DeadLetter {
    let direction = letter.payload.direction();
    let body = match letter.payload {
        Payload::Update(body) => body,
        Payload::Message(message) => {
            let method = serde_json::Value::from(message.method).to_string();
            let mut body = format!("{{\"method\":{method},\"params\":").into_bytes();
            body.extend_from_slice(&message.params);
            body.push(b'}');
            Bytes::from(body)
        }
    };
    DeadLetter {
        id: number.to_string(),
        direction,
        letter: NewDeadLetter {
            bot: letter.bot,
            chat: letter.chat,
            reason: letter.reason,
            detail: letter.detail,
            body,
            at: letter.at,
        },
        attempts: letter.attempts,
    }
}
