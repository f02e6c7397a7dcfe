//! Immutable versions of a spec.

use crate::hash::SpecHash;
use crate::ids::{BotId, UserId};
use crate::time::TimestampMs;

/// A version without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecVersionSummary {
    /// The bot.
    pub bot: BotId,
    /// 1, 2, 3 … per bot.
    pub version: u32,
    /// Names the content.
    pub spec_hash: SpecHash,
    /// Who posted it.
    pub author: Option<UserId>,
    /// When.
    pub created_at: TimestampMs,
    /// What its people say about it; may change.
    pub note: Option<String>,
    /// The version whose content was put back with this one.
    pub restored_from: Option<u32>,
}

/// A version of a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecVersion {
    /// What identifies it.
    pub summary: SpecVersionSummary,
    /// Canonical JSON.
    pub canonical: String,
    /// Warnings found when it was posted, as a JSON list of findings.
    pub warnings: String,
}
