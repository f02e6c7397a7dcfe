//! What changed between two specs: in words, and as a JSON Patch (RFC 6902).

mod align;
mod patch;
mod words;

use serde::{Deserialize, Serialize};

use crate::model::BotSpec;

pub use patch::PatchOp;

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// One sentence per change, section by section in document order.
    pub changes: Vec<Change>,
    /// Turns the first spec (with defaults filled in) into the second.
    pub patch: Vec<PatchOp>,
}

/// A change in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where, in the second spec; in the first for what was removed.
    pub pointer: String,
    /// What, for people: `Command /start now runs flow welcome (was main)`.
    pub message: String,
}

/// Compares two specs. Lists are matched by the ids of their entries, so an inserted step is one change.
pub fn diff(from: &BotSpec, to: &BotSpec) -> Diff {
    let value =
        |spec| serde_json::to_value(spec).expect("maps of the types have text keys and numbers are finite");
    let (from, to) = (value(from), value(to));
    Diff {
        changes: words::changes(&from, &to),
        patch: patch::patch(&from, &to),
    }
}
