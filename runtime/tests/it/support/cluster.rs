//! Several nodes in one process, over the stores of a world.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use botloom_core::model::{Ask, AskAnswer, NodeBeat, NodeId};
use botloom_core::ports::{Bus, NODE_LIFE, Nodes, Notice, OpenAsk, StoreError, StoreResult};
use tokio::sync::broadcast;
use uuid::Uuid;

/// What all nodes see.
#[derive(Debug, Default)]
struct Board {
    beats: BTreeMap<NodeId, (Instant, NodeBeat)>,
    asks: BTreeMap<Uuid, (Instant, Ask)>,
    answers: BTreeMap<(Uuid, NodeId), AskAnswer>,
}

/// The list of nodes and what is asked of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedNodes(Arc<Mutex<Board>>);

impl SharedNodes {
    /// The list as a new node sees it.
    pub(crate) fn seat(&self, bus: Arc<dyn Bus>) -> Arc<Seat> {
        Arc::new(Seat {
            me: NodeId::generate(),
            board: self.clone(),
            bus,
            cut: AtomicBool::new(false),
        })
    }

    /// What was asked so far of nodes, whether or not its time is over.
    pub(crate) fn answered_by(&self, node: NodeId) -> usize {
        let board = self.0.lock().unwrap();
        board.answers.keys().filter(|(_, by)| *by == node).count()
    }
}

/// One node's connection to the list, which can be cut.
#[derive(Debug)]
pub(crate) struct Seat {
    me: NodeId,
    board: SharedNodes,
    bus: Arc<dyn Bus>,
    cut: AtomicBool,
}

impl Seat {
    pub(crate) fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    fn with<T>(&self, work: impl FnOnce(&mut Board) -> T) -> StoreResult<T> {
        if self.cut.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("cut"));
        }
        Ok(work(&mut self.board.0.lock().unwrap()))
    }
}

#[async_trait]
impl Nodes for Seat {
    fn me(&self) -> NodeId {
        self.me
    }

    async fn beat(&self, beat: &NodeBeat) -> StoreResult<()> {
        assert_eq!(beat.node, self.me);
        self.with(|board| {
            board.beats.insert(self.me, (Instant::now(), beat.clone()));
        })
    }

    async fn leave(&self) -> StoreResult<()> {
        self.with(|board| {
            board.beats.remove(&self.me);
        })
    }

    async fn live(&self) -> StoreResult<Vec<NodeBeat>> {
        self.with(|board| {
            board.beats.retain(|_, (at, _)| at.elapsed() < NODE_LIFE);
            board.beats.values().map(|(_, beat)| beat.clone()).collect()
        })
    }

    async fn ask(&self, id: Uuid, ask: &Ask, life: Duration) -> StoreResult<()> {
        self.with(|board| {
            let until = Instant::now() + life;
            board.asks.entry(id).or_insert_with(|| (until, ask.clone()));
        })?;
        self.bus.publish(Notice::Asked).await;
        Ok(())
    }

    async fn open_asks(&self) -> StoreResult<Vec<OpenAsk>> {
        self.with(|board| {
            board.asks.retain(|_, (until, _)| *until > Instant::now());
            let open = board.asks.iter();
            open.map(|(id, (_, ask))| OpenAsk {
                id: *id,
                ask: ask.clone(),
            })
            .collect()
        })
    }

    async fn answer(&self, ask: Uuid, answer: &AskAnswer) -> StoreResult<()> {
        self.with(|board| {
            if board.asks.contains_key(&ask) {
                board.answers.insert((ask, self.me), answer.clone());
            }
        })?;
        self.bus.publish(Notice::Answered { ask }).await;
        Ok(())
    }

    async fn answers(&self, ask: Uuid) -> StoreResult<Vec<(NodeId, AskAnswer)>> {
        self.with(|board| {
            let all = board.answers.iter();
            all.filter(|((of, _), _)| *of == ask)
                .map(|((_, node), answer)| (*node, answer.clone()))
                .collect()
        })
    }
}

/// A bus on which every message is lost.
#[derive(Debug)]
pub(crate) struct Deaf(broadcast::Sender<Notice>);

impl Deaf {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(broadcast::channel(1).0))
    }
}

#[async_trait]
impl Bus for Deaf {
    async fn publish(&self, _: Notice) {}

    fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.0.subscribe()
    }
}
