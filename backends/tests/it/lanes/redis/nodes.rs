//! Several nodes on one Redis: homes, wake-ups, help, spread bots, repair.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use botloom_backends::{Homes, LocalBus, RedisLanes, RedisLink, RedisNodes, SetSpread};
use botloom_core::model::{NodeBeat, NodeId};
use botloom_core::ports::{
    ActiveRevision, CommitOutcome, DeadLetters as _, Direction, IngestOutcome, LaneLimits, Lanes as _,
    Nodes as _, Outbox as _, PageRequest, StateChange,
};
use botloom_core::{Epoch, RevHash, Secret, Sha256Hash};
use redis::cmd;

use super::load::{self, effects, item, lane, letter};
use crate::support::eventually;
use crate::support::proxy::Proxy;
use crate::support::redis::{RedisServer, by_hand, cluster, database, patient};

struct Node {
    lanes: Arc<RedisLanes>,
    homes: Homes,
    /// The list of nodes, as the runtime uses it.
    list: RedisNodes,
}

/// Leases that no busy machine outlasts.
const LIMITS: LaneLimits = LaneLimits {
    lease_ms: 60_000,
    out_lease_ms: 60_000,
    ..load::LIMITS
};

async fn node(url: &Secret) -> Node {
    node_with(url, LIMITS).await
}

async fn node_with(url: &Secret, limits: LaneLimits) -> Node {
    let link = RedisLink::connect(url, patient(64)).await.unwrap();
    let homes = Homes::new(NodeId::generate());
    let list = RedisNodes::new(&link, homes.clone(), Arc::new(LocalBus::new()));
    let lanes = RedisLanes::open(link, limits, homes.clone()).await.unwrap();
    Node { lanes, homes, list }
}

fn beat(node: &Node, free_turns: u32) -> NodeBeat {
    NodeBeat {
        node: node.homes.me(),
        runs_bots: true,
        generates: false,
        free_turns,
        turns: 8,
        version: "1".to_owned(),
    }
}

/// Two nodes that know each other.
async fn two(url: &Secret, free: [u32; 2]) -> [Node; 2] {
    acquainted([node(url).await, node(url).await], free).await
}

async fn acquainted(nodes: [Node; 2], free: [u32; 2]) -> [Node; 2] {
    for (node, free) in nodes.iter().zip(free) {
        node.list.beat(&beat(node, free)).await.unwrap();
    }
    for node in &nodes {
        assert_eq!(node.list.live().await.unwrap().len(), 2);
    }
    nodes
}

/// Claims until something comes.
async fn claim(node: &Node) -> botloom_core::ports::Turn {
    for _ in 0..300 {
        let mut turns = node.lanes.claim(1).await.unwrap().turns;
        if let Some(turn) = turns.pop() {
            return turn;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing comes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_home_claims_and_it_is_woken() {
    let url = database().await;
    let nodes = two(&url, [8, 8]).await;
    let (mut granted, mut foreign) = (BTreeSet::new(), BTreeSet::new());
    for bot in 0..40 {
        let update = item(&lane(bot, 1), 1, true);
        let outcome = nodes[0].lanes.ingest(vec![update]).await.unwrap().remove(0);
        match outcome {
            IngestOutcome::Granted(_) => granted.insert(lane(bot, 1)),
            IngestOutcome::Ready { .. } => foreign.insert(lane(bot, 1)),
            other => panic!("{other:?}"),
        };
    }
    assert!(!granted.is_empty() && !foreign.is_empty(), "both are homes");
    // Leases may run out meanwhile, but a lane comes to its home only.
    let mine = nodes[0].lanes.claim(50).await.unwrap().turns;
    assert!(mine.iter().all(|turn| granted.contains(&turn.lease.lane)));
    while !foreign.is_empty() {
        let turn = claim(&nodes[1]).await;
        assert!(!granted.contains(&turn.lease.lane));
        foreign.remove(&turn.lease.lane);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_node_helps_one_without_free_places_with_updates_only() {
    let url = database().await;
    let nodes = two(&url, [8, 0]).await;
    let mut foreign = BTreeSet::new();
    for bot in 0..20 {
        let update = item(&lane(bot, 1), 1, true);
        let outcome = nodes[1].lanes.ingest(vec![update]).await.unwrap().remove(0);
        // The home of the others is the idle node itself.
        if let IngestOutcome::Granted(turn) = outcome {
            foreign.insert(turn.lease.lane.clone());
            nodes[1].lanes.release(&[turn.lease]).await.unwrap();
        }
    }
    assert!(!foreign.is_empty());
    for _ in 0..20 {
        let turn = claim(&nodes[0]).await;
        let mut commit = effects(&turn);
        commit.want_out = true;
        let outcome = nodes[0].lanes.commit(vec![commit]).await.unwrap().remove(0);
        let CommitOutcome::Committed { out, .. } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(
            out.is_some(),
            !foreign.contains(&turn.lease.lane),
            "messages are sent by the home"
        );
    }
    let (mine, _) = nodes[0].lanes.claim_out(50).await.unwrap();
    assert!(mine.iter().all(|turn| !foreign.contains(&turn.lease.lane)));
    for _ in 0..300 {
        for turn in nodes[1].lanes.claim_out(50).await.unwrap().0 {
            foreign.remove(&turn.lease.lane);
        }
        if foreign.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the outboxes of {foreign:?} were not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shards_of_a_node_that_is_gone_are_taken_over() {
    let url = database().await;
    let [one, two] = two(&url, [8, 8]).await;
    for bot in 0..10 {
        one.lanes
            .ingest(vec![item(&lane(bot, 1), 1, false)])
            .await
            .unwrap();
    }
    drop(two);
    one.homes.update(&[beat(&one, 8)]);
    for _ in 0..10 {
        claim(&one).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn torture_two_nodes_share_the_work() {
    let server = RedisServer::start(&["--appendfsync", "always"]).await;
    let url = server.url();
    let nodes = [
        node_with(&url, load::LIMITS).await,
        node_with(&url, load::LIMITS).await,
    ];
    let nodes = acquainted(nodes, [8, 0]).await;
    let lanes = nodes.iter().map(|node| Arc::clone(&node.lanes)).collect();
    load::run(lanes, 40, Duration::from_millis(5)).await;
}

fn revision(epoch: u64) -> ActiveRevision {
    ActiveRevision {
        epoch: Epoch(epoch),
        rev: RevHash(Sha256Hash::of([1])),
    }
}

/// A bot is drained, spread, works on all its shards, and keeps what it knew.
async fn spreads(url: &Secret) {
    let one = node(url).await;
    let other = node(url).await;
    let bot = lane(0, 0).bot;
    one.lanes.set_revision(&bot, revision(1)).await.unwrap();
    for chat in 0..12 {
        one.lanes
            .ingest(vec![item(&lane(0, chat), chat, false)])
            .await
            .unwrap();
    }
    assert_eq!(one.lanes.set_spread(&bot, 4).await.unwrap(), SetSpread::Busy);
    for _ in 0..12 {
        let mut commit = effects(&claim(&one).await);
        commit.messages.clear();
        one.lanes.commit(vec![commit]).await.unwrap();
    }
    assert_eq!(one.lanes.set_spread(&bot, 4).await.unwrap(), SetSpread::Set);
    // The other node learns at the door, and what was known is still known.
    let known = other
        .lanes
        .ingest(vec![item(&lane(0, 3), 3, false)])
        .await
        .unwrap();
    assert_eq!(known, [IngestOutcome::Duplicate]);
    for chat in 0..12 {
        let update = item(&lane(0, chat), 100 + chat, false);
        other.lanes.ingest(vec![update]).await.unwrap();
    }
    for _ in 0..12 {
        let turn = claim(&other).await;
        assert_eq!(turn.revision, Some(revision(1)));
        assert!(turn.state.is_some(), "{} kept its document", turn.lease.lane);
        let mut commit = effects(&turn);
        commit.messages.clear();
        commit.state = StateChange::Keep { ttl_ms: None };
        other.lanes.commit(vec![commit]).await.unwrap();
    }
    for chat in 0..12 {
        one.lanes.set_aside(letter(&lane(0, chat))).await.unwrap();
    }
    let mut page = PageRequest {
        cursor: None,
        limit: 5,
    };
    let mut ids = Vec::new();
    loop {
        let found = other
            .lanes
            .dead_letters(&bot, Direction::In, &page)
            .await
            .unwrap();
        ids.extend(found.items.into_iter().map(|letter| letter.id));
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    assert_eq!(ids.len(), 12, "letters of all shards, page by page");
    for id in &ids {
        assert!(other.lanes.replay(&bot, id).await.unwrap(), "{id}");
    }
    assert_eq!(one.lanes.stats().await.unwrap().updates_by_bot[&bot], 12);
    one.lanes.check().await.unwrap();
    one.lanes.purge(&bot).await.unwrap();
    assert_eq!(other.lanes.stats().await.unwrap().updates, 0);
    assert_eq!(other.lanes.revision(&bot).await.unwrap(), None);
    one.lanes.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_bot_can_be_spread_on_one_server() {
    spreads(&database().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_bot_can_be_spread_on_a_cluster() {
    let (url, _lock) = cluster().await;
    spreads(&url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn homes_of_a_spread_bot_share_its_rate() {
    let url = database().await;
    let nodes = [node(&url).await, node(&url).await];
    let (hot, quiet) = (lane(0, 0).bot, lane(1, 0).bot);
    nodes[0].lanes.set_spread(&hot, 2).await.unwrap();
    let ask = |node: usize, backlog| {
        let backlogs = [(hot.clone(), backlog), (quiet.clone(), 9)];
        let lanes = Arc::clone(&nodes[node].lanes);
        async move { lanes.rate_shares(&backlogs).await.unwrap() }
    };
    // A node reads the spread of bots at its start; the second one started before.
    for _ in 0..300 {
        if ask(1, 1_000).await[0] < 1.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        ask(0, 1_000).await;
    }
    assert_eq!(ask(0, 1_000).await, [0.5, 1.0]);
    assert_eq!(ask(1, 0).await, [0.125, 1.0]);
    let mut by_hand = by_hand(url.expose()).await.unwrap();
    let key = format!("share:{hot}");
    let mut old = cmd("HSET");
    old.arg(&key).arg("gone").arg("1000 1").arg("unread").arg("x");
    old.exec_async(&mut by_hand).await.unwrap();
    assert_eq!(
        ask(0, 1_000).await,
        [0.875, 1.0],
        "those that are gone have no part"
    );
    let nodes: Vec<String> = cmd("HKEYS").arg(&key).query_async(&mut by_hand).await.unwrap();
    assert_eq!(nodes.len(), 2, "and nobody keeps what they said: {nodes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lost_its_place_is_repaired() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    let node = node(&server.url()).await;
    let turn = {
        let update = item(&lane(1, 1), 1, true);
        let outcome = node.lanes.ingest(vec![update]).await.unwrap().remove(0);
        let IngestOutcome::Granted(turn) = outcome else {
            panic!("{outcome:?}");
        };
        turn
    };
    let mut commit = effects(&turn);
    commit.want_out = false;
    node.lanes.commit(vec![commit]).await.unwrap();
    node.lanes
        .ingest(vec![item(&lane(2, 1), 1, false)])
        .await
        .unwrap();
    node.lanes.check().await.unwrap();
    // A failover to a replica that lagged could look like this.
    for pattern in ["rz:*", "oz:*"] {
        let keys: Vec<String> = server.command(cmd("KEYS").arg(pattern)).await.unwrap();
        server.command::<u64>(cmd("DEL").arg(keys)).await.unwrap();
    }
    assert!(node.lanes.check().await.is_err());
    assert_eq!(node.lanes.repair().await.unwrap(), 2);
    node.lanes.check().await.unwrap();
    claim(&node).await;
    assert_eq!(node.lanes.claim_out(1).await.unwrap().0.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_to_wake_ups_that_fell_silent_is_opened_anew() {
    let server = RedisServer::start(&[]).await;
    let proxy = Proxy::before(format!("127.0.0.1:{}", server.port())).await;
    let _node = node(&Secret::new(format!("redis://{}", proxy.address()))).await;
    let listening = async || -> BTreeSet<String> {
        let mut list = cmd("CLIENT");
        list.arg(&["LIST", "TYPE", "pubsub"]);
        let list: String = server.command(&list).await.unwrap();
        list.lines()
            .filter_map(|line| line.split(' ').next().map(str::to_owned))
            .collect()
    };
    eventually("the node listens", async || !listening().await.is_empty()).await;
    let before = listening().await;
    proxy.freeze();
    eventually("the node listens on another connection", async || {
        !listening().await.is_subset(&before)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_home_measures_its_own_and_all_know_the_sum() {
    let url = database().await;
    let [one, two] = two(&url, [8, 8]).await;
    for bot in 0..40 {
        let lane = lane(bot, 1);
        one.lanes
            .ingest(vec![item(&lane, 1, false), item(&lane, 2, false)])
            .await
            .unwrap();
    }
    let alone = one.lanes.stats().await.unwrap().updates;
    assert!(
        alone < 80,
        "the other node's shards are not this one's to measure"
    );
    for node in [&two, &one, &two] {
        let stats = node.lanes.stats().await.unwrap();
        assert_eq!(
            (stats.updates, stats.ready, stats.updates_by_bot.len()),
            (80, 40, 40)
        );
        assert!(stats.oldest_update.is_some());
    }
}
