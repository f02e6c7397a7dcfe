//! Port: which processes there are, and what the deployer asks of all of them.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::StoreResult;
use crate::model::{Ask, AskAnswer, NodeBeat, NodeId};

/// A node whose last beat is older than this counts as gone. Views may differ for a moment: homes are for cache hits
/// and pacing, correctness comes from leases.
pub const NODE_LIFE: Duration = Duration::from_secs(3);
/// How often a node says that it lives.
pub const BEAT_EVERY: Duration = Duration::from_millis(500);

/// An ask that has not run out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAsk {
    /// Its id.
    pub id: Uuid,
    /// What is wanted.
    pub ask: Ask,
}

/// Nodes of one installation. Asks and answers are stored, so that a node that hears no notices finds them when it looks
/// (every 150 ms); [`super::Notice::Asked`] and [`super::Notice::Answered`] only make it faster.
#[async_trait]
pub trait Nodes: Debug + Send + Sync {
    /// This node.
    fn me(&self) -> NodeId;

    /// Says that this node lives, and what it could take on; its id is [`Nodes::me`]. Idempotent.
    async fn beat(&self, beat: &NodeBeat) -> StoreResult<()>;

    /// Takes this node off the list at once. Idempotent.
    async fn leave(&self) -> StoreResult<()>;

    /// Nodes whose last beat is younger than [`NODE_LIFE`], by id.
    async fn live(&self) -> StoreResult<Vec<NodeBeat>>;

    /// Puts something before all nodes for `life`; the same id again changes nothing. Publishes
    /// [`super::Notice::Asked`].
    async fn ask(&self, id: Uuid, ask: &Ask, life: Duration) -> StoreResult<()>;

    /// Asks whose life has not ended, oldest first.
    async fn open_asks(&self) -> StoreResult<Vec<OpenAsk>>;

    /// Answers an ask in the name of this node; a later answer replaces an earlier one. Answers live as long as their
    /// ask; one to an ask that ran out is dropped. Publishes [`super::Notice::Answered`].
    async fn answer(&self, ask: Uuid, answer: &AskAnswer) -> StoreResult<()>;

    /// Answers so far, by node.
    async fn answers(&self, ask: Uuid) -> StoreResult<Vec<(NodeId, AskAnswer)>>;
}
