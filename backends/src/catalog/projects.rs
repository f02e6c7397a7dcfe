//! Making, naming and deleting projects.

use async_trait::async_trait;
use botloom_core::ids::{ProjectId, UserId};
use botloom_core::model::{AuditEntry, Project, Role};
use botloom_core::ports::{
    NewProjectOutcome, ProjectRemoval, ProjectRename, Projects, StoreError, StoreResult,
};
use botloom_core::time::TimestampMs;
use sqlx::{AnyConnection, query};

use super::audit::record_in;
use super::{SqlCatalog, alone, endings};
use crate::sql::{RowExt, Statement};

#[async_trait]
impl Projects for SqlCatalog {
    async fn create_project(
        &self,
        project: &Project,
        owner: UserId,
        most: u32,
        entry: &AuditEntry,
    ) -> StoreResult<NewProjectOutcome> {
        let mut tx = self.db.write().await?;
        // Projects of one person are made one after the other: each counts the ones before.
        let known = query("UPDATE users SET email = email WHERE id = $1")
            .bind(owner.to_string())
            .execute_in(tx.connection())
            .await?;
        if known == 0 {
            return Err(StoreError::Missing("user"));
        }
        let owned = query("SELECT COUNT(*) AS owned FROM members WHERE user_id = $1 AND role = 'owner'")
            .bind(owner.to_string())
            .optional_in(tx.connection())
            .await?;
        let owned = owned.map(|row| row.int("owned")).transpose()?.unwrap_or(0);
        if owned >= i64::from(most) {
            return Ok(NewProjectOutcome::TooMany);
        }
        alone(tx.connection()).await?;
        let made =
            query("INSERT INTO projects (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
                .bind(project.id.to_string())
                .bind(&*project.name)
                .bind(project.created_at.0)
                .execute_in(tx.connection())
                .await?;
        if made == 0 {
            return Ok(NewProjectOutcome::NameTaken);
        }
        query("INSERT INTO members (project_id, user_id, role) VALUES ($1, $2, $3)")
            .bind(project.id.to_string())
            .bind(owner.to_string())
            .bind(Role::Owner.as_str())
            .execute_in(tx.connection())
            .await?;
        record_in(tx.connection(), entry).await?;
        tx.commit().await?;
        Ok(NewProjectOutcome::Created)
    }

    async fn rename_project(
        &self,
        project: ProjectId,
        name: &str,
        entry: &AuditEntry,
    ) -> StoreResult<ProjectRename> {
        let mut tx = self.db.write().await?;
        let Some(before) = locked(tx.connection(), project).await? else {
            return Ok(ProjectRename::Missing);
        };
        if before == name {
            return Ok(ProjectRename::Renamed { before });
        }
        alone(tx.connection()).await?;
        let renamed = query(
            "UPDATE projects SET name = $2 WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM projects WHERE name = $2)",
        )
        .bind(project.to_string())
        .bind(name)
        .execute_in(tx.connection())
        .await?;
        if renamed == 0 {
            return Ok(ProjectRename::NameTaken);
        }
        let entry = AuditEntry {
            before: Some(before.clone()),
            after: Some(name.to_owned()),
            ..entry.clone()
        };
        record_in(tx.connection(), &entry).await?;
        tx.commit().await?;
        Ok(ProjectRename::Renamed { before })
    }

    async fn delete_project(
        &self,
        project: ProjectId,
        at: TimestampMs,
        entry: &AuditEntry,
    ) -> StoreResult<ProjectRemoval> {
        let mut tx = self.db.write().await?;
        // Who makes a bot waits for this row, and then finds no project; whose bot is there is counted here.
        let Some(before) = locked(tx.connection(), project).await? else {
            return Ok(ProjectRemoval::Missing);
        };
        let bots = query("SELECT id FROM bots WHERE project_id = $1 AND deleted_at IS NULL LIMIT 1")
            .bind(project.to_string())
            .optional_in(tx.connection())
            .await?;
        if bots.is_some() {
            return Ok(ProjectRemoval::HasBots);
        }
        query("UPDATE projects SET name = id, deleted_at = $2 WHERE id = $1")
            .bind(project.to_string())
            .bind(at.0)
            .execute_in(tx.connection())
            .await?;
        // In the log of the project; that it is gone is told to whoever did it.
        let inside = AuditEntry {
            project: Some(project),
            ..entry.clone()
        };
        endings::invitations(tx.connection(), project, None, &inside).await?;
        endings::tokens(tx.connection(), Some(project), None, &inside).await?;
        endings::members(tx.connection(), project, &inside).await?;
        let entry = AuditEntry {
            before: Some(before),
            ..entry.clone()
        };
        record_in(tx.connection(), &entry).await?;
        tx.commit().await?;
        Ok(ProjectRemoval::Removed)
    }
}

/// The name of a project that is there; whoever else wants to change it, its members or its number of bots waits.
async fn locked(connection: &mut AnyConnection, project: ProjectId) -> StoreResult<Option<String>> {
    let there = query("UPDATE projects SET name = name WHERE id = $1 AND deleted_at IS NULL")
        .bind(project.to_string())
        .execute_in(connection)
        .await?;
    if there == 0 {
        return Ok(None);
    }
    let row = query("SELECT name FROM projects WHERE id = $1")
        .bind(project.to_string())
        .optional_in(connection)
        .await?;
    row.map(|row| row.text("name")).transpose()
}
