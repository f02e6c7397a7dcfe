//! The bot's own menu, name and descriptions.

use serde_json::{Map, Value, json};

use crate::simulator::params::Params;
use crate::simulator::reply::{Outcome, Refusal};
use crate::simulator::world::{Bot, World};

/// Commands of one scope and language.
const MAX_COMMANDS: usize = 100;

const RIGHTS: [&str; 12] = [
    "is_anonymous",
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_send_welcome_messages",
];

/// The language of a call: empty, or two small letters.
fn language(params: &Params) -> Result<String, Refusal> {
    let code = params.text("language_code").unwrap_or_default();
    let fits = code.is_empty() || (code.len() == 2 && code.bytes().all(|b| b.is_ascii_lowercase()));
    if fits {
        Ok(code)
    } else {
        Err(Refusal::bad("Invalid language code specified"))
    }
}

/// The scope of a call as JSON text, without what its type does not have.
fn scope(params: &Params) -> Result<String, Refusal> {
    let scope = params
        .json("scope")?
        .unwrap_or_else(|| json!({ "type": "default" }));
    let kind = scope["type"].as_str().unwrap_or_default();
    let wanted: &[&str] = match kind {
        "default" | "all_private_chats" | "all_group_chats" | "all_chat_administrators" => &[],
        "chat" | "chat_administrators" => &["chat_id"],
        "chat_member" => &["chat_id", "user_id"],
        _ => return Err(Refusal::bad("unknown bot command scope type")),
    };
    let mut kept = Map::new();
    kept.insert("type".to_owned(), kind.into());
    for name in wanted {
        let value = scope.get(name).filter(|value| !value.is_null());
        let value = value.ok_or_else(|| Refusal::bad(format!("bot command scope has no {name}")))?;
        kept.insert((*name).to_owned(), value.clone());
    }
    Ok(Value::Object(kept).to_string())
}

fn own(world: &mut World, bot: i64) -> Result<&mut Bot, Refusal> {
    world
        .bots
        .get_mut(&bot)
        .ok_or_else(|| Refusal::new(401, "Unauthorized"))
}

pub(super) fn commands(world: &mut World, bot: i64, method: &str, params: &Params) -> Outcome {
    let key = (scope(params)?, language(params)?);
    let menus = &mut own(world, bot)?.commands;
    if method == "getMyCommands" {
        return Ok(menus.get(&key).cloned().unwrap_or_else(|| json!([])));
    }
    let commands = if method == "deleteMyCommands" {
        Vec::new()
    } else {
        params
            .typed::<Vec<Map<String, Value>>>("commands")?
            .unwrap_or_default()
    };
    if commands.len() > MAX_COMMANDS {
        return Err(Refusal::bad("BOT_COMMANDS_TOO_MUCH"));
    }
    let mut kept = Vec::new();
    for command in commands {
        let text = |name: &str| command.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = text("command").trim_start_matches('/');
        let fits = (1..=32).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !fits {
            return Err(Refusal::bad("BOT_COMMAND_INVALID"));
        }
        let description = text("description").trim();
        if !(1..=256).contains(&description.chars().count()) {
            return Err(Refusal::bad("BOT_COMMAND_DESCRIPTION_INVALID"));
        }
        kept.push(json!({ "command": name, "description": description }));
    }
    if kept.is_empty() {
        menus.remove(&key);
    } else {
        menus.insert(key, Value::Array(kept));
    }
    Ok(true.into())
}

/// The parameter of a text and its greatest length, by what the method's name ends in.
fn text_field(method: &str) -> (&'static str, usize) {
    if method.ends_with("ShortDescription") {
        ("short_description", 120)
    } else if method.ends_with("Description") {
        ("description", 512)
    } else {
        ("name", 64)
    }
}

pub(super) fn set_text(world: &mut World, bot: i64, method: &str, params: &Params) -> Outcome {
    let (field, longest) = text_field(method);
    let text = params.text(field).unwrap_or_default();
    if text.chars().count() > longest {
        return Err(Refusal::bad(format!(
            "the bot's {} is too long",
            field.replace('_', " ")
        )));
    }
    let key = (field, language(params)?);
    let texts = &mut own(world, bot)?.texts;
    if text.is_empty() {
        texts.remove(&key);
    } else {
        texts.insert(key, text);
    }
    Ok(true.into())
}

pub(super) fn text(world: &mut World, bot: i64, method: &str, params: &Params) -> Outcome {
    let (field, _) = text_field(method);
    let language = language(params)?;
    let bot = own(world, bot)?;
    let found = bot
        .texts
        .get(&(field, language))
        .or_else(|| bot.texts.get(&(field, String::new())));
    let usual = if field == "name" {
        bot.first_name.as_str()
    } else {
        ""
    };
    let mut result = Map::new();
    result.insert(field.to_owned(), found.map_or(usual, String::as_str).into());
    Ok(Value::Object(result))
}

pub(super) fn menu(world: &mut World, bot: i64, method: &str, params: &Params) -> Outcome {
    let chat = params.int("chat_id");
    let button = params.json("menu_button")?;
    let menus = &mut own(world, bot)?.menus;
    if method == "setChatMenuButton" {
        menus.insert(chat, button.unwrap_or_else(|| json!({ "type": "default" })));
        return Ok(true.into());
    }
    let found = menus.get(&chat).or_else(|| menus.get(&None));
    Ok(found.cloned().unwrap_or_else(|| json!({ "type": "default" })))
}

pub(super) fn rights(world: &mut World, bot: i64, method: &str, params: &Params) -> Outcome {
    let channels = params.flag("for_channels");
    let rights = params.json("rights")?;
    let all = &mut own(world, bot)?.admin_rights;
    if method.starts_with("set") {
        match rights {
            Some(rights) => all.insert(channels, rights),
            None => all.remove(&channels),
        };
        return Ok(true.into());
    }
    let none = || {
        Value::Object(
            RIGHTS
                .iter()
                .map(|name| ((*name).to_owned(), false.into()))
                .collect(),
        )
    };
    Ok(all.get(&channels).cloned().unwrap_or_else(none))
}
