//! [`Records`] in maps.

use std::collections::{BTreeMap, HashMap, HashSet};

use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{
    ActiveRevision, ChatState, DedupKey, Direction, LetterOrder, LetterQuery, QueuedUpdate, StoreResult,
};
use botloom_core::{BotId, ChatId, Lane, TimestampMs};
use bytes::Bytes;

use crate::lanes::model::{
    LaneSummary, Letter, MessageKey, OutDelay, OutboxSummary, Records, StoredMessage, StoredUpdate,
};

type Document = (Bytes, Option<TimestampMs>);

#[derive(Debug, Default)]
pub(crate) struct MemoryRecords {
    runs: u64,
    updates: BTreeMap<(Lane, u64), QueuedUpdate>,
    attempts: HashMap<Lane, u32>,
    seen: HashMap<(BotId, DedupKey), TimestampMs>,
    states: HashMap<Lane, Document>,
    messages: BTreeMap<(Lane, MessageKey), StoredMessage>,
    out_delays: HashMap<Lane, OutDelay>,
    revisions: HashMap<BotId, ActiveRevision>,
    parks: HashMap<BotId, TimestampMs>,
    letters: BTreeMap<u64, Letter>,
    last_letter: u64,
}

const FIRST: MessageKey = MessageKey { rank: 0, seq: 0 };

impl MemoryRecords {
    fn letter_numbers(&self, bot: &BotId, direction: Direction) -> impl DoubleEndedIterator<Item = u64> {
        let wanted = move |letter: &Letter| letter.bot == *bot && letter.payload.direction() == direction;
        self.letters
            .iter()
            .filter(move |(_, letter)| wanted(letter))
            .map(|(number, _)| *number)
    }

    fn meant(&self, bot: &BotId, query: &LetterQuery) -> impl DoubleEndedIterator<Item = (u64, &Letter)> {
        let numbers = self.letter_numbers(bot, query.direction);
        numbers
            .filter_map(|number| Some((number, self.letters.get(&number)?)))
            .filter(|(_, letter)| query.means(letter.chat.as_ref(), &letter.reason))
    }
}

impl Records for MemoryRecords {
    fn begin_run(&mut self) -> StoreResult<u64> {
        self.runs += 1;
        Ok(self.runs)
    }

    fn suspect_heads(&mut self) -> StoreResult<()> {
        let mut ranks = HashSet::new();
        for ((lane, key), stored) in &mut self.messages {
            let first = ranks.insert((lane.clone(), key.rank));
            let resend = stored.queued.message.ambiguous == Ambiguous::Resend;
            if stored.begun || (first && resend) {
                stored.queued.maybe_sent = true;
                stored.begun = false;
            }
        }
        Ok(())
    }

    fn lanes(&mut self) -> StoreResult<Vec<LaneSummary>> {
        let mut found: Vec<LaneSummary> = Vec::new();
        for ((lane, _), update) in &self.updates {
            match found.last_mut().filter(|last| last.lane == *lane) {
                Some(last) => last.updates += 1,
                None => found.push(LaneSummary {
                    lane: lane.clone(),
                    updates: 1,
                    oldest: update.accepted_at,
                    attempts: self.attempts.get(lane).copied().unwrap_or(0),
                }),
            }
        }
        Ok(found)
    }

    fn outboxes(&mut self) -> StoreResult<Vec<OutboxSummary>> {
        let mut found: Vec<OutboxSummary> = Vec::new();
        for (lane, _) in self.messages.keys() {
            match found.last_mut().filter(|last| last.lane == *lane) {
                Some(last) => last.messages += 1,
                None => found.push(OutboxSummary {
                    lane: lane.clone(),
                    messages: 1,
                    delay: self.out_delays.get(lane).copied(),
                }),
            }
        }
        Ok(found)
    }

    fn revisions(&mut self) -> StoreResult<Vec<(BotId, ActiveRevision)>> {
        Ok(self.revisions.clone().into_iter().collect())
    }

    fn parks(&mut self) -> StoreResult<Vec<(BotId, TimestampMs)>> {
        Ok(self.parks.clone().into_iter().collect())
    }

    fn dead_counts(&mut self) -> StoreResult<Vec<(BotId, Direction, u64)>> {
        let mut counts = HashMap::new();
        for letter in self.letters.values() {
            *counts
                .entry((letter.bot.clone(), letter.payload.direction()))
                .or_insert(0) += 1;
        }
        Ok(counts
            .into_iter()
            .map(|((bot, direction), count)| (bot, direction, count))
            .collect())
    }

    fn see(
        &mut self,
        bot: &BotId,
        key: &DedupKey,
        now: TimestampMs,
        until: TimestampMs,
    ) -> StoreResult<bool> {
        if self.seen(bot, key, now)? {
            return Ok(false);
        }
        self.seen.insert((bot.clone(), key.clone()), until);
        Ok(true)
    }

    fn seen(&mut self, bot: &BotId, key: &DedupKey, now: TimestampMs) -> StoreResult<bool> {
        let until = self.seen.get(&(bot.clone(), key.clone()));
        Ok(until.is_some_and(|until| *until > now))
    }

    fn push_update(&mut self, lane: &Lane, seq: u64, update: &QueuedUpdate) -> StoreResult<()> {
        self.updates.insert((lane.clone(), seq), update.clone());
        Ok(())
    }

    fn updates(&mut self, lane: &Lane, after: u64, limit: usize) -> StoreResult<Vec<StoredUpdate>> {
        let range = self
            .updates
            .range((lane.clone(), after + 1)..=(lane.clone(), u64::MAX));
        let stored = range.take(limit).map(|((_, seq), update)| StoredUpdate {
            seq: *seq,
            update: update.clone(),
        });
        Ok(stored.collect())
    }

    fn pop_updates(&mut self, lane: &Lane, through: u64) -> StoreResult<()> {
        let range = self.updates.range((lane.clone(), 0)..=(lane.clone(), through));
        let keys: Vec<_> = range.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.updates.remove(&key);
        }
        Ok(())
    }

    fn set_attempts(&mut self, lane: &Lane, attempts: u32) -> StoreResult<()> {
        if attempts == 0 {
            self.attempts.remove(lane);
        } else {
            self.attempts.insert(lane.clone(), attempts);
        }
        Ok(())
    }

    fn state(&mut self, lane: &Lane, now: TimestampMs) -> StoreResult<Option<Bytes>> {
        let document = self.states.get(lane);
        Ok(document
            .filter(|(_, until)| until.is_none_or(|until| until > now))
            .map(|(text, _)| text.clone()))
    }

    fn put_state(&mut self, lane: &Lane, document: &Bytes, until: Option<TimestampMs>) -> StoreResult<()> {
        self.states.insert(lane.clone(), (document.clone(), until));
        Ok(())
    }

    fn touch_state(&mut self, lane: &Lane, now: TimestampMs, until: TimestampMs) -> StoreResult<()> {
        if let Some(document) = self.states.get_mut(lane)
            && document.1.is_none_or(|old| old > now)
        {
            document.1 = Some(until);
        }
        Ok(())
    }

    fn delete_state(&mut self, lane: &Lane) -> StoreResult<()> {
        self.states.remove(lane);
        Ok(())
    }

    fn states(
        &mut self,
        bot: &BotId,
        after: Option<&ChatId>,
        now: TimestampMs,
        limit: usize,
    ) -> StoreResult<Vec<ChatState>> {
        let mut found: Vec<ChatState> = self
            .states
            .iter()
            .filter(|(lane, (_, until))| lane.bot == *bot && until.is_none_or(|until| until > now))
            .filter(|(lane, _)| after.is_none_or(|after| lane.chat > *after))
            .map(|(lane, (document, _))| ChatState {
                chat: lane.chat.clone(),
                document: document.clone(),
            })
            .collect();
        found.sort_unstable_by(|one, other| one.chat.cmp(&other.chat));
        found.truncate(limit);
        Ok(found)
    }

    fn push_message(&mut self, lane: &Lane, message: &StoredMessage) -> StoreResult<()> {
        self.messages.insert((lane.clone(), message.key), message.clone());
        Ok(())
    }

    fn messages(&mut self, lane: &Lane, limit: usize) -> StoreResult<Vec<StoredMessage>> {
        let range = self.messages.range((lane.clone(), FIRST)..);
        let of_lane = range.take_while(|((owner, _), _)| owner == lane);
        Ok(of_lane.take(limit).map(|(_, stored)| stored.clone()).collect())
    }

    fn mark_message(&mut self, lane: &Lane, message: &StoredMessage) -> StoreResult<()> {
        if let Some(stored) = self.messages.get_mut(&(lane.clone(), message.key)) {
            *stored = message.clone();
        }
        Ok(())
    }

    fn pop_message(&mut self, lane: &Lane, key: MessageKey) -> StoreResult<()> {
        self.messages.remove(&(lane.clone(), key));
        Ok(())
    }

    fn set_out_delay(&mut self, lane: &Lane, delay: Option<OutDelay>) -> StoreResult<()> {
        match delay {
            Some(delay) => self.out_delays.insert(lane.clone(), delay),
            None => self.out_delays.remove(lane),
        };
        Ok(())
    }

    fn put_revision(&mut self, bot: &BotId, revision: ActiveRevision) -> StoreResult<()> {
        self.revisions.insert(bot.clone(), revision);
        Ok(())
    }

    fn put_park(&mut self, bot: &BotId, until: Option<TimestampMs>) -> StoreResult<()> {
        match until {
            Some(until) => self.parks.insert(bot.clone(), until),
            None => self.parks.remove(bot),
        };
        Ok(())
    }

    fn add_letter(&mut self, letter: &Letter) -> StoreResult<u64> {
        self.last_letter += 1;
        self.letters.insert(self.last_letter, letter.clone());
        Ok(self.last_letter)
    }

    fn letter(&mut self, bot: &BotId, number: u64) -> StoreResult<Option<Letter>> {
        let letter = self.letters.get(&number);
        Ok(letter.filter(|letter| letter.bot == *bot).cloned())
    }

    fn letters(
        &mut self,
        bot: &BotId,
        query: &LetterQuery,
        from: Option<u64>,
        limit: usize,
    ) -> StoreResult<Vec<(u64, Letter)>> {
        let meant = self.meant(bot, query);
        let meant: Box<dyn Iterator<Item = (u64, &Letter)> + '_> = match query.order {
            LetterOrder::NewestFirst => Box::new(
                meant
                    .rev()
                    .filter(move |found| from.is_none_or(|from| found.0 < from)),
            ),
            LetterOrder::OldestFirst => {
                Box::new(meant.filter(move |found| from.is_none_or(|from| found.0 > from)))
            }
        };
        Ok(meant
            .take(limit)
            .map(|(number, letter)| (number, letter.clone()))
            .collect())
    }

    fn count_letters(&mut self, bot: &BotId, query: &LetterQuery) -> StoreResult<u64> {
        Ok(self.meant(bot, query).count() as u64)
    }

    fn delete_letter(&mut self, bot: &BotId, number: u64) -> StoreResult<()> {
        if self.letter(bot, number)?.is_some() {
            self.letters.remove(&number);
        }
        Ok(())
    }

    fn delete_oldest_letters(&mut self, bot: &BotId, direction: Direction, count: u64) -> StoreResult<()> {
        let numbers = self.letter_numbers(bot, direction);
        let oldest: Vec<u64> = numbers
            .take(usize::try_from(count).unwrap_or(usize::MAX))
            .collect();
        for number in oldest {
            self.letters.remove(&number);
        }
        Ok(())
    }

    fn purge(&mut self, bot: &BotId) -> StoreResult<()> {
        self.updates.retain(|(lane, _), _| lane.bot != *bot);
        self.attempts.retain(|lane, _| lane.bot != *bot);
        self.seen.retain(|(owner, _), _| owner != bot);
        self.states.retain(|lane, _| lane.bot != *bot);
        self.messages.retain(|(lane, _), _| lane.bot != *bot);
        self.out_delays.retain(|lane, _| lane.bot != *bot);
        self.letters.retain(|_, letter| letter.bot != *bot);
        self.revisions.remove(bot);
        self.parks.remove(bot);
        Ok(())
    }
}
