//! Port: answers kept for `Idempotency-Key`.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreResult;
use crate::hash::Sha256Hash;
use crate::ids::UserId;
use crate::time::TimestampMs;

/// A key in its scope: keys of other users and other routes are other keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// Who.
    pub user: UserId,
    /// Method and route, e.g. `POST /spec`.
    pub route: String,
    /// As sent.
    pub key: String,
}

/// An answer to give again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers worth repeating (`ETag`, `Location`, `Content-Type`).
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// What a key is at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotencyClaim {
    /// Unused, or its holder died: the caller holds it now.
    Claimed,
    /// Done: give this answer again.
    Replay(StoredResponse),
    /// Used with another body.
    Mismatch,
    /// Its holder is still at it.
    InProgress,
}

/// Keys. A claim is a lease: when its holder dies, the next request takes over after `lease_ms`.
#[async_trait]
pub trait Idempotency: Debug + Send + Sync {
    /// Claims a key for a request with this fingerprint. Of concurrent calls exactly one is `Claimed`.
    async fn claim_key(
        &self,
        key: &IdempotencyKey,
        fingerprint: &Sha256Hash,
        now: TimestampMs,
        lease_ms: i64,
    ) -> StoreResult<IdempotencyClaim>;

    /// Stores the answer and ends the claim.
    async fn complete_key(&self, key: &IdempotencyKey, response: &StoredResponse) -> StoreResult<()>;

    /// Gives the key back without an answer, after a failure that may be tried again.
    async fn release_key(&self, key: &IdempotencyKey) -> StoreResult<()>;

    /// Forgets keys claimed before `before`; answers how many.
    async fn expire_keys(&self, before: TimestampMs) -> StoreResult<u64>;
}
