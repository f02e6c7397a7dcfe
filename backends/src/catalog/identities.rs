//! People at an identity provider, and logins under way there.

use async_trait::async_trait;
use botloom_core::hash::Sha256Hash;
use botloom_core::ids::UserId;
use botloom_core::model::{AttemptPurpose, AuditEntry, Identity, LoginAttempt, Membership, Newcomer, Role};
use botloom_core::ports::{Admission, Admittance, Identities, Linking, ProjectKey, StoreResult};
use botloom_core::time::TimestampMs;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, query};

use super::SqlCatalog;
use super::accounts::insert_user;
use super::audit::record_in;
use super::members::{add_member, take};
use crate::sql::{RowExt, Statement};

#[async_trait]
impl Identities for SqlCatalog {
    async fn start_attempt(&self, attempt: &LoginAttempt) -> StoreResult<()> {
        let (session, invitation) = match attempt.purpose {
            AttemptPurpose::LogIn => (None, None),
            AttemptPurpose::Link(session) => (Some(session.to_string()), None),
            AttemptPurpose::Join(invitation) => (None, Some(invitation.to_string())),
        };
        let insert = query(
            "INSERT INTO login_attempts (hash, session, invitation, return_to, expires_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(attempt.hash.to_string())
        .bind(session)
        .bind(invitation)
        .bind(attempt.return_to.clone())
        .bind(attempt.expires_at.0);
        self.db.execute(insert).await.map(drop)
    }

    async fn take_attempt(&self, hash: &Sha256Hash, at: TimestampMs) -> StoreResult<Option<LoginAttempt>> {
        let mut tx = self.db.write().await?;
        let row = query(
            "SELECT hash, session, invitation, return_to, expires_at FROM login_attempts \
             WHERE hash = $1 AND expires_at > $2",
        )
        .bind(hash.to_string())
        .bind(at.0)
        .optional_in(tx.connection())
        .await?;
        let Some(found) = row.map(|row| attempt(&row)).transpose()? else {
            return Ok(None);
        };
        let deleted = query("DELETE FROM login_attempts WHERE hash = $1")
            .bind(hash.to_string())
            .execute_in(tx.connection())
            .await?;
        tx.commit().await?;
        Ok((deleted > 0).then_some(found))
    }

    async fn expire_attempts(&self, at: TimestampMs) -> StoreResult<u64> {
        let delete = query("DELETE FROM login_attempts WHERE expires_at <= $1").bind(at.0);
        self.db.execute(delete).await
    }

    async fn identity(&self, issuer: &str, subject: &str) -> StoreResult<Option<Identity>> {
        query(
            "SELECT issuer, subject, user_id, email, created_at FROM identities WHERE issuer = $1 AND subject = $2",
        )
        .bind(issuer)
        .bind(subject)
        .optional(&self.db)
        .await?
        .map(|row| identity(&row))
        .transpose()
    }

    async fn identities(&self, user: UserId) -> StoreResult<Vec<Identity>> {
        let rows = query(
            "SELECT issuer, subject, user_id, email, created_at FROM identities WHERE user_id = $1 \
             ORDER BY created_at, issuer",
        )
        .bind(user.to_string())
        .all(&self.db)
        .await?;
        rows.iter().map(identity).collect()
    }

    async fn link_identity(&self, wanted: &Identity, entry: &AuditEntry) -> StoreResult<Linking> {
        let mut tx = self.db.write().await?;
        if insert_identity(tx.connection(), wanted).await? > 0 {
            record_in(tx.connection(), entry).await?;
            tx.commit().await?;
            return Ok(Linking::Linked);
        }
        let row = query("SELECT user_id FROM identities WHERE issuer = $1 AND subject = $2")
            .bind(&*wanted.issuer)
            .bind(&*wanted.subject)
            .optional_in(tx.connection())
            .await?;
        match row.map(|row| row.parsed::<UserId>("user_id")).transpose()? {
            Some(user) if user == wanted.user => Ok(Linking::AlreadyTheirs),
            Some(_) => Ok(Linking::Taken),
            None => Ok(Linking::HasAnother),
        }
    }

    async fn unlink_identities(&self, user: UserId, entry: &AuditEntry) -> StoreResult<u64> {
        let mut tx = self.db.write().await?;
        let deleted = query(
            "DELETE FROM identities WHERE user_id = $1 \
             AND EXISTS (SELECT 1 FROM users WHERE id = $1 AND password_hash <> '')",
        )
        .bind(user.to_string())
        .execute_in(tx.connection())
        .await?;
        if deleted > 0 {
            record_in(tx.connection(), entry).await?;
            tx.commit().await?;
        }
        Ok(deleted)
    }

    async fn admit(
        &self,
        newcomer: &Newcomer,
        by: &Admittance,
        at: TimestampMs,
        entries: &[AuditEntry],
    ) -> StoreResult<Admission> {
        let mut tx = self.db.write().await?;
        let invitation = match by {
            Admittance::Invitation(hash) => match take(tx.connection(), hash, at).await? {
                Some(invitation) => Some(invitation),
                None => return Ok(Admission::Gone),
            },
            Admittance::Project { .. } | Admittance::Account => None,
        };
        // The user first: the identity refers to it. Whoever was faster with the identity usually has the address too.
        if insert_user(tx.connection(), &newcomer.user).await? == 0 {
            let known = is_known(tx.connection(), &newcomer.identity).await?;
            return Ok(if known {
                Admission::IdentityTaken
            } else {
                Admission::EmailTaken
            });
        }
        if insert_identity(tx.connection(), &newcomer.identity).await? == 0 {
            return Ok(Admission::IdentityTaken);
        }
        let user = newcomer.user.id;
        let membership = match (by, invitation) {
            (Admittance::Project { project, role }, _) => {
                match join_by_rule(tx.connection(), project, user, *role).await? {
                    Some(membership) => Some(membership),
                    None => return Ok(Admission::Gone),
                }
            }
            (_, Some(invitation)) => {
                add_member(tx.connection(), invitation.project, user, invitation.role).await?
            }
            (_, None) => None,
        };
        for entry in entries {
            let project = membership.as_ref().map(|membership| membership.project.id);
            let entry = AuditEntry {
                project: entry.project.or(project),
                ..entry.clone()
            };
            record_in(tx.connection(), &entry).await?;
        }
        tx.commit().await?;
        Ok(Admission::Admitted(membership))
    }
}

/// 0: issuer and subject have an account, or the account has an identity of the issuer.
async fn insert_identity(connection: &mut AnyConnection, identity: &Identity) -> StoreResult<u64> {
    query(
        "INSERT INTO identities (issuer, subject, user_id, email, created_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT DO NOTHING",
    )
    .bind(&*identity.issuer)
    .bind(&*identity.subject)
    .bind(identity.user.to_string())
    .bind(identity.email.clone())
    .bind(identity.created_at.0)
    .execute_in(connection)
    .await
}

async fn is_known(connection: &mut AnyConnection, identity: &Identity) -> StoreResult<bool> {
    let row = query("SELECT user_id FROM identities WHERE issuer = $1 AND subject = $2")
        .bind(&*identity.issuer)
        .bind(&*identity.subject)
        .optional_in(connection)
        .await?;
    Ok(row.is_some())
}

/// `None`: there is no such project. Until the transaction ends, nobody renames or deletes the one that was found.
async fn join_by_rule(
    connection: &mut AnyConnection,
    project: &ProjectKey,
    user: UserId,
    role: Role,
) -> StoreResult<Option<Membership>> {
    let (column, text) = match project {
        ProjectKey::Id(id) => ("id", id.to_string()),
        ProjectKey::Name(name) => ("name", name.clone()),
    };
    let row = query(AssertSqlSafe(format!(
        "UPDATE projects SET name = name WHERE {column} = $1 AND deleted_at IS NULL RETURNING id"
    )))
    .bind(text)
    .optional_in(connection)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    add_member(connection, row.parsed("id")?, user, role).await
}

fn identity(row: &AnyRow) -> StoreResult<Identity> {
    Ok(Identity {
        issuer: row.text("issuer")?,
        subject: row.text("subject")?,
        user: row.parsed("user_id")?,
        email: row.opt_text("email")?,
        created_at: row.time("created_at")?,
    })
}

fn attempt(row: &AnyRow) -> StoreResult<LoginAttempt> {
    let session: Option<Sha256Hash> = row.opt_parsed("session")?;
    let invitation = row.opt_parsed("invitation")?;
    let purpose = match (session, invitation) {
        (Some(session), _) => AttemptPurpose::Link(session),
        (None, Some(invitation)) => AttemptPurpose::Join(invitation),
        (None, None) => AttemptPurpose::LogIn,
    };
    Ok(LoginAttempt {
        hash: row.parsed("hash")?,
        purpose,
        return_to: row.text("return_to")?,
        expires_at: row.time("expires_at")?,
    })
}
