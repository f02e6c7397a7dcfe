//! Why a call did not end well, told from what the engine threw.

use rquickjs::{Ctx, FromJs, Object, Type, Value};

use crate::sandbox::limits::MAX_MESSAGE_BYTES;
use crate::sandbox::protocol::{Failure, MAX_ANSWER_TEXT, Tag};

/// Where the engine's frames name the place of an error: `bot.js:3:14`.
const FILE: &str = "bot.js:";

/// A failed load or call.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) tag: Tag,
    /// The engine ran out of memory, so nothing in this process is to be trusted any more.
    pub(super) poisoned: bool,
    message: String,
    line: u32,
    column: u32,
}

impl Fault {
    pub(super) fn of_tag(tag: Tag) -> Self {
        Self {
            tag,
            poisoned: false,
            message: String::new(),
            line: 0,
            column: 0,
        }
    }

    fn with_message(tag: Tag, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..Self::of_tag(tag)
        }
    }

    pub(super) fn script(message: &str) -> Self {
        Self::with_message(Tag::ScriptError, message)
    }

    pub(super) fn bad_result(message: &str) -> Self {
        Self::with_message(Tag::BadResult, message)
    }

    pub(super) fn output(bytes: usize) -> Self {
        let message = format!("the answer has {bytes} bytes, at most {MAX_ANSWER_TEXT} are allowed");
        Self::with_message(Tag::OutputLimit, message)
    }

    /// What the engine throws at the moment.
    pub(super) fn caught(ctx: &Ctx<'_>) -> Self {
        Self::of(&ctx.catch())
    }

    /// A thrown value. Reads each property at most once: reading can run bot code.
    pub(super) fn of(thrown: &Value<'_>) -> Self {
        // The engine throws `null` when there is no memory left for an error.
        if matches!(thrown.type_of(), Type::Null | Type::Uninitialized) {
            return out_of_memory();
        }
        let Some(object) = thrown.as_object() else {
            return Self::script(&primitive(thrown));
        };
        let ctx = thrown.ctx();
        let name = text(ctx, object, "name").unwrap_or_default();
        let message = text(ctx, object, "message").unwrap_or_default();
        if object.is_error() && name == "InternalError" {
            return match message.as_str() {
                text if text.starts_with("out of memory") => out_of_memory(),
                "string too long" => Self::of_tag(Tag::MemoryLimit),
                _ => Self {
                    poisoned: true,
                    ..Self::script(&message)
                },
            };
        }
        if object.is_error() && name == "RangeError" && message == "Maximum call stack size exceeded" {
            return Self::of_tag(Tag::StackLimit);
        }
        let (line, column) = text(ctx, object, "stack")
            .as_deref()
            .and_then(position)
            .unwrap_or((0, 0));
        // A message with a code of its own stays as it is; others say what kind of error they are.
        let has_code = message
            .split_once(": ")
            .is_some_and(|(code, _)| !code.is_empty() && !code.contains([' ', '"']));
        let message = match (name.as_str(), message.as_str()) {
            ("" | "Error", "") => "an object without a message was thrown".to_owned(),
            (name, "") => name.to_owned(),
            ("" | "Error", message) => message.to_owned(),
            (_, message) if has_code => message.to_owned(),
            (name, message) => format!("{name}: {message}"),
        };
        Self {
            line,
            column,
            ..Self::script(&message)
        }
    }

    /// As it goes over the channel.
    pub(super) fn failure(&self) -> Failure<'_> {
        Failure {
            line: self.line,
            column: self.column,
            message: &self.message,
        }
    }
}

pub(super) fn out_of_memory() -> Fault {
    Fault {
        poisoned: true,
        ..Fault::of_tag(Tag::MemoryLimit)
    }
}

fn primitive(value: &Value<'_>) -> String {
    let text = value.as_string().and_then(|text| text.to_string().ok());
    text.map(cut)
        .or_else(|| value.as_number().map(|number| number.to_string()))
        .or_else(|| value.as_bool().map(|bool| bool.to_string()))
        .unwrap_or_else(|| format!("{} was thrown", value.type_name()))
}

fn text<'js>(ctx: &Ctx<'js>, object: &Object<'js>, key: &str) -> Option<String> {
    let value: Value = object.get(key).inspect_err(|_| drop(ctx.catch())).ok()?;
    // Only texts: turning another value into one would run bot code again.
    String::from_js(ctx, value).ok().map(cut)
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_MESSAGE_BYTES));
    text
}

fn position(stack: &str) -> Option<(u32, u32)> {
    let (_, place) = stack.split_once(FILE)?;
    let mut numbers = place.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_frame_in_bot_js_is_the_place() {
        let stack = "    at push (native)\n    at handle (bot.js:12:34)\n    at x (bot.js:1:1)\n";
        assert_eq!(position(stack), Some((12, 34)));
        assert_eq!(position("    at bot.js:7:1\n"), Some((7, 1)));
        assert_eq!(position("    at push (native)"), None);
        assert_eq!(position("bot.js:x"), None);
    }
}
