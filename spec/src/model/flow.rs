//! `flows`: lists of steps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::step::Step;

/// A list of steps that run one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Unique among the flows.
    #[schemars(extend("pattern" = limits::NAME_PATTERN))]
    pub id: String,
    /// Steps in order; the flow ends after the last.
    #[schemars(length(max = limits::STEPS_PER_FLOW))]
    pub steps: Vec<Step>,
}
