//! `/simulate`: a conversation with a bot that need not be live.

use axum::Json;
use axum::extract::State;
use botloom_core::TimestampMs;
use botloom_core::bot_js::{ApiCallError, Telemetry};
use botloom_core::conversation::{MadeCall, Person, ScriptedAnswer};
use botloom_core::ids::BotId;
use botloom_core::ports::{Happening, LIVE_LONGEST, SimulatedHttp, SimulatedTurn};
use botloom_spec::json::canonical;
use botloom_spec::script::{ApiAnswer, ApiError, Entry, User};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::bots::BOT_ID_RULE;
use super::spec::{FindingView, refused};
use crate::app::simulations::{self, Partner, Simulated};
use crate::auth::caller::Caller;
use crate::code;
use crate::events::Place;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::problem::Problem;
use crate::state::App;

/// Most entries of a conversation.
const MAX_ENTRIES: usize = 200;
/// Longest message, in characters, as Telegram has it.
const MAX_TEXT: usize = 4096;
/// Longest wait, seconds: a year.
const MAX_WAIT: u64 = 366 * 24 * 3600;
/// When a conversation begins that does not say: 2026-01-01T12:00:00Z.
const BEGINS: i64 = 1_767_268_800_000;
/// The latest beginning, 2100-01-01, in ms.
const LATEST: i64 = 4_102_444_800_000;
const BEGINS_RULE: &str = "must be a time from 1970 to 2100, like 2026-01-01T12:00:00Z";

/// A conversation to be had.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Simulate {
    /// A BotSpec; or else `botId` and `version`.
    #[schema(value_type = Option<Object>)]
    spec: Option<Map<String, Value>>,
    /// Slug.
    #[schema(value_type = Option<String>)]
    bot_id: Option<BotId>,
    /// Number of a version.
    #[schema(value_type = Option<u32>)]
    version: Option<u64>,
    /// Virtual time of the beginning, RFC 3339, from 1970 to 2100; 2026-01-01T12:00:00Z where absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    begins: Option<TimestampMs>,
    /// What happens, in order, as in a `chat.json`: `{"send": "/start"}`, `{"user": {"id": 2, "firstName": "Bo"}}`,
    /// `{"wait": 60}`, `{"api": {"method": "GET", "url": "…", "status": 200, "body": {}}}`. A button is pressed by sending
    /// its text. At most 200 entries.
    #[schema(value_type = Vec<Object>)]
    script: Vec<Entry>,
    /// `prepared` (where absent): calls are answered by the script. `live`: they go out to the services that the spec may
    /// call, as those of a live bot do. Needs an editor.
    #[schema(value_type = Option<String>)]
    http: Option<Http>,
}

#[derive(Debug, Clone, Copy)]
struct Http(SimulatedHttp);

impl std::str::FromStr for Http {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "prepared" => Ok(Self(SimulatedHttp::Prepared)),
            "live" => Ok(Self(SimulatedHttp::Live)),
            _ => Err(()),
        }
    }
}

impl FromFields for Simulate {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let spec = fields.optional_object("spec");
        let bot_id = fields.optional_parsed("botId", BOT_ID_RULE);
        let version = fields.optional_integer("version", 1..=u64::from(u32::MAX));
        let begins = fields.optional_parsed::<TimestampMs>("begins", BEGINS_RULE);
        if begins.is_some_and(|begins| !(0..=LATEST).contains(&begins.0)) {
            fields.refused("begins", BEGINS_RULE);
        }
        let script = fields.list("script", MAX_ENTRIES, fault);
        if spec.is_some() == (bot_id.is_some() && version.is_some()) || bot_id.is_some() != version.is_some()
        {
            fields.missing("spec", "or else botId and version, is required");
        }
        let http = fields.optional_parsed("http", "must be prepared or live");
        let script = script?;
        let prepared = script.iter().any(|entry| matches!(entry, Entry::Api(_)));
        if prepared && matches!(http, Some(Http(SimulatedHttp::Live))) {
            fields.refused("script", "must not prepare answers where http is live");
        }
        Some(Self {
            spec,
            bot_id,
            version,
            begins,
            script,
            http,
        })
    }
}

/// What is wrong with an entry that has the form of one.
fn fault(entry: &Entry) -> Option<&'static str> {
    match entry {
        Entry::Send { text, .. } if !(1..=MAX_TEXT).contains(&text.chars().count()) => {
            Some("must say something of at most 4096 characters")
        }
        Entry::Wait(seconds) if *seconds > MAX_WAIT => Some("may wait for a year at most"),
        Entry::Expect(_) | Entry::State(_) => {
            Some("is for tests: the answer tells what the bot said and remembers")
        }
        _ => None,
    }
}

/// What a conversation came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SimulatedView {
    /// Warnings about the spec.
    findings: Vec<FindingView>,
    /// One for each message that was sent to the bot, in order.
    turns: Vec<TurnView>,
    /// Messages that were not sent any more, because real calls took too long (12 s in all).
    left_out: usize,
}

/// What one message led to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TurnView {
    /// Place of the message in `script`.
    entry: usize,
    /// Virtual time, RFC 3339.
    at: String,
    /// State of the chat before, by key.
    #[schema(value_type = Object)]
    state_before: Value,
    /// State of the chat after. As before if the turn failed.
    #[schema(value_type = Object)]
    state_after: Value,
    /// What the bot would have sent.
    messages: Vec<MessageView>,
    /// What it called.
    calls: Vec<CallView>,
    /// What it reported.
    #[schema(value_type = Vec<Object>)]
    telemetry: Vec<Telemetry>,
    /// Why it came to nothing; `null` if it did not.
    failed: Option<FailedView>,
}

/// A call of the Bot API.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageView {
    /// `sendMessage` …
    method: String,
    #[schema(value_type = Object)]
    params: Map<String, Value>,
}

/// A call of a JSON API.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallView {
    method: String,
    /// Without query.
    url: String,
    /// Names and values, in order.
    #[schema(value_type = Vec<Vec<String>>)]
    query: Vec<(String, String)>,
    #[schema(value_type = Vec<Vec<String>>)]
    headers: Vec<(String, String)>,
    #[schema(value_type = Option<Object>)]
    body: Option<Value>,
    /// Whether `script` had an answer for it, or it was really made; else the bot was told that nobody can be reached.
    answered: bool,
    /// Status of the answer, if there was one.
    status: Option<u16>,
    /// JSON of an answer within 2xx.
    #[schema(value_type = Option<Object>)]
    response: Option<Value>,
    /// What the bot was told instead: `timeout`, `connect`, `status`, `too_large`, `not_json`, `denied` or `limit`.
    error: Option<&'static str>,
}

/// Why a turn failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailedView {
    /// `script_error`, `cpu_limit` …
    outcome: String,
    detail: String,
}

impl TurnView {
    fn of(entry: usize, turn: SimulatedTurn) -> Self {
        let transcript = turn.transcript;
        let message = |sent: botloom_core::conversation::Sent| MessageView {
            method: sent.method,
            params: sent.params,
        };
        Self {
            entry,
            at: turn.at.to_rfc3339(),
            state_before: values(turn.before.as_deref()),
            state_after: values(turn.after.as_deref()),
            messages: transcript.messages.into_iter().map(message).collect(),
            calls: transcript.calls.into_iter().map(CallView::of).collect(),
            telemetry: transcript.telemetry,
            failed: transcript.outcome.err().map(|failed| FailedView {
                outcome: failed.outcome,
                detail: failed.detail,
            }),
        }
    }
}

impl CallView {
    fn of(call: MadeCall) -> Self {
        let MadeCall {
            method,
            url,
            query,
            headers,
            body,
            answered,
            answer,
        } = call;
        Self {
            method,
            url,
            query,
            headers,
            body,
            answered,
            status: answer.status,
            response: answer.body,
            error: answer.error.map(ApiCallError::as_str),
        }
    }
}

/// The values in a chat's document, without what the bot keeps beside them.
fn values(document: Option<&str>) -> Value {
    let document: Value = document
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    match document.get("v") {
        Some(values @ Value::Object(_)) => values.clone(),
        _ => Value::Object(Map::new()),
    }
}

/// Talk to a bot that need not be live
///
/// The program that a deployment of this spec would run, in the same sandbox, with a virtual clock and prepared answers to
/// its API calls. Nothing is stored, sent or called, and the same request always gets the same answer. With `http` `live` its
/// API calls are real ones, by the same guarded client, allow-list and limits as in production; the audit log says so. Of these
/// everybody has one at a time.
#[utoipa::path(
    post, path = "/simulate", tag = "spec", request_body = Simulate,
    extensions(("x-botloom-access" = json!("account"))),
    responses((status = 200, description = "What the bot did", body = SimulatedView))
)]
pub(crate) async fn simulate(
    State(app): State<App>,
    caller: Caller,
    body: Body<Simulate>,
) -> Result<Json<SimulatedView>, Problem> {
    let request = body.value;
    let partner = match (request.spec, request.bot_id, request.version) {
        (Some(spec), ..) => Partner::Spec(Bytes::from(canonical(&Value::Object(spec)))),
        (None, Some(bot), Some(version)) => Partner::Version(bot, u32::try_from(version).unwrap_or(u32::MAX)),
        _ => return Err(Problem::internal()),
    };
    let sent = |(index, entry): (usize, &Entry)| matches!(entry, Entry::Send { .. }).then_some(index);
    let places: Vec<usize> = request.script.iter().enumerate().filter_map(sent).collect();
    let http = request.http.map_or(SimulatedHttp::Prepared, |http| http.0);
    let begins = request.begins.unwrap_or(TimestampMs(BEGINS));
    let happenings = happenings(request.script);
    let _place = match http {
        SimulatedHttp::Prepared => None,
        SimulatedHttp::Live => Some(live_place(&app, &caller)?),
    };
    match simulations::simulate(&app, caller.actor, partner, begins, happenings, http).await? {
        Simulated::Refused(findings) => Err(refused(findings)),
        Simulated::Turns { warnings, turns } => Ok(Json(SimulatedView {
            left_out: places.len().saturating_sub(turns.len()),
            findings: FindingView::all(warnings),
            turns: places
                .into_iter()
                .zip(turns)
                .map(|(entry, turn)| TurnView::of(entry, turn))
                .collect(),
        })),
    }
}

/// The one place of the user for a conversation with real calls, until dropped.
fn live_place(app: &App, caller: &Caller) -> Result<Place, Problem> {
    app.live_simulations.enter(caller.actor.user).ok_or_else(|| {
        let detail = "Wait until your other conversation with real calls has ended.";
        Problem::new(code::TOO_MANY_SIMULATIONS, detail).retry_after(LIVE_LONGEST.as_secs())
    })
}

fn happenings(script: Vec<Entry>) -> Vec<Happening> {
    let mut speaker = User::default();
    let mut happenings = Vec::new();
    for entry in script {
        match entry {
            Entry::User(user) => speaker = user,
            Entry::Send { text, user } => happenings.push(Happening::Says {
                person: person(user.unwrap_or_else(|| speaker.clone())),
                text,
            }),
            Entry::Api(answer) => happenings.push(Happening::Answer(prepared(answer))),
            Entry::Wait(seconds) => {
                let ms = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
                happenings.push(Happening::Passes(ms));
            }
            Entry::Expect(_) | Entry::State(_) => {}
        }
    }
    happenings
}

fn person(user: User) -> Person {
    Person {
        id: user.id,
        first_name: user.first_name,
        last_name: user.last_name,
        username: user.username,
        language_code: user.language_code,
    }
}

fn prepared(answer: ApiAnswer) -> ScriptedAnswer {
    match answer.error {
        Some(ApiError::Timeout) => ScriptedAnswer::Error(ApiCallError::Timeout),
        Some(ApiError::Connect) => ScriptedAnswer::Error(ApiCallError::Connect),
        Some(ApiError::TooLarge) => ScriptedAnswer::Error(ApiCallError::TooLarge),
        Some(ApiError::NotJson) => ScriptedAnswer::Error(ApiCallError::NotJson),
        Some(ApiError::Denied) => ScriptedAnswer::Error(ApiCallError::Denied),
        None => ScriptedAnswer::Answer {
            status: answer.status,
            body: Some(answer.body),
        },
    }
}
