//! What was published of bots outside of their chats.

use async_trait::async_trait;
use botloom_core::model::{BotRow, ProfileRow};
use botloom_core::ports::{Profiles, StoreError, StoreResult};
use botloom_core::time::TimestampMs;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, query};

use super::SqlCatalog;
use super::bots::{self, bot_row};
use crate::sql::{RowExt, Statement, readable};

const COLUMNS: &str = "telegram_id, published, settled, published_at, failure, attempts, due_at, version";

#[async_trait]
impl Profiles for SqlCatalog {
    async fn due_profiles(&self, now: TimestampMs, limit: u32) -> StoreResult<Vec<BotRow>> {
        let sql = format!(
            "SELECT {} FROM bots WHERE deleted_at IS NULL AND suspended IS NULL AND token IS NOT NULL \
             AND ingress IS NOT NULL AND active_rev IS NOT NULL AND NOT EXISTS (\
             SELECT 1 FROM bot_profiles p WHERE p.telegram_id = bots.telegram_id \
             AND (p.settled = bots.active_rev OR p.due_at > $1)) ORDER BY id LIMIT $2",
            bots::COLUMNS
        );
        let rows = query(AssertSqlSafe(sql))
            .bind(now.0)
            .bind(i64::from(limit))
            .all(&self.db)
            .await?;
        readable("profiles", &rows, bot_row)
    }

    async fn profile(&self, telegram_id: i64) -> StoreResult<Option<ProfileRow>> {
        let sql = format!("SELECT {COLUMNS} FROM bot_profiles WHERE telegram_id = $1");
        query(AssertSqlSafe(sql))
            .bind(telegram_id)
            .optional(&self.db)
            .await?
            .map(|row| profile(&row))
            .transpose()
    }

    async fn claim_profile(
        &self,
        telegram_id: i64,
        now: TimestampMs,
        until: TimestampMs,
    ) -> StoreResult<Option<ProfileRow>> {
        let sql = format!(
            "INSERT INTO bot_profiles (telegram_id, published, attempts, due_at, version) \
             VALUES ($1, '{{}}', 0, $3, 1) \
             ON CONFLICT (telegram_id) DO UPDATE SET due_at = $3, version = bot_profiles.version + 1 \
             WHERE bot_profiles.due_at <= $2 RETURNING {COLUMNS}"
        );
        let mut tx = self.db.write().await?;
        let claimed = query(AssertSqlSafe(sql))
            .bind(telegram_id)
            .bind(now.0)
            .bind(until.0)
            .optional_in(tx.connection())
            .await?
            .map(|row| profile(&row))
            .transpose()?;
        tx.commit().await?;
        Ok(claimed)
    }

    async fn save_profile(&self, row: &ProfileRow) -> StoreResult<bool> {
        let published =
            serde_json::to_string(&row.published).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let update = query(
            "UPDATE bot_profiles SET published = $3, settled = $4, published_at = $5, failure = $6, attempts = $7, \
             due_at = $8, version = version + 1 WHERE telegram_id = $1 AND version = $2",
        )
        .bind(row.telegram_id)
        .bind(row.version)
        .bind(published)
        .bind(row.settled.map(|rev| rev.to_string()))
        .bind(row.published_at.map(|at| at.0))
        .bind(row.failure.clone())
        .bind(i64::from(row.attempts))
        .bind(row.due_at.0);
        Ok(self.db.execute(update).await? > 0)
    }

    async fn reopen_profile(&self, telegram_id: i64) -> StoreResult<()> {
        let update = query(
            "UPDATE bot_profiles SET settled = NULL, attempts = 0, due_at = 0, version = version + 1 \
             WHERE telegram_id = $1",
        )
        .bind(telegram_id);
        self.db.execute(update).await.map(drop)
    }
}

fn profile(row: &AnyRow) -> StoreResult<ProfileRow> {
    Ok(ProfileRow {
        telegram_id: row.int("telegram_id")?,
        published: row.json("published")?,
        settled: row.opt_parsed("settled")?,
        published_at: row.opt_int("published_at")?.map(TimestampMs),
        failure: row.opt_text("failure")?,
        attempts: row.number("attempts")?,
        due_at: row.time("due_at")?,
        version: row.int("version")?,
    })
}
