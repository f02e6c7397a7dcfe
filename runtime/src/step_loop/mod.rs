//! One update through bot code: call `handle`, do what it asks for, call it again, until it is done.
//!
//! Nothing leaves this loop before it ends, so it may be repeated from the start at any time (a flip, a lost lease, a
//! crash); only `apiCall`s happen for real, under an idempotency key that a repetition has again.

mod actions;
mod input;
mod overtaken;

use std::time::{Duration, Instant};

use botloom_core::bot_js::{
    Action, ApiCall, ApiCallError, Context, Effect, Event, Input, MAX_ACTIONS, MAX_API_CALLS, MAX_CALLS,
    MAX_TELEMETRY, Output, Resume, Telemetry,
};
use botloom_core::ports::analytics::event::API_CALL_OK;
use botloom_core::time::TimestampMs;
use serde_json::value::RawValue;
use tracing::field::Empty;
use tracing::{Instrument, Span};

pub(crate) use actions::message;
pub(crate) use input::{context, event, local_time};
pub(crate) use overtaken::Overtaken;

use crate::effects::{ApiCalls, Attempt, Matcher};
use crate::program::Program;
use crate::sandbox::{self, CallOptions, Finished, Outcome, Pool};
use crate::slots::Slots;
use crate::trace::{TARGET, child};

/// Who does what bot code asks for.
#[derive(Debug)]
pub(crate) struct Host<'a, A> {
    pub(crate) pool: &'a Pool,
    pub(crate) matcher: &'a Matcher,
    pub(crate) api: &'a A,
    /// Places at the workers, so that slow calls of one bot do not queue there before those of others.
    pub(crate) places: &'a Slots,
    /// Ends a run that waits for an `apiCall`.
    pub(crate) overtaken: Overtaken,
}

/// What is run.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) program: &'a Program,
    pub(crate) event: &'a Event<'a>,
    pub(crate) context: &'a Context<'a>,
    /// The chat's document.
    pub(crate) state: Option<&'a RawValue>,
    /// `<bot>:<update>`: the same whenever the update is run.
    pub(crate) key: &'a str,
    /// When the update was accepted; bot code's present.
    pub(crate) now: TimestampMs,
    /// Whether the call gets an engine of its own.
    pub(crate) fresh: bool,
}

/// What an update amounts to.
#[derive(Debug)]
pub(crate) struct Done {
    /// The document from now on.
    pub(crate) state: Option<Box<RawValue>>,
    /// In order.
    pub(crate) actions: Vec<Action>,
    pub(crate) telemetry: Vec<Telemetry>,
    /// `apiCall`s in order.
    pub(crate) api_calls: Vec<EndedCall>,
    /// Of the calls, without what happened between them.
    pub(crate) wall: Duration,
}

/// An `apiCall` that ended.
#[derive(Debug)]
pub(crate) struct EndedCall {
    /// Name of the host, empty where there is none.
    pub(crate) host: String,
    /// As telemetry tells it: `ok`, `status-<code>`, or the name of the error.
    pub(crate) reason: String,
    /// With all its retries and the pauses between them.
    pub(crate) took: Duration,
}

/// Why an update amounts to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The program ended so.
    #[error("{outcome}: {detail}")]
    Program {
        /// Name of a sandbox outcome.
        outcome: &'static str,
        /// In words for the author.
        detail: String,
    },
    /// There was nobody to run it. Not the program's fault.
    #[error("no sandbox: {0}")]
    NoSandbox(String),
    /// The bot flipped: to be run again from the start, on the new revision.
    #[error("the bot flipped meanwhile")]
    Overtaken,
}

impl Failure {
    pub(crate) fn bad_result(detail: impl Into<String>) -> Self {
        Self::Program {
            outcome: "bad_result",
            detail: detail.into(),
        }
    }
}

/// Runs one update.
///
/// What a call returned as `state` is what the next call of the same update is given; only the last one counts.
pub(crate) async fn run<A: ApiCalls>(host: &Host<'_, A>, job: &Job<'_>) -> Result<Done, Failure> {
    let mut done = Done {
        state: None,
        actions: Vec::new(),
        telemetry: Vec::new(),
        api_calls: Vec::new(),
        wall: Duration::ZERO,
    };
    let (mut resume, mut api_calls) = (None, 0);
    for _ in 0..MAX_CALLS {
        let state = if resume.is_none() {
            job.state
        } else {
            done.state.as_deref()
        };
        let (output, wall) = call(host, job, state, resume.as_ref()).await?;
        let Output {
            state,
            actions,
            effect,
            telemetry,
        } = output;
        done.wall += wall;
        done.state = state.filter(|text| text.get() != "null");
        if done.actions.len() + actions.len() > MAX_ACTIONS {
            let detail = format!("the update asks for more than {MAX_ACTIONS} actions");
            return Err(Failure::Program {
                outcome: "output_limit",
                detail,
            });
        }
        append(&mut done.actions, actions);
        append(&mut done.telemetry, telemetry);
        done.telemetry.truncate(MAX_TELEMETRY);
        resume = Some(match effect {
            None => return Ok(done),
            Some(Effect::Match { cont, tests }) => {
                let results = host
                    .matcher
                    .run(tests)
                    .await
                    .map_err(|error| Failure::bad_result(error.to_string()))?;
                Resume::Match { cont, results }
            }
            Some(Effect::ApiCall(asked)) => {
                api_calls += 1;
                tokio::select! {
                    biased;
                    () = host.overtaken.wait() => return Err(Failure::Overtaken),
                    (resume, ended) = api_call(host, job, asked, api_calls) => {
                        done.api_calls.push(ended);
                        resume
                    }
                }
            }
        });
    }
    Err(Failure::bad_result(format!(
        "more than {MAX_CALLS} calls of handle for one update"
    )))
}

async fn call<A: ApiCalls>(
    host: &Host<'_, A>,
    job: &Job<'_>,
    state: Option<&RawValue>,
    resume: Option<&Resume>,
) -> Result<(Output, Duration), Failure> {
    // Absent and `null` are two things to JavaScript; the contract says `null`.
    let state = Some(state.unwrap_or(RawValue::NULL));
    let input = Input {
        event: job.event,
        state,
        context: job.context,
        resume,
    };
    let input = serde_json::to_string(&input).map_err(|error| Failure::bad_result(error.to_string()))?;
    let options = CallOptions {
        budget: None,
        seed: sandbox::seed(&job.program.bot, job.event.update_id),
        now: job.now,
        fresh: job.fresh,
    };
    let _place = host.places.take(&job.program.bot).await;
    let span = child(|| {
        tracing::info_span!(
            target: TARGET,
            "handle",
            otel.status_code = Empty,
            process.pid = Empty,
            botloom.revision = %job.program.source.key(),
            botloom.resumed = resume.is_some(),
            botloom.warm = Empty,
            botloom.wall_us = Empty,
            botloom.outcome = Empty,
        )
    });
    let finished = host
        .pool
        .call(&job.program.source, input, options)
        .instrument(span.clone())
        .await
        .map_err(|error| match error {
            sandbox::Error::InputTooLarge(bytes) => Failure::Program {
                outcome: "output_limit",
                detail: format!(
                    "update, state and effect together have {bytes} bytes, more than a call may be given"
                ),
            },
            other => Failure::NoSandbox(other.to_string()),
        })?;
    describe(&span, &finished);
    match finished.outcome {
        Outcome::Ok(output) => Ok((*output, finished.wall)),
        other => Err(Failure::Program {
            outcome: other.name(),
            detail: other.message(),
        }),
    }
}

fn describe(span: &Span, finished: &Finished) {
    if let Some(at) = finished.at {
        span.record("process.pid", at.pid);
        span.record("botloom.warm", at.warm);
    }
    span.record("botloom.wall_us", finished.wall.as_micros());
    span.record("botloom.outcome", finished.outcome.name());
    if !matches!(finished.outcome, Outcome::Ok(_)) {
        span.record("otel.status_code", "ERROR");
    }
}

async fn api_call<A: ApiCalls>(
    host: &Host<'_, A>,
    job: &Job<'_>,
    mut asked: ApiCall,
    number: usize,
) -> (Resume, EndedCall) {
    let began = Instant::now();
    let outcome = if number > MAX_API_CALLS {
        Err((ApiCallError::Limit, None))
    } else {
        let attempt = Attempt {
            allow: &job.program.allow,
            max_body: job.program.max_api_response,
            idempotency_key: &format!("{}:{number}", job.key),
        };
        host.api.call(&asked, attempt).await
    };
    let ended = EndedCall {
        host: host_of(&asked),
        reason: match &outcome {
            Ok(_) => API_CALL_OK.to_owned(),
            Err((ApiCallError::Status, Some(status))) => format!("status-{status}"),
            Err((error, _)) => error.as_str().to_owned(),
        },
        took: began.elapsed(),
    };
    let cont = std::mem::take(&mut asked.cont);
    let resume = match outcome {
        Ok((status, body)) => Resume::ApiCall {
            cont,
            ok: true,
            status: Some(status),
            body,
            error: None,
        },
        Err((error, status)) => Resume::ApiCall {
            cont,
            ok: false,
            status,
            body: None,
            error: Some(error),
        },
    };
    (resume, ended)
}

/// Path and query may hold what people wrote: the host has to do.
fn host_of(call: &ApiCall) -> String {
    let url = url::Url::parse(&call.url).ok();
    let host = url.as_ref().and_then(url::Url::host_str);
    host.unwrap_or_default().to_owned()
}

/// Without a copy where nothing was there.
fn append<T>(all: &mut Vec<T>, more: Vec<T>) {
    if all.is_empty() {
        *all = more;
    } else {
        all.extend(more);
    }
}
