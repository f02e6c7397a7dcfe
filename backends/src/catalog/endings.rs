//! What ends because something else does: invitations, API tokens, memberships, each noted by itself.

use botloom_core::ids::{ProjectId, UserId};
use botloom_core::model::{AuditEntry, consequence};
use botloom_core::ports::StoreResult;
use sqlx::{AnyConnection, query};

use super::audit::record_in;
use crate::sql::{RowExt, Statement};

/// Ends the open invitations to a project: all of them, or those that somebody made.
pub(super) async fn invitations(
    connection: &mut AnyConnection,
    project: ProjectId,
    by: Option<UserId>,
    cause: &AuditEntry,
) -> StoreResult<()> {
    let ended = query(
        "DELETE FROM invitations WHERE project_id = $1 AND ($2 = '' OR created_by = $2) RETURNING id, role",
    )
    .bind(project.to_string())
    .bind(by.map_or_else(String::new, |user| user.to_string()))
    .all_in(connection)
    .await?;
    for row in ended {
        let mut entry = cause.also(consequence::INVITATION_REVOKED, "invitation", &row.text("id")?);
        entry.before = Some(row.text("role")?);
        entry.project = cause.project.or(Some(project));
        record_in(connection, &entry).await?;
    }
    Ok(())
}

/// Ends API tokens: of a project or of all, of somebody or of everybody.
pub(super) async fn tokens(
    connection: &mut AnyConnection,
    project: Option<ProjectId>,
    of: Option<UserId>,
    cause: &AuditEntry,
) -> StoreResult<()> {
    let ended = query(
        "DELETE FROM api_tokens WHERE ($1 = '' OR project_id = $1) AND ($2 = '' OR user_id = $2) \
         RETURNING id, role, project_id",
    )
    .bind(project.map_or_else(String::new, |project| project.to_string()))
    .bind(of.map_or_else(String::new, |user| user.to_string()))
    .all_in(connection)
    .await?;
    for row in ended {
        let mut entry = cause.also(consequence::TOKEN_REVOKED, "token", &row.text("id")?);
        entry.before = Some(row.text("role")?);
        entry.project = cause.project.or(row.opt_parsed("project_id")?);
        record_in(connection, &entry).await?;
    }
    Ok(())
}

/// Ends all memberships of a project.
pub(super) async fn members(
    connection: &mut AnyConnection,
    project: ProjectId,
    cause: &AuditEntry,
) -> StoreResult<()> {
    let ended = query("DELETE FROM members WHERE project_id = $1 RETURNING user_id, role")
        .bind(project.to_string())
        .all_in(connection)
        .await?;
    for row in ended {
        let mut entry = cause.also(consequence::MEMBER_REMOVED, "user", &row.text("user_id")?);
        entry.before = Some(row.text("role")?);
        record_in(connection, &entry).await?;
    }
    Ok(())
}
