//! `/bots`.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use botloom_core::TimestampMs;
use botloom_core::hash::Sha256Hash;
use botloom_core::ids::{BotId, ProjectId};
use botloom_core::model::{BotRow, IngressMode};
use botloom_core::secret::Secret;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::path::One;
use super::webhooks::WebhookHealth;
use crate::app::bots::ProfileState;
use crate::app::webhook::webhook_url;
use crate::app::{access, bots, staging, webhooks};
use crate::auth::caller::Caller;
use crate::auth::policy::Action;
use crate::etag;
use crate::http::answer::Answer;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::http::page::List;
use crate::http::query::Query;
use crate::options::Options;
use crate::problem::Problem;
use crate::state::App;

pub(crate) const BOT_ID_RULE: &str = "must have 3 to 63 of a-z, 0-9 and -, and begin with a letter";

/// A bot to be made.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct CreateBot {
    /// `^[a-z][a-z0-9-]{2,62}$`; unique in an installation, for ever.
    #[schema(value_type = String, example = "pizza-demo")]
    bot_id: BotId,
    /// For people.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// Your only project where absent.
    #[schema(value_type = Option<String>)]
    project_id: Option<ProjectId>,
}

impl FromFields for CreateBot {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let bot_id = fields.parsed("botId", BOT_ID_RULE);
        let name = fields.text("name", 1..=128);
        let project_id = fields.optional_parsed("projectId", "must be a UUID");
        Some(Self {
            bot_id: bot_id?,
            name: name?,
            project_id,
        })
    }
}

/// What of a bot is to change.
#[derive(Debug, ToSchema)]
pub(crate) struct UpdateBot {
    /// For people.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
}

impl FromFields for UpdateBot {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            name: fields.text("name", 1..=128)?,
        })
    }
}

/// A bot token, as BotFather shows it.
#[derive(Debug, ToSchema)]
pub(crate) struct SetToken {
    /// Write-only: it is sealed and never given back.
    #[schema(value_type = String, format = Password)]
    token: Secret,
}

impl FromFields for SetToken {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            token: fields.text("token", 1..=512)?.into(),
        })
    }
}

/// A bot.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BotView {
    /// Slug.
    bot_id: String,
    /// For people.
    name: String,
    /// UUID.
    project_id: String,
    /// The revision that is live.
    active_rev_hash: Option<String>,
    /// Number of the last activation; 0 before the first.
    epoch: u64,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339; since when the bot's updates wait, `null` if they do not.
    paused_at: Option<String>,
    /// The bot that this one is the staging bot of.
    staging_of: Option<String>,
    /// Of a staging bot, where one bot is asked for: how its production bot stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    production: Option<ProductionView>,
    /// Of a paused bot, where one bot is asked for: updates that wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_updates: Option<u64>,
    telegram: TelegramView,
}

/// How far production is. `GET /bots/{botId}/promotion` tells the differences.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProductionView {
    /// The version of the staging bot that is live.
    staging_version: Option<u32>,
    /// The version of the production bot that is live.
    version: Option<u32>,
    /// Whether production runs something else than the staging bot.
    behind: bool,
}

/// How a bot is connected.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TelegramView {
    /// Whether a token is stored. The token itself is never shown.
    token_set: bool,
    /// Telegram's user id of the bot.
    id: Option<i64>,
    /// Name without `@`.
    username: Option<String>,
    /// `webhook` or `polling`; `null` when the bot takes no updates.
    ingress: Option<&'static str>,
    /// Why sending has stopped, until a new token is set.
    suspended: Option<String>,
    /// With `webhook`: where Telegram delivers.
    webhook: Option<WebhookView>,
    /// Where one bot is asked for that was ever connected with an active revision: its commands and descriptions at Telegram.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<ProfileView>,
}

/// Commands and descriptions at Telegram.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileView {
    /// `published` (Telegram shows what the active revision says), `pending` (it will), `failed` (Telegram refused a part).
    state: &'static str,
    /// RFC 3339; when Telegram last had everything that a revision said.
    published_at: Option<String>,
    /// What went wrong last, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

impl ProfileView {
    fn of(profile: ProfileState) -> Self {
        Self {
            state: profile.state,
            published_at: profile.published_at.map(TimestampMs::to_rfc3339),
            failure: profile.failure,
        }
    }
}

/// A webhook, as it should be and as it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookView {
    /// Where Telegram should deliver; `null` for a polled bot, and where the installation has no public URL.
    url: Option<String>,
    /// Where one bot is asked for: what the last check found. Also of a polled bot.
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<WebhookHealth>,
}

impl BotView {
    pub(crate) fn of(bot: BotRow, options: &Options) -> Self {
        let by_webhook = bot.ingress == Some(IngressMode::Webhook);
        let webhook = by_webhook.then(|| webhook_url(options, &bot.id).ok()).flatten();
        let telegram = TelegramView {
            token_set: bot.token.is_some(),
            id: bot.identity.as_ref().map(|identity| identity.id),
            username: bot.identity.map(|identity| identity.username),
            ingress: bot.ingress.map(IngressMode::as_str),
            suspended: bot.suspended,
            webhook: webhook.map(|url| WebhookView {
                url: Some(url),
                health: None,
            }),
            profile: None,
        };
        Self {
            bot_id: bot.id.to_string(),
            name: bot.name,
            project_id: bot.project.to_string(),
            active_rev_hash: bot.active_rev.map(|rev| rev.to_string()),
            epoch: bot.epoch.0,
            created_at: bot.created_at.to_rfc3339(),
            paused_at: bot.paused_at.map(TimestampMs::to_rfc3339),
            staging_of: bot.staging_of.map(|bot| bot.to_string()),
            production: None,
            waiting_updates: None,
            telegram,
        }
    }
}

/// List bots
///
/// Bots of all your projects, by id.
#[utoipa::path(
    get, path = "/bots", tag = "bots",
    extensions(("x-botloom-access" = json!("account"))),
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "At most this many; 50 where absent"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "Your bots", body = List<BotView>))
)]
pub(crate) async fn list_bots(
    State(app): State<App>,
    caller: Caller,
    query: Query,
) -> Result<Json<List<BotView>>, Problem> {
    let page = bots::list(&app, caller.actor, &query.page()?).await?;
    Ok(Json(List::of(page, |bot| BotView::of(bot, &app.options))))
}

/// Make a bot
#[utoipa::path(
    post, path = "/bots", tag = "bots", request_body = CreateBot,
    extensions(("x-botloom-access" = json!("editor"))),
    responses((
        status = 201, description = "The bot exists", body = BotView,
        headers(("Location" = String, description = "The bot's address"))
    ))
)]
pub(crate) async fn create_bot(
    State(app): State<App>,
    caller: Caller,
    body: Body<CreateBot>,
) -> Result<Answer, Problem> {
    let CreateBot {
        bot_id,
        name,
        project_id,
    } = body.value;
    let bot = bots::create(&app, caller.actor, bot_id, name, project_id).await?;
    let location = format!("/bots/{}", bot.id);
    Ok(Answer::json(StatusCode::CREATED, &BotView::of(bot, &app.options)).with(header::LOCATION, &location))
}

/// Look at a bot
#[utoipa::path(
    get, path = "/bots/{botId}", tag = "bots",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(("botId" = String, Path, description = "Slug")),
    responses(
        (status = 200, description = "The bot", body = BotView, headers(("ETag" = String, description = "Changes with the bot"))),
        (status = 304, description = "As you know it (`If-None-Match`)"),
    )
)]
pub(crate) async fn get_bot(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let bot = access::bot(&app, caller.actor, &id, Action::Read).await?;
    let waiting_updates = if bot.paused_at.is_some() {
        bots::waiting(&app, &id).await
    } else {
        None
    };
    let check = webhooks::of_bot(&app, &bot).await?;
    let waiting = waiting_updates.map_or_else(String::new, |waiting| format!("-{waiting}"));
    let health = check.as_ref().map(|check| WebhookHealth::of(&check.state));
    let checked = health.as_ref().map_or_else(String::new, |health| {
        let shown = serde_json::to_vec(health).unwrap_or_default();
        format!("-check{}", Sha256Hash::of(shown))
    });
    let profile = bots::profile(&app, &bot).await?;
    let published = profile
        .as_ref()
        .map_or_else(String::new, |profile| format!("-p{}", profile.version));
    let mut tag = format!("bot-{}-{}{waiting}{checked}{published}", bot.version, bot.epoch);
    let mut production = None;
    if bot.staging_of.is_some() {
        let pair = staging::pair(&app, caller.actor, &id, Action::Read).await?;
        let standing = staging::standing(&app, &pair).await?;
        let _ = write!(tag, "-{}-{}", pair.production.id, pair.production.epoch);
        production = Some(ProductionView {
            staging_version: standing.staged.as_ref().map(|one| one.summary.version),
            version: standing.live.as_ref().map(|one| one.summary.version),
            behind: standing.is_behind(),
        });
    }
    let mut view = BotView {
        production,
        waiting_updates,
        ..BotView::of(bot, &app.options)
    };
    if health.is_some() {
        let url = view.telegram.webhook.and_then(|webhook| webhook.url);
        view.telegram.webhook = Some(WebhookView { url, health });
    }
    view.telegram.profile = profile.map(ProfileView::of);
    etag::tagged(&headers, &tag, Json(view))
}

/// Rename a bot
#[utoipa::path(
    patch, path = "/bots/{botId}", tag = "bots", request_body = UpdateBot,
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 200, description = "The bot as it is now", body = BotView))
)]
pub(crate) async fn update_bot(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
    body: Body<UpdateBot>,
) -> Result<Json<BotView>, Problem> {
    let bot = bots::rename(&app, caller.actor, &id, &body.value.name).await?;
    Ok(Json(BotView::of(bot, &app.options)))
}

/// Pause a bot
///
/// Its updates are taken and wait, in order, until it is resumed; messages that it has already decided on are sent. It can
/// be built, deployed and connected meanwhile.
#[utoipa::path(
    post, path = "/bots/{botId}/pause", tag = "bots",
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 200, description = "The bot is paused", body = BotView))
)]
pub(crate) async fn pause_bot(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
) -> Result<Json<BotView>, Problem> {
    let bot = bots::set_paused(&app, caller.actor, &id, true).await?;
    Ok(Json(BotView::of(bot, &app.options)))
}

/// Resume a bot
///
/// It answers what waited, and then what comes.
#[utoipa::path(
    post, path = "/bots/{botId}/resume", tag = "bots",
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 200, description = "The bot is not paused", body = BotView))
)]
pub(crate) async fn resume_bot(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
) -> Result<Json<BotView>, Problem> {
    let bot = bots::set_paused(&app, caller.actor, &id, false).await?;
    Ok(Json(BotView::of(bot, &app.options)))
}

/// Delete a bot
///
/// With its chats, messages and token; Telegram is told. The id stays taken. `GET /bots/{botId}/export` keeps a copy.
#[utoipa::path(
    delete, path = "/bots/{botId}", tag = "bots",
    extensions(("x-botloom-access" = json!("owner"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 204, description = "The bot is gone"))
)]
pub(crate) async fn delete_bot(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
) -> Result<StatusCode, Problem> {
    bots::delete(&app, caller.actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a bot its Telegram token
///
/// Checked with `getMe` and stored sealed.
#[utoipa::path(
    put, path = "/bots/{botId}/token", tag = "bots", request_body = SetToken,
    extensions(("x-botloom-access" = json!("owner"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 200, description = "Telegram knows the token", body = BotView))
)]
pub(crate) async fn set_token(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
    body: Body<SetToken>,
) -> Result<Json<BotView>, Problem> {
    let bot = bots::set_token(&app, caller.actor, &id, &body.value.token).await?;
    Ok(Json(BotView::of(bot, &app.options)))
}
