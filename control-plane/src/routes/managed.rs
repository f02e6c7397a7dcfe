//! `/bots/{botId}/managed`: a Telegram bot made for a bot here.

use axum::Json;
use axum::extract::State;
use botloom_core::ids::BotId;
use botloom_core::model::{ManagedOutcome, ManagedRequest, TelegramAccount};
use botloom_core::time::TimestampMs;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::bots::BotView;
use super::path::One;
use crate::app::{managed, managed_token};
use crate::auth::caller::{Caller, Person};
use crate::http::answer::Answer;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::problem::Problem;
use crate::state::App;

/// Whose account made the bot.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct ConfirmManaged {
    /// Id of `createdBy`, as it was shown to you.
    #[schema(example = 123_456_789)]
    telegram_user_id: i64,
}

impl FromFields for ConfirmManaged {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        // Telegram's numbers have at most 52 bits.
        let id = fields.integer("telegramUserId", 1..=(1 << 52))?;
        Some(Self {
            telegram_user_id: i64::try_from(id).ok()?,
        })
    }
}

/// A request for a Telegram bot.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManagedView {
    /// Slug of the bot here.
    bot_id: String,
    /// `waiting` (for somebody to open the link), `confirm` (a bot was made by an account that you have not said is yours),
    /// `attached` (the bot has its token), `failed`, `expired`.
    state: &'static str,
    /// Opens Telegram, which asks once. Keep the username that it suggests.
    link: String,
    /// The username that is suggested, without `@`.
    username: String,
    /// RFC 3339; a bot made later is not taken.
    expires_at: String,
    /// Who made the bot.
    created_by: Option<AccountView>,
    /// With `failed`: why, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// A Telegram account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountView {
    /// Telegram's number.
    telegram_user_id: i64,
    /// Shown name; anybody may call themselves so.
    first_name: String,
    /// Without `@`.
    username: Option<String>,
}

impl AccountView {
    fn of(account: TelegramAccount) -> Self {
        Self {
            telegram_user_id: account.id,
            first_name: account.first_name,
            username: account.username,
        }
    }
}

impl ManagedView {
    fn of(request: ManagedRequest, now: TimestampMs) -> Self {
        let state = match (&request.outcome, &request.made) {
            (Some(ManagedOutcome::Attached(_)), _) => "attached",
            (Some(ManagedOutcome::Failed(_)), _) => "failed",
            (None, Some(_)) => "confirm",
            (None, None) if now < request.expires_at => "waiting",
            (None, None) => "expired",
        };
        let failure = match request.outcome {
            Some(ManagedOutcome::Failed(words)) => Some(words),
            _ => None,
        };
        Self {
            bot_id: request.bot.to_string(),
            state,
            link: request.link,
            username: request.username,
            expires_at: request.expires_at.to_rfc3339(),
            created_by: request.made.map(|made| AccountView::of(made.creator)),
            failure,
        }
    }
}

/// Ask for a Telegram bot
///
/// Answers a link: whoever opens it in Telegram confirms once, and the bot has its token. It replaces the bot's last link.
/// Needs a manager bot (`BOTLOOM_MANAGER_BOT_TOKEN`).
#[utoipa::path(
    post, path = "/bots/{botId}/managed", tag = "bots",
    extensions(("x-botloom-access" = json!("owner-session"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 201, description = "Open the link", body = ManagedView))
)]
pub(crate) async fn ask_for_managed_bot(
    State(app): State<App>,
    person: Person,
    One(id): One<BotId>,
) -> Result<Answer, Problem> {
    let request = managed::ask(&app, person.actor, &id).await?;
    Ok(Answer::json(
        StatusCode::CREATED,
        &ManagedView::of(request, app.now()),
    ))
}

/// Look at the request for a Telegram bot
#[utoipa::path(
    get, path = "/bots/{botId}/managed", tag = "bots",
    extensions(("x-botloom-access" = json!("owner-session"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 200, description = "How far it is", body = ManagedView))
)]
pub(crate) async fn get_managed_bot(
    State(app): State<App>,
    person: Person,
    One(id): One<BotId>,
) -> Result<Json<ManagedView>, Problem> {
    let request = managed::look(&app, person.actor, &id).await?;
    Ok(Json(ManagedView::of(request, app.now())))
}

/// Withdraw the request for a Telegram bot
///
/// The link is worth nothing any more. A bot that was made stays with whoever made it.
#[utoipa::path(
    delete, path = "/bots/{botId}/managed", tag = "bots",
    extensions(("x-botloom-access" = json!("owner-session"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 204, description = "Withdrawn"))
)]
pub(crate) async fn withdraw_managed_bot(
    State(app): State<App>,
    person: Person,
    One(id): One<BotId>,
) -> Result<StatusCode, Problem> {
    managed::withdraw(&app, person.actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Say that the Telegram account is yours
///
/// Only who asked can. The bot gets its token; what this account makes for you from now on gets its token without asking.
#[utoipa::path(
    post, path = "/bots/{botId}/managed/confirm", tag = "bots", request_body = ConfirmManaged,
    extensions(("x-botloom-access" = json!("owner-session"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 200, description = "The bot has its token", body = ManagedView))
)]
pub(crate) async fn confirm_managed_bot(
    State(app): State<App>,
    person: Person,
    One(id): One<BotId>,
    body: Body<ConfirmManaged>,
) -> Result<Json<ManagedView>, Problem> {
    let request = managed::confirm(&app, person.actor, &id, body.value.telegram_user_id).await?;
    Ok(Json(ManagedView::of(request, app.now())))
}

/// Replace the token of a managed bot
///
/// Telegram gives a bot that was made by a link another token; the one before is no use any more, whoever has it. The bot goes on
/// with the new one, and nobody sees it. For tokens that leaked, and for those who replace them regularly.
#[utoipa::path(
    post, path = "/bots/{botId}/managed/token", tag = "bots",
    extensions(("x-botloom-access" = json!("owner"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 200, description = "The bot has another token", body = BotView))
)]
pub(crate) async fn replace_managed_token(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
) -> Result<Json<BotView>, Problem> {
    let bot = managed_token::replace_token(&app, caller.actor, &id).await?;
    Ok(Json(BotView::of(bot, &app.options)))
}
