//! `/bots/{botId}/export`.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use botloom_core::ids::BotId;
use http::header;
use tokio_stream::wrappers::ReceiverStream;

use super::path::One;
use crate::app::export;
use crate::auth::caller::Caller;
use crate::code;
use crate::problem::Problem;
use crate::state::App;

/// Export a bot
///
/// One tar archive with the bot, its versions, the files of its revisions, its deployments, its dead letters and the states of
/// its chats; without tokens and secrets. An archive without `end.json` is not whole.
#[utoipa::path(
    get, path = "/bots/{botId}/export", tag = "bots",
    extensions(("x-botloom-access" = json!("owner"))),
    params(("botId" = String, Path, description = "Slug")),
    responses((status = 200, description = "The archive", body = String, content_type = "application/x-tar"))
)]
pub(crate) async fn export_bot(
    State(app): State<App>,
    caller: Caller,
    One(id): One<BotId>,
) -> Result<Response, Problem> {
    let Some(pieces) = export::begin(&app, caller.actor, &id).await? else {
        let most = app.options.limits.exports_per_user;
        let detail = format!("You take {most} exports already; wait until one has ended.");
        return Err(Problem::new(code::TOO_MANY_STREAMS, detail).retry_after(5));
    };
    let headers = [
        (header::CONTENT_TYPE, "application/x-tar".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{id}.tar\""),
        ),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(pieces))).into_response())
}
