//! Port: revisions.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Page, PageRequest, StoreResult};
use crate::hash::RevHash;
use crate::ids::BotId;
use crate::model::RevisionRow;

/// Revisions. Immutable.
#[async_trait]
pub trait Revisions: Debug + Send + Sync {
    /// Stores a revision; `false` if it is there already (then nothing changes: the first one stays).
    async fn add_revision(&self, revision: &RevisionRow) -> StoreResult<bool>;

    /// By name.
    async fn revision(&self, rev: &RevHash) -> StoreResult<Option<RevisionRow>>;

    /// Newest first.
    async fn revisions(&self, bot: &BotId, page: &PageRequest) -> StoreResult<Page<RevisionRow>>;
}
