//! People, sessions, projects.

use async_trait::async_trait;
use botloom_core::ids::UserId;
use botloom_core::model::{AuditEntry, Membership, Project, Role, Session, SessionHash, User};
use botloom_core::ports::{Accounts, Page, PageRequest, PasswordChange, StoreResult};
use botloom_core::time::TimestampMs;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query};

use super::SqlCatalog;
use super::audit::record_in;
use super::endings;
use crate::sql::cursor;
use crate::sql::{RowExt, Statement, readable};

#[async_trait]
impl Accounts for SqlCatalog {
    async fn create_first_owner(&self, user: &User, project: &Project) -> StoreResult<bool> {
        let mut tx = self.db.write().await?;
        // The one row of `installation` decides, also where transactions run side by side.
        let first = query(
            "INSERT INTO installation (id, first_owner, created_at) VALUES (1, $1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(user.id.to_string())
        .bind(user.created_at.0)
        .execute_in(tx.connection())
.await?;
        if first == 0 {
            return Ok(false);
        }
        insert_user(tx.connection(), user).await?;
        query("INSERT INTO projects (id, name, created_at) VALUES ($1, $2, $3)")
            .bind(project.id.to_string())
            .bind(&*project.name)
            .bind(project.created_at.0)
            .execute_in(tx.connection())
            .await?;
        query("INSERT INTO members (project_id, user_id, role) VALUES ($1, $2, $3)")
            .bind(project.id.to_string())
            .bind(user.id.to_string())
            .bind(Role::Owner.as_str())
            .execute_in(tx.connection())
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn has_users(&self) -> StoreResult<bool> {
        let found = query("SELECT id FROM users LIMIT 1").optional(&self.db).await?;
        Ok(found.is_some())
    }

    async fn user_by_email(&self, email: &str) -> StoreResult<Option<User>> {
        query("SELECT id, email, password_hash, created_at FROM users WHERE email_key = $1")
            .bind(email.to_lowercase())
            .optional(&self.db)
            .await?
            .map(|row| user(&row))
            .transpose()
    }

    async fn user(&self, id: UserId) -> StoreResult<Option<User>> {
        query("SELECT id, email, password_hash, created_at FROM users WHERE id = $1")
            .bind(id.to_string())
            .optional(&self.db)
            .await?
            .map(|row| user(&row))
            .transpose()
    }

    async fn memberships(&self, user: UserId) -> StoreResult<Vec<Membership>> {
        let rows = query(
            "SELECT p.id, p.name, p.created_at, m.role FROM members m JOIN projects p ON p.id = m.project_id \
             WHERE m.user_id = $1 ORDER BY p.created_at, p.id",
        )
        .bind(user.to_string())
        .all(&self.db)
        .await?;
        readable("memberships", &rows, membership)
    }

    async fn create_session(&self, session: &Session) -> StoreResult<()> {
        let insert = query(
            "INSERT INTO sessions (hash, user_id, csrf, created_at, seen_at, address, agent) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(session.hash.to_string())
        .bind(session.user.to_string())
        .bind(session.csrf.to_string())
        .bind(session.created_at.0)
        .bind(session.seen_at.0)
        .bind(session.address.map(|address| address.to_string()))
        .bind(session.agent.clone());
        self.db.execute_for("user", insert).await.map(drop)
    }

    async fn session(&self, hash: &SessionHash) -> StoreResult<Option<Session>> {
        query("SELECT hash, user_id, csrf, created_at, seen_at, address, agent FROM sessions WHERE hash = $1")
            .bind(hash.to_string())
            .optional(&self.db)
            .await?
            .map(|row| session(&row))
            .transpose()
    }

    async fn sessions(&self, user: UserId, page: &PageRequest) -> StoreResult<Page<Session>> {
        let list = format!("sessions:{user}");
        let Some((at, hash)) = cursor::before(cursor::start(&list, page)) else {
            return Ok(cursor::empty());
        };
        let rows = query(
            "SELECT hash, user_id, csrf, created_at, seen_at, address, agent FROM sessions \
             WHERE user_id = $1 AND (created_at < $2 OR (created_at = $2 AND hash < $3)) \
             ORDER BY created_at DESC, hash DESC LIMIT $4",
        )
        .bind(user.to_string())
        .bind(at)
        .bind(hash)
        .bind(cursor::rows_to_fetch(page))
        .all(&self.db)
        .await?;
        cursor::page(&list, page, &rows, session, |item| {
            [item.created_at.0.to_string(), item.hash.to_string()]
        })
    }

    async fn touch_session(&self, hash: &SessionHash, at: TimestampMs) -> StoreResult<()> {
        let update = query("UPDATE sessions SET seen_at = $2 WHERE hash = $1 AND seen_at < $2")
            .bind(hash.to_string())
            .bind(at.0);
        self.db.execute(update).await.map(drop)
    }

    async fn delete_session(&self, hash: &SessionHash) -> StoreResult<bool> {
        let delete = query("DELETE FROM sessions WHERE hash = $1").bind(hash.to_string());
        Ok(self.db.execute(delete).await? > 0)
    }

    async fn end_session(&self, user: UserId, hash: &SessionHash, entry: &AuditEntry) -> StoreResult<bool> {
        let mut tx = self.db.write().await?;
        let deleted = query("DELETE FROM sessions WHERE user_id = $1 AND hash = $2")
            .bind(user.to_string())
            .bind(hash.to_string())
            .execute_in(tx.connection())
            .await?;
        if deleted == 0 {
            return Ok(false);
        }
        record_in(tx.connection(), entry).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn end_other_sessions(
        &self,
        user: UserId,
        keep: &SessionHash,
        entry: &AuditEntry,
    ) -> StoreResult<u64> {
        let mut tx = self.db.write().await?;
        let deleted = delete_others(tx.connection(), user, keep).await?;
        record_in(tx.connection(), entry).await?;
        tx.commit().await?;
        Ok(deleted)
    }

    async fn change_password(&self, change: PasswordChange<'_>, entry: &AuditEntry) -> StoreResult<bool> {
        let PasswordChange {
            user,
            old,
            new,
            keep,
            revoke_tokens,
        } = change;
        let mut tx = self.db.write().await?;
        let changed = query("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
            .bind(user.to_string())
            .bind(old.unwrap_or_default())
            .bind(new)
            .execute_in(tx.connection())
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        if revoke_tokens {
            endings::tokens(tx.connection(), None, Some(user), entry).await?;
        }
        delete_others(tx.connection(), user, keep).await?;
        record_in(tx.connection(), entry).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn expire_sessions(
        &self,
        seen_before: TimestampMs,
        created_before: TimestampMs,
    ) -> StoreResult<u64> {
        let delete = query("DELETE FROM sessions WHERE seen_at < $1 OR created_at < $2")
            .bind(seen_before.0)
            .bind(created_before.0);
        self.db.execute(delete).await
    }
}

async fn delete_others(connection: &mut AnyConnection, user: UserId, keep: &SessionHash) -> StoreResult<u64> {
    query("DELETE FROM sessions WHERE user_id = $1 AND hash <> $2")
        .bind(user.to_string())
        .bind(keep.to_string())
        .execute_in(connection)
        .await
}

/// Adds a person; 0 if the e-mail address is taken.
pub(super) async fn insert_user(connection: &mut AnyConnection, user: &User) -> StoreResult<u64> {
    query(
        "INSERT INTO users (id, email, email_key, password_hash, created_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT DO NOTHING",
    )
    .bind(user.id.to_string())
    .bind(&*user.email)
    .bind(user.email.to_lowercase())
    // The column is older than accounts without a password, and must not be null.
    .bind(user.password_hash.clone().unwrap_or_default())
    .bind(user.created_at.0)
    .execute_in(connection)
    .await
}

fn user(row: &AnyRow) -> StoreResult<User> {
    Ok(User {
        id: row.parsed("id")?,
        email: row.text("email")?,
        password_hash: Some(row.text("password_hash")?).filter(|hash| !hash.is_empty()),
        created_at: row.time("created_at")?,
    })
}

pub(super) fn membership(row: &AnyRow) -> StoreResult<Membership> {
    Ok(Membership {
        project: Project {
            id: row.parsed("id")?,
            name: row.text("name")?,
            created_at: row.time("created_at")?,
        },
        role: row.parsed("role")?,
    })
}

fn session(row: &AnyRow) -> StoreResult<Session> {
    Ok(Session {
        hash: row.parsed("hash")?,
        user: row.parsed("user_id")?,
        csrf: row.parsed("csrf")?,
        created_at: row.time("created_at")?,
        seen_at: row.time("seen_at")?,
        address: row.opt_parsed("address")?,
        agent: row.opt_text("agent")?,
    })
}
