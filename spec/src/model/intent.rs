//! `intents`: keywords that start flows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// Words that start a flow when a message holds one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Unique among the intents.
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub id: String,
    /// Words and phrases by locale.
    #[schemars(extend("additionalProperties" = {
        "type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 256}
    }))]
    pub keywords: BTreeMap<String, Vec<String>>,
    /// The highest wins; among equals the first in the document.
    #[serde(default)]
    #[schemars(range(min = -1_000_000, max = 1_000_000))]
    pub priority: i32,
    /// Seconds for which the intent does not match again in the same chat.
    #[serde(default, rename = "cooldownSec")]
    #[schemars(range(max = limits::TTL_SEC))]
    pub cooldown_sec: u32,
    /// Id of the flow.
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub flow: String,
}
