//! `/projects/{projectId}/invitations`, and using an invitation.

use axum::Json;
use axum::extract::State;
use botloom_core::ids::{InvitationId, ProjectId};
use botloom_core::model::{Invitation, Role};
use botloom_core::secret::Secret;
use http::{StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{SessionView, logged_in};
use super::members::ROLE_RULE;
use super::path::{One, Two};
use super::projects::ProjectView;
use crate::app::accounts::{Email, PASSWORD_LENGTH};
use crate::app::invitations::{self, DEFAULT_DAYS, MAX_DAYS};
use crate::auth::caller::{Caller, OwnOrigin, Person};
use crate::http::answer::Answer;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::http::host::Site;
use crate::http::page::List;
use crate::http::query::Query;
use crate::options::Options;
use crate::problem::Problem;
use crate::state::App;

/// Page of the console that takes an invitation; the secret stands behind `#`, which browsers keep to themselves.
const PAGE: &str = "/console/invitation";

/// An invitation to be made.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct CreateInvitation {
    /// The role that it gives: `owner`, `editor` or `viewer`.
    #[schema(value_type = String, example = "editor")]
    role: Role,
    /// How long it holds; 7 where absent.
    #[schema(minimum = 1, maximum = 30)]
    days: Option<u64>,
}

impl FromFields for CreateInvitation {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let role = fields.parsed("role", ROLE_RULE);
        let days = fields.optional_integer("days", 1..=MAX_DAYS);
        Some(Self { role: role?, days })
    }
}

/// The secret of an invitation.
#[derive(Debug, ToSchema)]
pub(crate) struct UseInvitation {
    /// What stands behind `#` in the link.
    #[schema(value_type = String, format = Password)]
    secret: Secret,
}

impl FromFields for UseInvitation {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            secret: fields.text("secret", 1..=128)?.into(),
        })
    }
}

/// A new account, by invitation.
#[derive(Debug, ToSchema)]
pub(crate) struct Register {
    /// What stands behind `#` in the link.
    #[schema(value_type = String, format = Password)]
    secret: Secret,
    /// E-mail address.
    #[schema(value_type = String, example = "you@example.org")]
    email: Email,
    /// 8 to 256 characters.
    #[schema(value_type = String, min_length = 8, max_length = 256, format = Password)]
    password: Secret,
}

impl FromFields for Register {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let secret = fields.text("secret", 1..=128);
        let email = fields.parsed("email", "must be an e-mail address");
        let password = fields.text("password", PASSWORD_LENGTH);
        Some(Self {
            secret: secret?.into(),
            email: email?,
            password: password?.into(),
        })
    }
}

/// An open invitation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvitationView {
    /// UUID.
    invitation_id: String,
    /// The role that it gives.
    role: &'static str,
    /// UUID of the owner who made it.
    created_by: String,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    expires_at: String,
    /// The link. Only in the answer that makes the invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl InvitationView {
    fn of(invitation: &Invitation) -> Self {
        Self {
            invitation_id: invitation.id.to_string(),
            role: invitation.role.as_str(),
            created_by: invitation.created_by.to_string(),
            created_at: invitation.created_at.to_rfc3339(),
            expires_at: invitation.expires_at.to_rfc3339(),
            url: None,
        }
    }
}

/// Where an invitation leads.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvitedView {
    /// Name of the project.
    project: String,
    /// The role that it gives.
    role: &'static str,
    /// RFC 3339.
    expires_at: String,
}

fn link(options: &Options, site: &Site, secret: &Secret) -> String {
    let base = options.console_origin.as_ref().or(options.public_url.as_ref());
    let base = base.map_or_else(|| site.origin(), ToString::to_string);
    format!("{}{PAGE}#{}", base.trim_end_matches('/'), secret.expose())
}

/// List open invitations
///
/// Newest first, without their links.
#[utoipa::path(
    get, path = "/projects/{projectId}/invitations", tag = "projects",
    extensions(("x-botloom-access" = json!("owner"))),
    params(
        ("projectId" = String, Path, description = "UUID"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "At most this many; 50 where absent"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "Invitations that were not used", body = List<InvitationView>))
)]
pub(crate) async fn list_invitations(
    State(app): State<App>,
    caller: Caller,
    One(project): One<ProjectId>,
    query: Query,
) -> Result<Json<List<InvitationView>>, Problem> {
    let page = invitations::list(&app, caller.actor, project, &query.page()?).await?;
    Ok(Json(List::of(page, |invitation| InvitationView::of(&invitation))))
}

/// Invite somebody
///
/// The link is told this once; whoever has it may join once.
#[utoipa::path(
    post, path = "/projects/{projectId}/invitations", tag = "projects", request_body = CreateInvitation,
    extensions(("x-botloom-access" = json!("owner-session"))),
    params(("projectId" = String, Path, description = "UUID")),
    responses((
        status = 201, description = "The invitation with its link", body = InvitationView,
        headers(("Location" = String, description = "Its address"))
    ))
)]
pub(crate) async fn create_invitation(
    State(app): State<App>,
    Person { actor, site, .. }: Person,
    One(project): One<ProjectId>,
    body: Body<CreateInvitation>,
) -> Result<Answer, Problem> {
    let CreateInvitation { role, days } = body.value;
    let days = days.unwrap_or(DEFAULT_DAYS);
    let (invitation, secret) = invitations::create(&app, actor, project, role, days).await?;
    let location = format!("/projects/{project}/invitations/{}", invitation.id);
    let view = InvitationView {
        url: Some(link(&app.options, &site, &secret)),
        ..InvitationView::of(&invitation)
    };
    Ok(Answer::json(StatusCode::CREATED, &view).with(header::LOCATION, &location))
}

/// Revoke an invitation
#[utoipa::path(
    delete, path = "/projects/{projectId}/invitations/{invitationId}", tag = "projects",
    extensions(("x-botloom-access" = json!("owner"))),
    params(
        ("projectId" = String, Path, description = "UUID"),
        ("invitationId" = String, Path, description = "UUID"),
    ),
    responses((status = 204, description = "Its link does not work any more"))
)]
pub(crate) async fn revoke_invitation(
    State(app): State<App>,
    caller: Caller,
    Two(project, id): Two<ProjectId, InvitationId>,
) -> Result<StatusCode, Problem> {
    invitations::revoke(&app, caller.actor, project, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Look at an invitation
///
/// For whoever has the link: which project, which role. Uses nothing up.
#[utoipa::path(
    post, path = "/invitations/look-up", tag = "projects", security(()), request_body = UseInvitation,
    extensions(("x-botloom-access" = json!("public"))),
    responses((status = 200, description = "Where it leads", body = InvitedView))
)]
pub(crate) async fn look_up_invitation(
    State(app): State<App>,
    _: OwnOrigin,
    body: Body<UseInvitation>,
) -> Result<Json<InvitedView>, Problem> {
    let (invitation, project) = invitations::look_at(&app, &body.value.secret).await?;
    Ok(Json(InvitedView {
        project: project.name,
        role: invitation.role.as_str(),
        expires_at: invitation.expires_at.to_rfc3339(),
    }))
}

/// Join a project
///
/// By invitation, with the account that is logged in.
#[utoipa::path(
    post, path = "/invitations/accept", tag = "projects", request_body = UseInvitation,
    extensions(("x-botloom-access" = json!("session"))),
    responses((status = 200, description = "The project that you belong to now", body = ProjectView))
)]
pub(crate) async fn accept_invitation(
    State(app): State<App>,
    Person { actor, .. }: Person,
    body: Body<UseInvitation>,
) -> Result<Json<ProjectView>, Problem> {
    let membership = invitations::accept(&app, actor, &body.value.secret).await?;
    Ok(Json(ProjectView::of(membership)))
}

/// Make an account
///
/// By invitation. Makes the account, joins the project, logs in.
#[utoipa::path(
    post, path = "/auth/register", tag = "auth", security(()), request_body = Register,
    extensions(("x-botloom-access" = json!("public"))),
    responses((status = 201, description = "The account exists and is logged in", body = SessionView))
)]
pub(crate) async fn register(
    State(app): State<App>,
    origin: OwnOrigin,
    body: Body<Register>,
) -> Result<Answer, Problem> {
    let Register {
        secret,
        email,
        password,
    } = body.value;
    let login = invitations::register(&app, &origin.visit, &secret, &email, &password).await?;
    Ok(logged_in(StatusCode::CREATED, login, &origin.site))
}
