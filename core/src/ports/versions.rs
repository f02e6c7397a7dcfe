//! Port: immutable versions of specs.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Page, PageRequest, StoreResult};
use crate::hash::SpecHash;
use crate::ids::{BotId, UserId};
use crate::model::{SpecVersion, SpecVersionSummary};
use crate::time::TimestampMs;

/// A version to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// The bot.
    pub bot: BotId,
    /// Names the content.
    pub spec_hash: SpecHash,
    /// Canonical JSON.
    pub canonical: String,
    /// JSON list of warnings.
    pub warnings: String,
    /// Who posts it.
    pub author: Option<UserId>,
    /// When.
    pub created_at: TimestampMs,
    /// The version that was edited, if the caller states one (`If-Match`).
    pub edited: Option<u32>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewVersionOutcome {
    /// Stored under a new number.
    Created(SpecVersionSummary),
    /// The bot has a version with this content; nothing was stored.
    Existing(SpecVersionSummary),
    /// `edited` is not the latest version; nothing was stored. `0` if there is none.
    Stale {
        /// The latest version.
        latest: u32,
    },
}

/// Versions of specs. Numbers are 1, 2, 3 … per bot, without gaps, also under concurrency.
#[async_trait]
pub trait Versions: Debug + Send + Sync {
    /// Stores a version. The precondition is judged before the content is compared. `Missing` if there is no such bot.
    async fn add_version(&self, version: &NewVersion) -> StoreResult<NewVersionOutcome>;

    /// One version.
    async fn version(&self, bot: &BotId, version: u32) -> StoreResult<Option<SpecVersion>>;

    /// The version with the highest number.
    async fn latest_version(&self, bot: &BotId) -> StoreResult<Option<SpecVersion>>;

    /// Newest first.
    async fn versions(&self, bot: &BotId, page: &PageRequest) -> StoreResult<Page<SpecVersionSummary>>;
}
