//! `/bots/{botId}/analytics`: what a bot's telemetry says.

use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use botloom_core::grid::{Grid, Width};
use botloom_core::ids::BotId;
use botloom_core::ports::AnalyticsQuery;
use botloom_core::time::TimestampMs;
use serde::Serialize;
use utoipa::ToSchema;

use super::path::{One, Two};
use crate::app::analytics::{self, Answered, Question, longest};
use crate::auth::caller::Caller;
use crate::http::query::{Query, invalid};
use crate::problem::Problem;
use crate::state::App;

/// Longest name of a flow or a time zone.
const MAX_NAME: usize = 128;
const TIME_RULE: &str = "must be a time in RFC 3339";

/// The names under which questions are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Messages,
    Chats,
    Errors,
    Latency,
    ApiCalls,
    ErrorReasons,
    ApiOutcomes,
    Events,
    Flows,
    Funnel,
    Deploys,
}

impl Name {
    const ALL: [(&'static str, Self); 11] = [
        ("messages", Self::Messages),
        ("chats", Self::Chats),
        ("errors", Self::Errors),
        ("latency", Self::Latency),
        ("api-calls", Self::ApiCalls),
        ("error-reasons", Self::ErrorReasons),
        ("api-outcomes", Self::ApiOutcomes),
        ("events", Self::Events),
        ("flows", Self::Flows),
        ("funnel", Self::Funnel),
        ("deploys", Self::Deploys),
    ];
}

impl FromStr for Name {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let named = Self::ALL.into_iter().find(|(name, _)| *name == text);
        named.map(|(_, name)| name).ok_or(())
    }
}

/// An answer as a table.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AnalyticsView {
    /// The time that was asked about: from here, RFC 3339 …
    from: String,
    /// … to before here.
    to: String,
    /// `hour` or `day`, in a series.
    interval: Option<&'static str>,
    /// Whose hours or days, in a series: a name of the IANA database.
    timezone: Option<String>,
    /// Names of the numbers of a row.
    columns: Vec<&'static str>,
    rows: Vec<AnalyticsRowView>,
}

/// A row of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AnalyticsRowView {
    /// What the numbers are about: a day (`2026-11-20`), the beginning of an hour (RFC 3339), a reason, an outcome, an event, a
    /// flow, a step (empty: the start of the flow), a revision; empty for totals.
    key: String,
    /// Beginning of the day or hour, RFC 3339; in a series.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    /// One for each of `columns`. Times are milliseconds; `atMs` is milliseconds since 1970.
    values: Vec<u64>,
}

/// The time of a question.
struct Window {
    from: TimestampMs,
    to: TimestampMs,
    width: Width,
    zone: String,
}

impl Window {
    fn read(query: &Query, now: TimestampMs) -> Result<Self, Problem> {
        let width = match query.optional("interval")? {
            None | Some("day") => Width::Day,
            Some("hour") => Width::Hour,
            Some(_) => return Err(invalid("interval", "must be hour or day")),
        };
        let (most, usual) = longest(width);
        let to = query.optional_parsed("to", TIME_RULE)?.unwrap_or(now);
        let from = query
            .optional_parsed("from", TIME_RULE)?
            .unwrap_or_else(|| to.plus(-usual));
        if from >= to {
            return Err(invalid("from", "must be before to"));
        }
        if to.since(from) > most {
            let rule = "must be at most 400 days before to, 31 with interval=hour";
            return Err(invalid("from", rule));
        }
        let zone = query.optional_text("timezone", MAX_NAME)?;
        Ok(Self {
            from,
            to,
            width,
            zone: zone.unwrap_or_else(|| "UTC".to_owned()),
        })
    }

    fn grid(&self) -> Result<Grid, Problem> {
        Grid::in_zone(self.width, &self.zone, self.from, self.to).map_err(|_| {
            invalid(
                "timezone",
                "must be a name of the IANA database, as Europe/Berlin",
            )
        })
    }

    fn show(self, answered: Answered, is_series: bool) -> AnalyticsView {
        let interval = match self.width {
            Width::Hour => "hour",
            Width::Day => "day",
        };
        let rows = answered.rows.into_iter().map(|row| {
            let start = row.start.map(TimestampMs::to_rfc3339);
            AnalyticsRowView {
                key: match (&start, self.width) {
                    (Some(start), Width::Hour) => start.clone(),
                    _ => row.key,
                },
                start,
                values: row.values,
            }
        });
        AnalyticsView {
            from: self.from.to_rfc3339(),
            to: self.to.to_rfc3339(),
            interval: is_series.then_some(interval),
            rows: rows.collect(),
            columns: answered.columns,
            timezone: is_series.then_some(self.zone),
        }
    }
}

fn question(name: Name, window: &Window, query: &Query) -> Result<Question, Problem> {
    let series = |query: fn(Grid) -> AnalyticsQuery| {
        let grid = window.grid()?;
        Ok(Question::Series(query(grid.clone()), grid))
    };
    match name {
        Name::Messages => series(AnalyticsQuery::Messages),
        Name::Chats => series(AnalyticsQuery::Chats),
        Name::Errors => series(AnalyticsQuery::ErrorsOver),
        Name::Latency => series(AnalyticsQuery::Latency),
        Name::ApiCalls => series(AnalyticsQuery::ApiCallsOver),
        Name::ErrorReasons => Ok(Question::Things(AnalyticsQuery::Errors)),
        Name::ApiOutcomes => Ok(Question::Things(AnalyticsQuery::ApiCalls)),
        Name::Events => Ok(Question::Things(AnalyticsQuery::Events)),
        Name::Flows => Ok(Question::Things(AnalyticsQuery::Flows)),
        Name::Deploys => Ok(Question::Things(AnalyticsQuery::Deploys)),
        Name::Funnel => {
            let flow = query
                .optional_text("flow", MAX_NAME)?
                .ok_or_else(|| invalid("flow", "is required"))?;
            Ok(Question::Things(AnalyticsQuery::Funnel { flow }))
        }
    }
}

/// Totals of a bot
///
/// Updates that took effect, messages that Telegram took, errors, different chats that wrote, calls of JSON APIs and those that
/// failed, and chats that wrote for the first time. The last 30 days where no time is given.
#[utoipa::path(
    get, path = "/bots/{botId}/analytics", tag = "analytics",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(
        ("botId" = String, Path, description = "Slug"),
        ("from" = Option<String>, Query, description = "RFC 3339"),
        ("to" = Option<String>, Query, description = "RFC 3339, itself not included; now where absent"),
    ),
    responses((status = 200, description = "One row", body = AnalyticsView))
)]
pub(crate) async fn totals(
    State(app): State<App>,
    caller: Caller,
    One(bot): One<BotId>,
    query: Query,
) -> Result<Json<AnalyticsView>, Problem> {
    let window = Window::read(&query, app.now())?;
    let time = (window.from, window.to);
    let answered = analytics::ask(&app, caller.actor, &bot, time, Question::Totals).await?;
    Ok(Json(window.show(answered, false)))
}

/// Ask about a bot
///
/// Series, a row for each day or hour, also where nothing happened: `messages` (in, out), `chats` (active, new), `errors`,
/// `latency` (from an update's acceptance to its commit, ms), `api-calls` (all, failed). Tables: `error-reasons`, `api-outcomes` (with
/// times, ms), `events`, `flows` (started, completed, chats), `funnel` of a `flow` (how many chats completed each step, and how many
/// of them did nothing later), `deploys`.
///
/// Percentiles are times that really were. Bot code and Telegram are told apart: a message counts when Telegram took it.
#[utoipa::path(
    get, path = "/bots/{botId}/analytics/{query}", tag = "analytics",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(
        ("botId" = String, Path, description = "Slug"),
        ("query" = String, Path, description = "`messages`, `chats`, `errors`, `latency`, `api-calls`, `error-reasons`, `api-outcomes`, `events`, `flows`, `funnel` or `deploys`"),
        ("from" = Option<String>, Query, description = "RFC 3339; 30 days before `to` where absent, 2 with `interval=hour`"),
        ("to" = Option<String>, Query, description = "RFC 3339, itself not included; now where absent"),
        ("interval" = Option<String>, Query, description = "`day` (where absent; 400 days at the most) or `hour` (31 days at the most)"),
        ("timezone" = Option<String>, Query, description = "Whose hours and days: a name of the IANA database; UTC where absent"),
        ("flow" = Option<String>, Query, description = "The flow; for `funnel`"),
    ),
    responses((status = 200, description = "A table", body = AnalyticsView))
)]
pub(crate) async fn ask(
    State(app): State<App>,
    caller: Caller,
    Two(bot, name): Two<BotId, Name>,
    query: Query,
) -> Result<Json<AnalyticsView>, Problem> {
    let window = Window::read(&query, app.now())?;
    let question = question(name, &window, &query)?;
    let is_series = matches!(question, Question::Series(..));
    let time = (window.from, window.to);
    let answered = analytics::ask(&app, caller.actor, &bot, time, question).await?;
    Ok(Json(window.show(answered, is_series)))
}
