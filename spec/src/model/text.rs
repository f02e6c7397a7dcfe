//! What a bot says: a text, or the key of one.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A text that is the same in all locales, or the key of a localized one. Both may hold `{{…}}` placeholders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// The text itself.
    Literal(String),
    /// A key of `localization`.
    Key(TextKey),
}

/// Names a text of `localization`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextKey {
    /// The key.
    pub key: String,
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // One object with optional branches instead of a union, so that a mistake inside is reported as itself.
        json_schema!({
            "description": "A text that is the same in all locales, or {\"key\": …} of a localized one.",
            "type": ["string", "object"],
            "properties": {"key": {"type": "string", "minLength": 1, "maxLength": 128}},
            "required": ["key"],
            "additionalProperties": false
        })
    }
}
