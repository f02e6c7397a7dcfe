//! The Bot API's side of a call: token, method, parameters, faults, execution, journal.

mod chats;
mod edit;
mod files;
mod group;
mod managed;
mod profile;
mod queries;
mod send;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use serde_json::Value;

pub(crate) use files::download;

use super::faults::Action;
use super::journal::Event;
use super::params::Params;
use super::polling;
use super::reply::{self, Outcome, Refusal};
use super::schema::{self, Method};
use super::world::{NoBot, Shared, World};

/// A call whose bot and method are known.
struct Call {
    bot: i64,
    method: &'static str,
    spec: &'static Method,
    chat: Option<i64>,
    params: Params,
}

/// What the caller gets to see.
enum Shown {
    /// What came out.
    Outcome,
    /// This instead.
    Refusal(Refusal),
    /// Nothing.
    Nothing,
}

/// Answers one HTTP request for `/bot<token>/<method>`.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    token: &str,
    method: &str,
    request: Request<Body>,
) -> Response<Body> {
    let call = match prepare(shared, token, method, request).await {
        Ok(call) => call,
        Err(refusal) => return reply::http(&Err(refusal)),
    };
    if shared.options.latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(shared.options.latency_ms)).await;
    }
    let (fault, opened) = {
        let mut world = shared.world();
        let fault = world.faults.meet(call.bot, call.method, call.chat);
        // From now on, and not from when it is awaited: whoever sees that the fault is used up may open at once.
        (fault, shared.opened.notified())
    };
    let Some((action, executed)) = fault else {
        return reply::http(&perform(shared, call, Shown::Outcome).await);
    };
    let shown = match (&action, action.refusal()) {
        (Action::Delay { ms }, _) => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            return reply::http(&perform(shared, call, Shown::Outcome).await);
        }
        (Action::Hold, _) if executed => {
            let outcome = perform(shared, call, Shown::Outcome).await;
            opened.await;
            return reply::http(&outcome);
        }
        (Action::Hold, _) => {
            opened.await;
            return reply::http(&perform(shared, call, Shown::Outcome).await);
        }
        (_, Some(refusal)) => Shown::Refusal(refusal),
        (_, None) => Shown::Nothing,
    };
    let answer = match &shown {
        Shown::Refusal(refusal) => reply::http(&Err(refusal.clone())),
        Shown::Outcome | Shown::Nothing => reply::cut(),
    };
    if executed {
        let _ = perform(shared, call, shown).await;
    } else {
        record(shared, &mut shared.world(), call, None, &shown);
    }
    if let Action::Hang { ms } = action {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    answer
}

/// Executes the call that the answer of a webhook may hold. Nobody learns what came of it.
pub(crate) fn call_in_answer(shared: &Arc<Shared>, bot: i64, mut params: Params) {
    let Some(name) = params.values.shift_remove("method") else {
        return;
    };
    let Some((method, spec)) = name.as_str().and_then(schema::find) else {
        return;
    };
    let refused =
        ["setWebhook", "deleteWebhook", "close", "logOut"].contains(&method) || method.starts_with("get");
    if refused {
        return;
    }
    let mut world = shared.world();
    let chat = chat_of(&world, &params);
    let call = Call {
        bot,
        method,
        spec,
        chat,
        params,
    };
    let outcome = execute(shared, &mut world, &call);
    record(shared, &mut world, call, Some(&outcome), &Shown::Nothing);
}

async fn prepare(
    shared: &Arc<Shared>,
    token: &str,
    method: &str,
    request: Request<Body>,
) -> Result<Call, Refusal> {
    // Read to its end even where it is refused: what is left unread would cost the connection.
    let params = Params::read(request).await;
    let bot = shared
        .world()
        .bot_by_token(token, shared.options.tokens)
        .map_err(|no_bot| match no_bot {
            NoBot::Malformed => Refusal::new(404, "Not Found"),
            NoBot::Unauthorized => Refusal::new(401, "Unauthorized"),
        })?;
    let (method, spec) =
        schema::find(method).ok_or_else(|| Refusal::new(404, "Not Found: method not found"))?;
    let params = params?;
    let chat = chat_of(&shared.world(), &params);
    Ok(Call {
        bot,
        method,
        spec,
        chat,
        params,
    })
}

async fn perform(shared: &Arc<Shared>, call: Call, shown: Shown) -> Outcome {
    if call.method == "getUpdates" {
        let outcome = polling::get_updates(shared, call.bot, &call.params).await;
        record(shared, &mut shared.world(), call, Some(&outcome), &shown);
        return outcome;
    }
    let mut world = shared.world();
    let outcome = execute(shared, &mut world, &call);
    record(shared, &mut world, call, Some(&outcome), &shown);
    outcome
}

fn execute(shared: &Arc<Shared>, world: &mut World, call: &Call) -> Outcome {
    for name in call.spec.required() {
        // An empty address removes the webhook.
        if !call.params.has(name) && name != "url" {
            return Err(missing(name));
        }
    }
    let (bot, method, params) = (call.bot, call.method, &call.params);
    match method {
        "setWebhook" => webhook::set(shared, world, bot, params),
        "deleteWebhook" => webhook::delete(world, bot, params),
        "getWebhookInfo" => webhook::info(shared, world, bot),
        "getMe" => Ok(world.bots.get(&bot).map_or(Value::Null, super::world::Bot::as_me)),
        "getFile" => files::get_file(world, params),
        "sendMediaGroup" => group::send(shared, world, bot, params),
        "copyMessage" | "forwardMessage" => send::again(shared, world, bot, method, params),
        "deleteMessage" | "deleteMessages" => edit::delete(world, bot, method, params),
        "getMyCommands" | "setMyCommands" | "deleteMyCommands" => {
            profile::commands(world, bot, method, params)
        }
        "setMyName" | "setMyDescription" | "setMyShortDescription" => {
            profile::set_text(world, bot, method, params)
        }
        "getMyName" | "getMyDescription" | "getMyShortDescription" => {
            profile::text(world, bot, method, params)
        }
        "setChatMenuButton" | "getChatMenuButton" => profile::menu(world, bot, method, params),
        "setMyDefaultAdministratorRights" | "getMyDefaultAdministratorRights" => {
            profile::rights(world, bot, method, params)
        }
        "getChat" | "getChatMember" | "getChatMemberCount" | "getChatAdministrators" | "leaveChat" => {
            chats::about(world, bot, method, params)
        }
        "getManagedBotToken" | "replaceManagedBotToken" => managed::token(world, bot, method, params),
        "getUserProfilePhotos" => Ok(serde_json::json!({ "total_count": 0, "photos": [] })),
        "answerCallbackQuery" | "answerInlineQuery" | "answerPreCheckoutQuery" | "answerShippingQuery" => {
            queries::answer(shared, world, bot, method, params)
        }
        _ if send::knows(method) => send::send(shared, world, bot, method, params),
        _ if edit::knows(method) => edit::edit(shared, world, bot, method, params),
        _ if call.spec.returns == "Boolean" => {
            if params.has("chat_id") {
                let chat = resolve_chat(world, params, "chat_id")?;
                world.check_access(bot, chat)?;
            }
            Ok(true.into())
        }
        _ => Err(Refusal::bad(format!("the simulator does not imitate {method}"))),
    }
}

fn missing(name: &str) -> Refusal {
    match name {
        "chat_id" => Refusal::bad("chat_id is empty"),
        "text" => Refusal::bad("message text is empty"),
        "message_id" => Refusal::bad("message identifier is not specified"),
        "message_ids" => Refusal::bad("message identifiers are not specified"),
        "file_id" => Refusal::bad("file_id not specified"),
        "user_id" => Refusal::bad("invalid user_id specified"),
        "photo" | "video" | "document" | "audio" | "voice" | "animation" | "video_note" | "sticker" => {
            Refusal::bad(format!("there is no {} in the request", name.replace('_', " ")))
        }
        _ => Refusal::bad(format!("parameter \"{name}\" is required")),
    }
}

/// The chat that a call is about, as far as its parameters tell without looking closer.
fn chat_of(world: &World, params: &Params) -> Option<i64> {
    params
        .int("chat_id")
        .or_else(|| by_username(world, &params.text("chat_id")?))
}

/// The chat of a parameter, by number or `@username`.
fn resolve_chat(world: &World, params: &Params, name: &str) -> Result<i64, Refusal> {
    if !params.has(name) {
        return Err(missing("chat_id"));
    }
    let text = || params.text(name).unwrap_or_default();
    params
        .int(name)
        .or_else(|| by_username(world, &text()))
        .ok_or_else(|| Refusal::bad("chat not found"))
}

fn by_username(world: &World, text: &str) -> Option<i64> {
    let username = text.strip_prefix('@')?;
    let place = world.places.values().find(|place| {
        place
            .username
            .as_deref()
            .is_some_and(|name| name.eq_ignore_ascii_case(username))
    })?;
    Some(place.id)
}

fn record(shared: &Shared, world: &mut World, call: Call, outcome: Option<&Outcome>, shown: &Shown) {
    let refusal = match (shown, outcome) {
        (Shown::Refusal(refusal), _) | (Shown::Outcome, Some(Err(refusal))) => Some(refusal),
        _ => None,
    };
    let status = match (shown, refusal) {
        (Shown::Nothing, _) => 0,
        (_, Some(refusal)) => refusal.code,
        (_, None) => 200,
    };
    world.journal.count_call(call.method, status);
    if !world.journal.keeps_entries() {
        return;
    }
    let result = outcome.and_then(|outcome| outcome.as_ref().ok());
    let event = Event::Call {
        method: call.method.to_owned(),
        chat: call.chat,
        params: call.params.into_journal(),
        status,
        description: refusal.map(|refusal| refusal.description.clone()),
        message_id: result
            .and_then(|result| result.get("message_id"))
            .and_then(Value::as_i64),
        executed: result.is_some(),
    };
    shared.note(world, call.bot, &event);
}
