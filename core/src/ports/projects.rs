//! Port: making, naming and deleting projects.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreResult;
use crate::ids::{ProjectId, UserId};
use crate::model::{AuditEntry, Project};
use crate::time::TimestampMs;

/// What became of a project that somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewProjectOutcome {
    /// It exists, and they own it.
    Created,
    /// Another project has the name; nothing changed.
    NameTaken,
    /// They own as many projects as they may; nothing changed.
    TooMany,
}

/// What became of a new name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectRename {
    /// Done, or it was called so before.
    Renamed {
        /// The name until now.
        before: String,
    },
    /// Another project has the name; nothing changed.
    NameTaken,
    /// There is no such project.
    Missing,
}

/// What became of a project that is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectRemoval {
    /// It is gone, with its members, invitations and API tokens. Its name is free.
    Removed,
    /// It has bots; nothing changed.
    HasBots,
    /// There is no such project, or not any more.
    Missing,
}

/// Projects. Every method is one transaction; a change and its entry in the audit log are the same one, and what changes
/// nothing is not logged.
#[async_trait]
pub trait Projects: Debug + Send + Sync {
    /// Makes a project of somebody who owns fewer than `most`, also when several are made at the same moment. `Missing` if
    /// there is no such user.
    async fn create_project(
        &self,
        project: &Project,
        owner: UserId,
        most: u32,
        entry: &AuditEntry,
    ) -> StoreResult<NewProjectOutcome>;

    /// Gives a project another name. `before` and `after` of the entry are filled in.
    async fn rename_project(
        &self,
        project: ProjectId,
        name: &str,
        entry: &AuditEntry,
    ) -> StoreResult<ProjectRename>;

    /// Deletes a project that has no bots but deleted ones; no bot can be made in it from then on. Members, invitations and
    /// API tokens end, each with an entry of its own. `before` of the entry, the name, is filled in.
    async fn delete_project(
        &self,
        project: ProjectId,
        at: TimestampMs,
        entry: &AuditEntry,
    ) -> StoreResult<ProjectRemoval>;
}
