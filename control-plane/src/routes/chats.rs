//! `/bots/{botId}/chats`: what waits in the chats of a bot, and what they remember.

use axum::Json;
use axum::extract::State;
use botloom_core::ids::{BotId, ChatId};
use botloom_core::ports::{ChatPlace, ChatView, Freed, Remedy, Standing};
use botloom_core::time::TimestampMs;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::path::{One, Two};
use crate::app::chats::{self, Looked, Unblock};
use crate::app::memory::{Remembered, WaitsAt};
use crate::auth::caller::Caller;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::http::page::List;
use crate::http::query::Query;
use crate::problem::Problem;
use crate::state::App;

const PLACE_RULE: &str = "must be queued, running, retrying, outgoing, sending, held or parked";

/// A chat as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChatSummaryView {
    /// Telegram's id of the chat; `u:<user>` or `p:<poll>` where there is no chat.
    chat_id: String,
    /// `null`: none wait.
    updates: Option<UpdatesView>,
    /// `null`: none wait.
    messages: Option<MessagesView>,
}

/// Updates that wait for the bot.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdatesView {
    /// How many, the one being worked on included; 500 at the most.
    waiting: u64,
    /// When the first of them came, RFC 3339; `null` where it cannot be read.
    oldest_at: Option<String>,
    /// `queued`: a worker will take them. `running`: one has them, until `until` unless it goes on. `retrying`: the first one
    /// failed and is tried again at `until`.
    place: &'static str,
    /// RFC 3339.
    until: Option<String>,
    /// How often the first one was tried and came to nothing.
    attempts: u32,
}

/// Messages that wait for Telegram.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessagesView {
    /// How many, the one being sent included.
    waiting: u64,
    /// `outgoing`: a sender will take them. `sending`: one has them, until `until` unless it goes on. `held`: not before
    /// `until`. `parked`: the whole bot sends nothing before `until`.
    place: &'static str,
    /// RFC 3339.
    until: Option<String>,
    /// Why they are held or parked: `limits` (Telegram's, or our own pace within them), `failed` (the first one could not be sent),
    /// `bot-parked` (Telegram asked it of the whole bot, or refuses its token).
    because: Option<&'static str>,
    /// Method of the first one; `null` where it cannot be read.
    method: Option<String>,
    /// Sends of the first one that failed.
    attempts: u32,
}

/// A chat as it stands, with what it remembers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChatDetailView {
    #[serde(flatten)]
    summary: ChatSummaryView,
    /// The step that waits for an answer.
    waits_at: Option<WaitsAtView>,
    /// Keys that have a value.
    state: Vec<StateView>,
    /// Size of what is remembered, bytes; 0: nothing.
    state_bytes: usize,
    /// When this was so, RFC 3339.
    at: String,
}

/// A step that waits for an answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WaitsAtView {
    flow: String,
    step: String,
    /// Answers so far that did not do.
    failures: u64,
}

/// A key that has a value.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StateView {
    key: String,
    /// Absent where it is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    value: Option<Value>,
    /// Whether the value is left out: personal data under the spec's `pii_policy`, or you are a viewer.
    hidden: bool,
    /// RFC 3339.
    expires_at: Option<String>,
}

impl ChatSummaryView {
    fn of(view: ChatView) -> Self {
        let updates = view.inbound.map(|standing| UpdatesView {
            waiting: view.updates,
            oldest_at: view.oldest_update.map(TimestampMs::to_rfc3339),
            place: ChatPlace::of_updates(standing).as_str(),
            until: until(standing),
            attempts: view.attempts,
        });
        let first = view.first_message;
        let attempts = first.as_ref().map_or(0, |first| first.attempts);
        let messages = view.outbound.map(|standing| MessagesView {
            waiting: view.messages,
            place: ChatPlace::of_messages(standing).as_str(),
            until: until(standing),
            because: match standing {
                Standing::Ready | Standing::Leased { .. } => None,
                Standing::Delayed { .. } if attempts > 0 => Some("failed"),
                Standing::Delayed { .. } => Some("limits"),
                Standing::Parked { .. } => Some("bot-parked"),
            },
            method: first.map(|first| first.method),
            attempts,
        });
        Self {
            chat_id: view.chat.to_string(),
            updates,
            messages,
        }
    }
}

fn until(standing: Standing) -> Option<String> {
    match standing {
        Standing::Ready => None,
        Standing::Leased { until } | Standing::Delayed { until } | Standing::Parked { until } => {
            Some(until.to_rfc3339())
        }
    }
}

impl From<Looked> for ChatDetailView {
    fn from(looked: Looked) -> Self {
        let waits_at = looked.memory.waits_at.map(|waits| {
            let WaitsAt { flow, step, failures } = waits;
            WaitsAtView { flow, step, failures }
        });
        let state = looked.memory.keys.into_iter().map(|remembered| {
            let Remembered {
                key,
                value,
                expires_at,
            } = remembered;
            StateView {
                key,
                hidden: value.is_none(),
                value,
                expires_at: expires_at.map(TimestampMs::to_rfc3339),
            }
        });
        Self {
            summary: ChatSummaryView::of(looked.view),
            waits_at,
            state: state.collect(),
            state_bytes: looked.memory.bytes,
            at: looked.now.to_rfc3339(),
        }
    }
}

/// What is to be done about a chat that is stuck.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct UnblockChat {
    /// About the first update, if it failed: `retry` tries it now, `set-aside` makes it a dead letter, and those behind it
    /// go on.
    #[schema(value_type = Option<String>)]
    update: Option<Remedied>,
    /// About the first message, if a send of it failed: the same.
    #[schema(value_type = Option<String>)]
    message: Option<Remedied>,
}

#[derive(Debug, Clone, Copy)]
struct Remedied(Remedy);

impl std::str::FromStr for Remedied {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "retry" => Ok(Self(Remedy::Retry)),
            "set-aside" => Ok(Self(Remedy::SetAside)),
            _ => Err(()),
        }
    }
}

impl FromFields for UnblockChat {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let rule = "must be retry or set-aside";
        let before = fields.faults();
        let update = fields.optional_parsed("update", rule);
        let message = fields.optional_parsed("message", rule);
        if update.is_none() && message.is_none() && fields.faults() == before {
            fields.missing("update", "or message, or both, is required");
        }
        Some(Self { update, message })
    }
}

/// What became of a chat that was stuck.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnblockedView {
    /// `null`: not asked for.
    update: Option<FreedView>,
    /// `null`: not asked for.
    message: Option<FreedView>,
}

/// What became of the first update or message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FreedView {
    /// Done: `retried`, `set-aside`. Nothing was done: `empty` (nothing waits), `busy` (somebody works on it at this moment),
    /// `not-blocked` (it has not failed, or is due), `not-before` (Telegram asked for the wait).
    outcome: &'static str,
    /// Of `set-aside`.
    dead_letter_id: Option<String>,
    /// Of `not-before`, RFC 3339.
    not_before: Option<String>,
}

impl From<Freed> for FreedView {
    fn from(freed: Freed) -> Self {
        let (outcome, dead_letter_id, not_before) = match freed {
            Freed::Empty => ("empty", None, None),
            Freed::Busy => ("busy", None, None),
            Freed::NotBlocked => ("not-blocked", None, None),
            Freed::NotBefore(until) => ("not-before", None, Some(until.to_rfc3339())),
            Freed::Retried => ("retried", None, None),
            Freed::SetAside(id) => ("set-aside", Some(id), None),
        };
        Self {
            outcome,
            dead_letter_id,
            not_before,
        }
    }
}

/// List chats in which something waits
///
/// In no order that means anything. Finding them costs little however many there are: a page may be short, or empty, while
/// `nextCursor` says that there is more, and a chat that goes from one place to another meanwhile may be missed.
#[utoipa::path(
    get, path = "/bots/{botId}/chats", tag = "chats",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(
        ("botId" = String, Path, description = "Slug"),
        ("place" = Option<String>, Query, description = "Only those in one place: `queued`, `running`, `retrying` of updates; `outgoing`, `sending`, `held`, `parked` of messages"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 200, description = "At most this many; 50 where absent"),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses((status = 200, description = "Chats", body = List<ChatSummaryView>))
)]
pub(crate) async fn list_chats(
    State(app): State<App>,
    caller: Caller,
    One(bot): One<BotId>,
    query: Query,
) -> Result<Json<List<ChatSummaryView>>, Problem> {
    let place = query.optional_parsed("place", PLACE_RULE)?;
    let page = chats::list(&app, caller.actor, &bot, place, &query.page()?).await?;
    Ok(Json(List::of(page, ChatSummaryView::of)))
}

/// Look at a chat
///
/// Also one in which nothing waits. Values of state keys are shown to editors, those that the live spec marks `pii` (and
/// those of keys that it does not know) as its `pii_policy` says; viewers see which keys have one.
#[utoipa::path(
    get, path = "/bots/{botId}/chats/{chatId}", tag = "chats",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(("botId" = String, Path, description = "Slug"), ("chatId" = String, Path, description = "As in the list")),
    responses((status = 200, description = "The chat", body = ChatDetailView))
)]
pub(crate) async fn get_chat(
    State(app): State<App>,
    caller: Caller,
    Two(bot, chat): Two<BotId, ChatId>,
) -> Result<Json<ChatDetailView>, Problem> {
    let looked = chats::get(&app, caller.actor, &bot, chat).await?;
    Ok(Json(looked.into()))
}

/// Help a chat that is stuck
///
/// Makes a first update or message that failed its next try now, or a dead letter. What somebody works on at this moment is
/// left alone, and so is a wait that Telegram asked for. May be repeated: what comes up next has not failed yet.
#[utoipa::path(
    post, path = "/bots/{botId}/chats/{chatId}/unblock", tag = "chats", request_body = UnblockChat,
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug"), ("chatId" = String, Path, description = "As in the list")),
    responses((status = 200, description = "What was done", body = UnblockedView))
)]
pub(crate) async fn unblock_chat(
    State(app): State<App>,
    caller: Caller,
    Two(bot, chat): Two<BotId, ChatId>,
    body: Body<UnblockChat>,
) -> Result<Json<UnblockedView>, Problem> {
    let wanted = Unblock {
        update: body.value.update.map(|remedy| remedy.0),
        message: body.value.message.map(|remedy| remedy.0),
    };
    let done = chats::unblock(&app, caller.actor, &bot, chat, wanted).await?;
    Ok(Json(UnblockedView {
        update: done.update.map(Into::into),
        message: done.message.map(Into::into),
    }))
}

/// Make a chat forget
///
/// Its conversation starts anew. An update that is being worked on is worked on again, without what was remembered. May be
/// repeated.
#[utoipa::path(
    delete, path = "/bots/{botId}/chats/{chatId}/state", tag = "chats",
    extensions(("x-botloom-access" = json!("editor"))),
    params(("botId" = String, Path, description = "Slug"), ("chatId" = String, Path, description = "As in the list")),
    responses((status = 204, description = "Nothing is remembered"))
)]
pub(crate) async fn forget_chat(
    State(app): State<App>,
    caller: Caller,
    Two(bot, chat): Two<BotId, ChatId>,
) -> Result<StatusCode, Problem> {
    chats::forget(&app, caller.actor, &bot, chat).await?;
    Ok(StatusCode::NO_CONTENT)
}
