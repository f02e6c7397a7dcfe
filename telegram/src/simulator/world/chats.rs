//! People, groups and channels, and whether a bot may write to them.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::World;
use crate::simulator::reply::Refusal;
use crate::update::Routed;

/// A virtual person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Telegram's number, which is the number of the private chat with the person too.
    pub id: i64,
    /// First name.
    pub first_name: String,
    /// Last name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Public name without `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Language of the person's app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_code: Option<String>,
    /// Whether the account was deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deactivated: bool,
}

/// A bot's right to be in a group or channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// In it.
    Member,
    /// Thrown out.
    Kicked,
    /// Gone by itself.
    Left,
}

/// A group or channel.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// Negative number.
    pub id: i64,
    /// `group`, `supergroup` or `channel`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Title.
    pub title: String,
    /// Public name without `@`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// People in it.
    pub members: BTreeSet<i64>,
    /// Bots that are or were in it.
    pub bots: HashMap<i64, Access>,
    /// The supergroup that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrated_to: Option<i64>,
}

impl Person {
    /// A person with nothing but a name.
    pub fn new(id: i64, first_name: impl Into<String>) -> Self {
        Self {
            id,
            first_name: first_name.into(),
            last_name: None,
            username: None,
            language_code: None,
            deactivated: false,
        }
    }

    pub(crate) fn as_user(&self) -> Value {
        let mut user = json!({ "id": self.id, "is_bot": false, "first_name": self.first_name });
        for (name, value) in [
            ("last_name", &self.last_name),
            ("username", &self.username),
            ("language_code", &self.language_code),
        ] {
            if let Some(value) = value {
                user[name] = value.as_str().into();
            }
        }
        user
    }

    fn as_chat(&self) -> Value {
        let mut chat = json!({ "id": self.id, "first_name": self.first_name });
        for (name, value) in [("last_name", &self.last_name), ("username", &self.username)] {
            if let Some(value) = value {
                chat[name] = value.as_str().into();
            }
        }
        chat["type"] = "private".into();
        chat
    }
}

impl Place {
    pub(crate) fn as_chat(&self) -> Value {
        let mut chat = json!({ "id": self.id, "title": self.title });
        if let Some(username) = &self.username {
            chat["username"] = username.as_str().into();
        }
        chat["type"] = self.kind.as_str().into();
        chat
    }
}

impl World {
    /// A chat as messages carry it.
    pub(crate) fn chat_object(&self, id: i64) -> Value {
        if let Some(person) = self.people.get(&id) {
            person.as_chat()
        } else if let Some(place) = self.places.get(&id) {
            place.as_chat()
        } else {
            json!({ "id": id, "type": "private", "first_name": "?" })
        }
    }

    /// Whether the bot may write there, in Telegram's words where it may not.
    pub(crate) fn check_access(&mut self, bot: i64, chat: i64) -> Result<(), Refusal> {
        if !self.people.contains_key(&chat) && !self.places.contains_key(&chat) {
            if !self.accept_unknown || chat == 0 {
                return Err(Refusal::bad("chat not found"));
            }
            self.invent_chat(chat);
        }
        if let Some(place) = self.places.get(&chat) {
            if let Some(to) = place.migrated_to {
                return Err(Refusal::migrated(to));
            }
            return match place.bots.get(&bot) {
                Some(Access::Kicked) => Err(Refusal::forbidden(&format!(
                    "bot was kicked from the {} chat",
                    place.kind
                ))),
                Some(Access::Left) | None if !self.accept_unknown => Err(Refusal::forbidden(&format!(
                    "bot is not a member of the {} chat",
                    place.kind
                ))),
                Some(_) | None => Ok(()),
            };
        }
        if self.people.get(&chat).is_some_and(|person| person.deactivated) {
            return Err(Refusal::forbidden("user is deactivated"));
        }
        let started = self.accept_unknown || self.existing(bot, chat).is_some_and(|c| c.started);
        if !started {
            return Err(Refusal::forbidden("bot can't initiate conversation with a user"));
        }
        if self.existing(bot, chat).is_some_and(|c| c.blocked) {
            return Err(Refusal::forbidden("bot was blocked by the user"));
        }
        Ok(())
    }

    fn invent_chat(&mut self, id: i64) {
        if id > 0 {
            self.people.insert(id, Person::new(id, format!("Person {id}")));
        } else {
            // Telegram gives supergroups and channels numbers below -10^12.
            let kind = if id < -1_000_000_000_000 {
                "supergroup"
            } else {
                "group"
            };
            self.places.insert(id, Place::new(id, kind, format!("Chat {id}")));
        }
    }

    /// Takes the people and chats of an update from outside as existing, and the bot as admitted to its chat.
    pub(crate) fn learn(&mut self, bot: i64, update: &str) {
        let Ok(routed) = Routed::parse(update) else { return };
        if let Some(user) = routed.from.filter(|user| !user.is_bot) {
            let text = |text: Option<crate::update::Text<'_>>| text.map(|t| t.0.into_owned());
            self.people.entry(user.id).or_insert_with(|| Person {
                id: user.id,
                first_name: user.first_name.0.clone().into_owned(),
                last_name: text(user.last_name),
                username: text(user.username),
                language_code: text(user.language_code),
                deactivated: false,
            });
        }
        let Some(chat) = routed.chat else { return };
        if &*chat.kind == "private" {
            self.people
                .entry(chat.id)
                .or_insert_with(|| Person::new(chat.id, "?"));
            if let Some(conversation) = self.conversation(bot, chat.id) {
                conversation.started = true;
                conversation.blocked = routed.member_status.as_deref() == Some("kicked");
            }
            return;
        }
        let place = self.places.entry(chat.id).or_insert_with(|| {
            let title = chat
                .title
                .map_or_else(|| format!("Chat {}", chat.id), |t| t.0.into_owned());
            let mut place = Place::new(chat.id, &chat.kind, title);
            place.username = chat.username.map(|t| t.0.into_owned());
            place
        });
        place.bots.entry(bot).or_insert(Access::Member);
    }
}

impl Place {
    /// A group or channel without anybody in it.
    pub(crate) fn new(id: i64, kind: &str, title: impl Into<String>) -> Self {
        Self {
            id,
            kind: kind.to_owned(),
            title: title.into(),
            username: None,
            members: BTreeSet::new(),
            bots: HashMap::new(),
            migrated_to: None,
        }
    }
}
