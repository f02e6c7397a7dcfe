//! What virtual people do: write, press, block, join; and what is done to the world around them.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Access, Person, Place, Shared, Stored, World};
use crate::simulator::clock::unix_seconds;
use crate::simulator::media::MediaKind;
use crate::simulator::people::{Content, Done, NewPlace, Seen, SentFile, SimError};

impl World {
    pub(crate) fn add_place(&mut self, new: NewPlace) -> Result<i64, SimError> {
        if !matches!(new.kind.as_str(), "group" | "supergroup" | "channel") {
            return Err(SimError::Invalid(
                "a chat is a group, supergroup or channel".into(),
            ));
        }
        let count = i64::try_from(self.places.len()).unwrap_or(0);
        let fresh = if new.kind == "group" {
            -100_000 - count
        } else {
            -1_002_000_000_000 - count
        };
        let id = new.id.unwrap_or(fresh);
        if id >= 0 || self.places.contains_key(&id) {
            return Err(SimError::Invalid(
                "a chat's number is below zero and its own".into(),
            ));
        }
        let mut place = Place::new(id, &new.kind, new.title);
        place.username = new.username;
        place.bots = new.bots.into_iter().map(|bot| (bot, Access::Member)).collect();
        self.places.insert(id, place);
        Ok(id)
    }

    /// A person writes to a bot, in their private chat or in a group.
    pub(crate) fn say(
        &mut self,
        shared: &Shared,
        bot: i64,
        chat: i64,
        person: i64,
        content: Content,
    ) -> Result<Done, SimError> {
        if !self.bots.contains_key(&bot) {
            return Err(SimError::NotFound("such bot"));
        }
        let user = self
            .people
            .get(&person)
            .ok_or(SimError::NotFound("such person"))?
            .as_user();
        let mut kind = "message";
        if chat != person {
            let place = self
                .places
                .get_mut(&chat)
                .ok_or(SimError::NotFound("such chat"))?;
            place.members.insert(person);
            place.bots.entry(bot).or_insert(Access::Member);
            if place.kind == "channel" {
                kind = "channel_post";
            }
        }
        let chat_object = self.chat_object(chat);
        let fields = self.fields_of(content)?;
        let Some(conversation) = self.conversation(bot, chat) else {
            return Err(SimError::NotFound("such bot"));
        };
        if conversation.blocked {
            return Err(SimError::Invalid("who blocks a bot does not write to it".into()));
        }
        conversation.started = true;
        let message_id = conversation.next_message_id();
        let mut message = Map::new();
        message.insert("message_id".into(), message_id.into());
        if kind == "message" {
            message.insert("from".into(), user);
        } else {
            message.insert("sender_chat".into(), chat_object.clone());
        }
        message.insert("chat".into(), chat_object);
        message.insert("date".into(), unix_seconds().into());
        message.extend(fields);
        self.keep(bot, chat, &message, false, None);
        let update_id = self.push(shared, bot, kind, Value::Object(message));
        Ok(Done {
            update_id,
            message_id: Some(message_id),
            query_id: None,
        })
    }

    /// Keeps a message where people see it.
    pub(crate) fn keep(
        &mut self,
        bot: i64,
        chat: i64,
        message: &Map<String, Value>,
        from_bot: bool,
        markup: Option<&Value>,
    ) {
        let seq = self.next_seq();
        if let Some(conversation) = self.conversation(bot, chat) {
            conversation.keep(Stored::new(message, seq, from_bot, markup));
        }
        if from_bot {
            self.wake(bot, chat);
        }
    }

    fn fields_of(&mut self, content: Content) -> Result<Map<String, Value>, SimError> {
        let fields = match content {
            Content::Text(text) => {
                let mut fields = json!({ "text": text });
                if let Some(entities) = command_entity(&text) {
                    fields["entities"] = entities;
                }
                fields
            }
            Content::File(file) => self.file_fields(&file)?,
            Content::Contact {
                phone_number,
                first_name,
                user_id,
            } => {
                let mut contact = json!({ "phone_number": phone_number, "first_name": first_name });
                if let Some(id) = user_id {
                    contact["user_id"] = id.into();
                }
                json!({ "contact": contact })
            }
            Content::Location { latitude, longitude } => {
                json!({ "location": { "latitude": latitude, "longitude": longitude } })
            }
            Content::Raw(fields) => Value::Object(fields),
        };
        match fields {
            Value::Object(fields) => Ok(fields),
            _ => Err(SimError::Invalid("a message is an object".into())),
        }
    }

    fn file_fields(&mut self, sent: &SentFile) -> Result<Value, SimError> {
        let media = MediaKind::from_name(&sent.kind)
            .ok_or_else(|| SimError::Invalid(format!("{} is no kind of file", sent.kind)))?;
        let name = sent.name.clone().unwrap_or_else(|| media.usual_name().to_owned());
        let bytes = Bytes::from(sent.content.clone());
        let file = self
            .files
            .add(media.folder(), &name, media.content_type(), bytes, sent.size);
        let mut fields = Map::new();
        media.describe(&mut fields, &file);
        if let Some(caption) = &sent.caption {
            fields.insert("caption".into(), caption.as_str().into());
        }
        Ok(Value::Object(fields))
    }

    /// A person presses an inline button, named by its data or its text.
    pub(crate) fn press(
        &mut self,
        shared: &Shared,
        bot: i64,
        chat: i64,
        person: i64,
        message_id: i64,
        button: &str,
    ) -> Result<Done, SimError> {
        let user = self
            .people
            .get(&person)
            .ok_or(SimError::NotFound("such person"))?
            .as_user();
        let stored = self.existing(bot, chat).and_then(|c| c.get(message_id));
        let stored = stored.ok_or(SimError::NotFound("such message"))?;
        let (message, markup) = (stored.message(), stored.markup());
        let rows = markup
            .as_ref()
            .and_then(|m| m.get("inline_keyboard"))
            .and_then(Value::as_array);
        let buttons = || rows.into_iter().flatten().filter_map(Value::as_array).flatten();
        let named = |field: &str| buttons().find(|b| b.get(field).and_then(Value::as_str) == Some(button));
        let found = named("callback_data")
            .or_else(|| named("text"))
            .ok_or(SimError::NotFound("such button"))?;
        let data = found
            .get("callback_data")
            .cloned()
            .ok_or_else(|| SimError::Invalid("this button does not call back".into()))?;
        let query_id = self.random_id();
        let query = json!({
            "id": query_id,
            "from": user,
            "message": message,
            "chat_instance": (chat ^ 0x5eed_5eed).to_string(),
            "data": data,
        });
        let update_id = self.push(shared, bot, "callback_query", query);
        Ok(Done {
            update_id,
            message_id: Some(message_id),
            query_id: Some(query_id),
        })
    }

    /// A person presses a button of the reply keyboard: its text is sent.
    pub(crate) fn tap(
        &mut self,
        shared: &Shared,
        bot: i64,
        chat: i64,
        person: i64,
        label: &str,
    ) -> Result<Done, SimError> {
        let conversation = self.existing(bot, chat).ok_or(SimError::NotFound("such chat"))?;
        let keyboard = conversation
            .keyboard
            .as_ref()
            .ok_or(SimError::NotFound("keyboard"))?;
        let one_time = keyboard.get("one_time_keyboard").and_then(Value::as_bool) == Some(true);
        let rows = keyboard.get("keyboard").and_then(Value::as_array);
        let text_of = |button: &Value| {
            button
                .get("text")
                .or(Some(button))
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let mut labels = rows
            .into_iter()
            .flatten()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(text_of);
        let text = labels
            .find(|text| text == label)
            .ok_or(SimError::NotFound("such button"))?;
        let done = self.say(shared, bot, chat, person, Content::Text(text))?;
        if one_time && let Some(conversation) = self.conversation(bot, chat) {
            conversation.keyboard = None;
        }
        Ok(done)
    }

    /// A person blocks the bot or lets it in again.
    pub(crate) fn set_blocked(
        &mut self,
        shared: &Shared,
        bot: i64,
        person: i64,
        blocked: bool,
    ) -> Result<Done, SimError> {
        let user = self
            .people
            .get(&person)
            .ok_or(SimError::NotFound("such person"))?
            .as_user();
        let chat = self.chat_object(person);
        let bot_user = self
            .bots
            .get(&bot)
            .ok_or(SimError::NotFound("such bot"))?
            .as_user();
        let conversation = self
            .conversation(bot, person)
            .ok_or(SimError::NotFound("such bot"))?;
        let was = conversation.blocked;
        conversation.blocked = blocked;
        conversation.started = true;
        if was == blocked {
            return Ok(Done {
                update_id: None,
                message_id: None,
                query_id: None,
            });
        }
        let member = |blocked: bool| {
            if blocked {
                json!({ "status": "kicked", "user": bot_user, "until_date": 0 })
            } else {
                json!({ "status": "member", "user": bot_user })
            }
        };
        let change = json!({
            "chat": chat,
            "from": user,
            "date": unix_seconds(),
            "old_chat_member": member(was),
            "new_chat_member": member(blocked),
        });
        let update_id = self.push(shared, bot, "my_chat_member", change);
        Ok(Done {
            update_id,
            message_id: None,
            query_id: None,
        })
    }

    /// A basic group becomes a supergroup: new number, a service message on either side.
    pub(crate) fn migrate(&mut self, shared: &Shared, old: i64) -> Result<i64, SimError> {
        let place = self.places.get(&old).ok_or(SimError::NotFound("such chat"))?;
        if place.kind != "group" || place.migrated_to.is_some() {
            return Err(SimError::Invalid(
                "only a basic group can become a supergroup, and once".into(),
            ));
        }
        let new = self.add_place(NewPlace {
            kind: "supergroup".into(),
            title: place.title.clone(),
            id: None,
            username: None,
            bots: place
                .bots
                .iter()
                .filter(|(_, access)| **access == Access::Member)
                .map(|(id, _)| *id)
                .collect(),
        })?;
        let members = self
            .places
            .get(&old)
            .map(|place| place.members.clone())
            .unwrap_or_default();
        let bots: Vec<i64> = self
            .places
            .get(&new)
            .map(|p| p.bots.keys().copied().collect())
            .unwrap_or_default();
        if let Some(place) = self.places.get_mut(&new) {
            place.members = members;
        }
        for bot in bots {
            for (chat, field, other) in [
                (old, "migrate_to_chat_id", new),
                (new, "migrate_from_chat_id", old),
            ] {
                let chat_object = self.chat_object(chat);
                let Some(conversation) = self.conversation(bot, chat) else {
                    continue;
                };
                let mut message = Map::new();
                message.insert("message_id".into(), conversation.next_message_id().into());
                message.insert("chat".into(), chat_object);
                message.insert("date".into(), unix_seconds().into());
                message.insert(field.into(), other.into());
                self.keep(bot, chat, &message, false, None);
                self.push(shared, bot, "message", Value::Object(message));
            }
        }
        if let Some(place) = self.places.get_mut(&old) {
            place.migrated_to = Some(new);
        }
        Ok(new)
    }

    /// What people see of a conversation behind a position, at most `limit` messages.
    pub(crate) fn seen(&self, bot: i64, chat: i64, after: u64, limit: usize, bots_only: bool) -> Vec<Seen> {
        let Some(conversation) = self.existing(bot, chat) else {
            return Vec::new();
        };
        let fits = |stored: &&Stored| stored.seq > after && (stored.from_bot || !bots_only);
        let mut seen: Vec<Seen> = conversation
            .iter()
            .filter(fits)
            .map(|stored| Seen {
                seq: stored.seq,
                from_bot: stored.from_bot,
                message: stored.message(),
                keyboard: stored.markup(),
            })
            .collect();
        seen.sort_by_key(|seen| seen.seq);
        seen.truncate(limit);
        seen
    }

    pub(crate) fn add_person(&mut self, person: Person) -> i64 {
        let id = person.id;
        self.people.insert(id, person);
        id
    }

    /// A number that no person has, above 2^32 as new accounts' are.
    pub(crate) fn fresh_person_id(&self) -> i64 {
        let mut id = 5_000_000_000 + i64::try_from(self.people.len()).unwrap_or(0);
        while self.people.contains_key(&id) {
            id += 1;
        }
        id
    }
}

/// The entity of a command at the beginning of a text.
fn command_entity(text: &str) -> Option<Value> {
    let command = crate::update::Command::parse(text)?;
    let target = command.target.map_or(0, |target| target.len() + 1);
    // Names and targets are ASCII: bytes are UTF-16 units.
    Some(json!([{ "type": "bot_command", "offset": 0, "length": 1 + command.name.len() + target }]))
}
