//! `reply`: send a message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Media, QuickReply};
use crate::limits;
use crate::model::Text;

/// Sends a message, with a file and with buttons if wanted, and goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Reply {
    /// Unique in the flow.
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub id: String,
    /// The message, or the caption of `media`.
    pub text: Text,
    /// A file to send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// Buttons of a one-time keyboard.
    #[serde(default)]
    #[schemars(length(max = limits::QUICK_REPLIES))]
    pub quick_replies: Vec<QuickReply>,
}
