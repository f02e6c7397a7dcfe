//! Methods that change or remove a message.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{files, resolve_chat, send};
use crate::simulator::clock::unix_seconds;
use crate::simulator::keyboard;
use crate::simulator::media::MediaKind;
use crate::simulator::params::Params;
use crate::simulator::reply::{Outcome, Refusal};
use crate::simulator::text;
use crate::simulator::world::{Shared, World};

const NOT_MODIFIED: &str = "message is not modified: specified new message content and reply markup are exactly the \
                            same as a current content and reply markup of the message";

const MEDIA_FIELDS: [&str; 6] = ["photo", "video", "document", "audio", "voice", "animation"];

/// Whether this module edits it.
pub(super) fn knows(method: &str) -> bool {
    [
        "editMessageText",
        "editMessageCaption",
        "editMessageReplyMarkup",
        "editMessageMedia",
    ]
    .contains(&method)
}

pub(super) fn edit(
    shared: &Arc<Shared>,
    world: &mut World,
    bot: i64,
    method: &str,
    params: &Params,
) -> Outcome {
    let markup = keyboard::read(params)?;
    if params.has("inline_message_id") {
        // Messages sent in inline mode belong to nobody's history here.
        return Ok(true.into());
    }
    let id = params
        .int("message_id")
        .ok_or_else(|| Refusal::bad("message identifier is not specified"))?;
    let chat = resolve_chat(world, params, "chat_id")?;
    world.check_access(bot, chat)?;
    let stored = world
        .existing(bot, chat)
        .and_then(|conversation| conversation.get(id));
    let stored = stored.ok_or_else(|| Refusal::bad("message to edit not found"))?;
    if !stored.from_bot {
        return Err(Refusal::bad("message can't be edited"));
    }
    let before = stored.message();
    let mut message = before.clone();
    message.shift_remove("reply_markup");
    change(world, method, params, &mut message)?;
    if let Some(markup) = markup
        .as_ref()
        .filter(|markup| markup.get("inline_keyboard").is_some())
    {
        message.insert("reply_markup".into(), markup.clone());
    }
    let comparable = |message: &Map<String, Value>| {
        let mut message = message.clone();
        message.shift_remove("edit_date");
        message
    };
    if comparable(&before) == comparable(&message) {
        return Err(Refusal::bad(NOT_MODIFIED));
    }
    if world.places.contains_key(&chat) {
        // Edits in a group count as messages do.
        send::flood(shared, world, bot, chat)?;
    }
    message.insert("edit_date".into(), unix_seconds().into());
    let seq = world.next_seq();
    if let Some(stored) = world
        .conversation(bot, chat)
        .and_then(|conversation| conversation.get_mut(id))
    {
        stored.change(&message, seq, markup.as_ref());
    }
    world.wake(bot, chat);
    Ok(Value::Object(message))
}

fn change(
    world: &mut World,
    method: &str,
    params: &Params,
    message: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let has_media =
        |message: &Map<String, Value>| MEDIA_FIELDS.iter().any(|field| message.contains_key(*field));
    match method {
        "editMessageText" => {
            if !message.contains_key("text") {
                return Err(Refusal::bad("there is no text in the message to edit"));
            }
            text::put_text(params, message)
        }
        "editMessageCaption" => {
            if !has_media(message) {
                return Err(Refusal::bad("there is no caption in the message to edit"));
            }
            text::put_caption(params, message)
        }
        "editMessageMedia" => {
            let item = params.typed::<Map<String, Value>>("media")?.unwrap_or_default();
            let name = item.get("type").and_then(Value::as_str).unwrap_or_default();
            let media = MediaKind::from_name(name).filter(|media| media.has_caption());
            let media =
                media.ok_or_else(|| Refusal::bad("can't parse InputMedia: invalid media type specified"))?;
            let source = item
                .get("media")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            let file = files::of_text(world, params, &source, media)?;
            for field in MEDIA_FIELDS.iter().chain(&["text", "entities"]) {
                message.shift_remove(*field);
            }
            media.describe(message, &file);
            text::put_caption(
                &Params {
                    values: item,
                    ..Params::default()
                },
                message,
            )
        }
        _ => Ok(()),
    }
}

/// `deleteMessage` and `deleteMessages`.
pub(super) fn delete(world: &mut World, bot: i64, method: &str, params: &Params) -> Outcome {
    let chat = resolve_chat(world, params, "chat_id")?;
    world.check_access(bot, chat)?;
    let ids = if method == "deleteMessage" {
        vec![params.int("message_id").unwrap_or(0)]
    } else {
        params.typed::<Vec<i64>>("message_ids")?.unwrap_or_default()
    };
    if ids.len() > 100 {
        return Err(Refusal::bad("too many messages to delete"));
    }
    let conversation = world.conversation(bot, chat);
    let Some(conversation) = conversation else {
        return Err(Refusal::bad("message to delete not found"));
    };
    let removed = ids.iter().filter(|id| conversation.remove(**id)).count();
    if removed == 0 && method == "deleteMessage" {
        return Err(Refusal::bad("message to delete not found"));
    }
    Ok(true.into())
}
