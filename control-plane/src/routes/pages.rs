//! Pages for people.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, header};

use super::path::{One, OpaqueId};
use crate::auth::caller::OwnOrigin;
use crate::openapi::document;
use crate::pages::{self, PAGE_POLICY, PAGE_TYPE, STYLE_SHEET};
use crate::problem::Problem;
use crate::state::App;

/// Address of the style sheet.
pub(crate) const STYLE: &str = "/assets/page.css";

fn html(page: String) -> Response {
    let headers: [(HeaderName, &str); 2] = [
        (header::CONTENT_TYPE, PAGE_TYPE),
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
    ];
    (headers, page).into_response()
}

/// `GET /`
pub(crate) async fn landing(State(app): State<App>, here: OwnOrigin) -> Result<Response, Problem> {
    let owned = app.deps.ports.catalog.has_users().await?;
    let provider = app.oidc.as_ref().map(|provider| provider.options.name.as_str());
    Ok(html(pages::landing(&here.site.origin(), owned, provider)))
}

/// `GET /docs`
pub(crate) async fn docs() -> Result<Response, Problem> {
    let document = serde_json::to_value(document()).map_err(|_| Problem::internal())?;
    Ok(html(pages::docs(&document)))
}

/// `GET /problems/{slug}`
pub(crate) async fn problem(One(OpaqueId(slug)): One<OpaqueId>) -> Result<Response, Problem> {
    pages::problem(&slug).map(html).ok_or_else(Problem::not_found)
}

/// `GET /assets/page.css`
pub(crate) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "max-age=3600"),
    ];
    (headers, STYLE_SHEET).into_response()
}
