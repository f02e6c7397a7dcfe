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
    /// What is said about it, if anything.
    pub note: Option<String>,
    /// The older version whose content this is: it becomes a version of its own then, unless the latest has it already.
    pub restores: Option<u32>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewVersionOutcome {
    /// Stored under a new number.
    Created(SpecVersionSummary),
    /// The bot has a version with this content, the newest such; nothing was stored.
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

    /// Sets what is said about a version, or takes it away; the version as it is now, `None` if there is none.
    async fn set_version_note(
        &self,
        bot: &BotId,
        version: u32,
        note: Option<&str>,
    ) -> StoreResult<Option<SpecVersionSummary>>;

    /// Newest first.
    async fn versions(&self, bot: &BotId, page: &PageRequest) -> StoreResult<Page<SpecVersionSummary>>;
}
