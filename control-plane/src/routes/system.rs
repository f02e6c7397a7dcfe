//! What machines ask: alive, ready, metrics, the API itself.

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header;
use serde::Serialize;
use utoipa::ToSchema;

use crate::code;
use crate::deps::Watch;
use crate::openapi::openapi_json;
use crate::problem::Problem;

/// This process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
}

/// This node takes work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    /// `ready`.
    status: &'static str,
    dependencies: Vec<DependencyView>,
}

/// Something that this node depends on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DependencyView {
    name: String,
    ok: bool,
    /// What is wrong, or worth knowing although it is fine, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Is the process alive
#[utoipa::path(
    get, path = "/healthz", tag = "system", security(()),
    extensions(("x-botloom-access" = json!("public"))),
    responses((status = 200, description = "It answers", body = Health))
)]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Does the node take work
///
/// 503 with a reason for every dependency that fails. Telegram is none.
#[utoipa::path(
    get, path = "/readyz", tag = "system", security(()),
    extensions(("x-botloom-access" = json!("public"))),
    responses((status = 200, description = "It does", body = Ready))
)]
pub(crate) async fn ready(State(watch): State<Watch>) -> Result<Json<Ready>, Problem> {
    let states = watch.readiness.dependencies().await;
    let views: Vec<_> = states
        .into_iter()
        .map(|state| DependencyView {
            name: state.name,
            ok: state.failure.is_none(),
            message: state.failure.or(state.note),
        })
        .collect();
    let (good, bad): (Vec<_>, Vec<_>) = views.into_iter().partition(|view| view.ok);
    if bad.is_empty() {
        return Ok(Json(Ready {
            status: "ready",
            dependencies: good,
        }));
    }
    let names: Vec<_> = bad.iter().map(|view| view.name.as_str()).collect();
    let detail = format!("Not ready: {}.", names.join(", "));
    Err(Problem::new(code::NOT_READY, detail)
        .with_errors(&bad)
        .retry_after(2))
}

/// Metrics
///
/// Prometheus text format.
#[utoipa::path(
    get, path = "/metrics", tag = "system", security(()),
    extensions(("x-botloom-access" = json!("public"))),
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain"))
)]
pub(crate) async fn metrics(State(watch): State<Watch>) -> impl IntoResponse {
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, media_type)], (watch.metrics_render)())
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json", tag = "system", security(()),
    extensions(("x-botloom-access" = json!("public"))),
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi_json())
}
