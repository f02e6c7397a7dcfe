//! `/projects/{projectId}/tokens`: API tokens of a project.

use axum::Json;
use axum::extract::State;
use botloom_core::TimestampMs;
use botloom_core::ids::{ProjectId, TokenId};
use botloom_core::model::{ApiToken, Role};
use botloom_core::secret::Secret;
use http::{StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::members::ROLE_RULE;
use super::path::{One, Two};
use crate::app::tokens::{self, DEFAULT_DAYS, MAX_DAYS, Wanted};
use crate::auth::caller::Person;
use crate::http::answer::Answer;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::http::page::List;
use crate::http::query::Query;
use crate::problem::Problem;
use crate::state::App;

/// A token to be made.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct CreateToken {
    /// For people: what it is used for.
    #[schema(min_length = 1, max_length = 128, example = "CI of the pizza bot")]
    name: String,
    /// The most that it may do: `owner`, `editor` or `viewer`; never more than you may at that moment.
    #[schema(value_type = String, example = "editor")]
    role: Role,
    /// How long it holds; 90 where absent.
    #[schema(minimum = 1, maximum = 366)]
    days: Option<u64>,
}

impl FromFields for CreateToken {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let name = fields.text("name", 1..=128);
        let role = fields.parsed("role", ROLE_RULE);
        let days = fields.optional_integer("days", 1..=MAX_DAYS);
        Some(Self {
            name: name?,
            role: role?,
            days,
        })
    }
}

/// An API token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenView {
    /// UUID.
    token_id: String,
    /// For people.
    name: String,
    /// The most that it may do.
    role: &'static str,
    /// Whom it acts for.
    user_id: String,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    expires_at: String,
    /// RFC 3339, to a minute; `null` before the first use.
    last_used_at: Option<String>,
    /// The token. Only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl TokenView {
    fn of(token: ApiToken) -> Self {
        Self {
            token_id: token.id.to_string(),
            name: token.name,
            role: token.role.as_str(),
            user_id: token.user.to_string(),
            created_at: token.created_at.to_rfc3339(),
            expires_at: token.expires_at.to_rfc3339(),
            last_used_at: token.last_used_at.map(TimestampMs::to_rfc3339),
            token: None,
        }
    }

    fn once(token: ApiToken, secret: &Secret) -> Self {
        Self {
            token: Some(secret.expose().to_owned()),
            ..Self::of(token)
        }
    }
}

/// List the API tokens of a project
///
/// Newest first, whoever made them, without the tokens themselves.
#[utoipa::path(
    get, path = "/projects/{projectId}/tokens", tag = "tokens",
    extensions(("x-botloom-access" = json!("owner-session"))),
    params(
        ("projectId" = String, Path, description = "UUID"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "At most this many; 50 where absent"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "Tokens", body = List<TokenView>))
)]
pub(crate) async fn list_tokens(
    State(app): State<App>,
    Person { actor, .. }: Person,
    One(project): One<ProjectId>,
    query: Query,
) -> Result<Json<List<TokenView>>, Problem> {
    let page = tokens::list(&app, actor, project, &query.page()?).await?;
    Ok(Json(List::of(page, TokenView::of)))
}

/// Make an API token
///
/// For programs: `Authorization: Bearer <token>`, without cookie and CSRF token. It is told this once.
#[utoipa::path(
    post, path = "/projects/{projectId}/tokens", tag = "tokens", request_body = CreateToken,
    params(("projectId" = String, Path, description = "UUID")),
    extensions(("x-botloom-access" = json!("owner-session"))),
    responses((
        status = 201, description = "The token", body = TokenView,
        headers(("Location" = String, description = "Its address"))
    ))
)]
pub(crate) async fn create_token(
    State(app): State<App>,
    Person { actor, .. }: Person,
    One(project): One<ProjectId>,
    body: Body<CreateToken>,
) -> Result<Answer, Problem> {
    let CreateToken { name, role, days } = body.value;
    let wanted = Wanted {
        name,
        role,
        days: days.unwrap_or(DEFAULT_DAYS),
    };
    let (token, secret) = tokens::create(&app, actor, project, wanted).await?;
    let location = format!("/projects/{project}/tokens/{}", token.id);
    let view = TokenView::once(token, &secret);
    Ok(Answer::json(StatusCode::CREATED, &view).with(header::LOCATION, &location))
}

/// Revoke an API token
///
/// Its requests are refused at once.
#[utoipa::path(
    delete, path = "/projects/{projectId}/tokens/{tokenId}", tag = "tokens",
    extensions(("x-botloom-access" = json!("owner-session"))),
    params(
        ("projectId" = String, Path, description = "UUID"),
        ("tokenId" = String, Path, description = "UUID"),
    ),
    responses((status = 204, description = "It does not work any more"))
)]
pub(crate) async fn revoke_token(
    State(app): State<App>,
    Person { actor, .. }: Person,
    Two(project, id): Two<ProjectId, TokenId>,
) -> Result<StatusCode, Problem> {
    tokens::revoke(&app, actor, project, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
