//! `/bots/{botId}/dead-letters`: what was set aside.

use axum::Json;
use axum::extract::State;
use botloom_core::ids::BotId;
use botloom_core::ports::{DeadLetter, Direction};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::path::{One, OpaqueId, Two};
use crate::app::dead_letters;
use crate::auth::caller::Caller;
use crate::http::page::List;
use crate::http::query::Query;
use crate::problem::Problem;
use crate::state::App;

/// An update or a message that was set aside.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadLetterView {
    id: String,
    /// `in`: an update; `out`: a message.
    direction: &'static str,
    /// The chat, if it is known.
    chat_id: Option<String>,
    /// Stable; `/problems/<reason>` may explain it.
    reason: String,
    /// In words.
    detail: String,
    /// How often it was tried.
    attempts: u32,
    /// RFC 3339.
    at: String,
    /// The update or message as text, as far as it was kept (64 KiB). Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl DeadLetterView {
    fn without_body(dead: DeadLetter) -> Self {
        let DeadLetter {
            id,
            direction,
            letter,
            attempts,
        } = dead;
        Self {
            id,
            direction: direction.as_str(),
            chat_id: letter.chat.map(|chat| chat.to_string()),
            reason: letter.reason,
            detail: letter.detail,
            attempts,
            at: letter.at.to_rfc3339(),
            body: None,
        }
    }

    fn whole(dead: DeadLetter) -> Self {
        let body = String::from_utf8_lossy(&dead.letter.body).into_owned();
        Self {
            body: Some(body),
            ..Self::without_body(dead)
        }
    }
}

/// List dead letters
///
/// Newest first, without their content.
#[utoipa::path(
    get, path = "/bots/{botId}/dead-letters", tag = "dead letters",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(
        ("botId" = String, Path, description = "Slug"),
        ("direction" = String, Query, description = "`in` or `out`"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "At most this many; 50 where absent"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "Dead letters", body = List<DeadLetterView>))
)]
pub(crate) async fn list_dead_letters(
    State(app): State<App>,
    caller: Caller,
    One(bot): One<BotId>,
    query: Query,
) -> Result<Json<List<DeadLetterView>>, Problem> {
    let direction: Direction = query.parsed("direction", "must be in or out")?;
    let page = dead_letters::list(&app, caller.actor, &bot, direction, &query.page()?).await?;
    Ok(Json(List::of(page, DeadLetterView::without_body)))
}

/// Look at a dead letter
#[utoipa::path(
    get, path = "/bots/{botId}/dead-letters/{id}", tag = "dead letters",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(("botId" = String, Path, description = "Slug"), ("id" = String, Path, description = "As in the list")),
    responses((status = 200, description = "With its content", body = DeadLetterView))
)]
pub(crate) async fn get_dead_letter(
    State(app): State<App>,
    caller: Caller,
    Two(bot, OpaqueId(id)): Two<BotId, OpaqueId>,
) -> Result<Json<DeadLetterView>, Problem> {
    let dead = dead_letters::get(&app, caller.actor, &bot, &id).await?;
    Ok(Json(DeadLetterView::whole(dead)))
}

/// Replay a dead letter
///
/// Puts it back at the end of its chat.
#[utoipa::path(
    post, path = "/bots/{botId}/dead-letters/{id}/replay", tag = "dead letters",
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug"), ("id" = String, Path, description = "As in the list")),
    responses((status = 204, description = "It is on its way"))
)]
pub(crate) async fn replay_dead_letter(
    State(app): State<App>,
    caller: Caller,
    Two(bot, OpaqueId(id)): Two<BotId, OpaqueId>,
) -> Result<StatusCode, Problem> {
    dead_letters::replay(&app, caller.actor, &bot, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Discard a dead letter
#[utoipa::path(
    delete, path = "/bots/{botId}/dead-letters/{id}", tag = "dead letters",
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug"), ("id" = String, Path, description = "As in the list")),
    responses((status = 204, description = "It is gone"))
)]
pub(crate) async fn discard_dead_letter(
    State(app): State<App>,
    caller: Caller,
    Two(bot, OpaqueId(id)): Two<BotId, OpaqueId>,
) -> Result<StatusCode, Problem> {
    dead_letters::discard(&app, caller.actor, &bot, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
