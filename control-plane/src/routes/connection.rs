//! `/bots/{botId}/connect` and `/disconnect`.

use axum::Json;
use axum::extract::State;
use botloom_core::ids::BotId;
use botloom_core::model::IngressMode;
use utoipa::ToSchema;

use super::bots::BotView;
use super::path::One;
use crate::app::connection;
use crate::auth::caller::Caller;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::problem::Problem;
use crate::state::App;

/// How updates are to reach the bot.
#[derive(Debug, ToSchema)]
pub(crate) struct Connect {
    /// `webhook` (Telegram posts; needs a public URL) or `polling` (works from behind any router).
    #[schema(value_type = String, example = "polling")]
    ingress: IngressMode,
}

impl FromFields for Connect {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            ingress: fields.parsed("ingress", "must be webhook or polling")?,
        })
    }
}

/// Connect a bot to Telegram
///
/// Sets the webhook with a fresh secret, or starts polling. Connecting again is harmless.
#[utoipa::path(
    post, path = "/bots/{botId}/connect", tag = "bots", request_body = Connect,
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 200, description = "The bot takes updates", body = BotView))
)]
pub(crate) async fn connect_bot(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
    body: Body<Connect>,
) -> Result<Json<BotView>, Problem> {
    let bot = connection::connect(&app, caller.actor, &id, body.value.ingress).await?;
    Ok(Json(BotView::of(bot, &app.options)))
}

/// Take a bot off Telegram
///
/// It takes no updates any more; Telegram keeps those that come for a day.
#[utoipa::path(
    post, path = "/bots/{botId}/disconnect", tag = "bots",
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 200, description = "The bot takes no updates", body = BotView))
)]
pub(crate) async fn disconnect_bot(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
) -> Result<Json<BotView>, Problem> {
    let bot = connection::disconnect(&app, caller.actor, &id).await?;
    Ok(Json(BotView::of(bot, &app.options)))
}
