//! Answers kept for `Idempotency-Key`.

use async_trait::async_trait;
use botloom_core::hash::Sha256Hash;
use botloom_core::ports::{
    Idempotency, IdempotencyClaim, IdempotencyKey, StoreError, StoreResult, StoredResponse,
};
use botloom_core::time::TimestampMs;
use sqlx::any::AnyRow;
use sqlx::query;

use super::SqlCatalog;
use crate::sql::{RowExt, Statement};

#[async_trait]
impl Idempotency for SqlCatalog {
    async fn claim_key(
        &self,
        key: &IdempotencyKey,
        fingerprint: &Sha256Hash,
        now: TimestampMs,
        lease_ms: i64,
    ) -> StoreResult<IdempotencyClaim> {
        loop {
            if self.insert_key(key, fingerprint, now, lease_ms).await? {
                return Ok(IdempotencyClaim::Claimed);
            }
            let Some(row) = self.key_row(key).await? else {
                // Its holder gave it back between the two statements.
                continue;
            };
            if row.parsed::<Sha256Hash>("fingerprint")? != *fingerprint {
                return Ok(IdempotencyClaim::Mismatch);
            }
            if let Some(response) = stored_response(&row)? {
                return Ok(IdempotencyClaim::Replay(response));
            }
            let lease_until = row.time("lease_until")?;
            if lease_until > now {
                return Ok(IdempotencyClaim::InProgress);
            }
            let take_over = query(
                "UPDATE idempotency_keys SET claimed_at = $4, lease_until = $5 WHERE user_id = $1 AND route = $2 \
                 AND idempotency_key = $3 AND lease_until = $6 AND response_status IS NULL",
            )
            .bind(key.user.to_string())
            .bind(&*key.route)
            .bind(&*key.key)
            .bind(now.0)
            .bind(now.plus(lease_ms).0)
            .bind(lease_until.0);
            if self.db.execute(take_over).await? > 0 {
                return Ok(IdempotencyClaim::Claimed);
            }
        }
    }

    async fn complete_key(&self, key: &IdempotencyKey, response: &StoredResponse) -> StoreResult<()> {
        let headers = serde_json::to_string(&response.headers)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        // The first answer stays: it may have been given again already.
        let update = query(
            "UPDATE idempotency_keys SET response_status = $4, response_headers = $5, response_body = $6 \
             WHERE user_id = $1 AND route = $2 AND idempotency_key = $3 AND response_status IS NULL",
        )
        .bind(key.user.to_string())
        .bind(&*key.route)
        .bind(&*key.key)
        .bind(i64::from(response.status))
        .bind(headers)
        .bind(&*response.body);
        self.db.execute(update).await.map(drop)
    }

    async fn release_key(&self, key: &IdempotencyKey) -> StoreResult<()> {
        let delete = query(
            "DELETE FROM idempotency_keys WHERE user_id = $1 AND route = $2 AND idempotency_key = $3 \
             AND response_status IS NULL",
        )
        .bind(key.user.to_string())
        .bind(&*key.route)
        .bind(&*key.key);
        self.db.execute(delete).await.map(drop)
    }

    async fn expire_keys(&self, before: TimestampMs) -> StoreResult<u64> {
        let delete = query("DELETE FROM idempotency_keys WHERE claimed_at < $1").bind(before.0);
        self.db.execute(delete).await
    }
}

impl SqlCatalog {
    async fn insert_key(
        &self,
        key: &IdempotencyKey,
        fingerprint: &Sha256Hash,
        now: TimestampMs,
        lease_ms: i64,
    ) -> StoreResult<bool> {
        let insert = query(
            "INSERT INTO idempotency_keys (user_id, route, idempotency_key, fingerprint, claimed_at, lease_until) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(key.user.to_string())
        .bind(&*key.route)
        .bind(&*key.key)
        .bind(fingerprint.to_string())
        .bind(now.0)
        .bind(now.plus(lease_ms).0);
        Ok(self.db.execute(insert).await? > 0)
    }

    async fn key_row(&self, key: &IdempotencyKey) -> StoreResult<Option<AnyRow>> {
        query(
            "SELECT fingerprint, lease_until, response_status, response_headers, response_body FROM idempotency_keys \
             WHERE user_id = $1 AND route = $2 AND idempotency_key = $3",
        )
        .bind(key.user.to_string())
        .bind(&*key.route)
        .bind(&*key.key)
        .optional(&self.db)
.await
    }
}

fn stored_response(row: &AnyRow) -> StoreResult<Option<StoredResponse>> {
    let Some(status) = row.opt_number("response_status")? else {
        return Ok(None);
    };
    Ok(Some(StoredResponse {
        status,
        headers: row.json("response_headers")?,
        body: row.opt_bytes("response_body")?.unwrap_or_default(),
    }))
}
