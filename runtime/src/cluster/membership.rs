//! This node among the others: it says twice a second that it lives, and looks who else does.
//!
//! **Flips rely on the list.** The deployer reports a flip as live early when every node of the list has said that it
//! starts nothing on an older epoch. A node that is missing on the list is not waited for, so it must not start updates
//! on what it read while it was missing: every reading of a revision carries a [`Listing`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use botloom_core::homes::home;
use botloom_core::ids::BotId;
use botloom_core::model::{NodeBeat, NodeId};
use botloom_core::ports::{BEAT_EVERY, NODE_LIFE, Nodes, StoreError, StoreResult};
use metrics::{Gauge, gauge};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::slots::Slots;

/// How long the store of the list may take to answer.
const WITHIN: Duration = Duration::from_secs(1);
/// How much earlier than the store a node takes itself off the list, for clocks that drift.
const MARGIN: Duration = Duration::from_millis(500);
const LISTED_FOR: Duration = NODE_LIFE.saturating_sub(MARGIN);

/// Proof that this node was on the list at some moment, and how long it stays there at least. `None` inside: it was
/// not known to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listing(Option<Instant>);

impl Listing {
    /// Whether the node has been on the list without a gap since the proof was taken.
    pub(crate) fn holds(self) -> bool {
        self.0.is_some_and(|sent| sent.elapsed() < LISTED_FOR)
    }
}

/// This node's place on the list, and the others on it.
#[derive(Debug)]
pub(crate) struct Membership {
    nodes: Arc<dyn Nodes>,
    turns: (Slots, usize),
    /// Whether this process also takes tasks of generation.
    generates: bool,
    draining: CancellationToken,
    /// Whether it took itself off the list, for good.
    left: AtomicBool,
    /// When the last beat that the store took was sent.
    listed: Mutex<Option<Instant>>,
    /// Nodes that take on bots; empty while this node cannot know.
    view: watch::Sender<Vec<NodeId>>,
    alive: Gauge,
}

impl Membership {
    /// `turns`: the places for turns and how many there are in all.
    pub(crate) fn new(
        nodes: Arc<dyn Nodes>,
        turns: (Slots, usize),
        generates: bool,
        draining: CancellationToken,
    ) -> Self {
        Self {
            nodes,
            turns,
            generates,
            draining,
            left: AtomicBool::new(false),
            listed: Mutex::default(),
            view: watch::Sender::default(),
            alive: gauge!("botloom_live_nodes"),
        }
    }

    /// The proof as of now. Take it before asking the store for a revision.
    pub(crate) fn listing(&self) -> Listing {
        Listing(*self.listed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether this node is the home of a bot: the one that does what one node must do for it, such as polling.
    pub(crate) fn is_home(&self, bot: &BotId) -> bool {
        home(bot.as_str().as_bytes(), self.view.borrow().iter()) == Some(self.nodes.me())
    }

    /// Told whenever homes may have moved.
    pub(crate) fn moves(&self) -> watch::Receiver<Vec<NodeId>> {
        self.view.subscribe()
    }

    /// Says once that this node lives.
    pub(crate) async fn beat(&self) -> StoreResult<()> {
        if self.left.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("this node left the list"));
        }
        let (slots, turns) = &self.turns;
        let beat = NodeBeat {
            node: self.nodes.me(),
            runs_bots: !self.draining.is_cancelled(),
            generates: self.generates && !self.draining.is_cancelled(),
            free_turns: u32::try_from(slots.free()).unwrap_or(u32::MAX),
            turns: u32::try_from(*turns).unwrap_or(u32::MAX),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let sent = Instant::now();
        within(self.nodes.beat(&beat)).await?;
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.left.load(Ordering::SeqCst) {
            *listed = (*listed).max(Some(sent));
        }
        Ok(())
    }

    /// Beats and looks until `end`, then leaves the list. While the node drains it stays on the list, without homes:
    /// what it began still runs.
    pub(crate) async fn run(self: Arc<Self>, end: CancellationToken) {
        let mut looked: Option<Instant> = None;
        let mut homeless = false;
        while !end.is_cancelled() {
            let started = Instant::now();
            if let Err(error) = self.round(&mut looked).await {
                tracing::warn!(error = %error, "the list of nodes is away");
            }
            if looked.is_none_or(|at| at.elapsed() >= NODE_LIFE) {
                // The others have taken over by now.
                self.see(Vec::new());
            }
            tokio::select! {
                () = end.cancelled() => {}
                () = self.draining.cancelled(), if !homeless => homeless = true,
                () = tokio::time::sleep_until(started + BEAT_EVERY) => {}
            }
        }
        // Flips no longer wait for this node, whatever still runs on it.
        self.left.store(true, Ordering::SeqCst);
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Err(error) = within(self.nodes.leave()).await {
            tracing::info!(error = %error, "this node stays on the list for a moment");
        }
    }

    async fn round(&self, looked: &mut Option<Instant>) -> StoreResult<()> {
        self.beat().await?;
        let sent = Instant::now();
        let live = within(self.nodes.live()).await?;
        *looked = Some(sent);
        self.alive.set(u32::try_from(live.len()).unwrap_or(u32::MAX));
        let draining = self.draining.is_cancelled();
        self.see(
            live.into_iter()
                .filter(|beat| beat.runs_bots && !(draining && beat.node == self.nodes.me()))
                .map(|beat| beat.node)
                .collect(),
        );
        Ok(())
    }

    fn see(&self, mut nodes: Vec<NodeId>) {
        nodes.sort_unstable();
        self.view.send_if_modified(|view| {
            let moved = *view != nodes;
            if moved {
                tracing::info!(nodes = nodes.len(), "the nodes that run bots changed");
                *view = nodes;
            }
            moved
        });
    }
}

async fn within<T>(answer: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
    tokio::time::timeout(WITHIN, answer)
        .await
        .map_err(|_| StoreError::unavailable("the list of nodes did not answer in time"))?
}
