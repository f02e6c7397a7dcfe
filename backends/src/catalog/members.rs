//! Members of projects, and invitations.

use async_trait::async_trait;
use botloom_core::hash::Sha256Hash;
use botloom_core::ids::{InvitationId, ProjectId, UserId};
use botloom_core::model::{AuditEntry, Invitation, Member, Membership, Role, User};
use botloom_core::ports::{Acceptance, MemberChange, Members, Page, PageRequest, StoreError, StoreResult};
use botloom_core::time::TimestampMs;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query};

use super::SqlCatalog;
use super::accounts::{insert_user, membership};
use super::audit::record_in;
use super::endings;
use crate::sql::cursor::{self, Start};
use crate::sql::{RowExt, Statement};

#[async_trait]
impl Members for SqlCatalog {
    async fn members(&self, project: ProjectId, page: &PageRequest) -> StoreResult<Page<Member>> {
        let list = format!("members:{project}");
        let after = match cursor::start(&list, page) {
            Start::First => String::new(),
            Start::After([email]) => email,
            Start::Nowhere => return Ok(cursor::empty()),
        };
        let rows = query(
            "SELECT u.id, u.email, m.role FROM members m JOIN users u ON u.id = m.user_id \
             WHERE m.project_id = $1 AND u.email_key > $2 ORDER BY u.email_key LIMIT $3",
        )
        .bind(project.to_string())
        .bind(after)
        .bind(cursor::rows_to_fetch(page))
        .all(&self.db)
        .await?;
        cursor::page(&list, page, &rows, member, |item| [item.email.to_lowercase()])
    }

    async fn set_role(
        &self,
        project: ProjectId,
        user: UserId,
        role: Role,
        entry: &AuditEntry,
    ) -> StoreResult<MemberChange> {
        let mut tx = self.db.write().await?;
        let before = match may_change(tx.connection(), project, user, Some(role)).await? {
            Ok(before) => before,
            Err(refused) => return Ok(refused),
        };
        if before == role {
            return Ok(MemberChange::Changed { before });
        }
        query("UPDATE members SET role = $3 WHERE project_id = $1 AND user_id = $2")
            .bind(project.to_string())
            .bind(user.to_string())
            .bind(role.as_str())
            .execute_in(tx.connection())
            .await?;
        if role < Role::Owner {
            endings::invitations(tx.connection(), project, Some(user), entry).await?;
        }
        let entry = AuditEntry {
            before: Some(before.as_str().to_owned()),
            after: Some(role.as_str().to_owned()),
            ..entry.clone()
        };
        record_in(tx.connection(), &entry).await?;
        tx.commit().await?;
        Ok(MemberChange::Changed { before })
    }

    async fn remove_member(
        &self,
        project: ProjectId,
        user: UserId,
        entry: &AuditEntry,
    ) -> StoreResult<MemberChange> {
        let mut tx = self.db.write().await?;
        let before = match may_change(tx.connection(), project, user, None).await? {
            Ok(before) => before,
            Err(refused) => return Ok(refused),
        };
        query("DELETE FROM members WHERE project_id = $1 AND user_id = $2")
            .bind(project.to_string())
            .bind(user.to_string())
            .execute_in(tx.connection())
            .await?;
        endings::invitations(tx.connection(), project, Some(user), entry).await?;
        // Else they would work again for somebody who comes back.
        endings::tokens(tx.connection(), Some(project), Some(user), entry).await?;
        let entry = AuditEntry {
            before: Some(before.as_str().to_owned()),
            ..entry.clone()
        };
        record_in(tx.connection(), &entry).await?;
        tx.commit().await?;
        Ok(MemberChange::Changed { before })
    }

    async fn create_invitation(&self, invitation: &Invitation, entry: &AuditEntry) -> StoreResult<()> {
        let mut tx = self.db.write().await?;
        if !owns(tx.connection(), invitation.project, invitation.created_by).await? {
            return Err(StoreError::Missing("owner"));
        }
        query(
            "INSERT INTO invitations (id, hash, project_id, role, created_by, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(invitation.id.to_string())
        .bind(invitation.hash.to_string())
        .bind(invitation.project.to_string())
        .bind(invitation.role.as_str())
        .bind(invitation.created_by.to_string())
        .bind(invitation.created_at.0)
        .bind(invitation.expires_at.0)
        .execute_in(tx.connection())
        .await?;
        record_in(tx.connection(), entry).await?;
        tx.commit().await
    }

    async fn invitation(&self, hash: &Sha256Hash) -> StoreResult<Option<Invitation>> {
        query(
            "SELECT id, hash, project_id, role, created_by, created_at, expires_at FROM invitations WHERE hash = $1",
        )
        .bind(hash.to_string())
        .optional(&self.db)
        .await?
        .map(|row| invitation(&row))
        .transpose()
    }

    async fn invitations(&self, project: ProjectId, page: &PageRequest) -> StoreResult<Page<Invitation>> {
        let list = format!("invitations:{project}");
        let Some((at, id)) = cursor::before(cursor::start(&list, page)) else {
            return Ok(cursor::empty());
        };
        let rows = query(
            "SELECT id, hash, project_id, role, created_by, created_at, expires_at FROM invitations \
             WHERE project_id = $1 AND (created_at < $2 OR (created_at = $2 AND id < $3)) \
             ORDER BY created_at DESC, id DESC LIMIT $4",
        )
        .bind(project.to_string())
        .bind(at)
        .bind(id)
        .bind(cursor::rows_to_fetch(page))
        .all(&self.db)
        .await?;
        cursor::page(&list, page, &rows, invitation, |item| {
            [item.created_at.0.to_string(), item.id.to_string()]
        })
    }

    async fn revoke_invitation(
        &self,
        project: ProjectId,
        id: InvitationId,
        entry: &AuditEntry,
    ) -> StoreResult<bool> {
        let mut tx = self.db.write().await?;
        let deleted = query("DELETE FROM invitations WHERE project_id = $1 AND id = $2")
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

    async fn accept_invitation(
        &self,
        hash: &Sha256Hash,
        user: UserId,
        at: TimestampMs,
        entry: &AuditEntry,
    ) -> StoreResult<Acceptance> {
        let mut tx = self.db.write().await?;
        let Some(invitation) = take(tx.connection(), hash, at).await? else {
            return Ok(Acceptance::Gone);
        };
        let Some(joined) = add_member(tx.connection(), invitation.project, user, invitation.role).await?
        else {
            return Ok(Acceptance::AlreadyMember);
        };
        record_in(tx.connection(), entry).await?;
        tx.commit().await?;
        Ok(Acceptance::Joined(joined))
    }

    async fn register(
        &self,
        hash: &Sha256Hash,
        user: &User,
        at: TimestampMs,
        entry: &AuditEntry,
    ) -> StoreResult<Acceptance> {
        let mut tx = self.db.write().await?;
        let Some(invitation) = take(tx.connection(), hash, at).await? else {
            return Ok(Acceptance::Gone);
        };
        if insert_user(tx.connection(), user).await? == 0 {
            return Ok(Acceptance::EmailTaken);
        }
        let Some(joined) = add_member(tx.connection(), invitation.project, user.id, invitation.role).await?
        else {
            return Ok(Acceptance::AlreadyMember);
        };
        record_in(tx.connection(), entry).await?;
        tx.commit().await?;
        Ok(Acceptance::Joined(joined))
    }

    async fn expire_invitations(&self, at: TimestampMs) -> StoreResult<u64> {
        let delete = query("DELETE FROM invitations WHERE expires_at <= $1").bind(at.0);
        self.db.execute(delete).await
    }
}

/// The role of a member who may get the role `to`, or go (`None`); else what refuses it. Changes to one project wait for
/// each other from here on: of two owners who demote each other, the second must see what the first did.
async fn may_change(
    connection: &mut AnyConnection,
    project: ProjectId,
    user: UserId,
    to: Option<Role>,
) -> StoreResult<Result<Role, MemberChange>> {
    lock(connection, project).await?;
    let row = query(
        "SELECT role, (SELECT COUNT(*) FROM members WHERE project_id = $1 AND role = 'owner') AS owners \
         FROM members WHERE project_id = $1 AND user_id = $2",
    )
    .bind(project.to_string())
    .bind(user.to_string())
    .optional_in(connection)
    .await?;
    let Some(row) = row else {
        return Ok(Err(MemberChange::Missing));
    };
    let before: Role = row.parsed("role")?;
    if before == Role::Owner && to != Some(Role::Owner) && row.int("owners")? < 2 {
        return Ok(Err(MemberChange::LastOwner));
    }
    Ok(Ok(before))
}

/// Whether somebody owns a project, which stays so until the transaction ends.
pub(super) async fn owns(
    connection: &mut AnyConnection,
    project: ProjectId,
    user: UserId,
) -> StoreResult<bool> {
    lock(connection, project).await?;
    let row = query("SELECT role FROM members WHERE project_id = $1 AND user_id = $2 AND role = 'owner'")
        .bind(project.to_string())
        .bind(user.to_string())
        .optional_in(connection)
        .await?;
    Ok(row.is_some())
}

/// Members of a project change one transaction after the other.
pub(super) async fn lock(connection: &mut AnyConnection, project: ProjectId) -> StoreResult<()> {
    query("UPDATE projects SET name = name WHERE id = $1")
        .bind(project.to_string())
        .execute_in(connection)
        .await
        .map(drop)
}

/// Takes an invitation that has not expired; the transaction that deletes it uses it.
pub(super) async fn take(
    connection: &mut AnyConnection,
    hash: &Sha256Hash,
    at: TimestampMs,
) -> StoreResult<Option<Invitation>> {
    let row = query(
        "SELECT id, hash, project_id, role, created_by, created_at, expires_at FROM invitations \
         WHERE hash = $1 AND expires_at > $2",
    )
    .bind(hash.to_string())
    .bind(at.0)
    .optional_in(connection)
    .await?;
    let Some(found) = row.map(|row| invitation(&row)).transpose()? else {
        return Ok(None);
    };
    // It is its author's word, and holds as long as they may give it.
    if !owns(connection, found.project, found.created_by).await? {
        return Ok(None);
    }
    let deleted = query("DELETE FROM invitations WHERE id = $1")
        .bind(found.id.to_string())
        .execute_in(connection)
        .await?;
    Ok((deleted > 0).then_some(found))
}

/// Makes somebody a member; `None` if they are one.
pub(super) async fn add_member(
    connection: &mut AnyConnection,
    project: ProjectId,
    user: UserId,
    role: Role,
) -> StoreResult<Option<Membership>> {
    let inserted =
        query("INSERT INTO members (project_id, user_id, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(project.to_string())
            .bind(user.to_string())
            .bind(role.as_str())
            .execute_in(connection)
            .await?;
    if inserted == 0 {
        return Ok(None);
    }
    query(
        "SELECT p.id, p.name, p.created_at, m.role FROM members m JOIN projects p ON p.id = m.project_id \
         WHERE m.project_id = $1 AND m.user_id = $2",
    )
    .bind(project.to_string())
    .bind(user.to_string())
    .optional_in(connection)
    .await?
    .map(|row| membership(&row))
    .transpose()
}

fn member(row: &AnyRow) -> StoreResult<Member> {
    Ok(Member {
        user: row.parsed("id")?,
        email: row.text("email")?,
        role: row.parsed("role")?,
    })
}

fn invitation(row: &AnyRow) -> StoreResult<Invitation> {
    Ok(Invitation {
        id: row.parsed("id")?,
        hash: row.parsed("hash")?,
        project: row.parsed("project_id")?,
        role: row.parsed("role")?,
        created_by: row.parsed("created_by")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
    })
}
