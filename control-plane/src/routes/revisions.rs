//! `/revisions`: what was built.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use botloom_core::hash::RevHash;
use botloom_core::model::RevisionRow;
use botloom_core::ports::ArtifactName;
use http::{HeaderMap, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::path::{One, Two};
use crate::app::revisions;
use crate::auth::caller::Caller;
use crate::etag;
use crate::http::page::List;
use crate::http::query::Query;
use crate::problem::Problem;
use crate::state::App;

/// A revision without its files.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RevisionView {
    /// 64 hexadecimal digits.
    rev_hash: String,
    /// Slug.
    bot_id: String,
    /// The version that it was built from.
    spec_version: u32,
    /// RFC 3339.
    created_at: String,
}

impl RevisionView {
    fn of(revision: &RevisionRow) -> Self {
        Self {
            rev_hash: revision.rev_hash.to_string(),
            bot_id: revision.bot.to_string(),
            spec_version: revision.spec_version,
            created_at: revision.created_at.to_rfc3339(),
        }
    }
}

/// List revisions
///
/// Newest first.
#[utoipa::path(
    get, path = "/revisions", tag = "build and deploy",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(
        ("botId" = String, Query, description = "Slug"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "At most this many; 50 where absent"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "Revisions", body = List<RevisionView>))
)]
pub(crate) async fn list_revisions(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<List<RevisionView>>, Problem> {
    let page = revisions::list(&app, caller.actor, &query.bot_id()?, &query.page()?).await?;
    Ok(Json(List::of(page, |revision| RevisionView::of(&revision))))
}

/// Read a revision's passport
///
/// `rev.json`: where it comes from and what it may do.
#[utoipa::path(
    get, path = "/revisions/{revHash}", tag = "build and deploy",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(("revHash" = String, Path, description = "64 hexadecimal digits")),
    responses(
        (status = 200, description = "The passport", body = Object, headers(("ETag" = String, description = "`\"rev-<revHash>\"`"))),
        (status = 304, description = "As you know it (`If-None-Match`)"),
    )
)]
pub(crate) async fn get_revision(
    State(app): State<App>,
    caller: Caller,
    One(rev): One<RevHash>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let revision = revisions::get(&app, caller.actor, &rev).await?;
    let answer = ([(header::CONTENT_TYPE, "application/json")], revision.rev_json);
    etag::tagged(&headers, &format!("rev-{rev}"), answer)
}

/// Read a file of a revision
#[utoipa::path(
    get, path = "/revisions/{revHash}/artifacts/{name}", tag = "build and deploy",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(
        ("revHash" = String, Path, description = "64 hexadecimal digits"),
        ("name" = String, Path, description = "`bot.js`, `spec.json` or `rev.json`"),
    ),
    responses(
        (status = 200, description = "The file", content((String = "text/plain"), (Object = "application/json"))),
        (status = 304, description = "As you know it (`If-None-Match`)"),
    )
)]
pub(crate) async fn get_artifact(
    State(app): State<App>,
    caller: Caller,
    Two(rev, name): Two<RevHash, ArtifactName>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let revision = revisions::get(&app, caller.actor, &rev).await?;
    let bytes = revisions::artifact(&app, &revision, name).await?;
    // Never as a script: a page of this origin must not be able to run what somebody's bot is made of.
    let media_type = match name {
        ArtifactName::BotJs => "text/plain; charset=utf-8",
        ArtifactName::SpecJson | ArtifactName::RevJson => "application/json",
    };
    let file = format!("attachment; filename=\"{name}\"");
    let answer = (
        [
            (header::CONTENT_TYPE, media_type.to_owned()),
            (header::CONTENT_DISPOSITION, file),
        ],
        bytes,
    );
    etag::tagged(
        &headers,
        &format!("sha256-{}", revisions::digest(&revision, name)),
        answer,
    )
}
