//! What a bot can learn about chats and people.

use serde_json::{Value, json};

use super::resolve_chat;
use crate::simulator::params::Params;
use crate::simulator::reply::{Outcome, Refusal};
use crate::simulator::world::{Access, World};

pub(super) fn about(world: &mut World, bot: i64, method: &str, params: &Params) -> Outcome {
    let chat = resolve_chat(world, params, "chat_id")?;
    if !world.people.contains_key(&chat) || method != "getChat" {
        world.check_access(bot, chat)?;
    }
    match method {
        "getChat" => Ok(full(world, chat)),
        "getChatMember" => member(world, bot, chat, params.int("user_id").unwrap_or(0)),
        "getChatMemberCount" => {
            let place = world.places.get(&chat);
            Ok(place
                .map_or(2, |place| place.members.len() + place.bots.len())
                .into())
        }
        "getChatAdministrators" => {
            if world.places.contains_key(&chat) {
                Ok(Value::Array(Vec::new()))
            } else {
                Err(Refusal::bad("there are no administrators in the private chat"))
            }
        }
        _ => match world.places.get_mut(&chat) {
            Some(place) => {
                place.bots.insert(bot, Access::Left);
                Ok(true.into())
            }
            None => Err(Refusal::bad(
                "chat member status can't be changed in private chats",
            )),
        },
    }
}

fn full(world: &World, chat: i64) -> Value {
    let mut full = world.chat_object(chat);
    full["accent_color_id"] = 0.into();
    full["max_reaction_count"] = 11.into();
    full["accepted_gift_types"] = json!({
        "unlimited_gifts": false,
        "limited_gifts": false,
        "unique_gifts": false,
        "premium_subscription": false,
        "gifts_from_channels": false,
    });
    full
}

fn member(world: &World, bot: i64, chat: i64, user: i64) -> Outcome {
    let not_found = || Refusal::bad("user not found");
    if let Some(other) = world.bots.get(&user) {
        let status = match world.places.get(&chat).and_then(|place| place.bots.get(&user)) {
            Some(Access::Kicked) => "kicked",
            Some(Access::Member) => "member",
            _ if user == bot => "member",
            _ => "left",
        };
        let mut member = json!({ "status": status, "user": other.as_user() });
        if status == "kicked" {
            member["until_date"] = 0.into();
        }
        return Ok(member);
    }
    let person = world.people.get(&user).ok_or_else(not_found)?;
    let present = world
        .places
        .get(&chat)
        .map_or(chat == user, |place| place.members.contains(&user));
    let status = if present { "member" } else { "left" };
    Ok(json!({ "status": status, "user": person.as_user() }))
}
