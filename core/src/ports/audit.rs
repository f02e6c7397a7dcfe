//! Port: the audit log.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Page, PageRequest, StoreResult};
use crate::ids::{ProjectId, UserId};
use crate::model::AuditEntry;
use crate::time::TimestampMs;

/// Which entries are asked for: those that may be seen, narrowed by every field that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Entries of these projects may be seen.
    pub projects: Vec<ProjectId>,
    /// Entries without a project may be seen where they were done by this person.
    pub own: Option<UserId>,
    /// Done by this person, also with a token.
    pub user: Option<UserId>,
    /// With this verb.
    pub verb: Option<String>,
    /// About things of this kind.
    pub object_kind: Option<String>,
    /// About the thing with this id.
    pub object_id: Option<String>,
    /// At this time or later.
    pub since: Option<TimestampMs>,
    /// Before this time.
    pub until: Option<TimestampMs>,
}

/// What was done. Entries are added and never changed or deleted: the store itself refuses it.
#[async_trait]
pub trait Audit: Debug + Send + Sync {
    /// Adds an entry. The same entry twice is one.
    async fn record(&self, entry: &AuditEntry) -> StoreResult<()>;

    /// Entries, newest first.
    async fn audit(&self, query: &AuditQuery, page: &PageRequest) -> StoreResult<Page<AuditEntry>>;
}
