//! Telegram's JSON as serde reads it.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Callback, Chat, Kind, Known, Message, Routed, Text, User};

pub(super) struct Update<'a> {
    id: Option<i64>,
    kind: Option<Kind<'a>>,
    payload: Payload<'a>,
}

/// Every kind's payload in one: the fields that routing looks at have the same type wherever they occur.
#[derive(Default, Deserialize)]
struct Payload<'a> {
    #[serde(borrow, default)]
    chat: Option<Chat<'a>>,
    #[serde(borrow, default)]
    from: Option<User<'a>>,
    #[serde(borrow, default)]
    user: Option<User<'a>>,
    /// Callback query, poll, business connection and others: always a string.
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    poll_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    data: Option<Text<'a>>,
    #[serde(borrow, default)]
    inline_message_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    message: Option<Carried<'a>>,
    #[serde(borrow, default)]
    new_chat_member: Option<Member<'a>>,
    message_id: Option<i64>,
    date: Option<i64>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    caption: Option<Text<'a>>,
    message_thread_id: Option<i64>,
    #[serde(borrow, default)]
    media_group_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    business_connection_id: Option<Text<'a>>,
    migrate_to_chat_id: Option<i64>,
    migrate_from_chat_id: Option<i64>,
}

/// The message of a callback query.
#[derive(Deserialize)]
struct Carried<'a> {
    message_id: i64,
    #[serde(default)]
    date: i64,
    #[serde(borrow)]
    chat: Chat<'a>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    caption: Option<Text<'a>>,
    message_thread_id: Option<i64>,
    #[serde(borrow, default)]
    business_connection_id: Option<Text<'a>>,
}

/// A member with its status. In service messages the same name holds a bare user, without one.
#[derive(Deserialize)]
struct Member<'a> {
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
}

impl<'de> Deserialize<'de> for Update<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Update<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with update_id")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Update<'de>, M::Error> {
                let mut update = Update {
                    id: None,
                    kind: None,
                    payload: Payload::default(),
                };
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    if &*key == "update_id" {
                        update.id = Some(map.next_value()?);
                    } else if update.kind.is_some() {
                        // At most one payload, says the reference; the first one counts.
                        map.next_value::<IgnoredAny>()?;
                    } else if let Some(known) = Known::from_name(&key) {
                        update.payload = map.next_value()?;
                        update.kind = Some(Kind::Known(known));
                    } else {
                        let raw: &'de RawValue = map.next_value()?;
                        // A kind of the future may use our names for other things.
                        update.payload = serde_json::from_str(raw.get()).unwrap_or_default();
                        update.kind = Some(Kind::Unknown(key));
                    }
                }
                Ok(update)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl<'a> Update<'a> {
    pub(super) fn into_routed(self) -> Option<Routed<'a>> {
        let kind = self.kind.unwrap_or_else(|| Kind::Unknown(Text::default()));
        let p = self.payload;
        let poll_id = match kind {
            Kind::Known(Known::Poll) => p.id.clone(),
            Kind::Known(Known::PollAnswer) => p.poll_id,
            _ => None,
        };
        let callback = match kind {
            Kind::Known(Known::CallbackQuery) => Some(Callback {
                id: p.id.unwrap_or_default(),
                data: p.data,
                inline_message_id: p.inline_message_id,
            }),
            _ => None,
        };
        let (mut chat, mut message) = (p.chat, None);
        if let Some(carried) = p.message {
            message = Some(Message {
                message_id: carried.message_id,
                date: carried.date,
                text: carried.text,
                caption: carried.caption,
                message_thread_id: carried.message_thread_id,
                media_group_id: None,
                business_connection_id: carried.business_connection_id,
                migrate_to_chat_id: None,
                migrate_from_chat_id: None,
            });
            chat = chat.or(Some(carried.chat));
        } else if let Some(message_id) = p.message_id.filter(|_| kind.is_message()) {
            message = Some(Message {
                message_id,
                date: p.date.unwrap_or(0),
                text: p.text,
                caption: p.caption,
                message_thread_id: p.message_thread_id,
                media_group_id: p.media_group_id,
                business_connection_id: p.business_connection_id,
                migrate_to_chat_id: p.migrate_to_chat_id,
                migrate_from_chat_id: p.migrate_from_chat_id,
            });
        }
        Some(Routed {
            update_id: self.id?,
            kind,
            chat,
            from: p.from.or(p.user),
            message,
            callback,
            member_status: p.new_chat_member.and_then(|member| member.status),
            poll_id,
        })
    }
}
