//! Port: work that one node at a time does for the whole installation.

use std::fmt::Debug;

use async_trait::async_trait;
use uuid::Uuid;

use super::StoreResult;
use crate::time::TimestampMs;

/// Leases by name. Every method is one transaction.
#[async_trait]
pub trait Leases: Debug + Send + Sync {
    /// Takes or prolongs a lease until `until`; answers whether the holder has it. Of concurrent callers at most one has.
    async fn hold_lease(
        &self,
        name: &str,
        holder: Uuid,
        now: TimestampMs,
        until: TimestampMs,
    ) -> StoreResult<bool>;

    /// Gives a lease back before its time, if it is still the holder's.
    async fn end_lease(&self, name: &str, holder: Uuid) -> StoreResult<()>;
}
