//! `/events`: what happens to a bot, as it happens.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, header};

use crate::app::access;
use crate::auth::caller::Caller;
use crate::auth::policy::Action;
use crate::code;
use crate::events::{self, Start, Watch};
use crate::http::query::Query;
use crate::problem::Problem;
use crate::state::App;

/// Watch a bot
///
/// Server-sent events. `Last-Event-ID` (or `lastEventId`) replays what was missed; `event: resync` says that something
/// is missing for good: fetch everything anew.
#[utoipa::path(
    get, path = "/events", tag = "events",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(
        ("botId" = String, Query, description = "Slug"),
        ("lastEventId" = Option<String>, Query, description = "As the header `Last-Event-ID`, for those who cannot set it"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that you have seen"),
    ),
    responses((status = 200, description = "The events", body = String, content_type = "text/event-stream"))
)]
pub(crate) async fn watch_events(
    State(app): State<App>,
    caller: Caller,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let bot = access::bot(&app, caller.actor, &query.bot_id()?, Action::Read).await?;
    let header = headers
        .get("last-event-id")
        .map(|value| value.to_str().unwrap_or_default());
    let last = match header {
        Some(last) => Some(last),
        None => query.optional("lastEventId")?,
    };
    let start = match last {
        None | Some("") => Start::Now,
        Some(id) => id.parse().map_or(Start::Unknown, Start::After),
    };
    let place = app.streams.enter(caller.actor.user).ok_or_else(|| {
        Problem::new(code::TOO_MANY_STREAMS, "Close one of your event streams first.").retry_after(5)
    })?;
    let watch = Watch {
        actor: caller.actor,
        credential: caller.credential,
        project: bot.project,
        bot: bot.id,
        start,
    };
    // Proxies that collect answers before they pass them on would hold the events back.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), "no");
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        unbuffered,
    ];
    Ok((headers, events::open(app, watch, place)).into_response())
}
