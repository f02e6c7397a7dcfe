//! One call in a worker of its own, as operators make it to see why a bot was stopped.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::outcome::Finished;
use super::pool::{CallOptions, Error, Pool, PoolOptions, Source};

/// What `sandbox-run` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OneShot {
    /// Name of the outcome.
    pub outcome: &'static str,
    /// From sending `Call` to the typed outcome, without process start and `Load`. Milliseconds.
    pub wall_ms: f64,
    /// What `handle` returned, whether or not it fits; `null` if it returned nothing.
    pub result: Option<Box<RawValue>>,
    /// Why it is not `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Calls `handle` of `source` once, with `input` (JSON), in a new worker process that ends afterwards. Never repeats.
/// `options` say how to start the worker and how long the call may take.
pub async fn one_shot(
    options: PoolOptions,
    source: &Source,
    input: String,
    call: CallOptions,
) -> Result<OneShot, Error> {
    let shutdown = CancellationToken::new();
    let _ends = shutdown.clone().drop_guard();
    let options = PoolOptions {
        workers: 1,
        spares: 0,
        bytecode_bytes: 0,
        ..options
    };
    let pool = Pool::start(options, shutdown).await?;
    // Loaded first, so that the call is sent to a worker that has nothing else to do. The whole process is fresh.
    let finished = match pool.prewarm(source, 1).await? {
        Ok(()) => {
            pool.call(source, input, CallOptions { fresh: false, ..call })
                .await?
        }
        Err(outcome) => Finished {
            outcome,
            wall: Duration::ZERO,
            json: String::new(),
            at: None,
        },
    };
    let message = finished.outcome.message();
    Ok(OneShot {
        outcome: finished.outcome.name(),
        wall_ms: finished.wall.as_secs_f64() * 1_000.0,
        result: RawValue::from_string(finished.json).ok(),
        message: (!message.is_empty()).then_some(message),
    })
}

/// The `bot.js` whose handler has this body.
pub fn wrap_body(body: &str) -> String {
    format!("export function handle({{ event, state, context, resume }}) {{\n{body}\n}}\n")
}
