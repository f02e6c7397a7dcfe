//! Messages out: per chat in order, paced, at most one request per chat at a time.
//!
//! `claims` fetches lanes with messages, `lane` sends one lane's messages, `verdict` says what an answer of Telegram
//! means for the queue, `pacer` says when the next message may leave, `shares` divides the rates of a bot between nodes.

mod claims;
mod delivery;
mod gcra;
mod lane;
mod pacer;
mod shares;
mod verdict;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use botloom_core::ids::{BotId, Lane};
use botloom_core::ports::OutTurn;
use botloom_core::time::TimestampMs;
use moka::sync::Cache;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::node::Node;
use crate::slots::Slots;
use delivery::Deliveries;
use pacer::Pacer;

/// Chats that moved, remembered so that what is queued for the old id is sent to the new one.
const MOVED_KEPT: u64 = 10_000;
/// How long a bot without a usable token rests before its messages are looked at again. A new token ends the rest.
const NO_TOKEN: Duration = Duration::from_mins(1);

/// The sender of a node.
#[derive(Debug)]
pub(crate) struct Sender {
    node: Arc<Node>,
    pacer: Pacer,
    requests: Slots,
    chats: Arc<Semaphore>,
    moved: Cache<Lane, i64>,
    deliveries: Deliveries,
    /// Told when a lane was delayed: the next claim learns until when.
    delayed: Notify,
    /// Bots that rest for want of a token.
    tokenless: Mutex<HashSet<BotId>>,
}

impl Sender {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        let limits = node.options.send;
        Self {
            pacer: Pacer::new(limits),
            requests: Slots::new(limits.requests, limits.requests_per_bot),
            chats: Arc::new(Semaphore::new(limits.chats)),
            moved: Cache::new(MOVED_KEPT),
            deliveries: Deliveries::new(node.meters.delivery_seconds.clone()),
            delayed: Notify::new(),
            tokenless: Mutex::default(),
            node,
        }
    }

    /// A place for a lane that is about to have messages, if there is one now.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        if self.node.draining.is_cancelled() {
            return None;
        }
        Arc::clone(&self.chats).try_acquire_owned().ok()
    }

    /// Remembers when an update came in that was committed with messages.
    pub(crate) fn expect(&self, lane: &Lane, cause: &str, accepted_at: TimestampMs) {
        self.deliveries.expect(lane, cause, accepted_at);
    }

    /// Sends a lane's messages in a task of its own. The lease counts from `asked`.
    pub(crate) fn start(self: &Arc<Self>, turn: OutTurn, asked: Instant, place: OwnedSemaphorePermit) {
        let sender = Arc::clone(self);
        self.node.tasks.spawn(async move {
            lane::send_all(sender, turn, asked).await;
            drop(place);
        });
    }

    /// Lets a bot rest that has no usable token (any more). Its messages stay.
    async fn rest_without_token(&self, bot: &BotId) {
        if self
            .node
            .bots
            .known(bot)
            .is_some_and(|bot| bot.sending_token().is_some())
        {
            // It was given another one meanwhile.
            return;
        }
        self.tokenless
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(bot.clone());
        let until = self
            .node
            .now()
            .plus(i64::try_from(NO_TOKEN.as_millis()).unwrap_or(i64::MAX));
        if let Err(error) = self.node.ports.outbox.park(bot, Some(until)).await {
            tracing::warn!(%bot, error = %error, "a bot without a token could not be parked");
        }
    }

    /// Ends the rest of bots that were given a token, until the node goes down.
    pub(crate) async fn follow_tokens(self: Arc<Self>) {
        let mut changes = self.node.bots.changes();
        loop {
            tokio::select! {
                () = self.node.draining.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
            let resting: Vec<BotId> = self
                .tokenless
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .cloned()
                .collect();
            for bot in resting {
                let can_send = self
                    .node
                    .bots
                    .known(&bot)
                    .is_some_and(|bot| bot.sending_token().is_some());
                if can_send && self.node.ports.outbox.park(&bot, None).await.is_ok() {
                    self.pacer.unpark(&bot);
                    self.tokenless
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .remove(&bot);
                }
            }
        }
    }
}
