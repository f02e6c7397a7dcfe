//! Which node is the home of which shard: for warm sandboxes and for pacing. Views of nodes may differ for a moment, and
//! nothing breaks then: correctness comes from leases.

use std::sync::{Arc, PoisonError, RwLock};

use botloom_core::model::{NodeBeat, NodeId};

use super::names::hash;

/// A node's view of who lives, shared by what beats and by what claims. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Homes {
    me: NodeId,
    view: Arc<RwLock<View>>,
}

#[derive(Debug, Default)]
struct View {
    /// Living nodes that run bots, by id.
    nodes: Vec<NodeBeat>,
    /// Grows when the list of nodes changes.
    version: u64,
    free: u32,
    total: u32,
}

impl Homes {
    /// A view without anybody: `me` is the home of everything until the first [`Self::update`].
    pub fn new(me: NodeId) -> Self {
        Self {
            me,
            view: Arc::default(),
        }
    }

    /// This node.
    pub const fn me(&self) -> NodeId {
        self.me
    }

    /// Takes the beats of all living nodes.
    pub fn update(&self, beats: &[NodeBeat]) {
        let mut nodes: Vec<NodeBeat> = beats.iter().filter(|beat| beat.runs_bots).cloned().collect();
        nodes.sort_by_key(|beat| beat.node);
        nodes.dedup_by_key(|beat| beat.node);
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let ids = |nodes: &[NodeBeat]| nodes.iter().map(|beat| beat.node).collect::<Vec<_>>();
        if ids(&view.nodes) != ids(&nodes) {
            view.version += 1;
        }
        view.nodes = nodes;
    }

    /// Says how many of this node's places for turns are free.
    pub fn set_free(&self, free: u32, total: u32) {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        (view.free, view.total) = (free, total);
    }

    /// Whether more than half of this node's places are free: it may help others.
    pub(crate) fn is_idle(&self) -> bool {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        view.free > view.total / 2
    }

    /// Changes when homes may have moved.
    pub(crate) fn version(&self) -> u64 {
        self.view.read().unwrap_or_else(PoisonError::into_inner).version
    }

    /// The shard's home: the node with the highest hash of shard and node (rendezvous hashing), so that a node that
    /// comes or goes moves only its own shards.
    pub(crate) fn home(&self, shard: u16) -> NodeId {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        home_of(&view.nodes, shard).map_or(self.me, |beat| beat.node)
    }

    /// Whether this node is the shard's home.
    pub(crate) fn is_mine(&self, shard: u16) -> bool {
        self.home(shard) == self.me
    }

    /// Whether no other node runs bots, as far as this one knows.
    pub(crate) fn is_alone(&self) -> bool {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        view.nodes.iter().all(|beat| beat.node == self.me)
    }

    /// Whether the shard's home is another node that has no place left for turns.
    pub(crate) fn is_saturated_elsewhere(&self, shard: u16) -> bool {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        home_of(&view.nodes, shard).is_some_and(|beat| beat.node != self.me && beat.free_turns == 0)
    }
}

fn home_of(nodes: &[NodeBeat], shard: u16) -> Option<&NodeBeat> {
    nodes
        .iter()
        .max_by_key(|beat| (hash(&format!("{shard}:{}", beat.node)), beat.node))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(node: NodeId, free_turns: u32) -> NodeBeat {
        NodeBeat {
            node,
            runs_bots: true,
            generates: false,
            free_turns,
            turns: 8,
            version: "1".to_owned(),
        }
    }

    #[test]
    fn alone_everything_is_mine() {
        let homes = Homes::new(NodeId::generate());
        assert!((0..1024).all(|shard| homes.is_mine(shard)));
    }

    #[test]
    fn nodes_agree_share_evenly_and_move_only_what_a_lost_node_had() {
        let ids: Vec<NodeId> = (0..4).map(|_| NodeId::generate()).collect();
        let beats: Vec<NodeBeat> = ids.iter().map(|id| beat(*id, 1)).collect();
        let views: Vec<Homes> = ids.iter().map(|id| Homes::new(*id)).collect();
        for view in &views {
            view.update(&beats);
        }
        let before: Vec<NodeId> = (0..1024).map(|shard| views[0].home(shard)).collect();
        for (view, id) in views.iter().zip(&ids) {
            let mine = (0..1024).filter(|shard| view.is_mine(*shard)).count();
            assert!((180..340).contains(&mine), "{mine} of 1024 shards");
            let of_it = before.iter().filter(|home| *home == id).count();
            assert_eq!(mine, of_it);
        }
        views[0].update(&beats[..3]);
        for (shard, old) in before.iter().enumerate() {
            let new = views[0].home(u16::try_from(shard).unwrap());
            assert!(new == *old || *old == ids[3], "shard {shard} moved without need");
        }
    }

    #[test]
    fn nodes_that_run_no_bots_are_no_homes() {
        let (me, other) = (NodeId::generate(), NodeId::generate());
        let homes = Homes::new(me);
        let ingress = NodeBeat {
            runs_bots: false,
            generates: false,
            ..beat(me, 0)
        };
        homes.update(&[ingress, beat(other, 0)]);
        assert!((0..64).all(|shard| homes.home(shard) == other && homes.is_saturated_elsewhere(shard)));
    }
}
