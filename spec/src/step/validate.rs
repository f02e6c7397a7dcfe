//! `validate`: test the answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits;
use crate::model::Text;

/// Tests `context.input` against exactly one of `regex` and `schema`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [{"required": ["regex"]}, {"required": ["schema"]}]))]
pub struct Validate {
    /// Unique in the flow.
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub id: String,
    /// A pattern in Rust `regex` syntax, unanchored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::REGEX_SOURCE_BYTES))]
    pub regex: Option<String>,
    /// A JSON Schema (2020-12) of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("type" = ["object", "boolean"]))]
    pub schema: Option<Value>,
    /// What happens when the input fails.
    pub on_fail: OnFail,
}

/// What happens when an input fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OnFail {
    /// Sent before the bot waits again.
    pub text: Text,
    /// The failure with this number sends nothing and leaves.
    #[serde(default = "max_attempts")]
    #[schemars(range(min = 1, max = limits::MAX_ATTEMPTS))]
    pub max_attempts: u32,
    /// Step of the same flow to go to then; absent: the flow ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub goto: Option<String>,
}

fn max_attempts() -> u32 {
    limits::DEFAULT_MAX_ATTEMPTS
}
