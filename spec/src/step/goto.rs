//! `goto`: jump.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::model::When;

/// Jumps when the condition holds (or always), else goes to `else_next` or to the next step.
///
/// `flow` alone means its first step, `step` alone a step of the same flow, both a step of that flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("anyOf" = [{"required": ["flow"]}, {"required": ["step"]}]))]
pub struct Goto {
    /// Unique in the flow.
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub id: String,
    /// Flow to go to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub flow: Option<String>,
    /// Step to go to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub step: Option<String>,
    /// The condition; absent: it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Step of the same flow to go to when the condition does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub else_next: Option<String>,
}
