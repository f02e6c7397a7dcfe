//! Extractors: the person behind a request, or the assurance that no foreign page made it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use botloom_core::model::{ApiToken, Session, User};
use botloom_core::secret::Secret;
use http::HeaderMap;
use http::header;
use http::request::Parts;

use super::bearer::{self, Bearer};
use super::session::{self, SessionId};
use crate::app::accounts::Visit;
use crate::app::actor::{Actor, Grant, Origin};
use crate::code;
use crate::http::host::Site;
use crate::http::outermost::RequestId;
use crate::limits;
use crate::problem::Problem;
use crate::state::App;

/// Characters of a `User-Agent` that are kept.
const MAX_AGENT: usize = 256;
const CSRF_HEADER: &str = "x-csrf-token";

/// How a caller has shown who they are.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// By a session.
    Session { session: Session, id: SessionId },
    /// By an API token.
    Token(ApiToken),
}

/// Somebody who may act: a person with a session, or a program with an API token. Taking it refuses requests without
/// either, and unsafe ones with a session but without its CSRF token or from a foreign origin. A request with an API
/// token is judged by that alone: browsers never send one by themselves.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) user: User,
    pub(crate) actor: Actor,
    pub(crate) credential: Credential,
    pub(crate) site: Site,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let site = site(parts)?;
        let origin = origin(parts)?;
        let credential = match bearer::read(&parts.headers) {
            Bearer::None => by_session(parts, &site, app).await?,
            Bearer::Token(token) => by_token(&token, app).await?,
            Bearer::Unreadable => return Err(nobody()),
        };
        let (user, grant) = match &credential {
            Credential::Session { session, .. } => (session.user, None),
            Credential::Token(token) => {
                let grant = Grant {
                    token: token.id,
                    role: token.role,
                    project: token.project,
                };
                (token.user, Some(grant))
            }
        };
        let user = app.deps.ports.catalog.user(user).await?.ok_or_else(nobody)?;
        tracing::Span::current().record("user", tracing::field::display(user.id));
        app.rates.user(user.id)?;
        touch(&credential, app).await?;
        let actor = Actor {
            user: user.id,
            grant,
            origin,
        };
        Ok(Self {
            user,
            actor,
            credential,
            site,
        })
    }
}

fn nobody() -> Problem {
    let detail = "Log in with POST /auth/login, or send an API token: Authorization: Bearer blm_….";
    Problem::new(code::UNAUTHENTICATED, detail)
}

async fn by_session(parts: &Parts, site: &Site, app: &App) -> Result<Credential, Problem> {
    let id = SessionId::from_cookies(&parts.headers, site).ok_or_else(nobody)?;
    let session = app
        .deps
        .ports
        .catalog
        .session(&id.digest())
        .await?
        .ok_or_else(nobody)?;
    if session::is_over(&session, app.now()) {
        return Err(Problem::new(code::SESSION_EXPIRED, "Log in again."));
    }
    if !parts.method.is_safe() {
        check_origin(&parts.headers, site, app)?;
        let token = parts
            .headers
            .get(CSRF_HEADER)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !session::csrf_fits(&session, token) {
            let detail = "Send the csrfToken of POST /auth/login or GET /auth/me as X-CSRF-Token.";
            return Err(Problem::new(code::CSRF_INVALID, detail));
        }
    }
    Ok(Credential::Session { session, id })
}

async fn by_token(token: &Secret, app: &App) -> Result<Credential, Problem> {
    let token = app
        .deps
        .ports
        .catalog
        .token(&bearer::digest(token))
        .await?
        .ok_or_else(nobody)?;
    if app.now() >= token.expires_at {
        return Err(Problem::new(code::TOKEN_EXPIRED, "Make a new API token."));
    }
    Ok(Credential::Token(token))
}

/// Notes the use, now and then.
async fn touch(credential: &Credential, app: &App) -> Result<(), Problem> {
    let (catalog, now) = (&app.deps.ports.catalog, app.now());
    match credential {
        Credential::Session { session, .. } if now.since(session.seen_at) >= session::TOUCH_MS => {
            catalog.touch_session(&session.hash, now).await?;
        }
        Credential::Token(token)
            if token
                .last_used_at
                .is_none_or(|last| now.since(last) >= bearer::TOUCH_MS) =>
        {
            catalog.touch_token(token.id, now).await?;
        }
        Credential::Session { .. } | Credential::Token(_) => {}
    }
    Ok(())
}

/// A person with a session. Taking it refuses API tokens: their user's own affairs are not theirs to change, or a token
/// that leaks could make others and outlive its own end.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user: User,
    pub(crate) actor: Actor,
    pub(crate) session: Session,
    pub(crate) site: Site,
}

impl FromRequestParts<App> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let Credential::Session { session, .. } = caller.credential else {
            let detail = "Log in for this; an API token does not do.";
            return Err(Problem::new(code::SESSION_REQUIRED, detail));
        };
        Ok(Self {
            user: caller.user,
            actor: caller.actor,
            session,
            site: caller.site,
        })
    }
}

/// A request that needs no session but must not come from a foreign page: logging in, setting up.
#[derive(Debug, Clone)]
pub(crate) struct OwnOrigin {
    pub(crate) site: Site,
    pub(crate) visit: Visit,
}

impl FromRequestParts<App> for OwnOrigin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Arrival { site, visit } = Arrival::from_request_parts(parts, app).await?;
        check_origin(&parts.headers, &site, app)?;
        Ok(Self { site, visit })
    }
}

/// A browser that was sent here by a page of whatever origin. The handler needs another proof that it may act.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) site: Site,
    pub(crate) visit: Visit,
}

impl FromRequestParts<App> for Arrival {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let site = site(parts)?;
        let origin = origin(parts)?;
        let visit = Visit {
            origin,
            bucket: limits::bucket(origin.address.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))),
            session: SessionId::from_cookies(&parts.headers, &site),
            device: session::cookie_of(&parts.headers, site.device_cookie()).map(Secret::new),
            agent: agent(&parts.headers),
        };
        Ok(Self { site, visit })
    }
}

/// What the browser calls itself, as far as it is kept.
fn agent(headers: &HeaderMap) -> Option<String> {
    let agent = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(agent.chars().take(MAX_AGENT).collect())
}

/// Where the request came from.
fn origin(parts: &Parts) -> Result<Origin, Problem> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let RequestId(request) = *parts
        .extensions
        .get::<RequestId>()
        .ok_or_else(Problem::internal)?;
    Ok(Origin {
        address: peer.map(|info| info.0.ip().to_canonical()),
        request,
    })
}

fn site(parts: &Parts) -> Result<Site, Problem> {
    parts
        .extensions
        .get::<Site>()
        .cloned()
        .ok_or_else(Problem::internal)
}

fn check_origin(headers: &HeaderMap, site: &Site, app: &App) -> Result<(), Problem> {
    let trusted = |origin: &str| site.trusts(origin, &app.options);
    match headers.get(header::ORIGIN).map(|value| value.to_str()) {
        None => Ok(()),
        Some(Ok(origin)) if trusted(origin) => Ok(()),
        Some(_) => {
            let detail =
                "Pages of this origin may not act here; BOTLOOM_PUBLIC_URL and BOTLOOM_CONSOLE_ORIGIN may.";
            Err(Problem::new(code::ORIGIN_FORBIDDEN, detail))
        }
    }
}
