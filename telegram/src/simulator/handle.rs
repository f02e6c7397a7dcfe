//! The people's side of a running simulator.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::DropGuard;
use url::Url;

use super::faults::Fault;
use super::journal::{Counters, Entry, Filter};
use super::options::NewBot;
use super::people::{Content, Done, NewPlace, Seen, SimError, WebhookChaos};
use super::world::{Access, Person, Place, Renamed, Shared, World};
use crate::{BotCommand, Token};

/// A running simulator. Clones are the same one; it ends when the last of them is dropped.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// Absent in the handle that the simulator's own control routes use.
    _guard: Option<Arc<DropGuard>>,
}

/// A bot as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotState {
    /// Telegram's number.
    pub id: i64,
    /// Name without `@`.
    pub username: String,
    /// Where updates are posted to; `None`: they wait for `getUpdates`.
    pub webhook: Option<String>,
    /// Updates that nobody has taken yet.
    pub pending: usize,
}

/// What people see of a bot outside of its chats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotProfile {
    /// Commands for all chats by language; the empty one is for everybody without a menu of their own.
    pub commands: BTreeMap<String, Vec<BotCommand>>,
    /// The text of an empty chat by language.
    pub descriptions: BTreeMap<String, String>,
    /// The text of the profile by language.
    pub short_descriptions: BTreeMap<String, String>,
}

impl Handle {
    pub(super) fn new(shared: Arc<Shared>, address: SocketAddr) -> Self {
        let guard = Arc::new(shared.shutdown.clone().drop_guard());
        Self {
            shared,
            address,
            _guard: Some(guard),
        }
    }

    /// The same operations for the inside, without keeping the simulator alive.
    pub(super) fn borrow(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            address: shared.options.listen,
            _guard: None,
        }
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The API root for clients, `http://<address>/`.
    pub fn url(&self) -> Url {
        Url::parse(&format!("http://{}/", self.address)).expect("an address makes a URL")
    }

    /// Stops answering and delivering, and waits until everything has stopped.
    pub async fn shutdown(&self) {
        self.shared.shutdown.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// Completes once the simulator is told to stop.
    pub async fn stopped(&self) {
        self.shared.shutdown.cancelled().await;
    }

    /// Makes a bot, or gives an existing one other names or another token (the old one is then revoked).
    pub fn add_bot(&self, bot: &NewBot) -> Result<i64, SimError> {
        self.shared
            .world()
            .add_bot(bot)
            .map_err(|_| SimError::Invalid("not a bot token".into()))
    }

    /// The bot behind a token, made where it is new.
    pub fn bot(&self, token: &Token) -> i64 {
        let new = NewBot {
            token: token.expose().to_owned(),
            username: None,
            name: None,
        };
        // The token's form was checked when it was made.
        self.shared
            .world()
            .add_bot(&new)
            .unwrap_or_else(|_| token.bot_id())
    }

    /// A bot as it stands.
    pub fn bot_state(&self, bot: i64) -> Result<BotState, SimError> {
        let world = self.shared.world();
        let state = world.bots.get(&bot).ok_or(SimError::NotFound("such bot"))?;
        Ok(BotState {
            id: bot,
            username: state.username.clone(),
            webhook: state.webhook.as_ref().map(|webhook| webhook.url_text.clone()),
            pending: state.queue.pending.len(),
        })
    }

    /// What people see of a bot outside of its chats. Menus of narrower scopes are not in it: `getMyCommands` gives them.
    pub fn profile(&self, bot: i64) -> Result<BotProfile, SimError> {
        let world = self.shared.world();
        let state = world.bots.get(&bot).ok_or(SimError::NotFound("such bot"))?;
        let texts = |wanted: &str| {
            let own = state.texts.iter().filter(|((field, _), _)| *field == wanted);
            own.map(|((_, language), text)| (language.clone(), text.clone()))
                .collect()
        };
        let everywhere = serde_json::json!({ "type": "default" }).to_string();
        let menus = state
            .commands
            .iter()
            .filter(|((scope, _), _)| *scope == everywhere);
        Ok(BotProfile {
            commands: menus
                .map(|((_, language), menu)| {
                    let menu = serde_json::from_value(menu.clone()).unwrap_or_default();
                    (language.clone(), menu)
                })
                .collect(),
            descriptions: texts("description"),
            short_descriptions: texts("short_description"),
        })
    }

    /// Every bot.
    pub fn bots(&self) -> Vec<BotState> {
        let mut ids: Vec<i64> = self.shared.world().bots.keys().copied().collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| self.bot_state(id).ok()).collect()
    }

    /// Lets people make bots that this bot manages, or not.
    pub fn set_manages(&self, bot: i64, manages: bool) -> Result<(), SimError> {
        let mut world = self.shared.world();
        let state = world.bots.get_mut(&bot).ok_or(SimError::NotFound("such bot"))?;
        state.manages = manages;
        Ok(())
    }

    /// A person opens a link `https://t.me/newbot/…` and confirms what it asks; gives the number of the new bot.
    pub fn make_managed(&self, person: i64, link: &str, renamed: Renamed) -> Result<i64, SimError> {
        self.shared
            .world()
            .make_managed(&self.shared, person, link, renamed)
    }

    /// Makes a person with a fresh number.
    pub fn person(&self, first_name: &str) -> Person {
        let mut world = self.shared.world();
        let person = Person::new(world.fresh_person_id(), first_name);
        world.add_person(person.clone());
        person
    }

    /// Makes a person, or changes the one with this number.
    pub fn put_person(&self, person: Person) -> i64 {
        self.shared.world().add_person(person)
    }

    /// Makes a group or channel and gives its number.
    pub fn add_place(&self, place: NewPlace) -> Result<i64, SimError> {
        self.shared.world().add_place(place)
    }

    /// A group or channel as it stands.
    pub fn place(&self, chat: i64) -> Result<Place, SimError> {
        self.shared
            .world()
            .places
            .get(&chat)
            .cloned()
            .ok_or(SimError::NotFound("such chat"))
    }

    /// Lets a bot into a group or channel, or throws it out.
    pub fn set_access(&self, chat: i64, bot: i64, access: Access) -> Result<(), SimError> {
        let mut world = self.shared.world();
        let place = world
            .places
            .get_mut(&chat)
            .ok_or(SimError::NotFound("such chat"))?;
        place.bots.insert(bot, access);
        Ok(())
    }

    /// Turns a basic group into a supergroup and gives its number.
    pub fn migrate(&self, chat: i64) -> Result<i64, SimError> {
        self.shared.world().migrate(&self.shared, chat)
    }

    /// A person sends text to a bot in their private chat.
    pub fn say(&self, bot: i64, person: i64, text: &str) -> Result<Done, SimError> {
        self.send(bot, person, person, Content::Text(text.to_owned()))
    }

    /// A person sends anything, in a chat that the bot reads.
    pub fn send(&self, bot: i64, chat: i64, person: i64, content: Content) -> Result<Done, SimError> {
        self.shared.world().say(&self.shared, bot, chat, person, content)
    }

    /// A person presses an inline button, named by its data or its text.
    pub fn press(
        &self,
        bot: i64,
        chat: i64,
        person: i64,
        message: i64,
        button: &str,
    ) -> Result<Done, SimError> {
        self.shared
            .world()
            .press(&self.shared, bot, chat, person, message, button)
    }

    /// A person presses a button of the reply keyboard they see.
    pub fn tap(&self, bot: i64, chat: i64, person: i64, label: &str) -> Result<Done, SimError> {
        self.shared.world().tap(&self.shared, bot, chat, person, label)
    }

    /// The reply keyboard that people see in a chat.
    pub fn keyboard(&self, bot: i64, chat: i64) -> Option<Value> {
        self.shared.world().existing(bot, chat)?.keyboard.clone()
    }

    /// A person blocks the bot.
    pub fn block(&self, bot: i64, person: i64) -> Result<Done, SimError> {
        self.shared.world().set_blocked(&self.shared, bot, person, true)
    }

    /// A person lets the bot in again.
    pub fn unblock(&self, bot: i64, person: i64) -> Result<Done, SimError> {
        self.shared.world().set_blocked(&self.shared, bot, person, false)
    }

    /// Adds any update, numbered where it has no `update_id`. Its people and chats become known. Gives its number, or
    /// `None` where the bot does not want its kind.
    pub fn inject(&self, bot: i64, update: Map<String, Value>) -> Result<Option<i64>, SimError> {
        let mut world = self.shared.world();
        if !world.bots.contains_key(&bot) {
            return Err(SimError::NotFound("such bot"));
        }
        let mut numbered = update.clone();
        numbered.entry("update_id").or_insert(0.into());
        world.learn(bot, &Value::Object(numbered).to_string());
        world
            .push_update(&self.shared, bot, update)
            .map_err(|error| SimError::Invalid(error.to_string()))
    }

    /// What people see of a chat, behind a position, oldest first; at most `limit` messages.
    pub fn messages(&self, bot: i64, chat: i64, after: u64, limit: usize) -> Vec<Seen> {
        self.shared.world().seen(bot, chat, after, limit, false)
    }

    /// The newest position: what the bot sends from now on lies behind it.
    pub fn position(&self) -> u64 {
        self.shared.world().last_seq()
    }

    /// Waits for `count` messages of the bot (edits count) behind a position.
    pub async fn wait_messages(
        &self,
        bot: i64,
        chat: i64,
        after: u64,
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<Seen>, SimError> {
        let until = Instant::now() + timeout;
        let arrived = self
            .shared
            .world()
            .arrival(bot, chat)
            .ok_or(SimError::NotFound("such bot"))?;
        loop {
            let notified = arrived.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let seen = self.shared.world().seen(bot, chat, after, usize::MAX, true);
            if seen.len() >= count {
                return Ok(seen);
            }
            if tokio::time::timeout_at(until, notified).await.is_err() {
                return Err(SimError::TimedOut(format!(
                    "{} of {count} messages came",
                    seen.len()
                )));
            }
        }
    }

    /// What happened, in order.
    pub fn journal(&self, filter: &Filter) -> Vec<Entry> {
        self.shared.world().journal.read(filter)
    }

    /// Waits for `count` journal entries that fit.
    pub async fn wait_journal(
        &self,
        filter: &Filter,
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<Entry>, SimError> {
        let until = Instant::now() + timeout;
        loop {
            let notified = self.shared.journaled.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let entries = self.journal(filter);
            if entries.len() >= count {
                return Ok(entries);
            }
            if tokio::time::timeout_at(until, notified).await.is_err() {
                return Err(SimError::TimedOut(format!(
                    "{} of {count} entries came",
                    entries.len()
                )));
            }
        }
    }

    /// Counts since the start or the last reset.
    pub fn counters(&self) -> Counters {
        self.shared.world().journal.counters.clone()
    }

    /// Makes calls go wrong from now on.
    pub fn add_fault(&self, fault: Fault) {
        self.shared.world().faults.add(fault);
    }

    /// The faults that are not used up. Once one that holds calls is not among them, its last call is held.
    pub fn faults(&self) -> Vec<Fault> {
        self.shared.world().faults.list().to_vec()
    }

    /// Ends all faults. Calls that are held go on.
    pub fn clear_faults(&self) {
        self.shared.world().faults.clear();
        self.shared.opened.notify_waiters();
    }

    /// Makes trouble on the way to a bot's webhook, in place of the trouble before.
    pub fn set_chaos(&self, bot: i64, chaos: WebhookChaos) -> Result<(), SimError> {
        let mut world = self.shared.world();
        let state = world.bots.get_mut(&bot).ok_or(SimError::NotFound("such bot"))?;
        state.chaos = chaos;
        state.wake.notify_one();
        Ok(())
    }

    /// Forgets everything but the options: bots, people, chats, files, faults, journal.
    pub fn reset(&self) {
        let mut world = self.shared.world();
        for bot in world.bots.values_mut() {
            bot.end_webhook();
            bot.end_poll_for_webhook();
        }
        *world = World::new(&self.shared.options);
        self.shared.opened.notify_waiters();
    }
}
