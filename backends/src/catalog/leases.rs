//! Work that one node at a time does.

use async_trait::async_trait;
use botloom_core::ports::{Leases, StoreResult};
use botloom_core::time::TimestampMs;
use sqlx::query;
use uuid::Uuid;

use super::SqlCatalog;

#[async_trait]
impl Leases for SqlCatalog {
    async fn hold_lease(
        &self,
        name: &str,
        holder: Uuid,
        now: TimestampMs,
        until: TimestampMs,
    ) -> StoreResult<bool> {
        let upsert = query(
            "INSERT INTO leases (name, holder, expires_at) VALUES ($1, $2, $4) \
             ON CONFLICT (name) DO UPDATE SET holder = $2, expires_at = $4 \
             WHERE leases.holder = $2 OR leases.expires_at <= $3",
        )
        .bind(name)
        .bind(holder.to_string())
        .bind(now.0)
        .bind(until.0);
        Ok(self.db.execute(upsert).await? > 0)
    }

    async fn end_lease(&self, name: &str, holder: Uuid) -> StoreResult<()> {
        let delete = query("DELETE FROM leases WHERE name = $1 AND holder = $2")
            .bind(name)
            .bind(holder.to_string());
        self.db.execute(delete).await.map(drop)
    }
}
