//! `/auth/sessions` and `/auth/password`: a person's own logins.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use botloom_core::hash::Sha256Hash;
use botloom_core::model::Session;
use botloom_core::secret::Secret;
use http::{StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::path::One;
use crate::app::accounts::PASSWORD_LENGTH;
use crate::app::sessions::{self, NewPassword};
use crate::auth::caller::Person;
use crate::auth::device;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::http::page::List;
use crate::http::query::Query;
use crate::problem::Problem;
use crate::state::App;

/// A login that has not ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginView {
    /// Names the session; nobody can act with it.
    session_id: String,
    /// When the login happened, RFC 3339.
    created_at: String,
    /// Last use, RFC 3339, to a minute.
    seen_at: String,
    /// Where the login came from.
    address: Option<String>,
    /// What the browser called itself.
    agent: Option<String>,
    /// Whether it is the one that asks.
    current: bool,
}

/// A new password.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct ChangePassword {
    /// The present password; absent where the account has none.
    #[schema(value_type = Option<String>, format = Password)]
    old_password: Option<Secret>,
    /// 8 to 256 characters.
    #[schema(value_type = String, min_length = 8, max_length = 256, format = Password)]
    new_password: Secret,
    /// Whether your API tokens end too, in all projects; they go on where absent.
    #[schema(value_type = Option<bool>)]
    revoke_tokens: bool,
}

impl FromFields for ChangePassword {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let old_password = fields.optional_text("oldPassword", 1..=1024);
        let new_password = fields.text("newPassword", PASSWORD_LENGTH);
        let revoke_tokens = fields.optional_flag("revokeTokens");
        Some(Self {
            old_password: old_password.map(Secret::from),
            new_password: new_password?.into(),
            revoke_tokens: revoke_tokens.unwrap_or(false),
        })
    }
}

/// How many sessions ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndedView {
    ended: u64,
}

/// List your sessions
///
/// Newest first.
#[utoipa::path(
    get, path = "/auth/sessions", tag = "auth",
    extensions(("x-botloom-access" = json!("session"))),
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "At most this many; 50 where absent"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "Logins that have not ended", body = List<LoginView>))
)]
pub(crate) async fn list_sessions(
    State(app): State<App>,
    person: Person,
    query: Query,
) -> Result<Json<List<LoginView>>, Problem> {
    let page = sessions::list(&app, person.actor, &query.page()?).await?;
    let current = person.session.hash;
    Ok(Json(List::of(page, |session: Session| LoginView {
        session_id: session.hash.to_string(),
        created_at: session.created_at.to_rfc3339(),
        seen_at: session.seen_at.to_rfc3339(),
        address: session.address.map(|address| address.to_string()),
        agent: session.agent,
        current: session.hash == current,
    })))
}

/// End all your other sessions
#[utoipa::path(
    delete, path = "/auth/sessions", tag = "auth",
    extensions(("x-botloom-access" = json!("session"))),
    responses((status = 200, description = "Only this session is left", body = EndedView))
)]
pub(crate) async fn end_other_sessions(
    State(app): State<App>,
    person: Person,
) -> Result<Json<EndedView>, Problem> {
    let ended = sessions::end_others(&app, person.actor, &person.session.hash).await?;
    Ok(Json(EndedView { ended }))
}

/// End one of your sessions
#[utoipa::path(
    delete, path = "/auth/sessions/{sessionId}", tag = "auth",
    extensions(("x-botloom-access" = json!("session"))),
    params(("sessionId" = String, Path, description = "As in the list")),
    responses((status = 204, description = "It has ended"))
)]
pub(crate) async fn end_session(
    State(app): State<App>,
    person: Person,
    One(session): One<Sha256Hash>,
) -> Result<StatusCode, Problem> {
    sessions::end(&app, person.actor, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change your password
///
/// Needs the old one; an account without one gets its first within 10 minutes of a login. Ends all your other sessions, and
/// forgets the browsers that you logged in with; if you want, your API tokens end too.
#[utoipa::path(
    post, path = "/auth/password", tag = "auth", request_body = ChangePassword,
    extensions(("x-botloom-access" = json!("session"))),
    responses((status = 204, description = "The new password holds"))
)]
pub(crate) async fn change_password(
    State(app): State<App>,
    person: Person,
    body: Body<ChangePassword>,
) -> Result<Response, Problem> {
    let ChangePassword {
        old_password,
        new_password,
        revoke_tokens,
    } = body.value;
    let wanted = NewPassword {
        old: old_password.as_ref(),
        new: &new_password,
        revoke_tokens,
    };
    let browser =
        sessions::change_password(&app, person.actor, &person.user, &person.session, wanted).await?;
    let cookie = device::set_cookie(&browser, &person.site);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}
