//! Which node is the home of a key: rendezvous hashing over the nodes that are alive.
//!
//! A home is for cache hits, pacing and polling. Nodes may see different sets of nodes for a moment and then disagree;
//! what must be true is guarded by leases and epochs. When a node comes or goes, only the keys whose home it becomes or
//! was move.

use sha2::{Digest, Sha256};

use crate::model::NodeId;

/// The home of `key` among `nodes`, whatever their order; `None` without nodes. The same in every process, on every
/// platform and in every version.
pub fn home<'a>(key: &[u8], nodes: impl Iterator<Item = &'a NodeId>) -> Option<NodeId> {
    nodes.copied().max_by_key(|node| (weight(key, *node), *node))
}

/// The first 64 bits of SHA-256 over the node's id and the key.
fn weight(key: &[u8], node: NodeId) -> u64 {
    let digest = Sha256::new()
        .chain_update(node.0.as_bytes())
        .chain_update(key)
        .finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use uuid::Uuid;

    use super::*;

    fn nodes(count: u128) -> Vec<NodeId> {
        (1..=count).map(|n| NodeId(Uuid::from_u128(n))).collect()
    }

    fn keys() -> impl Iterator<Item = Vec<u8>> {
        (0..10_000u32).map(|n| format!("bot_{n}").into_bytes())
    }

    #[test]
    fn no_node_is_no_home() {
        assert_eq!(home(b"bot", [].iter()), None);
    }

    #[test]
    fn order_does_not_matter_and_versions_agree() {
        let mut nodes = nodes(5);
        let there = home(b"bot_1", nodes.iter());
        nodes.reverse();
        assert_eq!(home(b"bot_1", nodes.iter()), there);
        // A home that changes with a release would move every bot while an installation is updated.
        assert_eq!(
            (0..12u8)
                .map(|n| home(&[n], nodes.iter()).unwrap().0.as_u128())
                .collect::<Vec<_>>(),
            [5, 1, 3, 1, 1, 5, 3, 3, 3, 1, 2, 3]
        );
    }

    #[test]
    fn keys_spread_evenly() {
        let nodes = nodes(4);
        let mut counts: HashMap<NodeId, u32> = HashMap::new();
        for key in keys() {
            *counts.entry(home(&key, nodes.iter()).unwrap()).or_default() += 1;
        }
        assert!(
            counts.values().all(|count| (2_300..2_700).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn a_lost_node_moves_only_its_own_keys() {
        let all = nodes(5);
        let left = &all[..4];
        for key in keys() {
            let before = home(&key, all.iter()).unwrap();
            let after = home(&key, left.iter()).unwrap();
            assert!(before == after || before == all[4]);
        }
    }
}
