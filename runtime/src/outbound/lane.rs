//! Sending the messages of one lane, first to last, under its sender's lease.
//!
//! Longer than most files: what each answer of Telegram does to a message is decided and written down in one place.

use std::sync::Arc;
use std::time::Duration;

use botloom_core::bot_js::Ambiguous;
use botloom_core::event::BotEvent;
use botloom_core::fault;
use botloom_core::ids::Lane;
use botloom_core::ports::analytics::event::ERROR;
use botloom_core::ports::{
    AckOut, AckOutOutcome, AfterAck, Direction, LaneLease, OutMessage, OutTurn, QueuedMessage,
};
use botloom_core::time::TimestampMs;
use botloom_telegram::{CallError, Token};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::Sender;
use super::verdict::{AMBIGUOUS, Verdict, judge, shows_twice};
use crate::bots::Found;
use crate::executor::moved;
use crate::meters::count_dead_letters;
use crate::reports::{CHAT_BLOCKED, Run, plain, sent};
use crate::trace::{TARGET, child, continued};

/// Fifteenths of a lease after which it is renewed: 4 s of 15 s.
const RENEWED_AFTER: u32 = 4;
/// Fifteenths of a lease after which no send may begin under it: enough is then left for the send to end or be dropped
/// before somebody else may begin.
const OLDEST_FOR_SEND: u32 = 6;
/// Waits up to this are waited out under the lease; longer ones go back to the store.
const SHORT_WAIT: Duration = Duration::from_secs(5);
/// Pause of a lane that got no request within a short wait.
const NO_REQUEST: Duration = Duration::from_secs(1);
/// Pause when something is away that is not Telegram.
const TROUBLE: Duration = Duration::from_secs(5);
/// Pause between tries to note a send that happened.
const ACK_PAUSE: Duration = Duration::from_millis(250);
/// Tries of a node that goes down: 10 s. Losing the note doubles the message.
const LAST_ACKS: u32 = 40;

/// The lease was lost: whatever was going on was dropped.
struct Lost;

struct LaneSender {
    sender: Arc<Sender>,
    lease: LaneLease,
    leased: Instant,
    /// Messages that Telegram took.
    sent: u64,
}

/// Sends until the lane has no messages, must wait, or the node goes down.
pub(super) async fn send_all(sender: Arc<Sender>, turn: OutTurn, asked: Instant) {
    let mut next = Some(turn);
    let mut lane = LaneSender {
        sender,
        lease: LaneLease::clone(&next.as_ref().expect("just set").lease),
        leased: asked,
        sent: 0,
    };
    while let Some(turn) = next.take() {
        let Some(first) = turn.messages.first() else {
            return;
        };
        let span = lane.span(first);
        let Ok(verdict) = lane.deliver(first).instrument(span.clone()).await else {
            return;
        };
        let asked = Instant::now();
        next = lane.settle(first, verdict).instrument(span).await;
        if let Some(turn) = &next {
            lane.lease = turn.lease.clone();
            lane.leased = asked;
        }
    }
}

impl LaneSender {
    /// The span of a message from its turn in the outbox to the note of what became of it.
    fn span(&self, queued: &QueuedMessage) -> Span {
        let message = &queued.message;
        continued(message.trace.as_ref(), || {
            tracing::info_span!(
                target: TARGET,
                parent: None,
                "deliver",
                otel.kind = "consumer",
                messaging.system = "botloom",
                messaging.operation.type = "process",
                messaging.destination.name = "outbox",
                botloom.bot = %self.lease.lane.bot,
                botloom.method = message.method,
                botloom.attempt = queued.attempts + 1,
                botloom.verdict = Empty,
            )
        })
    }

    /// Gets one message to Telegram, or finds out why not.
    async fn deliver(&mut self, queued: &QueuedMessage) -> Result<Verdict, Lost> {
        let sender = Arc::clone(&self.sender);
        let (node, message) = (&sender.node, &queued.message);
        if message.not_after.is_some_and(|moment| node.now() > moment) {
            return Ok(Verdict::Expired);
        }
        if queued.maybe_sent && shows_twice(&message.method) {
            if message.ambiguous == Ambiguous::Skip {
                node.meters.ambiguous_skipped.increment(1);
                let detail = "A send of it had begun when its sender was lost; it may have arrived.";
                return Ok(Verdict::Dead(AMBIGUOUS.into(), detail.into()));
            }
            node.meters.ambiguous_resent.increment(1);
        }
        let bot = match node.bots.find(&self.lease.lane.bot).await {
            Ok(Found::Live(bot)) => bot,
            Ok(Found::Deleted | Found::Unknown) => return Ok(Verdict::NoToken),
            Err(_) => {
                return Ok(Verdict::Later {
                    wait: TROUBLE,
                    attempt: 0,
                });
            }
        };
        if bot.sending_token().is_none() {
            return Ok(Verdict::NoToken);
        }
        let lane = self.lease.lane.clone();
        match sender
            .pacer
            .reserve(&lane, &message.method, message.class, Instant::now(), SHORT_WAIT)
        {
            Err(wait) => return Ok(Verdict::Later { wait, attempt: 0 }),
            Ok(Duration::ZERO) => {}
            Ok(wait) => {
                node.meters.pace_seconds.record(wait);
                let span = child(|| tracing::info_span!(target: TARGET, "pace"));
                if !self
                    .keeping(unless_draining(&sender, tokio::time::sleep(wait)).instrument(span))
                    .await?
                {
                    return Ok(Verdict::GiveBack);
                }
            }
        }
        let mut place = None;
        let taking = async { place = timeout(SHORT_WAIT, sender.requests.take(&lane.bot)).await.ok() };
        if !self.keeping(unless_draining(&sender, taking)).await? {
            return Ok(Verdict::GiveBack);
        }
        if place.is_none() {
            // Its bot has all requests it may have: the lane's place is for lanes of others meanwhile.
            let wait = NO_REQUEST + jitter();
            return Ok(Verdict::Later { wait, attempt: 0 });
        }
        // The bot may have been told to wait while this message did.
        if let Some(wait) = sender.pacer.parked(&lane.bot, Instant::now()) {
            return Ok(Verdict::Later { wait, attempt: 0 });
        }
        if self.leased.elapsed() > sender.node.options.out_lease_part(OLDEST_FOR_SEND) {
            self.renew().await?;
        }
        // So may the bot have been given another token.
        let Some(bot) = node.bots.known(&lane.bot) else {
            return Ok(Verdict::GiveBack);
        };
        let Some(token) = bot.sending_token() else {
            return Ok(Verdict::NoToken);
        };
        if message.ambiguous == Ambiguous::Skip && shows_twice(&message.method) {
            match node.ports.outbox.begin_send(&self.lease).await {
                Ok(true) => {}
                Ok(false) => return Err(Lost),
                Err(_) => {
                    return Ok(Verdict::Later {
                        wait: TROUBLE,
                        attempt: 0,
                    });
                }
            }
        }
        if message.not_after.is_some_and(|moment| node.now() > moment) {
            return Ok(Verdict::Expired);
        }
        let outcome = self.send(token, &lane, message).await?;
        drop(place);
        let (verdict, ambiguous) = judge(&outcome, queued, &node.options.send);
        if verdict == Verdict::Unauthorized
            && let Err(error) = node.bots.refused(&bot).await
        {
            tracing::warn!(bot = %bot.id, error = %error, "a bot whose token is refused could not be suspended");
        }
        if ambiguous {
            let again = matches!(verdict, Verdict::Later { .. });
            let counter = if again {
                &node.meters.ambiguous_resent
            } else {
                &node.meters.ambiguous_skipped
            };
            counter.increment(1);
        }
        Ok(verdict)
    }

    async fn send(
        &mut self,
        token: &Token,
        lane: &Lane,
        message: &OutMessage,
    ) -> Result<Result<(), CallError>, Lost> {
        let sender = Arc::clone(&self.sender);
        let params = match sender.moved.get(lane) {
            Some(chat) => readdressed(&message.params, chat),
            None => message.params.clone(),
        };
        fault::point("before-send");
        let started = Instant::now();
        let span = child(|| {
            tracing::info_span!(
                target: TARGET,
                "call",
                otel.name = message.method,
                otel.kind = "client",
                otel.status_code = Empty,
                http.request.method = "POST",
                http.response.status_code = Empty,
                server.address = sender.node.telegram.host(),
                error.type = Empty,
                botloom.retry_after_s = Empty,
            )
        });
        let call = sender.node.telegram.call_raw(token, &message.method, params);
        let outcome = Box::pin(self.keeping(call.instrument(span.clone())))
            .await?
            .map(|_| ());
        describe(&span, &outcome);
        fault::point("after-send");
        sender.node.meters.send_seconds.record(started.elapsed());
        sender.node.meters.answered(&outcome);
        Ok(outcome)
    }

    /// Writes down what became of the message. Answers the next turn of the lane, if there is one.
    async fn settle(&mut self, queued: &QueuedMessage, verdict: Verdict) -> Option<OutTurn> {
        let sender = Arc::clone(&self.sender);
        let node = &sender.node;
        Span::current().record("botloom.verdict", verdict.name());
        let goes_on = if node.draining.is_cancelled() {
            AfterAck::Release
        } else {
            AfterAck::Keep
        };
        let mut ack = AckOut {
            lease: self.lease.clone(),
            sent: 0,
            dead: None,
            dead_all: false,
            after: goes_on,
        };
        match verdict {
            Verdict::Sent => {
                node.meters.sent.increment(1);
                self.report_sent(&queued.message);
                sender
                    .deliveries
                    .sent(&self.lease.lane, &queued.message.cause, node.now());
                ack.sent = 1;
            }
            Verdict::Expired => {
                node.meters.send_expired.increment(1);
                ack.sent = 1;
            }
            Verdict::Dead(reason, detail) => {
                tracing::info!(lane = %self.lease.lane, method = queued.message.method, update = queued.message.cause, reason, detail, "a message was set aside");
                ack.dead = Some((reason, detail));
            }
            Verdict::ChatGone(reason, detail) => {
                self.report_gone(queued, &detail);
                ack.dead = Some((reason, detail));
                ack.dead_all = true;
                ack.after = AfterAck::Release;
            }
            Verdict::Later { wait, attempt } => {
                node.meters.send_retries.increment(u64::from(attempt));
                let until = self.moment_after(wait);
                ack.after = AfterAck::Delay { until, attempt };
            }
            Verdict::FloodWait(wait) => {
                let wait = wait + jitter();
                node.meters.flood_waits.increment(1);
                let until = self.moment_after(wait);
                ack.after = AfterAck::FloodWait { until };
                let now = Instant::now();
                if sender.pacer.refused(&self.lease.lane, now, now + wait) {
                    self.park(wait).await;
                }
            }
            Verdict::MovedTo(chat) => {
                sender.moved.insert(self.lease.lane.clone(), chat);
                if let Err(error) = moved(node, &self.lease.lane, chat).await {
                    tracing::warn!(lane = %self.lease.lane, error = %error, "the move of a chat could not be noted");
                }
            }
            Verdict::Unauthorized | Verdict::NoToken => {
                sender.rest_without_token(&self.lease.lane.bot).await;
                ack.after = AfterAck::Release;
            }
            Verdict::GiveBack => ack.after = AfterAck::Release,
        }
        let span = child(|| tracing::info_span!(target: TARGET, "acknowledge"));
        self.acknowledge(ack).instrument(span).await
    }

    /// Writes down what became of a message, however long the store is away: what is forgotten is sent again, and nobody
    /// else takes the lane over without that store. `None`: somebody did, or the node goes down.
    async fn note(&mut self, ack: &mut AckOut) -> Option<AckOutOutcome> {
        let sender = Arc::clone(&self.sender);
        let (node, mut tries, mut last) = (&sender.node, 0, 0);
        loop {
            let error = match node.ports.outbox.ack_out(vec![ack.clone()]).await {
                Ok(outcomes) => return outcomes.into_iter().next(),
                Err(error) => error,
            };
            if tries == 0 {
                tracing::warn!(lane = %self.lease.lane, error = %error, "a send could not be noted yet");
            }
            tries += 1;
            if node.draining.is_cancelled() {
                last += 1;
                if last > LAST_ACKS {
                    return None;
                }
            }
            tokio::time::sleep(ACK_PAUSE).await;
            if self.leased.elapsed() > node.options.out_lease_part(RENEWED_AFTER) {
                let asked = Instant::now();
                let leases = std::slice::from_ref(&self.lease);
                match node.ports.outbox.renew_out(leases).await.as_deref() {
                    Ok([Some(token)]) => {
                        self.lease.token = *token;
                        self.leased = asked;
                        ack.lease = self.lease.clone();
                    }
                    Ok(_) => return None,
                    // The note is tried all the same: nobody may have taken the lane over.
                    Err(_) => {}
                }
            }
        }
    }

    async fn acknowledge(&mut self, mut ack: AckOut) -> Option<OutTurn> {
        let sender = Arc::clone(&self.sender);
        let node = &sender.node;
        let reason = ack.dead.as_ref().map(|(reason, _)| reason.clone());
        let outcome = self.note(&mut ack).await;
        if matches!(ack.after, AfterAck::Delay { .. } | AfterAck::FloodWait { .. }) {
            sender.delayed.notify_one();
        }
        let Some(AckOutOutcome::Done { next, dead_letters }) = outcome else {
            node.meters.fenced.increment(1);
            return None;
        };
        if let Some(reason) = &reason {
            let letters = dead_letters.len() as u64;
            node.meters.dead_out.increment(letters);
            count_dead_letters(Direction::Out, reason, letters);
            let fields = json!({ "reason": reason, "direction": Direction::Out.as_str() }).to_string();
            for id in &dead_letters {
                node.reports.record(plain(self.run(id), ERROR, fields.clone()));
            }
        }
        if let (Some(reason), Some(bot)) = (reason, node.bots.known(&self.lease.lane.bot)) {
            for id in dead_letters {
                let (direction, reason) = (Direction::Out.as_str().to_owned(), reason.clone());
                node.reports.tell(
                    bot.project,
                    &bot.id,
                    BotEvent::DeadLettered {
                        direction,
                        id,
                        reason,
                    },
                );
            }
        }
        next.map(|turn| *turn)
    }

    fn moment_after(&self, wait: Duration) -> TimestampMs {
        let ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        self.sender.node.now().plus(ms)
    }

    async fn park(&self, wait: Duration) {
        let node = &self.sender.node;
        let bot = &self.lease.lane.bot;
        let until = self.moment_after(wait);
        tracing::warn!(%bot, secs = wait.as_secs(), "Telegram asks the bot to pause");
        if let Err(error) = node.ports.outbox.park(bot, Some(until)).await {
            tracing::warn!(%bot, error = %error, "a bot could not be parked");
        }
    }

    /// What rows of telemetry about this lane share.
    fn run<'a>(&'a self, cause: &'a str) -> Run<'a> {
        Run {
            bot: &self.lease.lane.bot,
            chat: &self.lease.lane.chat,
            rev: None,
            at: self.sender.node.now(),
            cause,
        }
    }

    fn report_sent(&mut self, message: &OutMessage) {
        self.sent += 1;
        let number = format!("{}.{}", self.lease.token.0, self.sent);
        let fields = json!({ "method": message.method }).to_string();
        let row = sent(self.run(&message.cause), &number, fields);
        self.sender.node.reports.record(row);
    }

    /// Tells the author that a chat is closed to the bot.
    fn report_gone(&self, queued: &QueuedMessage, detail: &str) {
        let fields = json!({ "detail": detail }).to_string();
        let row = plain(self.run(&queued.message.cause), CHAT_BLOCKED, fields);
        self.sender.node.reports.record(row);
    }

    /// Does `work` and renews the lease meanwhile.
    async fn keeping<F: Future>(&mut self, work: F) -> Result<F::Output, Lost> {
        let renewed_after = self.sender.node.options.out_lease_part(RENEWED_AFTER);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                output = &mut work => return Ok(output),
                () = tokio::time::sleep_until(self.leased + renewed_after) => self.renew().await?,
            }
        }
    }

    async fn renew(&mut self) -> Result<(), Lost> {
        let asked = Instant::now();
        let leases = std::slice::from_ref(&self.lease);
        match self
            .sender
            .node
            .ports
            .outbox
            .renew_out(leases)
            .await
            .map(|tokens| tokens.first().copied().flatten())
        {
            Ok(Some(token)) => {
                self.lease.token = token;
                self.leased = asked;
                Ok(())
            }
            Ok(None) => {
                self.sender.node.meters.fenced.increment(1);
                Err(Lost)
            }
            Err(error) => {
                tracing::warn!(lane = %self.lease.lane, error = %error, "a sender's lease could not be renewed");
                if self.leased.elapsed()
                    > self
                        .sender
                        .node
                        .options
                        .out_lease_part(RENEWED_AFTER + OLDEST_FOR_SEND)
                {
                    // Too close to its end: somebody else may begin to send.
                    return Err(Lost);
                }
                tokio::time::sleep(ACK_PAUSE).await;
                Ok(())
            }
        }
    }
}

/// Telegram's answer, without its words.
fn describe(span: &Span, outcome: &Result<(), CallError>) {
    let status = match outcome {
        Ok(()) => Some(200),
        Err(CallError::Api { code, parameters, .. }) => {
            if let Some(secs) = parameters.retry_after {
                span.record("botloom.retry_after_s", secs);
            }
            Some(*code)
        }
        Err(CallError::BadAnswer { status, .. }) => Some(*status),
        Err(CallError::Connect { .. } | CallError::Ambiguous { .. } | CallError::BadCall { .. }) => None,
    };
    if let Some(status) = status {
        span.record("http.response.status_code", status);
    }
    if let Err(error) = outcome {
        let kind = match error {
            CallError::Api { .. } => "refused",
            CallError::Connect { .. } => "unreachable",
            CallError::Ambiguous { .. } => "no-answer",
            CallError::BadAnswer { .. } => "bad-answer",
            CallError::BadCall { .. } => "bad-call",
        };
        span.record("error.type", kind);
        span.record("otel.status_code", "ERROR");
    }
}

/// Whether `work` came to its end before the node began to go down.
async fn unless_draining(sender: &Sender, work: impl Future<Output = ()>) -> bool {
    tokio::select! {
        biased;
        () = work => true,
        () = sender.node.draining.cancelled() => false,
    }
}

/// So that chats that were told the same moment do not all come back at it.
fn jitter() -> Duration {
    Duration::from_millis(rand::random_range(20..250))
}

/// The parameters with another chat id.
fn readdressed(params: &Bytes, chat: i64) -> Bytes {
    let Ok(mut map) = serde_json::from_slice::<Map<String, Value>>(params) else {
        return params.clone();
    };
    if let Some(id) = map.get_mut("chat_id") {
        *id = chat.into();
    }
    serde_json::to_vec(&map).map_or_else(|_| params.clone(), Bytes::from)
}
