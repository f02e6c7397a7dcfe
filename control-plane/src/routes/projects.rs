//! `/projects`: the caller's own.

use axum::Json;
use axum::extract::State;
use botloom_core::model::Membership;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::access;
use crate::auth::caller::Caller;
use crate::http::page::List;
use crate::problem::Problem;
use crate::state::App;

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
