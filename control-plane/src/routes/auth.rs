//! `/auth`: first owner, login, logout, who am I.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use botloom_core::model::{Membership, User};
use botloom_core::secret::Secret;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::projects::ProjectView;
use crate::app::accounts::{self, Email, Login, PASSWORD_LENGTH};
use crate::app::{access, sessions};
use crate::auth::caller::{Caller, Credential, OwnOrigin, Person};
use crate::auth::{device, session};
use crate::code;
use crate::http::answer::Answer;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::http::host::Site;
use crate::problem::Problem;
use crate::state::App;

/// The account of the first owner.
#[derive(Debug, ToSchema)]
pub(crate) struct Setup {
    /// E-mail address.
    #[schema(value_type = String, example = "owner@example.org")]
    email: Email,
    /// 8 to 256 characters.
    #[schema(value_type = String, min_length = 8, max_length = 256, format = Password)]
    password: Secret,
}

impl FromFields for Setup {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.parsed("email", "must be an e-mail address");
        let password = fields.text("password", PASSWORD_LENGTH);
        Some(Self {
            email: email?,
            password: password?.into(),
        })
    }
}

/// E-mail and password.
#[derive(Debug, ToSchema)]
pub(crate) struct Credentials {
    /// E-mail address, in whatever case.
    email: String,
    /// Password.
    #[schema(value_type = String, format = Password)]
    password: Secret,
}

impl FromFields for Credentials {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.text("email", 1..=254);
        let password = fields.text("password", 1..=1024);
        Some(Self {
            email: email?,
            password: password?.into(),
        })
    }
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserView {
    /// UUID.
    user_id: String,
    /// As it was given.
    email: String,
}

/// Who is logged in, and what a browser needs to act for them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionView {
    user: UserView,
    /// Send it as `X-CSRF-Token` with every request that changes something. Not for API tokens, which need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf_token: Option<String>,
    projects: Vec<ProjectView>,
}

fn show(user: User, csrf_token: Option<String>, memberships: Vec<Membership>) -> SessionView {
    SessionView {
        user: UserView {
            user_id: user.id.to_string(),
            email: user.email,
        },
        csrf_token,
        projects: memberships.into_iter().map(ProjectView::of).collect(),
    }
}

/// The `Set-Cookie`s of a login.
pub(crate) fn cookies(login: &Login, site: &Site) -> Vec<String> {
    let mut all = vec![login.session.set_cookie(site)];
    all.extend(
        login
            .device
            .as_ref()
            .map(|device| device::set_cookie(device, site)),
    );
    all
}

pub(crate) fn logged_in(status: StatusCode, login: Login, site: &Site) -> Answer {
    let cookies = cookies(&login, site);
    let csrf_token = login.session.csrf_token();
    let view = show(login.user, Some(csrf_token), login.memberships);
    cookies
        .iter()
        .fold(Answer::json(status, &view), |answer, cookie| {
            answer.with(header::SET_COOKIE, cookie)
        })
}

/// Make the first owner
///
/// Only on the first start. Makes the owner with the project `default` and logs them in.
#[utoipa::path(
    post, path = "/auth/setup", tag = "auth", security(()), request_body = Setup,
    extensions(("x-botloom-access" = json!("public"))),
    responses((status = 201, description = "The owner exists and is logged in", body = SessionView))
)]
pub(crate) async fn set_up(
    State(app): State<App>,
    origin: OwnOrigin,
    headers: HeaderMap,
    body: Body<Setup>,
) -> Result<Answer, Problem> {
    // There is no secret yet that a page of somebody else could lack.
    if headers.contains_key(header::ORIGIN) && !origin.site.is_certain(&app.options) {
        let detail = "A browser can make the first owner under this machine's address, localhost, or the name in BOTLOOM_PUBLIC_URL.";
        return Err(Problem::new(code::ORIGIN_FORBIDDEN, detail));
    }
    let login = accounts::set_up(&app, &origin.visit, &body.value.email, &body.value.password).await?;
    Ok(logged_in(StatusCode::CREATED, login, &origin.site))
}

/// Log in
///
/// Sets the session cookie. A session that came along ends.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", security(()), request_body = Credentials,
    extensions(("x-botloom-access" = json!("public"))),
    responses((status = 200, description = "Logged in", body = SessionView))
)]
pub(crate) async fn log_in(
    State(app): State<App>,
    origin: OwnOrigin,
    body: Body<Credentials>,
) -> Result<Answer, Problem> {
    let Credentials { email, password } = body.value;
    let login = accounts::log_in(&app, &origin.visit, &email, &password).await?;
    Ok(logged_in(StatusCode::OK, login, &origin.site))
}

/// Log out
///
/// Ends the session and its event streams.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth",
    extensions(("x-botloom-access" = json!("session"))),
    responses((status = 204, description = "The session has ended"))
)]
pub(crate) async fn log_out(State(app): State<App>, person: Person) -> Result<Response, Problem> {
    sessions::end(&app, person.actor, person.session.hash).await?;
    let cookie = session::clear_cookie(&person.site);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Who am I
#[utoipa::path(
    get, path = "/auth/me", tag = "auth",
    extensions(("x-botloom-access" = json!("account"))),
    responses((status = 200, description = "The person behind the session or the API token", body = SessionView))
)]
pub(crate) async fn me(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    let memberships = access::memberships(&app, caller.actor).await?;
    let csrf_token = match &caller.credential {
        Credential::Session { id, .. } => Some(id.csrf_token()),
        Credential::Token(_) => None,
    };
    let view = show(caller.user, csrf_token, memberships);
    Ok(Answer::json(StatusCode::OK, &view))
}
