//! Turns: a lane's first updates, run through bot code and committed in one atomic step.
//!
//! `claims` fetches turns, `turn` carries one to its end, `batch` runs its updates, `floors` and the age of a claim
//! decide on which revision an update may start, `parking` holds turns that cannot start yet.

mod batch;
mod claims;
mod failing;
mod fenced;
mod floors;
mod migration;
mod notices;
mod parking;
mod quarantine;
mod renewal;
mod repair;
mod revision;
mod turn;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use botloom_core::ids::{BotId, Epoch};
use botloom_core::ports::{LaneLease, Turn};
use metrics::Gauge;
use tokio::sync::Notify;
use tokio::time::Instant;

pub(crate) use migration::moved;

use crate::ingress::Load;
use crate::node::Node;
use crate::outbound::Sender;
use crate::slots::{Slot, Slots};
use floors::Floors;
use parking::{Parking, Why};
use quarantine::Quarantine;
use repair::Repairs;
pub(crate) use revision::Asked;

/// The executor of a node.
#[derive(Debug)]
pub(crate) struct Executor {
    node: Arc<Node>,
    sender: Arc<Sender>,
    load: Load,
    slots: Slots,
    parking: Parking,
    floors: Floors,
    /// Whether more lanes were ready than there were places at the last claim.
    backlogged: AtomicBool,
    /// Told when a lane was delayed: the next claim learns until when.
    delayed: Notify,
    quarantine: Quarantine,
    repairs: Repairs,
}

/// A turn in our hands.
#[derive(Debug)]
pub(crate) struct Held {
    turn: Box<Turn>,
    /// The newest token.
    lease: LaneLease,
    /// Since when the lease counts, at the latest.
    leased: Instant,
    /// When the revision of the turn was asked for.
    read: Asked,
}

impl Held {
    /// A turn that was asked for at this moment.
    pub(crate) fn new(turn: Box<Turn>, asked: Asked) -> Self {
        Self {
            lease: turn.lease.clone(),
            turn,
            leased: asked.at(),
            read: asked,
        }
    }

    fn bot(&self) -> &BotId {
        &self.lease.lane.bot
    }
}

/// Counts a turn that runs, also when it ends in a panic.
struct Running<'a>(&'a Gauge);

impl<'a> Running<'a> {
    fn new(gauge: &'a Gauge) -> Self {
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

impl Executor {
    pub(crate) fn new(node: Arc<Node>, sender: Arc<Sender>, load: Load) -> Self {
        let parking = Parking::new(node.options.lease_part(4));
        Self {
            sender,
            load,
            slots: node.turns.clone(),
            parking,
            floors: Floors::default(),
            backlogged: AtomicBool::new(false),
            delayed: Notify::new(),
            quarantine: Quarantine::default(),
            repairs: Repairs::default(),
            node,
        }
    }

    /// A place for an update that just came in, if nobody waits for places.
    pub(crate) fn slot_at_once(&self, bot: &BotId) -> Option<Slot> {
        if self.backlogged.load(Ordering::Relaxed) {
            None
        } else {
            self.slots.try_take(bot)
        }
    }

    /// From now on no update of `bot` starts here on an epoch below that of `revision`.
    pub(crate) fn raise(&self, bot: &BotId, epoch: Epoch) {
        self.floors.raise(bot, epoch);
    }

    /// Runs a turn, and the turns of its lane that follow from it, in a task of its own.
    pub(crate) fn start(self: &Arc<Self>, held: Held, slot: Slot) {
        let executor = Arc::clone(self);
        self.node
            .tasks
            .spawn(async move { executor.run(held, slot).await });
    }

    /// Runs a turn, the turns of its lane that follow from it, and then turns of the same bot that waited for a place.
    pub(crate) async fn run(self: &Arc<Self>, held: Held, slot: Slot) {
        let bot = held.bot().clone();
        let mut work = Some((held, slot));
        while let Some((held, slot)) = work.take() {
            let running = Running::new(&self.node.meters.turns_running);
            self.chain(held).await;
            drop((slot, running));
            if self.node.draining.is_cancelled() {
                return;
            }
            work = self
                .slots
                .try_take(&bot)
                .and_then(|slot| self.parking.take(&bot, Why::Capped).map(|held| (held, slot)));
        }
    }

    /// Starts a turn if there is a place for its bot, else parks it.
    fn start_or_park(self: &Arc<Self>, held: Held) -> Option<LaneLease> {
        match self.slots.try_take(held.bot()) {
            Some(slot) => {
                self.start(held, slot);
                None
            }
            None => self.parking.park(held, parking::CAPPED, Why::Capped),
        }
    }
}
