//! `/webhooks` and `/bots/{botId}/webhook/reclaim`: whether Telegram delivers.

use axum::Json;
use axum::extract::State;
use botloom_core::TimestampMs;
use botloom_core::ids::BotId;
use botloom_core::model::{Found, WebhookCheck, WebhookState, WebhookStatus, WebhookSurvey};
use serde::Serialize;
use utoipa::ToSchema;

use super::bots::BotView;
use super::path::One;
use crate::app::webhooks;
use crate::auth::caller::Caller;
use crate::doctor;
use crate::http::page::List;
use crate::http::query::Query;
use crate::problem::Problem;
use crate::state::App;

/// What the last check of a bot found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookHealth {
    /// `healthy`; `repairing` (something older of ours is being replaced); `drifted` (updates do not come as they should);
    /// `unknown` (not checked yet, or Telegram does not answer).
    status: &'static str,
    /// RFC 3339; since when the status holds.
    since: String,
    /// RFC 3339; when Telegram last answered.
    checked_at: Option<String>,
    /// RFC 3339; since when Telegram does not answer.
    unanswered_since: Option<String>,
    /// Updates that waited at Telegram.
    pending_updates: Option<u64>,
    /// What was found.
    findings: Vec<WebhookFindingView>,
}

/// Something that is wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookFinding)]
pub(crate) struct WebhookFindingView {
    /// Stable, e.g. `webhook-foreign`. Later versions may add some.
    code: &'static str,
    /// What it means.
    message: String,
    /// What to do.
    remedy: &'static str,
}

impl WebhookHealth {
    pub(crate) fn of(state: &WebhookState) -> Self {
        let finding = |found: &Found| WebhookFindingView {
            code: found.finding.as_str(),
            message: doctor::message(found),
            remedy: doctor::remedy(found.finding),
        };
        Self {
            status: state.status.as_str(),
            since: state.since.to_rfc3339(),
            checked_at: state.checked_at.map(TimestampMs::to_rfc3339),
            unanswered_since: state.unanswered_since.map(TimestampMs::to_rfc3339),
            pending_updates: state.pending,
            findings: state.findings.iter().map(finding).collect(),
        }
    }
}

/// A connected bot.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BotWebhook {
    /// Slug.
    bot_id: String,
    health: WebhookHealth,
}

impl BotWebhook {
    #[expect(clippy::needless_pass_by_value, reason = "lists hand their items over")]
    fn of(check: WebhookCheck) -> Self {
        Self {
            bot_id: check.bot.to_string(),
            health: WebhookHealth::of(&check.state),
        }
    }
}

/// How far webhooks are that are being set right.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookProgress {
    /// Your bots that get their updates.
    healthy: u64,
    /// Your bots of which something older is being replaced.
    repairing: u64,
    /// Your bots that do not get their updates as they should.
    drifted: u64,
    /// Your bots of which it is not known.
    unknown: u64,
    /// Your bots that wait for their turn to be set right.
    left: u64,
    /// Seconds until everybody's bots that wait have had their turn, about.
    eta_seconds: u64,
    /// Webhooks that were set without being asked within the last hour, everybody's.
    last_hour: u32,
    /// At most so many are set in an hour.
    per_hour: u32,
    /// RFC 3339; Telegram asked us to wait until then.
    held_until: Option<String>,
    /// Present while nobody is moved to the public URL, because bots that were moved get no updates there.
    move_held: Option<WebhookMoveHeld>,
    /// Everybody's bots of which Telegram told nothing at the last check.
    unanswered: u64,
    /// RFC 3339; since when it has told nothing of the first of them.
    unanswered_since: Option<String>,
}

/// Why nobody is moved to the public URL. It goes on by itself when the bots that were moved get their updates; setting the URL
/// back moves these back and nobody else.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookMoveHeld {
    /// RFC 3339.
    since: String,
    /// Everybody's bots that were moved within the hour before the last move.
    moved: u64,
    /// Those of them whose deliveries have failed since.
    failing: u64,
    /// Everybody's bots that are at an older address.
    rest: u64,
}

impl WebhookMoveHeld {
    fn of(survey: &WebhookSurvey) -> Option<Self> {
        survey.held_since.map(|since| Self {
            since: since.to_rfc3339(),
            moved: survey.moved,
            failing: survey.moved_failing,
            rest: survey.rest,
        })
    }
}

/// List whether Telegram delivers
///
/// The connected bots of your projects, by id, each with what its last check found.
#[utoipa::path(
    get, path = "/webhooks", tag = "webhooks",
    extensions(("x-botloom-access" = json!("account"))),
    params(
        ("status" = Option<String>, Query, description = "Only these: `healthy`, `repairing`, `drifted` or `unknown`"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "At most this many; 50 where absent"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "Your connected bots", body = List<BotWebhook>))
)]
pub(crate) async fn list_webhooks(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<List<BotWebhook>>, Problem> {
    let status = query.optional_parsed("status", "must be healthy, repairing, drifted or unknown")?;
    let page = webhooks::list(&app, caller.actor, status, &query.page()?).await?;
    Ok(Json(List::of(page, BotWebhook::of)))
}

/// See how far webhooks are
///
/// After a change of the public URL every webhook is registered anew, as fast as Telegram allows.
#[utoipa::path(
    get, path = "/webhooks/progress", tag = "webhooks",
    extensions(("x-botloom-access" = json!("account"))),
    responses((status = 200, description = "Numbers", body = WebhookProgress))
)]
pub(crate) async fn webhook_progress(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<WebhookProgress>, Problem> {
    let progress = webhooks::progress(&app, caller.actor).await?;
    let of_status = |status| doctor::of_status(&progress.tally, status);
    Ok(Json(WebhookProgress {
        healthy: of_status(WebhookStatus::Healthy),
        repairing: of_status(WebhookStatus::Repairing),
        drifted: of_status(WebhookStatus::Drifted),
        unknown: of_status(WebhookStatus::Unknown),
        left: progress.left,
        eta_seconds: progress.eta_secs,
        last_hour: progress.pace.last_hour,
        per_hour: doctor::PER_HOUR,
        held_until: progress.pace.held_until.map(TimestampMs::to_rfc3339),
        move_held: WebhookMoveHeld::of(&progress.survey),
        unanswered: progress.survey.unanswered,
        unanswered_since: progress.survey.unanswered_since.map(TimestampMs::to_rfc3339),
    }))
}

/// Take a bot's updates back
///
/// Sets the webhook of a bot connected by webhook, and removes the one of a polled bot, whoever set what is there now. For
/// a webhook that leads elsewhere (`webhook-foreign`), is gone (`webhook-missing`), or stands in the way of polling
/// (`polling-blocked`): nobody does this by themselves, because the bot may have moved on purpose.
#[utoipa::path(
    post, path = "/bots/{botId}/webhook/reclaim", tag = "webhooks",
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 200, description = "Telegram gives the bot's updates to us", body = BotView))
)]
pub(crate) async fn reclaim_webhook(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
) -> Result<Json<BotView>, Problem> {
    let bot = webhooks::reclaim(&app, caller.actor, &id).await?;
    Ok(Json(BotView::of(bot, &app.options)))
}
