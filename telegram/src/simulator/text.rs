//! Texts: length, formatting fields and what Telegram refuses.

use serde_json::{Map, Value};

use super::params::Params;
use super::reply::Refusal;

/// Longest text, in code points after formatting is read.
const MAX_TEXT: usize = 4096;
/// Longest caption, likewise.
const MAX_CAPTION: usize = 1024;

/// Puts a call's text into a message. Leading and trailing white space goes, as at Telegram.
pub(crate) fn put_text(params: &Params, message: &mut Map<String, Value>) -> Result<(), Refusal> {
    let text = params.text("text").unwrap_or_default();
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Refusal::bad("message text is empty"));
    }
    if trimmed.chars().count() > MAX_TEXT {
        return Err(Refusal::bad("message is too long"));
    }
    message.insert("text".into(), trimmed.into());
    put_entities(params, "entities", &text, message)
}

/// Puts a call's caption into a message, or takes the old one out.
pub(crate) fn put_caption(params: &Params, message: &mut Map<String, Value>) -> Result<(), Refusal> {
    let caption = params.text("caption").unwrap_or_default();
    let trimmed = caption.trim();
    if trimmed.chars().count() > MAX_CAPTION {
        return Err(Refusal::bad("message caption is too long"));
    }
    if trimmed.is_empty() {
        message.remove("caption");
        message.remove("caption_entities");
        return Ok(());
    }
    message.insert("caption".into(), trimmed.into());
    put_entities(params, "caption_entities", &caption, message)
}

/// Entities given as data are kept, moved with the trimmed text. Markup languages are not imitated: a call that asks
/// for one is refused, never shown with its marks.
fn put_entities(
    params: &Params,
    field: &str,
    text: &str,
    message: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    if params.has("parse_mode") {
        return Err(Refusal::bad("unsupported parse_mode"));
    }
    message.remove(field);
    let Some(entities) = params.typed::<Vec<Map<String, Value>>>(field)? else {
        return Ok(());
    };
    let lead = text.len() - text.trim_start().len();
    let lead = text[..lead].encode_utf16().count();
    let length = text.trim().encode_utf16().count();
    let number = |entity: &Map<String, Value>, name: &str| {
        let value = entity.get(name).and_then(Value::as_u64);
        value.and_then(|n| usize::try_from(n).ok()).ok_or_else(|| {
            Refusal::bad(format!(
                "can't parse MessageEntity: Field \"{name}\" must be of type Number"
            ))
        })
    };
    let mut kept = Vec::new();
    for mut entity in entities {
        let (offset, span) = (number(&entity, "offset")?, number(&entity, "length")?);
        let end = offset.saturating_add(span).saturating_sub(lead).min(length);
        let start = offset.saturating_sub(lead).min(end);
        if start < end {
            entity.insert("offset".into(), start.into());
            entity.insert("length".into(), (end - start).into());
            kept.push(Value::Object(entity));
        }
    }
    if !kept.is_empty() {
        message.insert(field.to_owned(), Value::Array(kept));
    }
    Ok(())
}
