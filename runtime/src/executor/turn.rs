//! One turn from its start to its commit.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use botloom_core::fault;
use botloom_core::ids::BotId;
use botloom_core::ports::analytics::event::UPDATE_HANDLED;
use botloom_core::ports::{ActiveRevision, Commit, CommitOutcome, NextTurn, StateChange, StoreResult};
use serde_json::json;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::batch::{Batch, Stop};
use super::parking::{TROUBLE, Why};
use super::{Asked, Executor, Held, parking};
use crate::bots::Found;
use crate::reports::{Run, api_calls, from_bot_code, plain};
use crate::step_loop::Failure;
use crate::trace::{TARGET, child, continued, link};

/// A lane is kept for further turns at most this long and for so many updates.
const CHAIN: (Duration, usize) = (Duration::from_millis(200), 16);
/// Tries after which an update runs alone in the quarantine of its bot.
const SUSPECT: u32 = 2;
/// Ends of a lease without any outcome after which an update is given up: it takes whole processes with it.
const POISON: u32 = 10;
/// Times that an update may find its revision too old before it is run, in a row.
const STALE: u32 = 5;
/// Run time that counts as one more turn, for fairness between bots.
const CHARGE: Duration = Duration::from_millis(5);

fn name(outcome: &StoreResult<Vec<CommitOutcome>>) -> &'static str {
    match outcome.as_ref().map(|outcomes| outcomes.first()) {
        Ok(Some(CommitOutcome::Committed { .. })) => "committed",
        Ok(Some(CommitOutcome::Stale(_))) => "stale",
        Ok(Some(CommitOutcome::Fenced) | None) => "fenced",
        Err(_) => "unknown",
    }
}

/// How a commit ended.
enum Committed {
    Next(Option<Held>),
    /// The bot flipped, or may have: run again.
    Stale(Held),
}

impl Executor {
    /// Runs a turn and, while nobody else waits, the next ones of its lane.
    pub(super) async fn chain(self: &Arc<Self>, held: Held) {
        let (started, mut updates) = (Instant::now(), 0);
        let mut next = Some(held);
        while let Some(held) = next {
            let may_keep = started.elapsed() < CHAIN.0
                && updates < CHAIN.1
                && !self.backlogged.load(Ordering::Relaxed)
                && !self.node.draining.is_cancelled();
            updates += held.turn.updates.len();
            let span = self.span(&held);
            next = self.turn(held, may_keep).instrument(span).await;
        }
    }

    /// A turn belongs to the trace of its first update; those of the others are linked.
    fn span(&self, held: &Held) -> Span {
        let turn = &held.turn;
        let Some((first, others)) = turn.updates.split_first() else {
            return Span::none();
        };
        let span = continued(first.trace.as_ref(), || {
            tracing::info_span!(
                target: TARGET,
                parent: None,
                "turn",
                otel.kind = "consumer",
                messaging.system = "botloom",
                messaging.operation.type = "process",
                messaging.destination.name = "lanes",
                messaging.batch.message_count = turn.updates.len(),
                botloom.bot = %held.bot(),
                botloom.attempt = turn.attempts + 1,
                botloom.queue_ms = self.node.now().since(first.accepted_at),
            )
        });
        for other in others {
            link(&span, other.trace.as_ref());
        }
        span
    }

    async fn turn(self: &Arc<Self>, mut held: Held, may_keep: bool) -> Option<Held> {
        // Before anything is counted: what waits for a pause waits for no place, and was not begun.
        if self.node.bots.known(held.bot()).is_some_and(|bot| bot.paused) {
            self.wait(held, (self.node.options.park, Why::Paused)).await;
            return None;
        }
        let attempts = held.turn.attempts;
        let alone = if attempts >= SUSPECT {
            self.quarantine.enter(held.bot())
        } else {
            None
        };
        if attempts >= SUSPECT && alone.is_none() {
            self.wait(held, (parking::CAPPED, Why::Trouble)).await;
            return None;
        }
        if attempts >= POISON {
            let detail = format!("The update was begun {attempts} times and never came to an end.");
            self.fail(held, 1, "never-ended", detail).await;
            return None;
        }
        if let Some(first) = held.turn.updates.first().filter(|_| attempts == 0) {
            let waited = self.node.now().since(first.accepted_at);
            let waited = Duration::from_millis(u64::try_from(waited).unwrap_or(0));
            self.node.meters.queue_seconds.record(waited);
            // Only while places are short: else it waited for its own chat, which says nothing about the bot.
            if self.backlogged.load(Ordering::Relaxed) {
                self.load.started(held.bot(), waited);
            }
        }
        for _ in 0..STALE {
            match self.once(held, may_keep).await? {
                Committed::Next(next) => return next,
                Committed::Stale(again) => held = again,
            }
        }
        // The store answers too late for what it says to be relied on.
        self.wait(held, (TROUBLE, Why::Trouble)).await;
        None
    }

    async fn once(self: &Arc<Self>, mut held: Held, may_keep: bool) -> Option<Committed> {
        let bot = match self.node.bots.find(held.bot()).await {
            Ok(Found::Live(bot)) => Some(bot),
            Ok(Found::Deleted) => {
                self.forget(held.bot()).await;
                return None;
            }
            Ok(Found::Unknown) => None,
            // Without the bot's name a command to it looks like one to another bot.
            Err(error) => {
                tracing::warn!(bot = %held.bot(), error = %error, "a bot cannot be read, its updates wait");
                self.wait(held, (TROUBLE, Why::Trouble)).await;
                return None;
            }
        };
        if bot.as_ref().is_some_and(|bot| bot.paused) {
            self.wait(held, (self.node.options.park, Why::Paused)).await;
            return None;
        }
        let active = match self.active(&mut held).await {
            Ok(active) => active,
            Err(wait) => {
                self.wait(held, wait).await;
                return None;
            }
        };
        let program = match self.program(&held, active).await {
            Ok(program) => program,
            Err(wait) => {
                self.wait(held, wait).await;
                return None;
            }
        };
        self.node.reports.keep_for(held.bot(), program.analytics_ttl_ms);
        let username = bot.as_ref().and_then(|bot| bot.username.as_deref());
        let Held {
            turn,
            lease,
            leased,
            read,
        } = &mut held;
        let work = self.batch(turn, (*read, active), &program, username);
        let (batch, stop) = Box::pin(self.keeping(lease, leased, work)).await?;
        if !batch.ran.is_empty() {
            let failure = match stop {
                Some(Stop::Failed(failure @ Failure::Program { .. })) => Some(failure),
                _ => None,
            };
            let committed = self
                .commit(held, active, batch, may_keep || failure.is_some())
                .await?;
            return match (committed, failure) {
                // The one that failed is the first now: this was a try of it.
                (Committed::Next(Some(next)), Some(failure)) if next.turn.revision == Some(active) => {
                    self.failed(next, failure).await;
                    None
                }
                (committed, _) => Some(committed),
            };
        }
        match stop {
            Some(Stop::Failed(failure)) => self.failed(held, failure).await,
            Some(Stop::Hopeless { reason, detail }) => self.fail(held, 1, reason, detail).await,
            Some(Stop::Migration(step)) => self.migrate(held, step, program.state_ttl_ms).await,
            Some(Stop::Revision) => return Some(Committed::Stale(held)),
            Some(Stop::Time | Stop::Draining) | None => self.give_back(&[held.lease]).await,
        }
        None
    }

    /// Nobody is there any more for the updates of a deleted bot; some may have come in beside its deletion.
    async fn forget(&self, bot: &BotId) {
        match self.node.ports.lanes.purge(bot).await {
            Ok(()) => tracing::info!(%bot, "what waited for a deleted bot was removed"),
            Err(error) => {
                tracing::warn!(%bot, error = %error, "a deleted bot's lanes could not be removed, their leases will end");
            }
        }
    }

    async fn commit(
        self: &Arc<Self>,
        mut held: Held,
        active: ActiveRevision,
        batch: Batch,
        may_keep: bool,
    ) -> Option<Committed> {
        let Batch { state, messages, ran } = batch;
        let place = if messages.is_empty() {
            None
        } else {
            self.sender.place()
        };
        let wall: Duration = ran.iter().filter_map(|ran| ran.wall).sum();
        if !messages.is_empty() {
            for ran in &ran {
                self.sender.expect(&held.lease.lane, &ran.cause, ran.at);
            }
        }
        let commit = Commit {
            lease: held.lease.clone(),
            revision: Some(active),
            updates: ran.len(),
            state,
            messages,
            want_out: place.is_some(),
            next: if may_keep {
                NextTurn::Keep
            } else {
                NextTurn::Release
            },
            charge: u32::try_from(wall.as_micros() / CHARGE.as_micros()).unwrap_or(u32::MAX),
        };
        fault::point("before-commit");
        let asked = Asked::now(&self.node);
        let span = child(|| {
            tracing::info_span!(
                target: TARGET,
                "commit",
                botloom.updates = commit.updates,
                botloom.messages = commit.messages.len(),
                botloom.epoch = active.epoch.0,
                botloom.outcome = Empty,
            )
        });
        let committing = self.node.ports.lanes.commit(vec![commit]);
        let outcome = committing.instrument(span.clone()).await;
        span.record("botloom.outcome", name(&outcome));
        fault::point("after-commit");
        let meters = &self.node.meters;
        meters.commit_seconds.record(asked.at().elapsed());
        match outcome.map(|outcomes| outcomes.into_iter().next()) {
            Ok(Some(CommitOutcome::Committed { next, out })) => {
                if let (Some(out), Some(place)) = (out, place) {
                    self.sender.start(*out, asked.at(), place);
                }
                meters.handled.increment(ran.len() as u64);
                meters.handle_seconds.record(wall);
                self.record(&held, active, ran);
                Some(Committed::Next(next.map(|turn| Held::new(turn, asked))))
            }
            Ok(Some(CommitOutcome::Stale(revision))) => {
                meters.stale.increment(1);
                held.turn.revision = revision;
                held.read = asked;
                Some(Committed::Stale(held))
            }
            Ok(Some(CommitOutcome::Fenced) | None) => {
                meters.fenced.increment(1);
                None
            }
            Err(error) => {
                // Whether it happened is unknown. If it did, the lane is free; if not, the lease ends and it is run again.
                tracing::warn!(lane = %held.lease.lane, error = %error, "a commit was not confirmed");
                None
            }
        }
    }

    /// Takes the first update off without bot code.
    pub(super) async fn commit_without_run(&self, held: Held, state: StateChange) {
        let commit = Commit {
            lease: held.lease,
            revision: None,
            updates: 1,
            state,
            messages: Vec::new(),
            want_out: false,
            next: NextTurn::Release,
            charge: 0,
        };
        match self.node.ports.lanes.commit(vec![commit]).await {
            Ok(_) => self.node.meters.ignored.increment(1),
            Err(error) => tracing::warn!(error = %error, "a commit was not confirmed"),
        }
    }

    fn record(&self, held: &Held, active: ActiveRevision, ran: Vec<super::batch::Ran>) {
        let lane = &held.lease.lane;
        let by_code = ran.iter().filter(|ran| ran.wall.is_some()).count();
        self.node.outcomes.ok(&lane.bot, active.epoch, by_code as u64);
        for ran in ran {
            let Some(wall) = ran.wall else { continue };
            tracing::debug!(%lane, update = ran.cause, rev = %active.rev, epoch = %active.epoch, ?wall, "an update was handled");
            let run = Run {
                bot: &lane.bot,
                chat: &lane.chat,
                rev: Some(active.rev),
                at: ran.at,
                cause: &ran.cause,
            };
            for row in from_bot_code(run, ran.telemetry).chain(api_calls(run, ran.api_calls)) {
                self.node.reports.record(row);
            }
            let micros = u64::try_from(wall.as_micros()).unwrap_or(u64::MAX);
            let latency = self.node.now().since(ran.at).max(0);
            let fields = json!({ "latencyMs": latency, "wallUs": micros }).to_string();
            self.node.reports.record(plain(run, UPDATE_HANDLED, fields));
        }
    }
}
