//! `commands`: slash commands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Text;
use crate::limits;

/// A slash command and the flow it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// With the slash, in lower case: `/start`.
    #[schemars(extend("pattern" = limits::COMMAND_PATTERN))]
    pub command: String,
    /// Id of the flow.
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub flow: String,
    /// Shown in Telegram's command menu; a command without it is not listed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
}
