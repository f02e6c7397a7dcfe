//! The nodes of an installation that is one process: this one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use botloom_core::model::{Ask, AskAnswer, NodeBeat, NodeId};
use botloom_core::ports::{Bus, NODE_LIFE, Nodes, Notice, OpenAsk, StoreResult};
use uuid::Uuid;

/// Nodes in memory.
#[derive(Debug)]
pub struct LocalNodes {
    me: NodeId,
    bus: Arc<dyn Bus>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    beat: Option<(Instant, NodeBeat)>,
    asks: BTreeMap<u64, Asked>,
    next: u64,
}

#[derive(Debug)]
struct Asked {
    open: OpenAsk,
    until: Instant,
    answer: Option<AskAnswer>,
}

impl LocalNodes {
    /// A node that has not said yet that it lives.
    pub fn new(bus: Arc<dyn Bus>) -> Self {
        Self {
            me: NodeId::generate(),
            bus,
            seen: Mutex::default(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // No change below can panic half-way.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        seen.asks.retain(|_, asked| asked.until > now);
        seen
    }
}

#[async_trait]
impl Nodes for LocalNodes {
    fn me(&self) -> NodeId {
        self.me
    }

    async fn beat(&self, beat: &NodeBeat) -> StoreResult<()> {
        self.seen().beat = Some((Instant::now(), beat.clone()));
        Ok(())
    }

    async fn leave(&self) -> StoreResult<()> {
        self.seen().beat = None;
        Ok(())
    }

    async fn live(&self) -> StoreResult<Vec<NodeBeat>> {
        let seen = self.seen();
        let live = seen.beat.as_ref().filter(|(at, _)| at.elapsed() < NODE_LIFE);
        Ok(live.map(|(_, beat)| beat.clone()).into_iter().collect())
    }

    async fn ask(&self, id: Uuid, ask: &Ask, life: Duration) -> StoreResult<()> {
        {
            let mut seen = self.seen();
            if seen.asks.values().all(|asked| asked.open.id != id) {
                let number = seen.next;
                seen.next += 1;
                let asked = Asked {
                    open: OpenAsk { id, ask: ask.clone() },
                    until: Instant::now() + life,
                    answer: None,
                };
                seen.asks.insert(number, asked);
            }
        }
        self.bus.publish(Notice::Asked).await;
        Ok(())
    }

    async fn open_asks(&self) -> StoreResult<Vec<OpenAsk>> {
        Ok(self
            .seen()
            .asks
            .values()
            .map(|asked| asked.open.clone())
            .collect())
    }

    async fn answer(&self, ask: Uuid, answer: &AskAnswer) -> StoreResult<()> {
        if let Some(asked) = self.seen().asks.values_mut().find(|asked| asked.open.id == ask) {
            asked.answer = Some(answer.clone());
        }
        self.bus.publish(Notice::Answered { ask }).await;
        Ok(())
    }

    async fn answers(&self, ask: Uuid) -> StoreResult<Vec<(NodeId, AskAnswer)>> {
        let seen = self.seen();
        let asked = seen.asks.values().find(|asked| asked.open.id == ask);
        let answer = asked.and_then(|asked| asked.answer.clone());
        Ok(answer.map(|answer| (self.me, answer)).into_iter().collect())
    }
}
