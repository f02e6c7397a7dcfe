//! `/bots/{botId}/dead-letters`: what was set aside.

use axum::Json;
use axum::extract::State;
use botloom_core::ids::{BotId, ChatId};
use botloom_core::ports::{DeadLetter, Direction, LetterOrder, LetterQuery, PageRequest};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::path::{One, OpaqueId, Two};
use crate::app::dead_letters;
use crate::app::letters_in_bulk::{self, Handled, Handling, Meant};
use crate::auth::caller::Caller;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::http::page::List;
use crate::http::query::Query;
use crate::problem::Problem;
use crate::state::App;

/// Most dead letters that one request handles, and how many where it does not say.
const MOST: usize = 200;
const AT_ONCE: u32 = 100;
/// Longest reason or cursor, in characters.
const MAX_TEXT: usize = 512;

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

/// Dead letters that are to be handled together.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct ManyDeadLetters {
    /// These, in this order; at most 200. Or else `direction`.
    #[schema(value_type = Option<Vec<String>>)]
    ids: Option<Vec<OpaqueId>>,
    /// `in` or `out`: all of this direction that the other fields mean, oldest first.
    #[schema(value_type = Option<String>)]
    direction: Option<Direction>,
    /// Of this chat only.
    #[schema(value_type = Option<String>)]
    chat_id: Option<ChatId>,
    /// With this reason only.
    reason: Option<String>,
    /// At most this many in this request, 1 to 200; 100 where absent.
    #[schema(value_type = Option<u32>)]
    limit: Option<u64>,
    /// `nextCursor` of the answer before.
    cursor: Option<String>,
}

impl FromFields for ManyDeadLetters {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let before = fields.faults();
        let ids = fields.optional_texts("ids", MOST, "must be the id of a dead letter");
        let direction = fields.optional_parsed("direction", "must be in or out");
        let chat_id = fields.optional_parsed("chatId", "must be the id of a chat");
        let reason = fields.optional_text("reason", 1..=MAX_TEXT);
        let limit = fields.optional_integer("limit", 1..=MOST as u64);
        let cursor = fields.optional_text("cursor", 1..=MAX_TEXT);
        let filtered = chat_id.is_some() || reason.is_some() || limit.is_some() || cursor.is_some();
        if fields.faults() == before && ids.is_some() == (direction.is_some() || filtered) {
            fields.missing("ids", "or else direction, is required");
        } else if fields.faults() == before && ids.is_none() && direction.is_none() {
            fields.missing("direction", "is required");
        }
        Some(Self {
            ids,
            direction,
            chat_id,
            reason,
            limit,
            cursor,
        })
    }
}

impl ManyDeadLetters {
    fn meant(self) -> Result<Meant, Problem> {
        if let Some(ids) = self.ids {
            return Ok(Meant::Ids(ids.into_iter().map(|OpaqueId(id)| id).collect()));
        }
        let query = LetterQuery {
            direction: self.direction.ok_or_else(Problem::internal)?,
            chat: self.chat_id,
            reason: self.reason,
            order: LetterOrder::OldestFirst,
        };
        let limit = self.limit.and_then(|limit| u32::try_from(limit).ok());
        let page = PageRequest {
            cursor: self.cursor,
            limit: limit.unwrap_or(AT_ONCE),
        };
        Ok(Meant::Found(query, page))
    }
}

/// What became of dead letters that were handled together.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HandledView {
    /// Each one, in the order in which they were handled.
    results: Vec<HandledLetterView>,
    /// How many of those that the request means are still there, also those that cannot be replayed; `null` where that could
    /// not be found out.
    left: Option<u64>,
    /// Whether there may be more than `left`: of a bot on several shards of a Redis Cluster not all that a filter could mean are
    /// looked through.
    at_least: bool,
    /// Give it as `cursor` to go on with those that follow; `null`: none do.
    next_cursor: Option<String>,
}

/// What became of one of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HandledLetterView {
    id: String,
    /// `replayed`, `discarded`; or why not: `not-found` (it was handled before), `not-replayable` (it never reached a chat),
    /// `chat-full` (it and the later ones of its chat stay), `failed` (a store went away at this one), `not-tried` (and so
    /// these were left).
    outcome: &'static str,
}

impl From<Handled> for HandledView {
    fn from(handled: Handled) -> Self {
        let results = handled
            .outcomes
            .into_iter()
            .map(|(id, outcome)| HandledLetterView {
                id,
                outcome: outcome.as_str(),
            });
        Self {
            results: results.collect(),
            left: handled.left.map(|left| left.letters),
            at_least: handled.left.is_some_and(|left| left.at_least),
            next_cursor: handled.next_cursor,
        }
    }
}

/// List dead letters
///
/// Newest first, without their content. With a filter a page may be short while `nextCursor` says that there is more.
#[utoipa::path(
    get, path = "/bots/{botId}/dead-letters", tag = "dead letters",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(
        ("botId" = String, Path, description = "Slug"),
        ("direction" = String, Query, description = "`in` or `out`"),
        ("chatId" = Option<String>, Query, description = "Of this chat only"),
        ("reason" = Option<String>, Query, description = "With this reason only"),
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
    let wanted = LetterQuery {
        chat: query.optional_parsed("chatId", "must be the id of a chat")?,
        reason: query.optional_text("reason", MAX_TEXT)?,
        ..LetterQuery::all(direction)
    };
    let page = dead_letters::list(&app, caller.actor, &bot, &wanted, &query.page()?).await?;
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

/// Replay many dead letters
///
/// Puts them back at the ends of their chats, one after the other: by ids in the order given, by a filter oldest first, so
/// that those of a chat come back in their order. At most 200 in one request; go on with `nextCursor`, or repeat it: what
/// was replayed is not there any more.
#[utoipa::path(
    post, path = "/bots/{botId}/dead-letters/replay", tag = "dead letters", request_body = ManyDeadLetters,
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 200, description = "What became of each", body = HandledView))
)]
pub(crate) async fn replay_dead_letters(
    State(app): State<App>,
    caller: Caller,
    One(bot): One<BotId>,
    body: Body<ManyDeadLetters>,
) -> Result<Json<HandledView>, Problem> {
    let meant = body.value.meant()?;
    let handled = letters_in_bulk::handle(&app, caller.actor, &bot, Handling::Replay, meant).await?;
    Ok(Json(handled.into()))
}

/// Discard many dead letters
///
/// By ids or by a filter, as for replaying. They are gone for good.
#[utoipa::path(
    post, path = "/bots/{botId}/dead-letters/discard", tag = "dead letters", request_body = ManyDeadLetters,
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 200, description = "What became of each", body = HandledView))
)]
pub(crate) async fn discard_dead_letters(
    State(app): State<App>,
    caller: Caller,
    One(bot): One<BotId>,
    body: Body<ManyDeadLetters>,
) -> Result<Json<HandledView>, Problem> {
    let meant = body.value.meant()?;
    let handled = letters_in_bulk::handle(&app, caller.actor, &bot, Handling::Discard, meant).await?;
    Ok(Json(handled.into()))
}
