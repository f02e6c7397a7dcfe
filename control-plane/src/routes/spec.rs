//! `/spec`: versions of what a bot is.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use botloom_core::hash::Sha256Hash;
use botloom_core::model::{SpecVersion, SpecVersionSummary};
use botloom_spec::json::canonical;
use botloom_spec::{Change, Diff, Finding};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::path::{One, Version};
use crate::app::Error;
use crate::app::specs::{self, Accompanied, Edited, Posted};
use crate::auth::caller::Caller;
use crate::auth::policy::Action;
use crate::code;
use crate::etag::{self, Condition};
use crate::http::answer::Answer;
use crate::http::body::JsonText;
use crate::http::json;
use crate::http::page::List;
use crate::http::query::{Query, invalid};
use crate::idempotency;
use crate::problem::Problem;
use crate::state::App;

/// Longest note, in characters.
pub(super) const MAX_NOTE: usize = 1000;

/// A finding of the validator.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FindingView {
    /// Stable; `/problems/<code>` explains it.
    code: &'static str,
    /// `error` refuses the spec, `warning` does not.
    #[schema(value_type = String)]
    severity: botloom_spec::Severity,
    /// JSON Pointer to the place at fault; empty for the document.
    pointer: String,
    /// The fact.
    message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl FindingView {
    fn of(finding: Finding) -> Self {
        let Finding {
            code,
            severity,
            pointer,
            message,
            hint,
        } = finding;
        Self {
            code: code.as_str(),
            severity,
            pointer,
            message,
            hint,
        }
    }

    pub(super) fn all(findings: Vec<Finding>) -> Vec<Self> {
        findings.into_iter().map(Self::of).collect()
    }
}

/// What a posted spec became.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PostedView {
    /// Slug.
    bot_id: String,
    /// 1, 2, 3 … per bot.
    version: u32,
    /// `sha256:<hex>` of the canonical spec.
    spec_hash: String,
    warnings: Vec<FindingView>,
}

/// What the validator says.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FindingsView {
    /// All of them, in document order.
    findings: Vec<FindingView>,
}

/// A version without its text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionView {
    /// Slug.
    bot_id: String,
    /// 1, 2, 3 … per bot.
    version: u32,
    /// `sha256:<hex>` of the canonical spec.
    spec_hash: String,
    /// User id of who posted it.
    author: Option<String>,
    /// RFC 3339.
    created_at: String,
    /// What its people say about it.
    note: Option<String>,
    /// The version whose content was put back with this one.
    restored_from: Option<u32>,
}

impl VersionView {
    pub(super) fn of(version: &SpecVersionSummary) -> Self {
        Self {
            bot_id: version.bot.to_string(),
            version: version.version,
            spec_hash: version.spec_hash.to_string(),
            author: version.author.map(|author| author.to_string()),
            created_at: version.created_at.to_rfc3339(),
            note: version.note.clone(),
            restored_from: version.restored_from,
        }
    }
}

/// What changed between two versions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DiffView {
    from: u32,
    to: u32,
    /// One sentence per change, in document order.
    changes: Vec<ChangeView>,
    /// JSON Patch (RFC 6902) from one canonical spec to the other.
    #[schema(value_type = Vec<Object>)]
    patch: Value,
}

/// A change in words.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangeView {
    /// JSON Pointer into the newer spec, into the older for what was removed.
    pointer: String,
    message: String,
}

impl ChangeView {
    pub(super) fn of(change: Change) -> Self {
        Self {
            pointer: change.pointer,
            message: change.message,
        }
    }
}

/// The number of the version before the first.
const NO_VERSION: u32 = 0;

fn tag(version: u32) -> String {
    format!("specVersion-{version}")
}

/// Post a spec
///
/// The body is a BotSpec; `meta.botId` names the bot. The same content again is the version that exists.
#[utoipa::path(
    post, path = "/spec", tag = "spec",
    extensions(("x-botloom-access" = json!("editor"))),
    request_body(content = Object, description = "A BotSpec", content_type = "application/json"),
    params(
        ("note" = Option<String>, Query, max_length = 1000, description = "Said about the version, if it is a new one"),
        ("If-Match" = Option<String>, Header, description = "`\"specVersion-N\"` of the version that you edited"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only as the first version of the bot"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key again gives the same answer"),
    ),
    responses(
        (status = 201, description = "A new version", body = PostedView, headers(
            ("ETag" = String, description = "`\"specVersion-N\"`"),
            ("Location" = String, description = "Address of the version"),
        )),
        (status = 200, description = "The version with this content", body = PostedView),
    )
)]
pub(crate) async fn post_spec(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    headers: HeaderMap,
    JsonText(bytes): JsonText,
) -> Result<Response, Problem> {
    let edited = edited(&headers)?;
    let note = note(&query)?;
    let actor = caller.actor;
    // What is no JSON has no canonical form; the findings say what is wrong with it.
    let read = json::read(&bytes).ok();
    let fingerprint = read
        .as_ref()
        .map_or_else(|| Sha256Hash::of(&bytes), |body| Sha256Hash::of(canonical(body)));
    // What names no bot was refused, and tells nothing of one.
    let named = read.as_ref().and_then(|body| body.pointer("/meta/botId"));
    let named = named.and_then(|bot| bot.as_str()?.parse().ok());
    let about = named.map(|bot| (bot, Action::PostSpec));
    let fingerprint = match &note {
        Some(note) => Sha256Hash::of(format!("{fingerprint}\n{note}")),
        None => fingerprint,
    };
    let with = Accompanied {
        note,
        restores: None,
        repeatable: idempotency::is_keyed(&headers),
    };
    let posting = app.clone();
    let work = move |_| async move { answer(specs::post(&posting, actor, bytes, &edited, with).await) };
    idempotency::once(&app, actor, "POST /spec", &headers, fingerprint, about, work).await
}

/// `note`, if it says something.
pub(super) fn note(query: &Query) -> Result<Option<String>, Problem> {
    let note = query.optional("note")?.filter(|note| !note.is_empty());
    if note.is_some_and(|note| note.chars().count() > MAX_NOTE || note.contains('\0')) {
        return Err(invalid(
            "note",
            "must have at most 1000 characters, none of them U+0000",
        ));
    }
    Ok(note.map(ToOwned::to_owned))
}

/// The answer to who wants to store a version.
pub(super) fn answer(outcome: Result<Posted, Error>) -> Result<Answer, Problem> {
    match outcome {
        Ok(posted) => posted_answer(posted),
        Err(Error::Stale { latest }) => {
            let problem = Problem::from(Error::Stale { latest });
            Err(if latest == 0 {
                problem
            } else {
                problem.with_header(header::ETAG, &format!("\"{}\"", tag(latest)))
            })
        }
        Err(error) => Err(error.into()),
    }
}

fn posted_answer(posted: Posted) -> Result<Answer, Problem> {
    let (summary, created, warnings) = match posted {
        Posted::Version {
            summary,
            created,
            warnings,
        } => (summary, created, warnings),
        Posted::Refused(findings) => return Err(refused(findings)),
    };
    let view = PostedView {
        bot_id: summary.bot.to_string(),
        version: summary.version,
        spec_hash: summary.spec_hash.to_string(),
        warnings: FindingView::all(warnings),
    };
    let location = format!("/spec/{}?botId={}", summary.version, summary.bot);
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(Answer::json(status, &view)
        .with(header::ETAG, &format!("\"{}\"", tag(summary.version)))
        .with(header::LOCATION, &location))
}

/// A spec with errors.
pub(super) fn refused(findings: Vec<Finding>) -> Problem {
    let findings = FindingView::all(findings);
    let errors = findings
        .iter()
        .filter(|one| one.severity == botloom_spec::Severity::Error)
        .count();
    let detail = match errors {
        1 => "The spec has one error; nothing was stored.".to_owned(),
        errors => format!("The spec has {errors} errors; nothing was stored."),
    };
    Problem::new(code::INVALID_SPEC, detail).with_errors(&findings)
}

/// What the caller says was edited; `If-None-Match: *` says that there is nothing yet.
pub(super) fn edited(headers: &HeaderMap) -> Result<Edited, Problem> {
    let unless = etag::condition(headers, &header::IF_NONE_MATCH)?;
    Ok(match (etag::condition(headers, &header::IF_MATCH)?, unless) {
        (None, None) => Edited::Unsaid,
        (None, Some(Condition::Any)) => Edited::Versions(vec![NO_VERSION]),
        (_, Some(_)) => {
            return Err(Problem::new(
                code::MALFORMED_HEADER,
                "if-none-match must be *, and without if-match.",
            ));
        }
        (Some(Condition::Any), None) => Edited::Any,
        (Some(Condition::Tags(tags)), None) => {
            let number = |tag: &str| tag.strip_prefix("specVersion-")?.parse::<Version>().ok();
            let versions = tags
                .iter()
                .filter_map(|tag| number(tag.strong()?))
                .map(|Version(number)| number);
            Edited::Versions(versions.collect())
        }
    })
}

/// Check a spec
///
/// Says everything that is wrong with a BotSpec and stores nothing.
#[utoipa::path(
    post, path = "/spec/validate", tag = "spec",
    extensions(("x-botloom-access" = json!("account"))),
    request_body(content = Object, description = "A BotSpec", content_type = "application/json"),
    responses((status = 200, description = "The findings; none: it is fine", body = FindingsView))
)]
pub(crate) async fn validate_spec(
    State(app): State<App>,
    _: Caller,
    JsonText(bytes): JsonText,
) -> Result<Json<FindingsView>, Problem> {
    let checked = specs::check(&app, bytes).await?;
    Ok(Json(FindingsView {
        findings: FindingView::all(checked.findings),
    }))
}

fn spec_answer(headers: &HeaderMap, version: SpecVersion) -> Result<Response, Problem> {
    let tag = tag(version.summary.version);
    etag::tagged(
        headers,
        &tag,
        ([(header::CONTENT_TYPE, "application/json")], version.canonical),
    )
}

/// Read the latest version
#[utoipa::path(
    get, path = "/spec/latest", tag = "spec",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(("botId" = String, Query, description = "Slug")),
    responses(
        (status = 200, description = "The canonical spec", body = Object, headers(("ETag" = String, description = "`\"specVersion-N\"`"))),
        (status = 304, description = "As you know it (`If-None-Match`)"),
    )
)]
pub(crate) async fn latest_spec(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let version = specs::latest(&app, caller.actor, &query.bot_id()?).await?;
    spec_answer(&headers, version)
}

/// Read a version
#[utoipa::path(
    get, path = "/spec/{version}", tag = "spec",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(
        ("version" = u32, Path, description = "Number of the version"),
        ("botId" = String, Query, description = "Slug"),
    ),
    responses(
        (status = 200, description = "The canonical spec", body = Object, headers(("ETag" = String, description = "`\"specVersion-N\"`"))),
        (status = 304, description = "As you know it (`If-None-Match`)"),
    )
)]
pub(crate) async fn get_spec(
    State(app): State<App>,
    caller: Caller,
    One(Version(version)): One<Version>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let version = specs::get(&app, caller.actor, &query.bot_id()?, version).await?;
    spec_answer(&headers, version)
}

/// List versions
///
/// Newest first, without their text.
#[utoipa::path(
    get, path = "/spec", tag = "spec",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(
        ("botId" = String, Query, description = "Slug"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "At most this many; 50 where absent"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "Versions", body = List<VersionView>))
)]
pub(crate) async fn list_specs(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<List<VersionView>>, Problem> {
    let page = specs::list(&app, caller.actor, &query.bot_id()?, &query.page()?).await?;
    Ok(Json(List::of(page, |version| VersionView::of(&version))))
}

/// Compare two versions
#[utoipa::path(
    get, path = "/spec/diff", tag = "spec",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(
        ("botId" = String, Query, description = "Slug"),
        ("from" = u32, Query, description = "Number of one version"),
        ("to" = u32, Query, description = "Number of the other"),
    ),
    responses((status = 200, description = "What changed", body = DiffView))
)]
pub(crate) async fn diff_specs(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Response, Problem> {
    let bot = query.bot_id()?;
    let rule = "must be the number of a version";
    let Version(from) = query.parsed("from", rule).map_err(|_| invalid("from", rule))?;
    let Version(to) = query.parsed("to", rule).map_err(|_| invalid("to", rule))?;
    let Diff { changes, patch } = specs::diff(&app, caller.actor, &bot, from, to).await?;
    let changes = changes.into_iter().map(ChangeView::of);
    let patch = serde_json::to_value(patch).map_err(|_| Problem::internal())?;
    Ok(Json(DiffView {
        from,
        to,
        changes: changes.collect(),
        patch,
    })
    .into_response())
}
