//! Keyboards: what Telegram refuses of them.

use serde_json::Value;

use super::params::Params;
use super::reply::Refusal;

/// Fields of which an inline button has exactly one.
const INLINE_ACTIONS: [&str; 11] = [
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
    "disabled",
];

/// Buttons of an inline keyboard, in all.
const MAX_BUTTONS: usize = 100;

/// The keyboard of a call, checked. `None`: there is none, or an empty inline one, which removes it.
pub(crate) fn read(params: &Params) -> Result<Option<Value>, Refusal> {
    let Some(markup) = params.json("reply_markup")? else {
        return Ok(None);
    };
    let Some(object) = markup.as_object() else {
        return Err(Refusal::bad("can't parse reply keyboard markup JSON object"));
    };
    if object.is_empty() {
        return Ok(None);
    }
    if let Some(rows) = object.get("inline_keyboard") {
        let count = each_button(rows, "inline keyboard", inline_button)?;
        if count > MAX_BUTTONS {
            return Err(Refusal::bad("REPLY_MARKUP_TOO_LONG"));
        }
        return Ok(Some(markup).filter(|_| count > 0));
    }
    if let Some(rows) = object.get("keyboard") {
        if each_button(rows, "keyboard", reply_button)? == 0 {
            return Err(Refusal::bad(
                "reply keyboard markup must have at least one button",
            ));
        }
        return Ok(Some(markup));
    }
    let known = ["remove_keyboard", "force_reply"]
        .iter()
        .any(|field| object.contains_key(*field));
    if known {
        Ok(Some(markup))
    } else {
        Err(Refusal::bad("object expected as reply markup"))
    }
}

fn each_button(
    rows: &Value,
    what: &str,
    check: impl Fn(&Value) -> Result<(), Refusal>,
) -> Result<usize, Refusal> {
    let rows = rows
        .as_array()
        .ok_or_else(|| Refusal::bad(format!("field \"{what}\" must be an Array of Arrays")))?;
    let mut count = 0;
    for row in rows {
        let row = row
            .as_array()
            .ok_or_else(|| Refusal::bad(format!("field \"{what}\" must be an Array of Arrays")))?;
        for button in row {
            check(button)?;
            count += 1;
        }
    }
    Ok(count)
}

fn inline_button(button: &Value) -> Result<(), Refusal> {
    let broken = |why: &str| Refusal::bad(format!("can't parse inline keyboard button: {why}"));
    let object = button
        .as_object()
        .ok_or_else(|| broken("InlineKeyboardButton must be an Object"))?;
    let text = object.get("text").and_then(Value::as_str);
    let text = text.ok_or_else(|| broken("Field \"text\" must be of type String"))?;
    if text.trim().is_empty() {
        return Err(Refusal::bad("inline keyboard button text must be non-empty"));
    }
    let actions = INLINE_ACTIONS
        .iter()
        .filter(|action| object.contains_key(**action))
        .count();
    if actions == 0 {
        return Err(broken("Text buttons are unallowed in the inline keyboard"));
    }
    if let Some(data) = object.get("callback_data") {
        let bytes = data.as_str().map_or(0, str::len);
        if !(1..=64).contains(&bytes) {
            return Err(Refusal::bad("BUTTON_DATA_INVALID"));
        }
    }
    if let Some(url) = object.get("url") {
        let url = url.as_str().unwrap_or("");
        let valid = url::Url::parse(url)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https" | "tg" | "ton") && url.host().is_some());
        if !valid {
            return Err(Refusal::bad(format!(
                "inline keyboard button URL '{url}' is invalid: Wrong HTTP URL"
            )));
        }
    }
    Ok(())
}

fn reply_button(button: &Value) -> Result<(), Refusal> {
    let text = button
        .as_str()
        .or_else(|| button.get("text").and_then(Value::as_str));
    match text {
        Some(text) if !text.trim().is_empty() => Ok(()),
        Some(_) => Err(Refusal::bad("keyboard button text must be non-empty")),
        None => Err(Refusal::bad(
            "can't parse keyboard button: Field \"text\" must be of type String",
        )),
    }
}
