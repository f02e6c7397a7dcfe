//! Everything the simulator knows: bots, people, chats, files. One lock guards it; nobody holds it over an await.

mod bot;
mod chats;
mod conversation;
mod deeds;
mod files;
mod managed;
mod queue;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use bot::{Bot, PollEnd, Query, Webhook};
pub use chats::{Access, Person, Place};
pub(crate) use conversation::{Conversation, Stored};
pub(crate) use files::{Files, StoredFile};
pub use managed::Renamed;

use super::clock::Clock;
use super::delivery::Poster;
use super::faults::Faults;
use super::journal::{Event, Journal};
use super::options::{NewBot, Options, Tokens};
use crate::Token;

/// What all tasks of a simulator share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) world: Mutex<World>,
    /// Wakes those who wait for journal entries.
    pub(crate) journaled: Notify,
    /// Wakes the calls that are held.
    pub(crate) opened: Notify,
    pub(crate) poster: Poster,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Shared {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            clock: Clock::new(options.time_scale),
            world: Mutex::new(World::new(&options)),
            options,
            journaled: Notify::new(),
            opened: Notify::new(),
            poster: Poster::new(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// The world, alone. A panic elsewhere leaves it usable: every change is complete in itself.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Writes an entry down and wakes those who wait for it.
    pub(crate) fn note(&self, world: &mut World, bot: i64, event: &Event) {
        world.journal.add(bot, event);
        self.journaled.notify_waiters();
    }
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) bots: HashMap<i64, Bot>,
    pub(crate) people: HashMap<i64, Person>,
    pub(crate) places: HashMap<i64, Place>,
    pub(crate) files: Files,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) rng: StdRng,
    pub(crate) accept_unknown: bool,
    history: usize,
    /// Position of the newest message that people see.
    seq: u64,
}

/// Why a token names no bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoBot {
    /// Not of a token's form: Telegram does not find such a path.
    Malformed,
    /// Nobody's, or no longer this bot's.
    Unauthorized,
}

impl World {
    pub(crate) fn new(options: &Options) -> Self {
        let mut world = Self {
            bots: HashMap::new(),
            people: HashMap::new(),
            places: HashMap::new(),
            files: Files::new(options.files_limit),
            faults: Faults::default(),
            journal: Journal::new(options.journal, options.journal_limit),
            rng: StdRng::seed_from_u64(options.seed),
            accept_unknown: options.accept_unknown,
            history: options.history.max(1),
            seq: 0,
        };
        for bot in &options.bots {
            // A token of no use is nobody's bot; calls with it say so.
            let _ = world.add_bot(bot);
        }
        world
    }

    /// Makes a bot, or gives an existing one the new token and names.
    pub(crate) fn add_bot(&mut self, new: &NewBot) -> Result<i64, NoBot> {
        let token = Token::new(new.token.clone()).map_err(|_| NoBot::Malformed)?;
        let id = token.bot_id();
        let first_update = self.rng.random_range(100_000_000..1_000_000_000);
        let bot = self
            .bots
            .entry(id)
            .or_insert_with(|| Bot::new(token.clone(), first_update));
        bot.token = token;
        if let Some(username) = &new.username {
            bot.username.clone_from(username);
            bot.first_name.clone_from(username);
        }
        if let Some(name) = &new.name {
            bot.first_name.clone_from(name);
        }
        Ok(id)
    }

    /// The bot behind a token of a request.
    pub(crate) fn bot_by_token(&mut self, token: &str, tokens: Tokens) -> Result<i64, NoBot> {
        // The common case first: it costs no copy of the token.
        let id = token
            .split_once(':')
            .and_then(|(id, _)| id.parse::<i64>().ok())
            .ok_or(NoBot::Malformed)?;
        if let Some(bot) = self.bots.get(&id) {
            return if bot.token.expose() == token {
                Ok(id)
            } else {
                Err(NoBot::Unauthorized)
            };
        }
        let new = NewBot {
            token: token.to_owned(),
            username: None,
            name: None,
        };
        match tokens {
            Tokens::Open => self.add_bot(&new),
            Tokens::Listed => Err(if Token::new(new.token).is_ok() {
                NoBot::Unauthorized
            } else {
                NoBot::Malformed
            }),
        }
    }

    pub(crate) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.seq
    }

    /// The conversation of a bot in a chat, begun where it was not. `None` without the bot.
    pub(crate) fn conversation(&mut self, bot: i64, chat: i64) -> Option<&mut Conversation> {
        let history = self.history;
        let bot = self.bots.get_mut(&bot)?;
        Some(
            bot.conversations
                .entry(chat)
                .or_insert_with(|| Conversation::new(history)),
        )
    }

    /// The conversation, where there is one.
    pub(crate) fn existing(&self, bot: i64, chat: i64) -> Option<&Conversation> {
        self.bots.get(&bot)?.conversations.get(&chat)
    }

    /// A random number of 19 digits at most, as text: ids of queries and files.
    pub(crate) fn random_id(&mut self) -> String {
        self.rng
            .random_range(1_000_000_000_000_000_000_u64..9_000_000_000_000_000_000)
            .to_string()
    }

    /// Wakes whoever waits for this bot's messages in this chat.
    pub(crate) fn wake(&self, bot: i64, chat: i64) {
        if let Some(arrived) = self.existing(bot, chat).and_then(|c| c.arrived.as_ref()) {
            arrived.notify_waiters();
        }
    }

    /// What is told when a message arrives in the chat.
    pub(crate) fn arrival(&mut self, bot: i64, chat: i64) -> Option<Arc<Notify>> {
        Some(Arc::clone(
            self.conversation(bot, chat)?.arrived.get_or_insert_default(),
        ))
    }
}
