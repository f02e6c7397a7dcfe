//! What happened, in order.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::clock::unix_millis;
use super::options::JournalMode;

/// One call of a bot or one delivery to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Position, from 1, without gaps.
    pub seq: u64,
    /// Real Unix milliseconds: of a call's execution, of a delivery's end.
    pub at_ms: i64,
    /// The bot.
    pub bot: i64,
    /// What it was.
    #[serde(flatten)]
    pub event: Event,
}

/// What an [`Entry`] tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The bot called a method.
    Call {
        /// Telegram's spelling, whatever the bot wrote.
        method: String,
        /// Chat it was about, where there is one.
        chat: Option<i64>,
        /// As they came; files as name and size.
        params: Map<String, Value>,
        /// HTTP status of the answer; 0 where there was none.
        status: u16,
        /// Words of the refusal.
        description: Option<String>,
        /// Number of the message that it made or changed.
        message_id: Option<i64>,
        /// Whether it was executed, which a scripted fault can keep from the caller.
        executed: bool,
    },
    /// An update was posted to the bot's webhook.
    Delivery {
        /// The update.
        update_id: i64,
        /// From 1.
        attempt: u32,
        /// HTTP status of the answer; 0 where there was none.
        status: u16,
        /// What went wrong.
        error: Option<String>,
    },
}

/// Counts since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Calls by method.
    pub calls: BTreeMap<String, u64>,
    /// Answers to calls by HTTP status; 0 for none.
    pub answers: BTreeMap<u16, u64>,
    /// Deliveries by HTTP status; 0 for none.
    pub deliveries: BTreeMap<u16, u64>,
    /// Updates made.
    pub updates: u64,
}

/// Which entries are wanted. Everything that is set must fit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Entries behind this position.
    pub after: u64,
    /// At most so many; 0: up to 1,000.
    pub limit: usize,
    /// This bot's.
    pub bot: Option<i64>,
    /// Calls of this method.
    pub method: Option<String>,
    /// Calls about this chat.
    pub chat: Option<i64>,
}

/// An entry as text, which takes a fifth of a tree's room, and what filters ask for.
#[derive(Debug)]
struct Kept {
    seq: u64,
    at_ms: i64,
    bot: i64,
    /// Of a call.
    method: Option<Box<str>>,
    chat: Option<i64>,
    event: Box<str>,
}

#[derive(Debug)]
pub(crate) struct Journal {
    mode: JournalMode,
    limit: usize,
    next: u64,
    entries: VecDeque<Kept>,
    pub(crate) counters: Counters,
}

impl Journal {
    pub(crate) fn new(mode: JournalMode, limit: usize) -> Self {
        Self {
            mode,
            limit,
            next: 1,
            entries: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Whether entries are kept, so that nobody makes them in vain.
    pub(crate) fn keeps_entries(&self) -> bool {
        self.mode == JournalMode::Full && self.limit > 0
    }

    pub(crate) fn add(&mut self, bot: i64, event: &Event) {
        if !self.keeps_entries() {
            return;
        }
        if self.entries.len() >= self.limit {
            self.entries.pop_front();
        }
        let (method, chat) = match event {
            Event::Call { method, chat, .. } => (Some(method.as_str().into()), *chat),
            Event::Delivery { .. } => (None, None),
        };
        // A tree of texts and numbers has a text; nothing else is in an event.
        let event = serde_json::to_string(event).unwrap_or_default().into();
        self.entries.push_back(Kept {
            seq: self.next,
            at_ms: unix_millis(),
            bot,
            method,
            chat,
            event,
        });
        self.next += 1;
    }

    pub(crate) fn count_call(&mut self, method: &str, status: u16) {
        if self.mode != JournalMode::Off {
            match self.counters.calls.get_mut(method) {
                Some(n) => *n += 1,
                None => drop(self.counters.calls.insert(method.to_owned(), 1)),
            }
            *self.counters.answers.entry(status).or_default() += 1;
        }
    }

    pub(crate) fn count_delivery(&mut self, status: u16) {
        if self.mode != JournalMode::Off {
            *self.counters.deliveries.entry(status).or_default() += 1;
        }
    }

    pub(crate) fn count_update(&mut self) {
        if self.mode != JournalMode::Off {
            self.counters.updates += 1;
        }
    }

    pub(crate) fn read(&self, filter: &Filter) -> Vec<Entry> {
        let limit = if filter.limit == 0 { 1000 } else { filter.limit };
        let from = self.entries.partition_point(|entry| entry.seq <= filter.after);
        self.entries
            .range(from..)
            .filter(|kept| filter.fits(kept))
            .filter_map(Kept::entry)
            .take(limit)
            .collect()
    }
}

impl Kept {
    fn entry(&self) -> Option<Entry> {
        let event = serde_json::from_str(&self.event).ok()?;
        Some(Entry {
            seq: self.seq,
            at_ms: self.at_ms,
            bot: self.bot,
            event,
        })
    }
}

impl Filter {
    fn fits(&self, kept: &Kept) -> bool {
        let method = |wanted: &str| {
            kept.method
                .as_deref()
                .is_some_and(|m| m.eq_ignore_ascii_case(wanted))
        };
        self.bot.is_none_or(|bot| bot == kept.bot)
            && self.method.as_deref().is_none_or(method)
            && (self.chat.is_none() || self.chat == kept.chat)
    }
}
