//! Running the updates of a turn, one after the other, without any effect yet.

use std::time::Duration;

use botloom_core::bot_js::Telemetry;
use botloom_core::ids::Epoch;
use botloom_core::ports::{ActiveRevision, DeadLetterReason, OutMessage, QueuedUpdate, StateChange, Turn};
use botloom_core::time::TimestampMs;
use botloom_telegram::update::Routed;
use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::fenced::Fenced;
use super::migration::Migration;
use super::{Asked, Executor};
use crate::program::Program;
use crate::step_loop::{self, EndedCall, Failure, Host, Job, Overtaken};
use crate::trace::{TARGET, carried, child, continued, link};

/// A batch ends after this time, so that other bots get their turn.
const LONGEST: Duration = Duration::from_millis(200);
/// Kinds that Telegram keeps shorter than this are answers somebody waits for; late they are of no use.
const A_DAY: Duration = Duration::from_hours(24);

/// The effects of the first updates of a turn, to be committed together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) state: StateChange,
    pub(super) messages: Vec<OutMessage>,
    /// The updates, in order.
    pub(super) ran: Vec<Ran>,
}

/// One update that was run.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) cause: String,
    pub(super) at: TimestampMs,
    pub(super) telemetry: Vec<Telemetry>,
    pub(super) api_calls: Vec<EndedCall>,
    /// `None`: no bot code was run for it.
    pub(super) wall: Option<Duration>,
}

/// Why a batch ended before the last update, which is then the first of the next one.
#[derive(Debug)]
pub(super) enum Stop {
    /// Its time was over.
    Time,
    /// The revision must be read again.
    Revision,
    /// The node goes down.
    Draining,
    /// The update failed.
    Failed(Failure),
    /// The update can never be executed.
    Hopeless {
        /// Of the dead letter.
        reason: &'static str,
        detail: String,
    },
    /// The update moves the chat's document.
    Migration(Migration),
}

/// An update's span: in the turn if it is the first, else in the update's own trace, so that no trace ends in a queue.
fn span(turn: &Turn, queued: &QueuedUpdate, update: &Routed<'_>, is_first: bool) -> Span {
    let make = || {
        tracing::info_span!(
            target: TARGET,
            "update",
            botloom.bot = %turn.lease.lane.bot,
            botloom.update = %queued.dedup,
            botloom.kind = update.kind.as_str(),
        )
    };
    if is_first {
        return child(make);
    }
    let span = continued(queued.trace.as_ref(), make);
    link(&span, carried(&Span::current()).as_ref());
    span
}

enum Read<'a> {
    Update(Box<Routed<'a>>),
    /// Nothing for bot code.
    Ignored,
}

impl Executor {
    /// Runs updates of a turn. Before each, the revision must have been read within its lease and not be overtaken.
    pub(super) async fn batch(
        &self,
        turn: &Turn,
        (read, active): (Asked, ActiveRevision),
        program: &Program,
        username: Option<&str>,
    ) -> (Batch, Option<Stop>) {
        let mut batch = Batch {
            state: StateChange::Keep {
                ttl_ms: program.state_ttl_ms,
            },
            messages: Vec::new(),
            ran: Vec::new(),
        };
        let before: Option<&RawValue> = match turn.state.as_deref().map(serde_json::from_slice).transpose() {
            Ok(state) => state,
            Err(error) => {
                let detail = format!("The chat's stored document is not JSON: {error}");
                return (
                    batch,
                    Some(Stop::Hopeless {
                        reason: "state-corrupt",
                        detail,
                    }),
                );
            }
        };
        let mut state: Option<Option<Box<RawValue>>> = None;
        let (started, mut stop) = (Instant::now(), None);
        // A turn that failed before runs its first update alone: the fault is then known to be its own.
        let most = if turn.attempts > 0 { 1 } else { turn.updates.len() };
        for queued in turn.updates.iter().take(most) {
            let bot = &turn.lease.lane.bot;
            if self.node.draining.is_cancelled() {
                stop = Some(Stop::Draining);
                break;
            }
            if !read.holds(self.node.options.revision_lease) || !self.floors.allows(bot, active.epoch) {
                stop = Some(Stop::Revision);
                break;
            }
            if started.elapsed() > LONGEST && !batch.ran.is_empty() {
                stop = Some(Stop::Time);
                break;
            }
            let cause = queued.dedup.to_string();
            let current = state.as_ref().map_or(before, |state| state.as_deref());
            let outcome = match self.read(queued, username) {
                Err(reason) => Err(reason),
                Ok(Read::Ignored) => {
                    self.node.meters.ignored.increment(1);
                    Ok(None)
                }
                Ok(Read::Update(update)) => self
                    .run_one(
                        turn,
                        queued,
                        &update,
                        &cause,
                        current,
                        (program, read, active.epoch),
                        username,
                    )
                    .instrument(span(turn, queued, &update, batch.ran.is_empty()))
                    .await
                    .map(Some)
                    .map_err(|failure| match failure {
                        Failure::Overtaken => Stop::Revision,
                        failure => Stop::Failed(failure),
                    }),
            };
            let mut ran = Ran {
                cause,
                at: queued.accepted_at,
                telemetry: Vec::new(),
                api_calls: Vec::new(),
                wall: None,
            };
            match outcome {
                Err(reason) => {
                    stop = Some(reason);
                    break;
                }
                Ok(None) => {}
                Ok(Some((done_state, messages, (telemetry, api_calls), wall))) => {
                    state = Some(done_state);
                    batch.messages.extend(messages);
                    ran.telemetry = telemetry;
                    ran.api_calls = api_calls;
                    ran.wall = Some(wall);
                }
            }
            batch.ran.push(ran);
        }
        if let Some(after) = state {
            let ttl_ms = program.state_ttl_ms;
            batch.state = match after {
                Some(text) if before.is_some_and(|before| before.get() == text.get()) => {
                    StateChange::Keep { ttl_ms }
                }
                None if before.is_none() => StateChange::Keep { ttl_ms },
                Some(text) => StateChange::Put {
                    document: Bytes::from(String::from(Box::<str>::from(text))),
                    ttl_ms,
                },
                None => StateChange::Delete,
            };
        }
        (batch, stop)
    }

    /// Reads an update and decides whether bot code gets to see it.
    fn read<'a>(&self, queued: &'a QueuedUpdate, username: Option<&str>) -> Result<Read<'a>, Stop> {
        let malformed = |detail: String| Stop::Hopeless {
            reason: DeadLetterReason::Malformed.as_str(),
            detail,
        };
        if let Some(migration) = Migration::of_synthetic(queued).map_err(&malformed)? {
            return Err(Stop::Migration(migration));
        }
        let text = std::str::from_utf8(&queued.envelope).map_err(|error| malformed(error.to_string()))?;
        let update = Routed::parse(text).map_err(|error| malformed(error.to_string()))?;
        if let Some(migration) = Migration::of_message(&update) {
            return Err(Stop::Migration(migration));
        }
        // The supergroup's half of the same news.
        if update
            .message
            .as_ref()
            .is_some_and(|message| message.migrate_from_chat_id.is_some())
        {
            return Ok(Read::Ignored);
        }
        let age = self.node.now().since(queued.accepted_at);
        let ttl = update.kind.ttl();
        if ttl < A_DAY && u128::try_from(age).is_ok_and(|age| age > ttl.as_millis()) {
            let detail = format!(
                "A {} is worth nothing after {} s.",
                update.kind.as_str(),
                ttl.as_secs()
            );
            return Err(Stop::Hopeless {
                reason: DeadLetterReason::Expired.as_str(),
                detail,
            });
        }
        if update.command().is_some_and(|command| !command.is_for(username)) {
            return Ok(Read::Ignored);
        }
        Ok(Read::Update(Box::new(update)))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all of it is the update; a struct for one call would only rename it"
    )]
    async fn run_one(
        &self,
        turn: &Turn,
        queued: &QueuedUpdate,
        update: &Routed<'_>,
        cause: &str,
        state: Option<&RawValue>,
        (program, read, epoch): (&Program, Asked, Epoch),
        username: Option<&str>,
    ) -> Result<
        (
            Option<Box<RawValue>>,
            Vec<OutMessage>,
            (Vec<Telemetry>, Vec<EndedCall>),
            Duration,
        ),
        Failure,
    > {
        let lane = &turn.lease.lane;
        let host = Host {
            pool: &self.node.pool,
            matcher: &self.node.matcher,
            api: &Fenced {
                executor: self,
                bot: &lane.bot,
                epoch,
                read,
            },
            places: &self.node.calls,
            overtaken: Overtaken::above(epoch, self.floors.watch(&lane.bot)),
        };
        let job = Job {
            program,
            event: &step_loop::event(update),
            context: &step_loop::context(update, queued.accepted_at, &program.zone, username),
            state,
            key: &format!("{}:{cause}", lane.bot),
            now: queued.accepted_at,
            fresh: false,
        };
        let done = step_loop::run(&host, &job).await?;
        let trace = carried(&Span::current());
        let messages = done
            .actions
            .into_iter()
            .map(|action| step_loop::message(action, &lane.chat, queued.accepted_at, (cause, trace.as_ref())))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Failure::bad_result)?;
        Ok((done.state, messages, (done.telemetry, done.api_calls), done.wall))
    }
}
