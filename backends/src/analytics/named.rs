//! The named queries as SQL. One text serves all engines, so that they cannot come to differ in what they count; a
//! [`Dialect`] holds the few expressions that each engine writes in its own way.
//!
//! Every statement answers a text `label` and the columns of [`AnalyticsQuery::columns`] as whole numbers.

use std::fmt::Write as _;

use botloom_core::grid::{Grid, Shift, Width};
use botloom_core::ports::AnalyticsQuery;
use botloom_core::ports::analytics::event::{
    API_CALL, API_CALL_OK, DEPLOYED, ERROR, FLOW_COMPLETED, FLOW_STARTED, MESSAGE_SENT, STEP_COMPLETED,
    UPDATE_HANDLED,
};

/// What engines write differently.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    /// The events, each once.
    pub(crate) events: &'static str,
    /// Rows `day, chat, first_at, last_at` of chats whose updates took effect, for all time before the end of the window.
    pub(crate) chat_days: &'static str,
    /// Placeholders of the bot, of the window, and of the flow.
    pub(crate) bot: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) flow: &'static str,
    /// The day and the hour of the time `{at}` in ms, as texts that sort: `2026-11-20`, `2026-11-20T18:00`.
    pub(crate) day: &'static str,
    pub(crate) hour: &'static str,
    /// The field `latencyMs`, or NULL.
    pub(crate) latency: &'static str,
    /// The field `reason`, or an empty text.
    pub(crate) reason: &'static str,
    /// The field `epoch`.
    pub(crate) epoch: &'static str,
    /// The step, an empty text where there is none.
    pub(crate) step: &'static str,
    /// Characters of the id.
    pub(crate) id_length: &'static str,
}

/// The statement that answers `query`.
pub(crate) fn statement(dialect: &Dialect, query: &AnalyticsQuery) -> String {
    let Dialect {
        events,
        chat_days,
        bot,
        from,
        to,
        flow,
        day: _,
        hour: _,
        latency: _,
        reason,
        epoch,
        step,
        id_length,
    } = dialect;
    let within = format!("bot_id = {bot} AND at >= {from} AND at < {to}");
    match query {
        AnalyticsQuery::Events => format!(
            "SELECT event AS label, COUNT(*) AS n FROM {events} WHERE {within} GROUP BY event ORDER BY event"
        ),
        AnalyticsQuery::Totals => format!(
            "SELECT '' AS label, COUNT(*) FILTER (WHERE event = '{UPDATE_HANDLED}') AS n_updates, \
             COUNT(*) FILTER (WHERE event = '{MESSAGE_SENT}') AS n_messages, \
             COUNT(*) FILTER (WHERE event = '{ERROR}') AS n_errors, \
             COUNT(DISTINCT CASE WHEN event = '{UPDATE_HANDLED}' THEN chat END) AS n_chats, \
             COUNT(*) FILTER (WHERE event = '{API_CALL}') AS n_calls, \
             COUNT(*) FILTER (WHERE event = '{API_CALL}' AND {reason} <> '{API_CALL_OK}') AS n_failed \
             FROM {events} WHERE {within}"
        ),
        AnalyticsQuery::Messages(grid) => format!(
            "SELECT {} AS label, COUNT(*) FILTER (WHERE event = '{UPDATE_HANDLED}') AS n_in, \
             COUNT(*) FILTER (WHERE event = '{MESSAGE_SENT}') AS n_out FROM {events} \
             WHERE {within} AND event IN ('{UPDATE_HANDLED}', '{MESSAGE_SENT}') GROUP BY label ORDER BY label",
            cut(dialect, grid)
        ),
        AnalyticsQuery::Flows => format!(
            "SELECT flow AS label, COUNT(*) FILTER (WHERE event = '{FLOW_STARTED}') AS n_started, \
             COUNT(*) FILTER (WHERE event = '{FLOW_COMPLETED}') AS n_completed, \
             COUNT(DISTINCT CASE WHEN event = '{FLOW_STARTED}' THEN chat END) AS n_chats FROM {events} \
             WHERE {within} AND event IN ('{FLOW_STARTED}', '{FLOW_COMPLETED}') AND flow <> '' \
             GROUP BY flow ORDER BY label"
        ),
        // In the window it is the events that count; before it, chats are known by their first moments alone.
        AnalyticsQuery::Chats(grid) if !grid.is_utc_days() => format!(
            "SELECT piece AS label, COUNT(*) AS n_active, \
             COUNT(*) FILTER (WHERE first_in_piece = ever AND ever >= {from}) AS n_new FROM ( \
             SELECT {} AS piece, chat, MIN(at) AS first_in_piece FROM {events} \
             WHERE {within} AND event = '{UPDATE_HANDLED}' GROUP BY piece, chat) AS pieces \
             JOIN (SELECT chat, MIN(first_at) AS ever FROM {chat_days} AS days GROUP BY chat) AS chats USING (chat) \
             GROUP BY piece ORDER BY label",
            cut(dialect, grid)
        ),
        AnalyticsQuery::Chats(_) => format!(
            "SELECT day AS label, COUNT(*) AS n_active, \
             COUNT(*) FILTER (WHERE first_on_day = ever AND ever >= {from}) AS n_new FROM ( \
             SELECT day, last_on_day, first_on_day, MIN(first_on_day) OVER (PARTITION BY chat) AS ever FROM ( \
             SELECT day, chat, MIN(first_at) AS first_on_day, MAX(last_at) AS last_on_day \
             FROM {chat_days} AS days GROUP BY day, chat) AS each_day) AS chats \
             WHERE last_on_day >= {from} AND first_on_day < {to} GROUP BY day ORDER BY label"
        ),
        AnalyticsQuery::Funnel { .. } => format!(
            "SELECT label, COUNT(DISTINCT chat) AS n_chats, \
             COUNT(DISTINCT CASE WHEN back = 1 THEN chat END) AS n_left FROM ( \
             SELECT chat, event, CASE WHEN event = '{FLOW_STARTED}' THEN '' ELSE {step} END AS label, \
             ROW_NUMBER() OVER (PARTITION BY chat ORDER BY at DESC, {id_length} DESC, id DESC) AS back \
             FROM {events} WHERE {within} AND flow = {flow} \
             AND event IN ('{FLOW_STARTED}', '{STEP_COMPLETED}', '{FLOW_COMPLETED}')) AS steps \
             WHERE event = '{FLOW_STARTED}' OR event = '{STEP_COMPLETED}' AND label <> '' \
             GROUP BY label ORDER BY label"
        ),
        AnalyticsQuery::Errors => format!(
            "SELECT {reason} AS label, COUNT(*) AS n FROM {events} WHERE {within} AND event = '{ERROR}' \
             GROUP BY label ORDER BY label"
        ),
        AnalyticsQuery::ErrorsOver(grid) => format!(
            "SELECT {} AS label, COUNT(*) AS n FROM {events} WHERE {within} AND event = '{ERROR}' \
             GROUP BY label ORDER BY label",
            cut(dialect, grid)
        ),
        AnalyticsQuery::ApiCallsOver(grid) => format!(
            "SELECT {} AS label, COUNT(*) AS n, COUNT(*) FILTER (WHERE {reason} <> '{API_CALL_OK}') AS n_failed \
             FROM {events} WHERE {within} AND event = '{API_CALL}' GROUP BY label ORDER BY label",
            cut(dialect, grid)
        ),
        AnalyticsQuery::Latency(grid) => percentiles(dialect, &within, &cut(dialect, grid), UPDATE_HANDLED),
        AnalyticsQuery::ApiCalls => percentiles(dialect, &within, reason, API_CALL),
        AnalyticsQuery::Deploys => format!(
            "SELECT rev AS label, at AS at_ms, {epoch} AS epoch FROM {events} \
             WHERE {within} AND event = '{DEPLOYED}' ORDER BY at_ms, epoch, label"
        ),
    }
}

/// Which piece of a grid an event belongs to.
fn cut(dialect: &Dialect, grid: &Grid) -> String {
    let pattern = match grid.width() {
        Width::Hour => dialect.hour,
        Width::Day => dialect.day,
    };
    // Numbers only: nothing that anybody wrote comes into the text.
    let shifted = match grid.shifts() {
        [] => "at".to_owned(),
        [Shift { ms, .. }] => format!("(at + ({ms}))"),
        [first, later @ ..] => {
            let mut cases = String::new();
            for (next, ms) in later
                .iter()
                .zip(std::iter::once(first.ms).chain(later.iter().map(|shift| shift.ms)))
            {
                let _ = write!(cases, " WHEN at < {} THEN {ms}", next.from.0);
            }
            let last = later.last().map_or(first.ms, |last| last.ms);
            format!("(at + (CASE{cases} ELSE {last} END))")
        }
    };
    pattern.replace("{at}", &shifted)
}

/// How long something took, by nearest rank. Equal times are counted together before anything is ranked: what is held is
/// bounded by how many different times there are.
fn percentiles(dialect: &Dialect, within: &str, label: &str, event: &str) -> String {
    let Dialect { events, latency, .. } = dialect;
    format!(
        "SELECT piece AS label, MAX(total) AS n, MIN(ms) FILTER (WHERE upto * 100 >= total * 50) AS p50, \
         MIN(ms) FILTER (WHERE upto * 100 >= total * 95) AS p95, \
         MIN(ms) FILTER (WHERE upto * 100 >= total * 99) AS p99 FROM ( \
         SELECT piece, ms, SUM(n) OVER (PARTITION BY piece ORDER BY ms) AS upto, \
         SUM(n) OVER (PARTITION BY piece) AS total FROM ( \
         SELECT {label} AS piece, {latency} AS ms, COUNT(*) AS n FROM {events} \
         WHERE {within} AND event = '{event}' AND {latency} IS NOT NULL GROUP BY piece, ms) AS times) AS ranked \
         GROUP BY piece ORDER BY label"
    )
}
