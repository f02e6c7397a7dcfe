//! `/auth/oidc`: logging in at an identity provider, and linking an identity with an account.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use botloom_core::model::{AttemptPurpose, Identity};
use botloom_core::secret::Secret;
use http::header::{self, HeaderMap};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tracing::Instrument;
use utoipa::ToSchema;

use super::auth::cookies;
use crate::app::federation::{self, Begun, Finished, Outcome, ProviderAnswer};
use crate::auth::caller::{Arrival, OwnOrigin, Person};
use crate::auth::session;
use crate::http::answer::Answer;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::http::host::Site;
use crate::http::outermost::ForPeople;
use crate::http::query::{Query, invalid};
use crate::oidc::{AttemptSecret, ReturnTo, shown};
use crate::problem::Problem;
use crate::state::App;

const RETURN_RULE: &str = "must be a path of this site, like /console";
/// Longest code and state that are looked at.
const MAX_PARAMETER: usize = 4096;

/// How people log in here.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginsView {
    /// Whether `GET /auth/oidc/login` works.
    configured: bool,
    /// What people call the identity provider.
    name: Option<String>,
    /// Whether e-mail and password work.
    password_login: bool,
}

/// Identities of an account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinksView {
    /// Whether the account has a password.
    has_password: bool,
    /// Identities that log in to it, oldest first.
    identities: Vec<IdentityView>,
}

/// A person as an identity provider knows them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityView {
    /// The provider.
    issuer: String,
    /// The provider's name of the person.
    subject: String,
    /// The e-mail address that the provider told when it was linked.
    email: Option<String>,
    /// RFC 3339.
    linked_at: String,
}

impl IdentityView {
    fn of(identity: Identity) -> Self {
        Self {
            issuer: identity.issuer,
            subject: identity.subject,
            email: identity.email,
            linked_at: identity.created_at.to_rfc3339(),
        }
    }
}

/// Where to send the browser.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BegunView {
    /// Address at the identity provider. It works in this browser, once, for 10 minutes.
    authorization_url: String,
}

/// An identity to be linked.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct LinkIdentity {
    /// Path to go to afterwards; `/` where absent.
    #[schema(value_type = Option<String>, example = "/console")]
    return_to: Option<ReturnTo>,
}

impl FromFields for LinkIdentity {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            return_to: fields.optional_parsed("returnTo", RETURN_RULE),
        })
    }
}

/// An invitation to be used by a login at the identity provider.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct JoinByIdentity {
    /// What stands behind `#` in the link.
    #[schema(value_type = String, format = Password)]
    secret: Secret,
    /// Path to go to afterwards; `/` where absent.
    #[schema(value_type = Option<String>, example = "/console")]
    return_to: Option<ReturnTo>,
}

impl FromFields for JoinByIdentity {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let secret = fields.text("secret", 1..=128);
        let return_to = fields.optional_parsed("returnTo", RETURN_RULE);
        Some(Self {
            secret: secret?.into(),
            return_to,
        })
    }
}

/// How to log in
///
/// For the page that asks people to.
#[utoipa::path(
    get, path = "/auth/oidc", tag = "auth", security(()),
    extensions(("x-botloom-access" = json!("public"))),
    responses((status = 200, description = "What works here", body = LoginsView))
)]
pub(crate) async fn list_logins(State(app): State<App>) -> Json<LoginsView> {
    Json(LoginsView {
        configured: app.oidc.is_some(),
        name: app.oidc.as_ref().map(|provider| provider.options.name.clone()),
        password_login: app.options.password_login,
    })
}

/// Log in at the identity provider
///
/// For browsers: sends them there, and they come back to `/auth/oidc/callback`.
#[utoipa::path(
    get, path = "/auth/oidc/login", tag = "auth", security(()),
    extensions(("x-botloom-access" = json!("public"))),
    params(("returnTo" = Option<String>, Query, description = "Path to go to afterwards; `/` where absent")),
    responses((
        status = 303, description = "Go to the identity provider",
        headers(("Location" = String, description = "Its address"))
    ))
)]
pub(crate) async fn log_in_by_identity(
    State(app): State<App>,
    arrival: Arrival,
    headers: HeaderMap,
    query: Query,
) -> Response {
    let begun = async {
        app.rates.identity_logins(arrival.visit.bucket)?;
        let return_to = query
            .optional_parsed("returnTo", RETURN_RULE)?
            .unwrap_or_default();
        Ok(federation::begin(&app, AttemptPurpose::LogIn, &return_to).await?)
    };
    readable(&headers, begun.await.map(|begun| sent(&begun, &arrival.site)))
}

/// Come back from the identity provider
///
/// Where the identity provider sends browsers. Logs in, or links, and sends them on.
#[utoipa::path(
    get, path = "/auth/oidc/callback", tag = "auth", security(()),
    extensions(("x-botloom-access" = json!("public"))),
    params(
        ("state" = Option<String>, Query, description = "Which login it is"),
        ("code" = Option<String>, Query, description = "Stands for what the provider vouches for"),
        ("error" = Option<String>, Query, description = "Why it does not"),
        ("iss" = Option<String>, Query, description = "Who answers (RFC 9207)"),
    ),
    responses((
        status = 303, description = "Logged in, or linked",
        headers(("Location" = String, description = "Where the login was to lead"))
    ))
)]
pub(crate) async fn finish_identity_login(
    State(app): State<App>,
    arrival: Arrival,
    headers: HeaderMap,
    query: Query,
) -> Response {
    let Arrival { site, visit } = arrival;
    let secret = AttemptSecret::from_cookies(&headers, &site);
    let work = {
        let (app, site) = (app.clone(), site.clone());
        async move {
            federation::provider(&app)?;
            let answer = provider_answer(&query)?;
            let finished = federation::finish(&app, &visit, secret.as_ref(), answer).await?;
            Ok(arrived(&finished, &site, &app))
        }
    };
    // A login that has begun to change something comes to its end, though the browser hangs up.
    let ended = tokio::spawn(work.in_current_span()).await;
    readable(&headers, ended.unwrap_or_else(|_| Err(Problem::internal())))
}

/// Use an invitation by the identity provider
///
/// Makes the account, or takes the one that the identity has. Send the browser to the answer's address.
#[utoipa::path(
    post, path = "/auth/oidc/register", tag = "auth", security(()), request_body = JoinByIdentity,
    extensions(("x-botloom-access" = json!("public"))),
    responses((status = 200, description = "Where to send the browser", body = BegunView))
)]
pub(crate) async fn join_by_identity(
    State(app): State<App>,
    origin: OwnOrigin,
    body: Body<JoinByIdentity>,
) -> Result<Answer, Problem> {
    app.rates.identity_logins(origin.visit.bucket)?;
    let JoinByIdentity { secret, return_to } = body.value;
    let begun = federation::begin_joining(&app, &secret, &return_to.unwrap_or_default()).await?;
    Ok(told(&begun, &origin.site))
}

/// Link an identity with your account
///
/// Within 10 minutes of a login. Send the browser to the answer's address.
#[utoipa::path(
    post, path = "/auth/oidc/link", tag = "auth", request_body = LinkIdentity,
    extensions(("x-botloom-access" = json!("session"))),
    responses((status = 200, description = "Where to send the browser", body = BegunView))
)]
pub(crate) async fn link_identity(
    State(app): State<App>,
    person: Person,
    body: Body<LinkIdentity>,
) -> Result<Answer, Problem> {
    federation::provider(&app)?;
    session::require_fresh(&person.session, app.now())?;
    let return_to = body.value.return_to.unwrap_or_default();
    let purpose = AttemptPurpose::Link(person.session.hash);
    let begun = federation::begin(&app, purpose, &return_to).await?;
    Ok(told(&begun, &person.site))
}

/// List your identities
#[utoipa::path(
    get, path = "/auth/oidc/link", tag = "auth",
    extensions(("x-botloom-access" = json!("session"))),
    responses((status = 200, description = "How you can log in", body = LinksView))
)]
pub(crate) async fn list_identities(
    State(app): State<App>,
    person: Person,
) -> Result<Json<LinksView>, Problem> {
    let identities = federation::identities(&app, person.actor).await?;
    Ok(Json(LinksView {
        has_password: person.user.password_hash.is_some(),
        identities: identities.into_iter().map(IdentityView::of).collect(),
    }))
}

/// Unlink your identities
///
/// Needs a password on the account. Sessions go on.
#[utoipa::path(
    delete, path = "/auth/oidc/link", tag = "auth",
    extensions(("x-botloom-access" = json!("session"))),
    responses((status = 204, description = "They do not log in to your account any more"))
)]
pub(crate) async fn unlink_identities(State(app): State<App>, person: Person) -> Result<StatusCode, Problem> {
    federation::unlink(&app, person.actor, &person.user).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn provider_answer(query: &Query) -> Result<ProviderAnswer, Problem> {
    let text = |name| query.optional_text(name, MAX_PARAMETER);
    let state = text("state")?.ok_or_else(|| invalid("state", "is required"))?;
    let outcome = match (query.optional("error")?, text("code")?) {
        (Some(error), _) => Outcome::Refusal(shown(error)),
        (None, Some(code)) => Outcome::Code(code.into()),
        (None, None) => return Err(invalid("code", "is required")),
    };
    Ok(ProviderAnswer {
        state,
        outcome,
        issuer: text("iss")?,
    })
}

fn sent(begun: &Begun, site: &Site) -> Response {
    redirect(begun.url.as_str(), &[begun.secret.set_cookie(site)])
}

fn told(begun: &Begun, site: &Site) -> Answer {
    let view = BegunView {
        authorization_url: begun.url.to_string(),
    };
    Answer::json(StatusCode::OK, &view).with(header::SET_COOKIE, &begun.secret.set_cookie(site))
}

fn arrived(finished: &Finished, site: &Site, app: &App) -> Response {
    let mut set = vec![AttemptSecret::clear_cookie(site)];
    if let Some(login) = &finished.login {
        set.extend(cookies(login, site));
    }
    let path = finished.return_to.as_str();
    let there = match &app.options.console_origin {
        Some(origin) => format!("{}{path}", origin.as_str().trim_end_matches('/')),
        None => path.to_owned(),
    };
    redirect(&there, &set)
}

fn redirect(location: &str, cookies: &[String]) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(header::LOCATION, location);
    }
    for cookie in cookies {
        if let Ok(mut cookie) = HeaderValue::from_str(cookie) {
            cookie.set_sensitive(true);
            headers.append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// A failure as a page, for browsers that were sent here; programs get the problem document.
fn readable(headers: &HeaderMap, answer: Result<Response, Problem>) -> Response {
    let wanted = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    match answer {
        Ok(response) => response,
        Err(problem) => {
            let mut response = problem.into_response();
            if wanted.is_some_and(|accept| accept.contains("text/html")) {
                response.extensions_mut().insert(ForPeople);
            }
            response
        }
    }
}
