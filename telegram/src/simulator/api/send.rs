//! Methods that put a message into a chat.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::files;
use super::resolve_chat;
use crate::simulator::clock::unix_seconds;
use crate::simulator::keyboard;
use crate::simulator::media::MediaKind;
use crate::simulator::params::Params;
use crate::simulator::reply::{Outcome, Refusal};
use crate::simulator::text;
use crate::simulator::world::{Shared, World};

/// What a copy does not take over.
const NOT_COPIED: [&str; 8] = [
    "message_id",
    "from",
    "sender_chat",
    "chat",
    "date",
    "reply_markup",
    "reply_to_message",
    "edit_date",
];

/// Whether this module sends it.
pub(super) fn knows(method: &str) -> bool {
    MediaKind::of_method(method).is_some()
        || [
            "sendMessage",
            "sendLocation",
            "sendVenue",
            "sendContact",
            "sendDice",
            "sendPoll",
        ]
        .contains(&method)
}

pub(super) fn send(
    shared: &Arc<Shared>,
    world: &mut World,
    bot: i64,
    method: &str,
    params: &Params,
) -> Outcome {
    let chat = resolve_chat(world, params, "chat_id")?;
    world.check_access(bot, chat)?;
    let mut content = Map::new();
    match MediaKind::of_method(method) {
        Some(media) => {
            let file = files::of_param(world, params, media)?;
            media.describe(&mut content, &file);
            if media.has_caption() {
                text::put_caption(params, &mut content)?;
            }
        }
        None if method == "sendMessage" => text::put_text(params, &mut content)?,
        None => structured(world, method, params, &mut content)?,
    }
    post(shared, world, bot, chat, params, content)
}

/// What needs no file and no text.
fn structured(
    world: &mut World,
    method: &str,
    params: &Params,
    content: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let text = |name: &str| params.text(name).unwrap_or_default();
    let location = || {
        let (latitude, longitude) = (params.float("latitude"), params.float("longitude"));
        match (latitude, longitude) {
            (Some(latitude), Some(longitude)) if latitude.abs() <= 90.0 && longitude.abs() <= 180.0 => {
                Ok(json!({ "latitude": latitude, "longitude": longitude }))
            }
            _ => Err(Refusal::bad("wrong location specified")),
        }
    };
    match method {
        "sendLocation" => content.insert("location".into(), location()?),
        "sendVenue" => {
            content.insert("location".into(), location()?);
            let venue =
                json!({ "location": location()?, "title": text("title"), "address": text("address") });
            content.insert("venue".into(), venue)
        }
        "sendContact" => {
            let contact = json!({ "phone_number": text("phone_number"), "first_name": text("first_name") });
            content.insert("contact".into(), contact)
        }
        "sendDice" => {
            let emoji = params.text("emoji").unwrap_or_else(|| "🎲".into());
            let value = rand::Rng::random_range(&mut world.rng, 1..=5);
            content.insert("dice".into(), json!({ "emoji": emoji, "value": value }))
        }
        _ => content.insert("poll".into(), poll(world, params)?),
    };
    Ok(())
}

fn poll(world: &mut World, params: &Params) -> Outcome {
    let question = params.text("question").unwrap_or_default();
    if !(1..=300).contains(&question.trim().chars().count()) {
        return Err(Refusal::bad("poll question length must not exceed 300"));
    }
    let options = params.typed::<Vec<Value>>("options")?.unwrap_or_default();
    if !(1..=12).contains(&options.len()) {
        return Err(Refusal::bad(
            "poll must have at least 1 and at most 12 answer options",
        ));
    }
    let options: Vec<Value> = (0..)
        .zip(&options)
        .map(|(n, option): (u32, _)| {
            let text = option
                .as_str()
                .or_else(|| option.get("text").and_then(Value::as_str))
                .unwrap_or_default();
            json!({ "persistent_id": n.to_string(), "text": text, "voter_count": 0 })
        })
        .collect();
    Ok(json!({
        "id": world.random_id(),
        "question": question,
        "options": options,
        "total_voter_count": 0,
        "is_closed": false,
        "is_anonymous": !params.has("is_anonymous") || params.flag("is_anonymous"),
        "type": params.text("type").unwrap_or_else(|| "regular".into()),
        "allows_multiple_answers": params.flag("allows_multiple_answers"),
        "allows_revoting": false,
        "members_only": false,
    }))
}

/// `copyMessage` and `forwardMessage`.
pub(super) fn again(
    shared: &Arc<Shared>,
    world: &mut World,
    bot: i64,
    method: &str,
    params: &Params,
) -> Outcome {
    let chat = resolve_chat(world, params, "chat_id")?;
    let from = resolve_chat(world, params, "from_chat_id")?;
    world.check_access(bot, chat)?;
    let what = if method == "copyMessage" {
        "copy"
    } else {
        "forward"
    };
    let source = params
        .int("message_id")
        .and_then(|id| world.existing(bot, from)?.get(id));
    let source = source.ok_or_else(|| Refusal::bad(format!("message to {what} not found")))?;
    let mut content = source.message();
    let (sender, date) = (content.get("from").cloned(), content.get("date").cloned());
    for field in NOT_COPIED {
        content.shift_remove(field);
    }
    if what == "forward" {
        let origin = match sender {
            Some(user) => json!({ "type": "user", "sender_user": user, "date": date }),
            None => json!({ "type": "hidden_user", "sender_user_name": "?", "date": date }),
        };
        content.insert("forward_origin".into(), origin);
    } else if params.has("caption") {
        text::put_caption(params, &mut content)?;
    }
    let sent = post(shared, world, bot, chat, params, content)?;
    if what == "forward" {
        Ok(sent)
    } else {
        Ok(json!({ "message_id": sent.get("message_id") }))
    }
}

/// Puts content into a chat, if the limits allow, and gives the message.
pub(super) fn post(
    shared: &Arc<Shared>,
    world: &mut World,
    bot: i64,
    chat: i64,
    params: &Params,
    content: Map<String, Value>,
) -> Outcome {
    let markup = keyboard::read(params)?;
    let reply_to = reply_target(world, bot, chat, params)?;
    flood(shared, world, bot, chat)?;
    let mut message = head(world, bot, chat);
    for field in ["message_thread_id", "business_connection_id"] {
        if let Some(value) = params.values.get(field) {
            let number = params.int(field).filter(|_| field == "message_thread_id");
            message.insert(field.into(), number.map_or_else(|| value.clone(), Value::from));
        }
    }
    if let Some(replied) = reply_to {
        message.insert("reply_to_message".into(), replied);
    }
    if params.flag("protect_content") {
        message.insert("has_protected_content".into(), true.into());
    }
    message.extend(content);
    if let Some(markup) = &markup {
        if markup.get("inline_keyboard").is_some() {
            message.insert("reply_markup".into(), markup.clone());
        }
        if let Some(conversation) = world.conversation(bot, chat) {
            if markup.get("keyboard").is_some() {
                conversation.keyboard = Some(markup.clone());
            } else if markup.get("remove_keyboard").is_some() {
                conversation.keyboard = None;
            }
        }
    }
    world.keep(bot, chat, &message, true, markup.as_ref());
    Ok(Value::Object(message))
}

/// A message's number, sender, chat and date.
pub(super) fn head(world: &mut World, bot: i64, chat: i64) -> Map<String, Value> {
    let chat_object = world.chat_object(chat);
    let channel = world
        .places
        .get(&chat)
        .is_some_and(|place| place.kind == "channel");
    let sender = world
        .bots
        .get(&bot)
        .map_or(Value::Null, crate::simulator::world::Bot::as_user);
    let id = world
        .conversation(bot, chat)
        .map_or(0, crate::simulator::world::Conversation::next_message_id);
    let mut message = Map::new();
    message.insert("message_id".into(), id.into());
    if channel {
        message.insert("sender_chat".into(), chat_object.clone());
    } else {
        message.insert("from".into(), sender);
    }
    message.insert("chat".into(), chat_object);
    message.insert("date".into(), unix_seconds().into());
    message
}

/// Takes one message out of the limits of chat and bot.
pub(super) fn flood(shared: &Shared, world: &mut World, bot: i64, chat: i64) -> Result<(), Refusal> {
    let model = &shared.options.flood;
    let now = shared.clock.now();
    let group = world
        .places
        .get(&chat)
        .is_some_and(|place| place.kind != "channel");
    let rate = if group { model.group } else { model.chat };
    if let (Some(rate), Some(conversation)) = (rate, world.conversation(bot, chat)) {
        conversation
            .flood
            .take(rate, now, model.penalty_secs)
            .map_err(Refusal::retry_after)?;
    }
    if let (Some(rate), Some(bot)) = (model.bulk, world.bots.get_mut(&bot)) {
        bot.bulk
            .take(rate, now, model.penalty_secs)
            .map_err(Refusal::retry_after)?;
    }
    Ok(())
}

/// The message that is replied to, in the form that the new one carries.
fn reply_target(world: &World, bot: i64, chat: i64, params: &Params) -> Result<Option<Value>, Refusal> {
    let reply = params.typed::<Map<String, Value>>("reply_parameters")?;
    let (id, lenient) = match &reply {
        Some(reply) => {
            let lenient = reply
                .get("allow_sending_without_reply")
                .and_then(Value::as_bool)
                .unwrap_or(false);
            (reply.get("message_id").and_then(Value::as_i64), lenient)
        }
        None => (
            params.int("reply_to_message_id"),
            params.flag("allow_sending_without_reply"),
        ),
    };
    let Some(id) = id else { return Ok(None) };
    match world
        .existing(bot, chat)
        .and_then(|conversation| conversation.get(id))
    {
        Some(stored) => {
            let mut replied = stored.message();
            // One level, as Telegram does.
            replied.shift_remove("reply_to_message");
            Ok(Some(Value::Object(replied)))
        }
        None if lenient => Ok(None),
        None => Err(Refusal::bad("message to be replied not found")),
    }
}
