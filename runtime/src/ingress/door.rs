//! Where updates come in, whoever brings them: the webhook or polling.
//!
//! `Ok` is the promise of the whole runtime: each update is durable in its lane, or was before, or is a dead letter.

use std::sync::Arc;
use std::time::Duration;

use botloom_core::TraceParent;
use botloom_core::event::BotEvent;
use botloom_core::fault;
use botloom_core::ids::{ChatId, Lane};
use botloom_core::ports::{
    DeadLetterReason, DedupKey, Direction, Ingest, IngestOutcome, NewDeadLetter, StoreResult, Turn,
};
use botloom_core::time::TimestampMs;
use botloom_telegram::update::Routed;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;
use tracing::Instrument;
use tracing::field::Empty;

use super::Load;
use crate::bots::LiveBot;
use crate::executor::{Asked, Executor, Held};
use crate::meters::count_dead_letters;
use crate::node::Node;
use crate::slots::Slot;
use crate::trace::{TARGET, carried};

/// What is kept of an update that is no update. One that has no room is kept whole, so that it can be replayed.
const KEPT: usize = 64 * 1024;

/// Why updates were not taken. Whoever brought them brings them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The bot is too far behind.
    Busy,
    /// The store is away, or this node is going down.
    Unavailable,
}

/// The door.
#[derive(Debug)]
pub(crate) struct Door {
    node: Arc<Node>,
    executor: Arc<Executor>,
    load: Load,
    persisting: Arc<Semaphore>,
}

/// Updates of one bot, read.
#[derive(Debug, Default)]
struct Sorted {
    updates: Vec<Ingest>,
    /// One for each update: its place, if it can be executed at once.
    slots: Vec<Option<Slot>>,
    malformed: Vec<(Bytes, String)>,
}

impl Door {
    pub(crate) fn new(node: Arc<Node>, executor: Arc<Executor>, load: Load) -> Self {
        let persisting = Arc::new(Semaphore::new(node.options.persisting));
        Self {
            node,
            executor,
            load,
            persisting,
        }
    }

    /// Takes updates in, in their order. All or nothing, as far as the caller knows: after a refusal some may be in,
    /// and are duplicates when they come again.
    pub(crate) async fn accept(
        self: &Arc<Self>,
        bot: &Arc<LiveBot>,
        bodies: Vec<Bytes>,
    ) -> Result<(), Refusal> {
        let meters = &self.node.meters;
        if self.load.is_behind(&bot.id) {
            meters.refused_busy.increment(1);
            return Err(Refusal::Busy);
        }
        let span = tracing::info_span!(
            target: TARGET,
            "ingest",
            otel.kind = "producer",
            otel.status_code = Empty,
            messaging.system = "botloom",
            messaging.operation.type = "send",
            messaging.destination.name = "lanes",
            messaging.batch.message_count = bodies.len(),
            botloom.bot = %bot.id,
        );
        let sorted = self.sort(bot, bodies, carried(&span).as_ref());
        let outcome = self
            .persist(Arc::clone(bot), sorted)
            .instrument(span.clone())
            .await;
        if outcome.is_err() {
            span.record("otel.status_code", "ERROR");
            meters.refused_unavailable.increment(1);
        }
        outcome
    }

    /// Sets an update aside that was too large to be read.
    pub(crate) async fn refuse_oversized(
        self: &Arc<Self>,
        bot: &Arc<LiveBot>,
        head: Bytes,
    ) -> Result<(), Refusal> {
        let detail = "The update is larger than 1 MiB; its first 64 KiB are kept.".to_owned();
        let sorted = Sorted {
            malformed: vec![(head, detail)],
            ..Sorted::default()
        };
        self.persist(Arc::clone(bot), sorted).await
    }

    fn sort(&self, bot: &LiveBot, bodies: Vec<Bytes>, trace: Option<&TraceParent>) -> Sorted {
        let mut sorted = Sorted::default();
        let accepted_at = self.node.now();
        for body in bodies {
            match read(bot, &body, accepted_at) {
                Ok(mut ingest) => {
                    let slot = self.executor.slot_at_once(&bot.id);
                    ingest.want_turn = slot.is_some();
                    ingest.trace = trace.cloned();
                    sorted.updates.push(ingest);
                    sorted.slots.push(slot);
                }
                Err(detail) => sorted.malformed.push((body, detail)),
            }
        }
        sorted
    }

    /// Stores in a task of its own: it goes on when the caller gives up or goes away, so that a turn that was granted
    /// meanwhile is executed and not left to its lease.
    async fn persist(self: &Arc<Self>, bot: Arc<LiveBot>, sorted: Sorted) -> Result<(), Refusal> {
        let permit = Arc::clone(&self.persisting)
            .try_acquire_owned()
            .map_err(|_| Refusal::Unavailable)?;
        if self.node.draining.is_cancelled() {
            return Err(Refusal::Unavailable);
        }
        let (tell, told) = oneshot::channel();
        let door = Arc::clone(self);
        self.node
            .tasks
            .spawn(async move { door.store(bot, sorted, permit, tell).await });
        let within: Duration = self.node.options.persist_within;
        match tokio::time::timeout(within, told).await {
            Ok(Ok(true)) => Ok(()),
            _ => Err(Refusal::Unavailable),
        }
    }

    async fn store(
        self: Arc<Self>,
        bot: Arc<LiveBot>,
        sorted: Sorted,
        permit: OwnedSemaphorePermit,
        tell: oneshot::Sender<bool>,
    ) {
        let asked = Asked::now(&self.node);
        let mut granted = match self.write(&bot, sorted).await {
            Ok(granted) => granted,
            Err(error) => {
                tracing::warn!(bot = %bot.id, error = %error, "updates could not be stored, Telegram keeps them");
                // The receiver may be gone; then nobody needs to know.
                let _ = tell.send(false);
                return;
            }
        };
        drop(permit);
        fault::point("after-ingest");
        let _ = tell.send(true);
        let own = granted.pop();
        for (turn, slot) in granted {
            self.executor.start(Held::new(turn, asked), slot);
        }
        if let Some((turn, slot)) = own {
            self.executor.run(Held::new(turn, asked), slot).await;
        }
    }

    async fn write(&self, bot: &LiveBot, sorted: Sorted) -> StoreResult<Vec<(Box<Turn>, Slot)>> {
        let Sorted {
            updates,
            slots,
            malformed,
        } = sorted;
        let meters = &self.node.meters;
        for (body, detail) in malformed {
            let kept = body.slice(..body.len().min(KEPT));
            self.set_aside(bot, None, DeadLetterReason::Malformed, detail, kept)
                .await?;
            meters.malformed.increment(1);
        }
        if updates.is_empty() {
            return Ok(Vec::new());
        }
        // Cheap: the envelopes are shared.
        let copies = updates.clone();
        let asked = Instant::now();
        let outcomes = self.node.ports.lanes.ingest(updates).await?;
        meters.persist_seconds.record(asked.elapsed());
        let mut granted = Vec::new();
        for ((outcome, ingest), slot) in outcomes.into_iter().zip(copies).zip(slots) {
            match outcome {
                IngestOutcome::Duplicate => meters.duplicates.increment(1),
                IngestOutcome::Queued | IngestOutcome::Ready { .. } => meters.accepted.increment(1),
                IngestOutcome::Granted(turn) => {
                    meters.accepted.increment(1);
                    match slot {
                        Some(slot) => granted.push((turn, slot)),
                        None => self.node.ports.lanes.release(&[turn.lease]).await?,
                    }
                }
                IngestOutcome::Full => {
                    let detail = format!(
                        "{} updates of the chat wait already.",
                        self.node.options.lanes.queue_cap
                    );
                    let chat = Some(ingest.lane.chat);
                    self.set_aside(bot, chat, DeadLetterReason::Overflow, detail, ingest.envelope)
                        .await?;
                    meters.overflows.increment(1);
                }
            }
        }
        Ok(granted)
    }

    async fn set_aside(
        &self,
        bot: &LiveBot,
        chat: Option<ChatId>,
        reason: DeadLetterReason,
        detail: String,
        body: Bytes,
    ) -> StoreResult<()> {
        let letter = NewDeadLetter {
            bot: bot.id.clone(),
            chat,
            reason: reason.as_str().to_owned(),
            detail,
            body,
            at: self.node.now(),
        };
        let id = self.node.ports.dead_letters.set_aside(letter).await?;
        count_dead_letters(Direction::In, reason.as_str(), 1);
        let (direction, reason) = (Direction::In.as_str().to_owned(), reason.as_str().to_owned());
        self.node.reports.tell(
            bot.project,
            &bot.id,
            BotEvent::DeadLettered {
                direction,
                id,
                reason,
            },
        );
        Ok(())
    }
}

fn read(bot: &LiveBot, body: &Bytes, accepted_at: TimestampMs) -> Result<Ingest, String> {
    let text = std::str::from_utf8(body).map_err(|_| "The update is not UTF-8.".to_owned())?;
    let update = Routed::parse(text).map_err(|error| error.to_string())?;
    let chat = ChatId::new(update.chat_key()).map_err(|error| error.to_string())?;
    Ok(Ingest {
        lane: Lane {
            bot: bot.id.clone(),
            chat,
        },
        dedup: DedupKey::Update(update.update_id),
        envelope: body.clone(),
        accepted_at,
        trace: None,
        want_turn: false,
    })
}
