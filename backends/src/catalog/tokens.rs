//! API tokens.

use async_trait::async_trait;
use botloom_core::hash::Sha256Hash;
use botloom_core::ids::{ProjectId, TokenId};
use botloom_core::model::{ApiToken, AuditEntry};
use botloom_core::ports::{Page, PageRequest, StoreError, StoreResult, Tokens};
use botloom_core::time::TimestampMs;
use sqlx::any::AnyRow;
use sqlx::query;

use super::SqlCatalog;
use super::audit::record_in;
use super::members::owns;
use crate::sql::cursor;
use crate::sql::{RowExt, Statement};

#[async_trait]
impl Tokens for SqlCatalog {
    async fn create_token(&self, token: &ApiToken, entry: &AuditEntry) -> StoreResult<()> {
        let mut tx = self.db.write().await?;
        if !owns(tx.connection(), token.project, token.user).await? {
            return Err(StoreError::Missing("owner"));
        }
        query(
            "INSERT INTO api_tokens (id, hash, user_id, name, role, project_id, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(token.id.to_string())
        .bind(token.hash.to_string())
        .bind(token.user.to_string())
        .bind(&*token.name)
        .bind(token.role.as_str())
        .bind(token.project.to_string())
        .bind(token.created_at.0)
        .bind(token.expires_at.0)
        .execute_in(tx.connection())
        .await?;
        record_in(tx.connection(), entry).await?;
        tx.commit().await
    }

    async fn token(&self, hash: &Sha256Hash) -> StoreResult<Option<ApiToken>> {
        query(
            "SELECT id, hash, user_id, name, role, project_id, created_at, expires_at, last_used_at FROM api_tokens \
             WHERE hash = $1",
        )
        .bind(hash.to_string())
        .optional(&self.db)
        .await?
        .map(|row| token(&row))
        .transpose()
    }

    async fn tokens(&self, project: ProjectId, page: &PageRequest) -> StoreResult<Page<ApiToken>> {
        let list = format!("tokens:{project}");
        let Some((at, id)) = cursor::before(cursor::start(&list, page)) else {
            return Ok(cursor::empty());
        };
        let rows = query(
            "SELECT id, hash, user_id, name, role, project_id, created_at, expires_at, last_used_at FROM api_tokens \
             WHERE project_id = $1 AND (created_at < $2 OR (created_at = $2 AND id < $3)) \
             ORDER BY created_at DESC, id DESC LIMIT $4",
        )
        .bind(project.to_string())
        .bind(at)
        .bind(id)
        .bind(cursor::rows_to_fetch(page))
        .all(&self.db)
        .await?;
        cursor::page(&list, page, &rows, token, |item| {
            [item.created_at.0.to_string(), item.id.to_string()]
        })
    }

    async fn touch_token(&self, id: TokenId, at: TimestampMs) -> StoreResult<()> {
        let update = query(
            "UPDATE api_tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
        )
        .bind(id.to_string())
        .bind(at.0);
        self.db.execute(update).await.map(drop)
    }

    async fn revoke_token(&self, project: ProjectId, id: TokenId, entry: &AuditEntry) -> StoreResult<bool> {
        let mut tx = self.db.write().await?;
        let deleted = query("DELETE FROM api_tokens WHERE project_id = $1 AND id = $2")
            .bind(project.to_string())
            .bind(id.to_string())
            .execute_in(tx.connection())
            .await?;
        if deleted == 0 {
            return Ok(false);
        }
        record_in(tx.connection(), entry).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn expire_tokens(&self, at: TimestampMs) -> StoreResult<u64> {
        let delete = query("DELETE FROM api_tokens WHERE expires_at <= $1").bind(at.0);
        self.db.execute(delete).await
    }
}

fn token(row: &AnyRow) -> StoreResult<ApiToken> {
    Ok(ApiToken {
        id: row.parsed("id")?,
        hash: row.parsed("hash")?,
        user: row.parsed("user_id")?,
        name: row.text("name")?,
        role: row.parsed("role")?,
        project: row.parsed("project_id")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        last_used_at: row.opt_int("last_used_at")?.map(TimestampMs),
    })
}
