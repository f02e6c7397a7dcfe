//! The types of a BotSpec, version 1: one file per section. Field names in JSON are part of the contract.
//!
//! Reading fills every default, so a spec that spells a default out equals one that leaves it away. Types check
//! shapes only; use [`crate::check()`] for anything that came from outside.

mod command;
mod flow;
mod intent;
mod localization;
mod meta;
mod security;
mod state;
mod telemetry;
mod text;
mod when;

pub use command::Command;
pub use flow::Flow;
pub use intent::Intent;
pub use localization::Localization;
pub use meta::{Meta, PiiPolicy, Retention};
pub use security::Security;
pub use state::{State, StateKey, StateType};
pub use telemetry::{KNOWN_EVENTS, Telemetry};
pub use text::{Text, TextKey};
pub use when::{Op, Test, When};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// A whole bot, as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "BotSpec v1")]
pub struct BotSpec {
    /// Who the bot is and which languages it speaks.
    pub meta: Meta,
    /// Slash commands that start flows.
    #[serde(default)]
    #[schemars(length(max = limits::COMMANDS))]
    pub commands: Vec<Command>,
    /// Keywords that start flows.
    #[serde(default)]
    pub intents: Vec<Intent>,
    /// What the bot does, step by step.
    #[schemars(length(min = 1, max = limits::FLOWS))]
    pub flows: Vec<Flow>,
    /// What the bot remembers about a chat.
    #[serde(default)]
    pub state: State,
    /// Texts by locale and key.
    #[serde(default)]
    pub localization: Localization,
    /// Which events are recorded.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// What the bot may reach.
    #[serde(default)]
    pub security: Security,
}
