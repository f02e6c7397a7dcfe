//! Buttons under a message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::model::Text;

/// A button of a one-time reply keyboard. Without `flow` and `value` a press counts as input of the button's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuickReply {
    /// What is on the button.
    pub text: Text,
    /// Flow that a press starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub flow: Option<String>,
    /// Input that a press counts as, as it stands (no placeholders).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = limits::MESSAGE_CODE_POINTS))]
    pub value: Option<String>,
}
