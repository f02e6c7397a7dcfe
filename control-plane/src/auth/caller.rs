//! Extractors: the person behind a request, or the assurance that no foreign page made it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use botloom_core::model::{Session, User};
use http::HeaderMap;
use http::header;
use http::request::Parts;

use super::session::{self, SessionId};
use crate::app::accounts::Visit;
use crate::app::actor::{Actor, Origin};
use crate::code;
use crate::http::host::Site;
use crate::http::outermost::RequestId;
use crate::limits;
use crate::problem::Problem;
use crate::state::App;

const CSRF_HEADER: &str = "x-csrf-token";

/// A logged-in person. Taking it refuses requests without a session, and unsafe ones without the session's CSRF token
/// or from a foreign origin.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) user: User,
    pub(crate) actor: Actor,
    pub(crate) session: Session,
    pub(crate) id: SessionId,
    pub(crate) site: Site,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let site = site(parts)?;
        let nobody = || Problem::new(code::UNAUTHENTICATED, "Log in with POST /auth/login.");
        let id = SessionId::from_cookies(&parts.headers, &site).ok_or_else(nobody)?;
        let catalog = &app.deps.ports.catalog;
        let session = catalog.session(&id.digest()).await?.ok_or_else(nobody)?;
        let now = app.now();
        if session::is_over(&session, now) {
            return Err(Problem::new(code::SESSION_EXPIRED, "Log in again."));
        }
        let user = catalog.user(session.user).await?.ok_or_else(nobody)?;
        if !parts.method.is_safe() {
            check_origin(&parts.headers, &site, app)?;
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
        tracing::Span::current().record("user", tracing::field::display(user.id));
        app.rates.user(user.id)?;
        if now.since(session.seen_at) >= session::TOUCH_MS {
            catalog.touch_session(&session.hash, now).await?;
        }
        let actor = Actor {
            user: user.id,
            origin: origin(parts)?,
        };
        Ok(Self {
            user,
            actor,
            session,
            id,
            site,
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
        let site = site(parts)?;
        check_origin(&parts.headers, &site, app)?;
        let origin = origin(parts)?;
        let visit = Visit {
            origin,
            bucket: limits::bucket(origin.address.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))),
            session: SessionId::from_cookies(&parts.headers, &site),
        };
        Ok(Self { site, visit })
    }
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
