//! `ask`: send a message and wait.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QuickReply;
use crate::limits;
use crate::model::Text;

/// Sends a message and waits; the next message of the chat becomes `context.input`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Ask {
    /// Unique in the flow.
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub id: String,
    /// The question.
    pub text: Text,
    /// Buttons of a one-time keyboard.
    #[serde(default)]
    #[schemars(length(max = limits::QUICK_REPLIES))]
    pub quick_replies: Vec<QuickReply>,
}
