//! Port: API tokens.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Page, PageRequest, StoreResult};
use crate::hash::Sha256Hash;
use crate::ids::{ProjectId, TokenId};
use crate::model::{ApiToken, AuditEntry};
use crate::time::TimestampMs;

/// API tokens. Every method is one transaction; a change and its entry in the audit log are the same one.
#[async_trait]
pub trait Tokens: Debug + Send + Sync {
    /// Stores a token. `Missing` if its user does not own the project.
    async fn create_token(&self, token: &ApiToken, entry: &AuditEntry) -> StoreResult<()>;

    /// By the digest of the token. Expiry is the caller's to judge.
    async fn token(&self, hash: &Sha256Hash) -> StoreResult<Option<ApiToken>>;

    /// Tokens of a project, newest first, expired ones included.
    async fn tokens(&self, project: ProjectId, page: &PageRequest) -> StoreResult<Page<ApiToken>>;

    /// Moves `last_used_at` forward; never back. Nothing happens if the token is gone.
    async fn touch_token(&self, id: TokenId, at: TimestampMs) -> StoreResult<()>;

    /// Deletes a token of this project; answers whether it was there.
    async fn revoke_token(&self, project: ProjectId, id: TokenId, entry: &AuditEntry) -> StoreResult<bool>;

    /// Deletes tokens that expired at or before this time; answers how many.
    async fn expire_tokens(&self, at: TimestampMs) -> StoreResult<u64>;
}
