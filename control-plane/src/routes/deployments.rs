//! `/deploy`, `/rollback`, `/deployments`.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use botloom_core::TimestampMs;
use botloom_core::hash::RevHash;
use botloom_core::ids::{BotId, TaskId};
use botloom_core::model::{Deployment, StageRecord};
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::bots::BOT_ID_RULE;
use super::path::One;
use super::tasks::{AcceptedView, FailureView, accepted};
use crate::app::deployments::{self, FLIP};
use crate::auth::caller::Caller;
use crate::auth::policy::Action;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::http::page::List;
use crate::http::query::Query;
use crate::idempotency;
use crate::problem::Problem;
use crate::state::App;

const REV_RULE: &str = "must be 64 hexadecimal digits";
/// Most sandboxes that one deployment may warm.
const MAX_PREWARM: u64 = 16;

/// The one strategy there is.
#[derive(Debug)]
struct Strategy;

impl std::str::FromStr for Strategy {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == FLIP { Ok(Self) } else { Err(()) }
    }
}

/// What to have ready before the flip.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Prewarm {
    /// Sandboxes that hold the revision on every node; 1 where absent.
    #[schema(minimum = 0, maximum = 16)]
    min_sandboxes: u32,
}

impl FromFields for Prewarm {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let min_sandboxes = fields.integer("minSandboxes", 0..=MAX_PREWARM)?;
        Some(Self {
            min_sandboxes: u32::try_from(min_sandboxes).ok()?,
        })
    }
}

/// A deployment that is wanted.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Deploy {
    /// Slug.
    #[schema(value_type = String)]
    bot_id: BotId,
    /// A revision of the bot.
    #[schema(value_type = String)]
    rev_hash: RevHash,
    /// `flip`, the only one there is and the default.
    #[schema(value_type = Option<String>)]
    strategy: Strategy,
    prewarm: Option<Prewarm>,
}

impl FromFields for Deploy {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let bot_id = fields.parsed("botId", BOT_ID_RULE);
        let rev_hash = fields.parsed("revHash", REV_RULE);
        let strategy = fields
            .optional_parsed("strategy", "must be flip")
            .unwrap_or(Strategy);
        let prewarm = fields.optional_nested("prewarm");
        Some(Self {
            bot_id: bot_id?,
            rev_hash: rev_hash?,
            strategy,
            prewarm,
        })
    }
}

/// A rollback that is wanted.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Rollback {
    /// Slug.
    #[schema(value_type = String)]
    bot_id: BotId,
    /// Where to; the revision before the active one where absent.
    #[schema(value_type = Option<String>)]
    rev_hash: Option<RevHash>,
}

impl FromFields for Rollback {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let bot_id = fields.parsed("botId", BOT_ID_RULE);
        let rev_hash = fields.optional_parsed("revHash", REV_RULE);
        Some(Self {
            bot_id: bot_id?,
            rev_hash,
        })
    }
}

/// A stage that was begun.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StageView {
    /// `preflight`, `stage`, `prewarm`, `health`, `flip` or `invalidate`.
    name: &'static str,
    /// RFC 3339.
    started_at: String,
    /// RFC 3339; `null` while it runs.
    finished_at: Option<String>,
    /// In words.
    detail: Option<String>,
}

impl StageView {
    fn of(stage: StageRecord) -> Self {
        Self {
            name: stage.name.as_str(),
            started_at: stage.started_at.to_rfc3339(),
            finished_at: stage.finished_at.map(TimestampMs::to_rfc3339),
            detail: stage.detail,
        }
    }
}

/// A deployment or a rollback.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentView {
    /// UUID.
    task_id: String,
    /// Slug.
    bot_id: String,
    /// `queued`, `running`, `succeeded` or `failed`.
    status: &'static str,
    /// Where it is; where it ended, once failed.
    stage: &'static str,
    stages: Vec<StageView>,
    /// Live when it was asked for.
    from_rev: Option<String>,
    /// To go live.
    to_rev: String,
    /// Number of the activation, once it flipped.
    epoch: Option<u64>,
    /// Whether it goes back to a revision that was live before.
    rollback: bool,
    /// RFC 3339. Until then updates that fail are watched, and too many of them bring the revision before back; `null` if not, or not any more.
    watched_until: Option<String>,
    /// In words, why the platform went back by itself: on the deployment that was unhealthy, and on the rollback of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<FailureView>,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    updated_at: String,
}

impl DeploymentView {
    fn of(deployment: Deployment) -> Self {
        Self {
            task_id: deployment.task.to_string(),
            bot_id: deployment.bot.to_string(),
            status: deployment.status.as_str(),
            stage: deployment.stage.as_str(),
            stages: deployment.stages.into_iter().map(StageView::of).collect(),
            from_rev: deployment.from_rev.map(|rev| rev.to_string()),
            to_rev: deployment.to_rev.to_string(),
            epoch: deployment.epoch.map(|epoch| epoch.0),
            rollback: deployment.rollback,
            watched_until: deployment.watch_until.map(TimestampMs::to_rfc3339),
            reason: deployment.reason,
            error: deployment.error.map(|error| FailureView {
                code: error.code,
                detail: error.detail,
            }),
            created_at: deployment.created_at.to_rfc3339(),
            updated_at: deployment.updated_at.to_rfc3339(),
        }
    }
}

/// Deploy a revision
///
/// Queues the deployment; `GET /deployments/{taskId}` and the events tell how it goes.
#[utoipa::path(
    post, path = "/deploy", tag = "build and deploy", request_body = Deploy,
    extensions(("x-botloom-access" = json!("editor"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key again gives the same answer")),
    responses((
        status = 202, description = "The deployment is queued", body = AcceptedView,
        headers(("Location" = String, description = "Address of the deployment"))
    ))
)]
pub(crate) async fn deploy(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body<Deploy>,
) -> Result<Response, Problem> {
    let actor = caller.actor;
    let Deploy {
        bot_id,
        rev_hash,
        strategy: Strategy,
        prewarm,
    } = body.value;
    let about = Some((bot_id.clone(), Action::Deploy));
    let queueing = app.clone();
    let work = move |of_key| async move {
        let min = prewarm.map_or(1, |prewarm| prewarm.min_sandboxes);
        let task = deployments::deploy(&queueing, actor, &bot_id, rev_hash, min, of_key).await?;
        Ok(accepted(task, "/deployments"))
    };
    let route = "POST /deploy";
    idempotency::once(&app, actor, route, &headers, body.fingerprint, about, work).await
}

/// Roll back
///
/// A deployment of the previous revision, or of the one named.
#[utoipa::path(
    post, path = "/rollback", tag = "build and deploy", request_body = Rollback,
    extensions(("x-botloom-access" = json!("editor"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key again gives the same answer")),
    responses((
        status = 202, description = "The rollback is queued", body = AcceptedView,
        headers(("Location" = String, description = "Address of the deployment"))
    ))
)]
pub(crate) async fn roll_back(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body<Rollback>,
) -> Result<Response, Problem> {
    let actor = caller.actor;
    let Rollback { bot_id, rev_hash } = body.value;
    let about = Some((bot_id.clone(), Action::Deploy));
    let queueing = app.clone();
    let work = move |of_key| async move {
        let task = deployments::roll_back(&queueing, actor, &bot_id, rev_hash, of_key).await?;
        Ok(accepted(task, "/deployments"))
    };
    let route = "POST /rollback";
    idempotency::once(&app, actor, route, &headers, body.fingerprint, about, work).await
}

/// Look at a deployment
#[utoipa::path(
    get, path = "/deployments/{taskId}", tag = "build and deploy",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(("taskId" = String, Path, description = "UUID")),
    responses((status = 200, description = "The deployment", body = DeploymentView))
)]
pub(crate) async fn get_deployment(
    State(app): State<App>,
    caller: Caller,
    One(task): One<TaskId>,
) -> Result<Json<DeploymentView>, Problem> {
    Ok(Json(DeploymentView::of(
        deployments::get(&app, caller.actor, &task).await?,
    )))
}

/// List deployments
///
/// Newest first, rollbacks included.
#[utoipa::path(
    get, path = "/deployments", tag = "build and deploy",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(
        ("botId" = String, Query, description = "Slug"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "At most this many; 50 where absent"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "Deployments", body = List<DeploymentView>))
)]
pub(crate) async fn list_deployments(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<List<DeploymentView>>, Problem> {
    let page = deployments::list(&app, caller.actor, &query.bot_id()?, &query.page()?).await?;
    Ok(Json(List::of(page, DeploymentView::of)))
}
