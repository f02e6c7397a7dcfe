//! `/projects/{projectId}/members`.

use axum::Json;
use axum::extract::State;
use botloom_core::ids::{ProjectId, UserId};
use botloom_core::model::{Member, Role};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::path::{One, Two};
use crate::app::members;
use crate::auth::caller::{Caller, Person};
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::http::page::List;
use crate::http::query::Query;
use crate::problem::Problem;
use crate::state::App;

pub(crate) const ROLE_RULE: &str = "must be owner, editor or viewer";

/// What of a member is to change.
#[derive(Debug, ToSchema)]
pub(crate) struct UpdateMember {
    /// `owner`, `editor` or `viewer`.
    #[schema(value_type = String, example = "editor")]
    role: Role,
}

impl FromFields for UpdateMember {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            role: fields.parsed("role", ROLE_RULE)?,
        })
    }
}

/// Somebody who belongs to a project.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberView {
    /// UUID.
    user_id: String,
    /// E-mail address.
    email: String,
    /// `owner`, `editor` or `viewer`.
    role: &'static str,
}

impl MemberView {
    fn of(member: Member) -> Self {
        Self {
            user_id: member.user.to_string(),
            email: member.email,
            role: member.role.as_str(),
        }
    }
}

/// List members
///
/// Everybody who belongs to the project, by e-mail.
#[utoipa::path(
    get, path = "/projects/{projectId}/members", tag = "projects",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(
        ("projectId" = String, Path, description = "UUID"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "At most this many; 50 where absent"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "Members", body = List<MemberView>))
)]
pub(crate) async fn list_members(
    State(app): State<App>,
    caller: Caller,
    One(project): One<ProjectId>,
    query: Query,
) -> Result<Json<List<MemberView>>, Problem> {
    let page = members::list(&app, caller.actor, project, &query.page()?).await?;
    Ok(Json(List::of(page, MemberView::of)))
}

/// Change a member's role
///
/// A project keeps an owner. Open invitations of somebody who is no owner any more end.
#[utoipa::path(
    patch, path = "/projects/{projectId}/members/{userId}", tag = "projects", request_body = UpdateMember,
    extensions(("x-botloom-access" = json!("owner-session"))),
    params(("projectId" = String, Path, description = "UUID"), ("userId" = String, Path, description = "UUID")),
    responses((status = 200, description = "The member as they are now", body = MemberView))
)]
pub(crate) async fn update_member(
    State(app): State<App>,
    Person { actor, .. }: Person,
    Two(project, user): Two<ProjectId, UserId>,
    body: Body<UpdateMember>,
) -> Result<Json<MemberView>, Problem> {
    let member = members::set_role(&app, actor, project, user, body.value.role).await?;
    Ok(Json(MemberView::of(member)))
}

/// Remove a member
///
/// Their requests are refused at once, and their event streams end within 5 s. Everybody may remove themselves. A
/// project keeps an owner.
#[utoipa::path(
    delete, path = "/projects/{projectId}/members/{userId}", tag = "projects",
    extensions(("x-botloom-access" = json!("owner-session"))),
    params(("projectId" = String, Path, description = "UUID"), ("userId" = String, Path, description = "UUID")),
    responses((status = 204, description = "They are no member any more"))
)]
pub(crate) async fn remove_member(
    State(app): State<App>,
    Person { actor, .. }: Person,
    Two(project, user): Two<ProjectId, UserId>,
) -> Result<StatusCode, Problem> {
    members::remove(&app, actor, project, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
