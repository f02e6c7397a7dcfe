//! `sendMediaGroup`: several messages that people see as one album.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{files, resolve_chat, send};
use crate::simulator::media::MediaKind;
use crate::simulator::params::Params;
use crate::simulator::reply::{Outcome, Refusal};
use crate::simulator::text;
use crate::simulator::world::{Shared, World};

pub(super) fn send(shared: &Arc<Shared>, world: &mut World, bot: i64, params: &Params) -> Outcome {
    let chat = resolve_chat(world, params, "chat_id")?;
    world.check_access(bot, chat)?;
    let items = params
        .typed::<Vec<Map<String, Value>>>("media")?
        .unwrap_or_default();
    if !(2..=10).contains(&items.len()) {
        return Err(Refusal::bad("group of media must include 2-10 items"));
    }
    let mut kinds = Vec::new();
    for item in &items {
        let name = item.get("type").and_then(Value::as_str).unwrap_or_default();
        let media = MediaKind::from_name(name).filter(|media| {
            matches!(
                media,
                MediaKind::Photo | MediaKind::Video | MediaKind::Document | MediaKind::Audio
            )
        });
        kinds
            .push(media.ok_or_else(|| Refusal::bad("can't parse InputMedia: invalid media type specified"))?);
    }
    let alone = |media: &MediaKind| matches!(media, MediaKind::Document | MediaKind::Audio);
    if kinds.iter().any(alone) && kinds.iter().any(|media| *media != kinds[0]) {
        return Err(Refusal::bad(
            "this type of media can't be mixed with other media types",
        ));
    }
    let mut contents = Vec::new();
    for (item, media) in items.into_iter().zip(kinds) {
        let source = item
            .get("media")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let file = files::of_text(world, params, &source, media)?;
        let mut content = Map::new();
        media.describe(&mut content, &file);
        let item = Params {
            values: item,
            ..Params::default()
        };
        text::put_caption(&item, &mut content)?;
        contents.push(content);
    }
    send::flood(shared, world, bot, chat)?;
    let album = world.random_id();
    let mut messages = Vec::new();
    for content in contents {
        let mut message = send::head(world, bot, chat);
        message.insert("media_group_id".into(), album.as_str().into());
        message.extend(content);
        world.keep(bot, chat, &message, true, None);
        messages.push(Value::Object(message));
    }
    Ok(Value::Array(messages))
}
