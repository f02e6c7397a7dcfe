//! What a bot and a chat have said to each other.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::Notify;

use crate::simulator::flood::Bucket;

#[derive(Debug)]
pub(crate) struct Conversation {
    next_message_id: i64,
    history: usize,
    /// By rising `message_id`.
    messages: VecDeque<Stored>,
    /// The reply keyboard that people see.
    pub(crate) keyboard: Option<Value>,
    /// Whether the person has written to the bot, which lets the bot write.
    pub(crate) started: bool,
    /// Whether the person has blocked the bot.
    pub(crate) blocked: bool,
    pub(crate) flood: Bucket,
    pub(crate) arrived: Option<Arc<Notify>>,
}

/// A message and what people see of it beyond the Bot API's form. Kept as JSON text: a tree takes five times the room,
/// and most messages are never looked at again.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) id: i64,
    json: Box<str>,
    /// Position among everything that people see; new with every edit.
    pub(crate) seq: u64,
    pub(crate) from_bot: bool,
    /// Any keyboard that came with it.
    markup: Option<Box<str>>,
}

impl Stored {
    pub(crate) fn new(
        message: &Map<String, Value>,
        seq: u64,
        from_bot: bool,
        markup: Option<&Value>,
    ) -> Self {
        let id = message.get("message_id").and_then(Value::as_i64).unwrap_or(0);
        let mut stored = Self {
            id,
            json: Box::default(),
            seq,
            from_bot,
            markup: None,
        };
        stored.change(message, seq, markup);
        stored
    }

    /// Puts an edited message in the old one's place.
    pub(crate) fn change(&mut self, message: &Map<String, Value>, seq: u64, markup: Option<&Value>) {
        // A tree of texts and numbers has a text; nothing else goes in here.
        self.json = serde_json::to_string(message).unwrap_or_default().into();
        self.markup = markup.map(|markup| markup.to_string().into());
        self.seq = seq;
    }

    pub(crate) fn message(&self) -> Map<String, Value> {
        serde_json::from_str(&self.json).unwrap_or_default()
    }

    pub(crate) fn markup(&self) -> Option<Value> {
        serde_json::from_str(self.markup.as_deref()?).ok()
    }
}

impl Conversation {
    pub(super) fn new(history: usize) -> Self {
        Self {
            next_message_id: 1,
            history,
            messages: VecDeque::new(),
            keyboard: None,
            started: false,
            blocked: false,
            flood: Bucket::default(),
            arrived: None,
        }
    }

    pub(crate) fn next_message_id(&mut self) -> i64 {
        self.next_message_id += 1;
        self.next_message_id - 1
    }

    /// Keeps a message, whose id came from [`Self::next_message_id`]; the oldest one goes when there are too many.
    pub(crate) fn keep(&mut self, stored: Stored) {
        if self.messages.len() >= self.history {
            self.messages.pop_front();
        }
        self.messages.push_back(stored);
    }

    pub(crate) fn get(&self, id: i64) -> Option<&Stored> {
        self.messages.get(self.position(id)?)
    }

    pub(crate) fn get_mut(&mut self, id: i64) -> Option<&mut Stored> {
        let at = self.position(id)?;
        self.messages.get_mut(at)
    }

    pub(crate) fn remove(&mut self, id: i64) -> bool {
        self.position(id)
            .and_then(|at| self.messages.remove(at))
            .is_some()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Stored> {
        self.messages.iter()
    }

    fn position(&self, id: i64) -> Option<usize> {
        self.messages.binary_search_by_key(&id, |stored| stored.id).ok()
    }
}
