//! `telemetry`: which events are recorded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// Events that `bot.js` reports when a spec asks for them.
pub const KNOWN_EVENTS: [&str; 7] = [
    "api_error",
    "api_ok",
    "flow_completed",
    "flow_started",
    "intent_matched",
    "step_completed",
    "validation_failed",
];

/// Which events are recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Names of [`KNOWN_EVENTS`]; others are kept and never occur.
    #[serde(default)]
    #[schemars(length(max = 100), extend("uniqueItems" = true, "items" = {"type": "string", "pattern": limits::EVENT_PATTERN}))]
    pub events: Vec<String>,
}
