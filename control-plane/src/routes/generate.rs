//! `/generate`: builds a version into a revision.

use axum::extract::State;
use axum::response::Response;
use botloom_core::ids::BotId;
use http::HeaderMap;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::bots::BOT_ID_RULE;
use super::tasks::{AcceptedView, accepted};
use crate::app::generations::{self, COMPILER, Generation};
use crate::auth::caller::Caller;
use crate::auth::policy::Action;
use crate::http::body::Body;
use crate::http::fields::{Fields, FromFields};
use crate::http::json::MAX_INTEGER;
use crate::idempotency;
use crate::problem::Problem;
use crate::state::App;

/// A build that is wanted.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Generate {
    /// Slug.
    #[schema(value_type = String)]
    bot_id: BotId,
    /// The version to build.
    #[schema(minimum = 1)]
    spec_version: u32,
    /// `compiler`, the only one there is and the default.
    model: Option<String>,
    /// For models that draw; 0 where absent.
    seed: Option<u64>,
    /// Parameters of the model.
    #[schema(value_type = Option<Object>)]
    params: Option<Map<String, Value>>,
}

impl FromFields for Generate {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let bot_id = fields.parsed("botId", BOT_ID_RULE);
        let spec_version = fields.integer("specVersion", 1..=u64::from(u32::MAX));
        let model = fields.optional_parsed("model", "must be a text");
        let seed = fields.optional_integer("seed", 0..=MAX_INTEGER);
        let params = fields.optional_object("params");
        let spec_version = u32::try_from(spec_version?).ok()?;
        Some(Self {
            bot_id: bot_id?,
            spec_version,
            model,
            seed,
            params,
        })
    }
}

/// Build a revision
///
/// Queues the build; `GET /tasks/{taskId}` and the events tell how it goes.
#[utoipa::path(
    post, path = "/generate", tag = "build and deploy", request_body = Generate,
    extensions(("x-botloom-access" = json!("editor"))),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key again gives the same answer")),
    responses((
        status = 202, description = "The build is queued", body = AcceptedView,
        headers(("Location" = String, description = "Address of the task"))
    ))
)]
pub(crate) async fn generate(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Body<Generate>,
) -> Result<Response, Problem> {
    let actor = caller.actor;
    let Generate {
        bot_id: bot,
        spec_version,
        model,
        seed,
        params,
    } = body.value;
    let wanted = Generation {
        bot,
        spec_version,
        model: model.unwrap_or_else(|| COMPILER.to_owned()),
        seed: seed.unwrap_or(0),
        params: params.unwrap_or_default(),
    };
    let about = Some((wanted.bot.clone(), Action::Generate));
    let queueing = app.clone();
    let work = move |of_key| async move {
        let task = generations::generate(&queueing, actor, wanted, of_key).await?;
        Ok(accepted(task, "/tasks"))
    };
    let route = "POST /generate";
    idempotency::once(&app, actor, route, &headers, body.fingerprint, about, work).await
}
