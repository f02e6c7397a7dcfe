//! `save`: write a state key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits;

/// Writes a state key, converted to its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Save {
    /// Unique in the flow.
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub id: String,
    /// A declared state key.
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub key: String,
    /// JSON whose strings may hold placeholders.
    #[serde(default = "input")]
    #[schemars(extend("type" = ["string", "number", "boolean", "object", "array"]))]
    pub value: Value,
}

fn input() -> Value {
    Value::String("{{context.input}}".to_owned())
}
