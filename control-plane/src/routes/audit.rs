//! `/audit`: who did what.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use botloom_core::ids::ProjectId;
use botloom_core::ports::{AuditQuery, Page, PageRequest};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Error;
use crate::app::audit::{self, Noted};
use crate::auth::caller::Caller;
use crate::http::page::List;
use crate::http::query::Query;
use crate::problem::Problem;
use crate::state::App;

/// Entries fetched at a time for an export.
const BATCH: u32 = 200;
/// Longest text that is looked for.
const MAX_TEXT: usize = 128;

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditView {
    /// UUID.
    audit_id: String,
    /// When, RFC 3339.
    at: String,
    actor: AuditActorView,
    /// What, as `<noun>.<participle>`. Stable; later versions may add some.
    verb: String,
    object: AuditObjectView,
    /// UUID; `null` for somebody's own affairs.
    project_id: Option<String>,
    /// Where from.
    address: Option<String>,
    /// The request, as in `X-Request-Id`.
    request_id: Option<String>,
    /// What was there before, where there is something to compare: a hash, or a word such as a role.
    before: Option<String>,
    /// What is there since.
    after: Option<String>,
}

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditActorView {
    /// `user`, `token` (a program of a user), `system` (the installation's settings), or `unknown` (only a newer version of the
    /// platform, which is being rolled out, can tell).
    kind: &'static str,
    /// UUID.
    user_id: Option<String>,
    /// E-mail address of the user.
    email: Option<String>,
    /// UUID.
    token_id: Option<String>,
}

/// What it was done to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditObjectView {
    /// `bot`, `user`, `invitation` …
    kind: String,
    /// Its id.
    id: String,
}

impl AuditView {
    fn of(Noted { entry, email }: Noted) -> Self {
        Self {
            audit_id: entry.id.to_string(),
            at: entry.at.to_rfc3339(),
            actor: AuditActorView {
                kind: entry.actor.kind(),
                user_id: entry.actor.user().map(|user| user.to_string()),
                email,
                token_id: entry.actor.token().map(|token| token.to_string()),
            },
            verb: entry.verb.into_owned(),
            object: AuditObjectView {
                kind: entry.object_kind.into_owned(),
                id: entry.object_id,
            },
            project_id: entry.project.map(|project| project.to_string()),
            address: entry.address.map(|address| address.to_string()),
            request_id: entry.request.map(|request| request.to_string()),
            before: entry.before,
            after: entry.after,
        }
    }
}

/// Project and filters of a request.
fn wanted(query: &Query) -> Result<(Option<ProjectId>, AuditQuery), Problem> {
    // A text that cannot be an id names no project.
    let project = query.optional("projectId")?.map(str::parse).transpose();
    let project = project.map_err(|_| Problem::not_found())?;
    let text = |name| query.optional_text(name, MAX_TEXT);
    let time = "must be a time as in RFC 3339";
    let filters = AuditQuery {
        user: query.optional_parsed("userId", "must be a UUID")?,
        verb: text("verb")?,
        object_kind: text("objectKind")?,
        object_id: text("objectId")?,
        since: query.optional_parsed("since", time)?,
        until: query.optional_parsed("until", time)?,
        ..AuditQuery::default()
    };
    Ok((project, filters))
}

/// Read the audit log
///
/// Newest first. Owners see what was done in their projects, and everybody what they did to their own account.
#[utoipa::path(
    get, path = "/audit", tag = "audit",
    extensions(("x-botloom-access" = json!("owner"))),
    params(
        ("projectId" = Option<String>, Query, description = "Only this project"),
        ("userId" = Option<String>, Query, description = "Only what this user did, by programs too"),
        ("verb" = Option<String>, Query, description = "Only this"),
        ("objectKind" = Option<String>, Query, description = "Only to things of this kind"),
        ("objectId" = Option<String>, Query, description = "Only to the thing with this id"),
        ("since" = Option<String>, Query, description = "At this time or later, RFC 3339"),
        ("until" = Option<String>, Query, description = "Before this time, RFC 3339"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "At most this many; 50 where absent"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "What was done", body = List<AuditView>))
)]
pub(crate) async fn list_audit(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<List<AuditView>>, Problem> {
    let (project, filters) = wanted(&query)?;
    let page = query.page()?;
    let filters = audit::visible(&app, caller.actor, project, filters).await?;
    let page = audit::list(&app, &filters, &page).await?;
    Ok(Json(List::of(page, AuditView::of)))
}

/// Export the audit log
///
/// Everything that `/audit` would list with these filters, one JSON object a line. An answer that ends without its last
/// line break is not whole.
#[utoipa::path(
    get, path = "/audit/export", tag = "audit",
    extensions(("x-botloom-access" = json!("owner"))),
    params(
        ("projectId" = Option<String>, Query, description = "Only this project"),
        ("userId" = Option<String>, Query, description = "Only what this user did, by programs too"),
        ("verb" = Option<String>, Query, description = "Only this"),
        ("objectKind" = Option<String>, Query, description = "Only to things of this kind"),
        ("objectId" = Option<String>, Query, description = "Only to the thing with this id"),
        ("since" = Option<String>, Query, description = "At this time or later, RFC 3339"),
        ("until" = Option<String>, Query, description = "Before this time, RFC 3339"),
    ),
    responses((status = 200, description = "NDJSON, newest first", body = String, content_type = "application/x-ndjson"))
)]
pub(crate) async fn export_audit(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Response, Problem> {
    let (project, filters) = wanted(&query)?;
    let filters = audit::visible(&app, caller.actor, project, filters).await?;
    let request = |cursor| PageRequest { cursor, limit: BATCH };
    // What fails at once is told as a problem; later the connection breaks off.
    let first = audit::list(&app, &filters, &request(None)).await?;
    let pages = stream::try_unfold(Next::Ready(first), move |next| {
        let (app, filters) = (app.clone(), filters.clone());
        async move {
            let page = match next {
                Next::Ready(page) => page,
                Next::Fetch(cursor) => audit::list(&app, &filters, &request(Some(cursor))).await?,
                Next::End => return Ok::<_, Error>(None),
            };
            let next = page.next_cursor.clone().map_or(Next::End, Next::Fetch);
            Ok(Some((lines(page), next)))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"audit.ndjson\"",
        ),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

/// How an export goes on.
enum Next {
    Ready(Page<Noted>),
    Fetch(String),
    End,
}

fn lines(page: Page<Noted>) -> Bytes {
    let mut text = Vec::new();
    for noted in page.items {
        let line = serde_json::to_vec(&AuditView::of(noted));
        text.extend(line.expect("our own types have text keys and no failing serialisers"));
        text.push(b'\n');
    }
    text.into()
}
