//! `/bots/{botId}/staging-of`, `/promotion`, `/promote`: one spec, two bots.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use botloom_core::hash::Sha256Hash;
use botloom_core::ids::BotId;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::bots::{BOT_ID_RULE, BotView};
use super::path::One;
use super::spec::{ChangeView, MAX_NOTE, refused};
use crate::app::promotion::{self, Promoted, Wanted};
use crate::app::staging;
use crate::auth::caller::Caller;
use crate::auth::policy::Action;
use crate::http::answer::Answer;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::idempotency;
use crate::problem::Problem;
use crate::state::App;

/// The bot in production.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct SetStagingOf {
    /// Slug of a bot of the same project.
    #[schema(value_type = String)]
    bot_id: BotId,
}

impl FromFields for SetStagingOf {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            bot_id: fields.parsed("botId", BOT_ID_RULE)?,
        })
    }
}

/// Say whose staging bot a bot is
///
/// New versions are tried out on the staging bot, and promoted to the other one. Repeating it changes nothing.
#[utoipa::path(
    put, path = "/bots/{botId}/staging-of", tag = "bots", request_body = SetStagingOf,
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug of the staging bot")),
    responses((status = 200, description = "The staging bot as it is now", body = BotView))
)]
pub(crate) async fn set_staging_of(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
    body: Body<SetStagingOf>,
) -> Result<Json<BotView>, Problem> {
    let bot = staging::link(&app, caller.actor, &id, Some(&body.value.bot_id)).await?;
    Ok(Json(BotView::of(bot, &app.options)))
}

/// Make a bot no staging bot
#[utoipa::path(
    delete, path = "/bots/{botId}/staging-of", tag = "bots",
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug of the staging bot")),
    responses((status = 200, description = "The bot as it is now", body = BotView))
)]
pub(crate) async fn unset_staging_of(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
) -> Result<Json<BotView>, Problem> {
    let bot = staging::link(&app, caller.actor, &id, None).await?;
    Ok(Json(BotView::of(bot, &app.options)))
}

/// What promoting would change.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PromotionView {
    /// Slug of the production bot.
    production_bot_id: String,
    /// The version of the staging bot that is live; `null` if none is.
    staging_version: Option<u32>,
    /// The version of the production bot that is live; `null` if none is.
    production_version: Option<u32>,
    /// Whether production runs something else than the staging bot.
    behind: bool,
    /// One sentence per change, in document order; empty while nothing is live on one of the sides.
    changes: Vec<ChangeView>,
    /// JSON Patch (RFC 6902) from the spec that is live in production to the one that would be.
    #[schema(value_type = Vec<Object>)]
    patch: Value,
}

/// See what promoting would change
///
/// Compares what is live on the staging bot with what is live on its production bot.
#[utoipa::path(
    get, path = "/bots/{botId}/promotion", tag = "bots",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(("botId" = String, Path, description = "Slug of the staging bot")),
    responses((status = 200, description = "The differences", body = PromotionView))
)]
pub(crate) async fn get_promotion(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
) -> Result<Json<PromotionView>, Problem> {
    let promotion = promotion::preview(&app, caller.actor, &id).await?;
    let standing = &promotion.standing;
    let diff = promotion.diff.unwrap_or_default();
    let patch = serde_json::to_value(diff.patch).map_err(|_| Problem::internal())?;
    Ok(Json(PromotionView {
        production_bot_id: promotion.production.to_string(),
        staging_version: standing.staged.as_ref().map(|one| one.summary.version),
        production_version: standing.live.as_ref().map(|one| one.summary.version),
        behind: standing.is_behind(),
        changes: diff.changes.into_iter().map(ChangeView::of).collect(),
        patch,
    }))
}

/// A promotion that is wanted.
#[derive(Debug, ToSchema)]
pub(crate) struct Promote {
    /// The version of the staging bot; the one that is live there where absent.
    #[schema(minimum = 1)]
    version: Option<u32>,
    /// Said about the version of the production bot, if it is a new one.
    #[schema(max_length = 1000)]
    note: Option<String>,
}

impl FromFields for Promote {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let version = fields.optional_integer("version", 1..=u64::from(u32::MAX));
        let note = fields.optional_text("note", 1..=MAX_NOTE);
        Some(Self {
            version: version.and_then(|version| u32::try_from(version).ok()),
            note,
        })
    }
}

/// A version on its way into production.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PromotedView {
    /// Slug of the production bot.
    bot_id: String,
    /// Its version.
    version: u32,
    /// `sha256:<hex>` of the canonical spec.
    spec_hash: String,
    /// Whether the version was stored now; else the bot had this content already.
    created: bool,
    /// The version of the staging bot.
    from_version: u32,
    /// The build: `GET /tasks/{taskId}` tells the revision to deploy.
    task_id: String,
}

/// Promote a version into production
///
/// The same spec, with `meta.botId` alone rewritten, becomes a version of the production bot, and is built. The same content
/// again is the version that exists. Deploy the revision of the build to put it live.
#[utoipa::path(
    post, path = "/bots/{botId}/promote", tag = "bots", request_body = Promote,
    extensions(("x-botloom-access" = json!("editor"))),
    params(
        ("botId" = String, Path, description = "Slug of the staging bot"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key again gives the same answer"),
    ),
    responses((
        status = 202, description = "The production bot has the version, and its build is queued", body = PromotedView,
        headers(("Location" = String, description = "Address of the task"))
    ))
)]
pub(crate) async fn promote(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
    headers: HeaderMap,
    body: Body<Promote>,
) -> Result<Response, Problem> {
    let actor = caller.actor;
    let Promote { version, note } = body.value;
    let wanted = Wanted { version, note };
    let about = Some((id.clone(), Action::PostSpec));
    let fingerprint = Sha256Hash::of(format!("{id}\n{}", body.fingerprint));
    let promoting = app.clone();
    let work = move |of_key| async move {
        let promoted = promotion::promote(&promoting, actor, &id, wanted, of_key).await?;
        match promoted {
            Promoted::Refused(findings) => Err(refused(findings)),
            Promoted::Version {
                from,
                summary,
                created,
                task,
            } => {
                let view = PromotedView {
                    bot_id: summary.bot.to_string(),
                    version: summary.version,
                    spec_hash: summary.spec_hash.to_string(),
                    created,
                    from_version: from,
                    task_id: task.to_string(),
                };
                let location = format!("/tasks/{task}");
                Ok(Answer::json(StatusCode::ACCEPTED, &view).with(header::LOCATION, &location))
            }
        }
    };
    let route = "POST /bots/promote";
    idempotency::once(&app, actor, route, &headers, fingerprint, about, work).await
}
