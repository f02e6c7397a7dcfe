//! `/projects`.

use axum::Json;
use axum::extract::State;
use botloom_core::ids::ProjectId;
use botloom_core::model::Membership;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::path::One;
use crate::app::projects::ProjectName;
use crate::app::{access, projects};
use crate::auth::caller::{Caller, Person};
use crate::http::answer::Answer;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::http::page::List;
use crate::problem::Problem;
use crate::state::App;

const NAME_RULE: &str =
    "must have 1 to 64 characters, no control characters, no spaces at its ends, and not be a UUID";

/// A project's name.
#[derive(Debug, ToSchema)]
pub(crate) struct NameProject {
    /// Unique in an installation; not a UUID.
    #[schema(value_type = String, min_length = 1, max_length = 64)]
    name: ProjectName,
}

impl FromFields for NameProject {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            name: fields.parsed("name", NAME_RULE)?,
        })
    }
}

/// A project, seen by one of its members.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProjectView {
    /// UUID.
    project_id: String,
    /// Unique in an installation.
    name: String,
    /// `owner`, `editor` or `viewer`.
    role: &'static str,
    /// RFC 3339.
    created_at: String,
}

impl ProjectView {
    pub(crate) fn of(membership: Membership) -> Self {
        let Membership { project, role } = membership;
        Self {
            project_id: project.id.to_string(),
            name: project.name,
            role: role.as_str(),
            created_at: project.created_at.to_rfc3339(),
        }
    }
}

/// List your projects
///
/// Oldest first, with your role in each.
#[utoipa::path(
    get, path = "/projects", tag = "projects",
    extensions(("x-botloom-access" = json!("account"))),
    responses((status = 200, description = "Your projects", body = List<ProjectView>))
)]
pub(crate) async fn list_projects(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<List<ProjectView>>, Problem> {
    let memberships = access::memberships(&app, caller.actor).await?;
    Ok(Json(List::whole(
        memberships.into_iter().map(ProjectView::of).collect(),
    )))
}

/// Make a project
///
/// You own it. One person owns at most 100.
#[utoipa::path(
    post, path = "/projects", tag = "projects", request_body = NameProject,
    extensions(("x-botloom-access" = json!("session"))),
    responses((status = 201, description = "The project exists", body = ProjectView))
)]
pub(crate) async fn create_project(
    State(app): State<App>,
    Person { actor, .. }: Person,
    body: Body<NameProject>,
) -> Result<Answer, Problem> {
    let made = projects::create(&app, actor, body.value.name).await?;
    Ok(Answer::json(StatusCode::CREATED, &ProjectView::of(made)))
}

/// Rename a project
#[utoipa::path(
    patch, path = "/projects/{projectId}", tag = "projects", request_body = NameProject,
    extensions(("x-botloom-access" = json!("owner"))),
    params(("projectId" = String, Path, description = "UUID")),
    responses((status = 200, description = "The project as it is now", body = ProjectView))
)]
pub(crate) async fn rename_project(
    State(app): State<App>,
    Caller { actor, .. }: Caller,
    One(project): One<ProjectId>,
    body: Body<NameProject>,
) -> Result<Json<ProjectView>, Problem> {
    let renamed = projects::rename(&app, actor, project, &body.value.name).await?;
    Ok(Json(ProjectView::of(renamed)))
}

/// Delete a project
///
/// Only one without bots. Its members, invitations and API tokens end, and its name is free.
#[utoipa::path(
    delete, path = "/projects/{projectId}", tag = "projects",
    extensions(("x-botloom-access" = json!("owner-session"))),
    params(("projectId" = String, Path, description = "UUID")),
    responses((status = 204, description = "The project is gone"))
)]
pub(crate) async fn delete_project(
    State(app): State<App>,
    Person { actor, .. }: Person,
    One(project): One<ProjectId>,
) -> Result<StatusCode, Problem> {
    projects::delete(&app, actor, project).await?;
    Ok(StatusCode::NO_CONTENT)
}
