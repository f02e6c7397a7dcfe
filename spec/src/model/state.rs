//! `state`: what a bot remembers about a chat.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits;

/// The keys of a chat's state and their limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Declared keys by name; nothing else can be stored.
    #[serde(default)]
    #[schemars(extend("propertyNames" = {"pattern": limits::NAME_PATTERN}))]
    pub keys: BTreeMap<String, StateKey>,
    /// Seconds a value lives after it was written, for keys without their own `ttlSec`; absent: no expiry.
    #[serde(default, rename = "ttlSec", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = limits::TTL_SEC))]
    pub ttl_sec: Option<u32>,
    /// Largest state of one chat, in units of 1,024 bytes of JSON.
    #[serde(default = "max_kb", rename = "maxKB")]
    #[schemars(range(min = 1, max = limits::STATE_KB))]
    pub max_kb: u32,
}

fn max_kb() -> u32 {
    limits::STATE_KB
}

impl Default for State {
    fn default() -> Self {
        Self {
            keys: BTreeMap::new(),
            ttl_sec: None,
            max_kb: max_kb(),
        }
    }
}

/// One declared key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateKey {
    /// Type of the values.
    #[serde(rename = "type")]
    pub kind: StateType,
    /// Whether values are personal data (`meta.pii_policy` applies).
    #[serde(default)]
    pub pii: bool,
    /// Seconds a value lives after it was written.
    #[serde(default, rename = "ttlSec", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = limits::TTL_SEC))]
    pub ttl_sec: Option<u32>,
    /// Value of the key while nothing is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("type" = ["string", "number", "boolean", "object", "array"]))]
    pub default: Option<Value>,
    /// Largest value: UTF-8 bytes of a string, bytes of the JSON of anything else.
    #[serde(default, rename = "maxBytes", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = limits::STATE_KB * 1024))]
    pub max_bytes: Option<u32>,
}

/// Type of a state key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum StateType {
    /// Text.
    String,
    /// A finite double.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A JSON object.
    Object,
    /// A JSON array.
    Array,
}

impl StateType {
    /// The name used in specs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::Array => "array",
        }
    }

    /// Whether `value` is of this type.
    pub fn admits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
        }
    }
}
