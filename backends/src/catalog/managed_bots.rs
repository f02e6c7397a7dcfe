//! Requests for managed Telegram bots, and the Telegram accounts of people.

use async_trait::async_trait;
use botloom_core::ids::{BotId, UserId};
use botloom_core::model::{ManagedBot, ManagedOutcome, ManagedRequest, TelegramAccount};
use botloom_core::ports::{ManagedBots, StoreError, StoreResult};
use botloom_core::time::TimestampMs;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, query};

use super::SqlCatalog;
use crate::sql::{RowExt, Statement};

const COLUMNS: &str = "bot_id, user_id, request_id, username, link, created_at, expires_at, telegram_id, creator_id, \
    creator_name, creator_username, attached_at, failure";

#[async_trait]
impl ManagedBots for SqlCatalog {
    async fn put_managed_request(&self, request: &ManagedRequest) -> StoreResult<()> {
        let mut tx = self.db.write().await?;
        let there = query("SELECT 1 AS there FROM bots WHERE id = $1 AND deleted_at IS NULL")
            .bind(request.bot.as_str())
            .optional_in(tx.connection())
            .await?;
        if there.is_none() {
            return Err(StoreError::Missing("bot"));
        }
        query(
            "INSERT INTO managed_requests (bot_id, user_id, request_id, username, link, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (bot_id) DO UPDATE SET user_id = $2, request_id = $3, username = $4, link = $5, \
             created_at = $6, expires_at = $7, telegram_id = NULL, creator_id = NULL, creator_name = NULL, \
             creator_username = NULL, attached_at = NULL, failure = NULL",
        )
        .bind(request.bot.as_str())
        .bind(request.user.to_string())
        .bind(request.request.to_string())
        .bind(&*request.username)
        .bind(&*request.link)
        .bind(request.created_at.0)
        .bind(request.expires_at.0)
        .execute_in(tx.connection())
        .await?;
        tx.commit().await
    }

    async fn managed_request(&self, bot: &BotId) -> StoreResult<Option<ManagedRequest>> {
        let sql = format!("SELECT {COLUMNS} FROM managed_requests WHERE bot_id = $1");
        query(AssertSqlSafe(sql))
            .bind(bot.as_str())
            .optional(&self.db)
            .await?
            .map(|row| managed_request(&row))
            .transpose()
    }

    async fn note_managed_bot(
        &self,
        username: &str,
        made: &ManagedBot,
        now: TimestampMs,
    ) -> StoreResult<Option<ManagedRequest>> {
        let sql = format!(
            "UPDATE managed_requests SET telegram_id = $2, creator_id = $3, creator_name = COALESCE(creator_name, $4), \
             creator_username = CASE WHEN creator_id IS NULL THEN $5 ELSE creator_username END \
             WHERE username = $1 AND expires_at > $6 \
             AND (telegram_id IS NULL OR (telegram_id = $2 AND creator_id = $3)) RETURNING {COLUMNS}"
        );
        let mut tx = self.db.write().await?;
        let noted = query(AssertSqlSafe(sql))
            .bind(username)
            .bind(made.id)
            .bind(made.creator.id)
            .bind(&*made.creator.first_name)
            .bind(made.creator.username.clone())
            .bind(now.0)
            .optional_in(tx.connection())
            .await?
            .map(|row| managed_request(&row))
            .transpose()?;
        tx.commit().await?;
        Ok(noted)
    }

    async fn end_managed_request(&self, username: &str, outcome: &ManagedOutcome) -> StoreResult<bool> {
        let (attached_at, failure) = match outcome {
            ManagedOutcome::Attached(at) => (Some(at.0), None),
            ManagedOutcome::Failed(words) => (None, Some(words.clone())),
        };
        let update = query(
            "UPDATE managed_requests SET attached_at = $2, failure = $3 \
             WHERE username = $1 AND attached_at IS NULL AND failure IS NULL",
        )
        .bind(username)
        .bind(attached_at)
        .bind(failure);
        Ok(self.db.execute(update).await? > 0)
    }

    async fn delete_managed_request(&self, bot: &BotId) -> StoreResult<bool> {
        let delete = query("DELETE FROM managed_requests WHERE bot_id = $1").bind(bot.as_str());
        Ok(self.db.execute(delete).await? > 0)
    }

    async fn expire_managed_requests(&self, before: TimestampMs) -> StoreResult<u64> {
        let delete = query("DELETE FROM managed_requests WHERE expires_at < $1").bind(before.0);
        self.db.execute(delete).await
    }

    async fn remember_account(&self, user: UserId, account: i64, at: TimestampMs) -> StoreResult<bool> {
        let insert = query(
            "INSERT INTO telegram_accounts (user_id, telegram_id, created_at) VALUES ($1, $2, $3) \
             ON CONFLICT DO NOTHING",
        )
        .bind(user.to_string())
        .bind(account)
        .bind(at.0);
        Ok(self.db.execute_for("user", insert).await? > 0)
    }

    async fn knows_account(&self, user: UserId, account: i64) -> StoreResult<bool> {
        let found = query("SELECT 1 AS there FROM telegram_accounts WHERE user_id = $1 AND telegram_id = $2")
            .bind(user.to_string())
            .bind(account)
            .optional(&self.db)
            .await?;
        Ok(found.is_some())
    }
}

fn managed_request(row: &AnyRow) -> StoreResult<ManagedRequest> {
    let made = match (
        row.opt_int("telegram_id")?,
        row.opt_int("creator_id")?,
        row.opt_text("creator_name")?,
    ) {
        (Some(id), Some(creator), Some(first_name)) => Some(ManagedBot {
            id,
            creator: TelegramAccount {
                id: creator,
                first_name,
                username: row.opt_text("creator_username")?,
            },
        }),
        _ => None,
    };
    let attached = row.opt_int("attached_at")?.map(TimestampMs);
    let failed = row.opt_text("failure")?.map(ManagedOutcome::Failed);
    Ok(ManagedRequest {
        bot: row.parsed("bot_id")?,
        user: row.parsed("user_id")?,
        request: row.parsed("request_id")?,
        username: row.text("username")?,
        link: row.text("link")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        made,
        outcome: attached.map(ManagedOutcome::Attached).or(failed),
    })
}
