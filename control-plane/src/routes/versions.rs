//! `/spec/{version}`: what happens to a version after it was posted.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use botloom_core::hash::Sha256Hash;
use http::HeaderMap;
use utoipa::ToSchema;

use super::path::{One, Version};
use super::spec::{MAX_NOTE, PostedView, VersionView, answer, edited, note};
use crate::app::specs::Accompanied;
use crate::app::versions;
use crate::auth::caller::Caller;
use crate::auth::policy::Action;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::http::query::Query;
use crate::idempotency;
use crate::problem::Problem;
use crate::state::App;

/// What of a version may change.
#[derive(Debug, ToSchema)]
pub(crate) struct NoteVersion {
    /// What is said about the version; empty takes it away.
    #[schema(max_length = 1000)]
    note: String,
}

impl FromFields for NoteVersion {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            note: fields.text("note", 0..=MAX_NOTE)?,
        })
    }
}

/// Note something about a version
///
/// The version itself never changes.
#[utoipa::path(
    patch, path = "/spec/{version}", tag = "spec", request_body = NoteVersion,
    extensions(("x-botloom-access" = json!("editor"))),
    params(
        ("version" = u32, Path, description = "Number of the version"),
        ("botId" = String, Query, description = "Slug"),
    ),
    responses((status = 200, description = "The version as it is told of now", body = VersionView))
)]
pub(crate) async fn note_version(
    State(app): State<App>,
    caller: Caller,
    One(Version(version)): One<Version>,
    query: Query,
    body: Body<NoteVersion>,
) -> Result<Json<VersionView>, Problem> {
    let note = Some(body.value.note).filter(|note| !note.is_empty());
    let bot = query.bot_id()?;
    let version = versions::set_note(&app, caller.actor, &bot, version, note.as_deref()).await?;
    Ok(Json(VersionView::of(&version)))
}

/// Restore a version
///
/// Its content becomes the latest version, under a new number. If the latest version has that content already, it stays
/// the latest.
#[utoipa::path(
    post, path = "/spec/{version}/restore", tag = "spec",
    extensions(("x-botloom-access" = json!("editor"))),
    params(
        ("version" = u32, Path, description = "Number of the version whose content is wanted back"),
        ("botId" = String, Query, description = "Slug"),
        ("note" = Option<String>, Query, max_length = 1000, description = "Said about the new version"),
        ("If-Match" = Option<String>, Header, description = "`\"specVersion-N\"` of the version that is to be the latest"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key again gives the same answer"),
    ),
    responses(
        (status = 201, description = "A new version", body = PostedView, headers(
            ("ETag" = String, description = "`\"specVersion-N\"`"),
            ("Location" = String, description = "Address of the version"),
        )),
        (status = 200, description = "The latest version, which has this content", body = PostedView),
    )
)]
pub(crate) async fn restore_version(
    State(app): State<App>,
    caller: Caller,
    One(Version(version)): One<Version>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (bot, edited, note) = (query.bot_id()?, edited(&headers)?, note(&query)?);
    let actor = caller.actor;
    let said = note.as_deref().unwrap_or_default();
    let fingerprint = Sha256Hash::of(format!("{bot}\n{version}\n{said}"));
    let with = Accompanied {
        note,
        restores: None,
        repeatable: idempotency::is_keyed(&headers),
    };
    let about = Some((bot.clone(), Action::PostSpec));
    let restoring = app.clone();
    let work = move |_| async move {
        answer(versions::restore(&restoring, actor, &bot, version, &edited, with).await)
    };
    let route = "POST /spec/restore";
    idempotency::once(&app, actor, route, &headers, fingerprint, about, work).await
}
