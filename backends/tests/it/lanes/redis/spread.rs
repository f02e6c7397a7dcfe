//! Bots that are spread anew: nothing that they know is forgotten, and nodes that did not hear of it go wrong nowhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use botloom_backends::{DedupeMode, Homes, RedisLanes, RedisLink, RedisOptions, SetSpread};
use botloom_core::bot_js::Ambiguous;
use botloom_core::model::NodeId;
use botloom_core::ports::{
    ActiveRevision, Commit, CommitOutcome, DeadLetters as _, Direction, IngestOutcome, LaneLimits,
    Lanes as _, NextTurn, OutClass, OutMessage, Outbox as _, PageRequest, StateChange, Turn,
};
use botloom_core::{BotId, Clock as _, Epoch, RevHash, Secret, Sha256Hash, SystemClock, TimestampMs};
use bytes::Bytes;
use redis::cmd;

use super::load::{self, effects, item, lane, letter};
use crate::support::redis::{by_hand, cluster, database, patient};

const CHATS: i64 = 12;
/// No lease runs out in these tests.
const LIMITS: LaneLimits = LaneLimits {
    lease_ms: 60_000,
    out_lease_ms: 60_000,
    ..load::LIMITS
};

/// A node that hears nothing of what others do.
async fn deaf(url: &Secret, dedupe: DedupeMode) -> Arc<RedisLanes> {
    let options = RedisOptions {
        dedupe,
        ..patient(64)
    };
    let link = RedisLink::connect(url, options).await.unwrap();
    RedisLanes::with_clock(link, LIMITS, Arc::new(SystemClock))
        .await
        .unwrap()
}

/// Claims the lanes of all chats.
async fn claim_all(lanes: &RedisLanes) -> Vec<Turn> {
    let mut turns = Vec::new();
    while turns.len() < usize::try_from(CHATS).unwrap() {
        turns.extend(lanes.claim(50).await.unwrap().turns);
    }
    turns
}

/// An update for each chat, with these ids, taken in and done; each chat keeps a document.
async fn live(lanes: &RedisLanes, first: i64) {
    for chat in 0..CHATS {
        let update = item(&lane(0, chat), first + chat, false);
        let outcome = lanes.ingest(vec![update]).await.unwrap();
        assert!(
            matches!(outcome.as_slice(), [IngestOutcome::Ready { .. }]),
            "{outcome:?}"
        );
    }
    for turn in claim_all(lanes).await {
        let mut commit = effects(&turn);
        commit.messages.clear();
        let outcome = lanes.commit(vec![commit]).await.unwrap();
        assert!(matches!(outcome.as_slice(), [CommitOutcome::Committed { .. }]));
    }
}

/// Rests of life of all keys that remember update ids, on all masters.
async fn lives_of_known(url: &Secret) -> Vec<i64> {
    let mut lives = Vec::new();
    for node in url.expose().trim_start_matches("redis+cluster://").split(',') {
        let mut node = by_hand(&format!("redis://{node}")).await.unwrap();
        let keys: Vec<String> = cmd("KEYS").arg("idemp:*").query_async(&mut node).await.unwrap();
        for key in keys {
            lives.push(cmd("PTTL").arg(key).query_async(&mut node).await.unwrap());
        }
    }
    lives
}

/// A bot that works, and is spread over each of these numbers of shards in turn, remembers every update of every chat.
async fn remembers(dedupe: DedupeMode, spreads: &[u16]) {
    let (url, _lock) = cluster().await;
    let lanes = deaf(&url, dedupe).await;
    let bot = lane(0, 0).bot;
    live(&lanes, 0).await;
    for (round, shards) in (1..).zip(spreads) {
        assert_eq!(lanes.set_spread(&bot, *shards).await.unwrap(), SetSpread::Set);
        // One that starts now knows the same.
        let other = deaf(&url, dedupe).await;
        for chat in 0..CHATS {
            for earlier in 0..round {
                let again = item(&lane(0, chat), earlier * 100 + chat, false);
                let outcome = other.ingest(vec![again]).await.unwrap();
                assert_eq!(
                    outcome,
                    [IngestOutcome::Duplicate],
                    "{earlier} {chat} on {shards}"
                );
            }
            let document = other.state(&lane(0, chat)).await.unwrap().unwrap();
            let done: Vec<i64> = serde_json::from_slice(&document).unwrap();
            let all: Vec<i64> = (0..round).map(|earlier| earlier * 100 + chat).collect();
            assert_eq!(done, all, "the document of {chat} on {shards}");
        }
        live(&lanes, round * 100).await;
        lanes.check().await.unwrap();
    }
    let lives = lives_of_known(&url).await;
    assert!(
        lives.iter().all(|life| *life > 0),
        "all of it is forgotten one day"
    );
    if spreads.last() == Some(&1) {
        let updates = usize::try_from(CHATS).unwrap() * (spreads.len() + 1);
        let keys = if dedupe == DedupeMode::Bitmap { 1 } else { updates };
        assert_eq!(lives.len(), keys, "no copy is left where nobody looks");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_spread_up_and_down_remembers_its_updates() {
    remembers(DedupeMode::Keys, &[4, 2, 8, 1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_spread_up_and_down_remembers_its_updates_as_bits() {
    remembers(DedupeMode::Bitmap, &[4, 2, 8, 1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_comes_back_to_one_shard_remembers_its_updates() {
    remembers(DedupeMode::Keys, &[4, 1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_comes_back_to_one_shard_remembers_its_updates_as_bits() {
    remembers(DedupeMode::Bitmap, &[4, 1]).await;
}

/// The ids of all letters of the bot.
async fn letters(lanes: &RedisLanes, bot: &BotId) -> BTreeSet<String> {
    let page = PageRequest {
        cursor: None,
        limit: 100,
    };
    let found = lanes.dead_letters(bot, Direction::In, &page).await.unwrap();
    found.items.into_iter().map(|letter| letter.id).collect()
}

/// Each call is made by a node of its own that believes the bot to be on one shard.
async fn bears_nodes_that_did_not_hear(url: &Secret) {
    let mut nodes = Vec::new();
    for _ in 0..5 {
        nodes.push(deaf(url, DedupeMode::Keys).await);
    }
    let link = RedisLink::connect(url, patient(64)).await.unwrap();
    let fresh = RedisLanes::open(link, LIMITS, Homes::new(NodeId::generate()))
        .await
        .unwrap();
    let bot = lane(0, 0).bot;
    assert_eq!(fresh.set_spread(&bot, 4).await.unwrap(), SetSpread::Set);

    let revision = ActiveRevision {
        epoch: Epoch(1),
        rev: RevHash(Sha256Hash::of([1])),
    };
    nodes[0].set_revision(&bot, revision).await.unwrap();
    for chat in 0..CHATS {
        nodes[1].set_aside(letter(&lane(0, chat))).await.unwrap();
    }
    let ids = letters(&fresh, &bot).await;
    assert_eq!(ids.len(), usize::try_from(CHATS).unwrap());
    for id in &ids {
        assert!(nodes[4].replay(&bot, id).await.unwrap(), "{id}");
    }
    assert_eq!(letters(&fresh, &bot).await, BTreeSet::new());
    fresh.check().await.unwrap();
    let later = TimestampMs(SystemClock.now().0 + 60_000);
    nodes[2].park(&bot, Some(later)).await.unwrap();
    for turn in claim_all(&fresh).await {
        assert_eq!(turn.revision, Some(revision), "{}", turn.lease.lane);
        fresh.commit(vec![answer(&turn)]).await.unwrap();
    }
    let (sends, _) = fresh.claim_out(50).await.unwrap();
    assert!(sends.is_empty(), "all outboxes are parked: {sends:?}");
    nodes[3].park(&bot, None).await.unwrap();
    let mut sends = 0;
    while sends < CHATS {
        sends += i64::try_from(fresh.claim_out(50).await.unwrap().0.len()).unwrap();
    }
    fresh.check().await.unwrap();
}

/// The end of a turn that sends something.
fn answer(turn: &Turn) -> Commit {
    Commit {
        lease: turn.lease.clone(),
        revision: turn.revision,
        updates: turn.updates.len(),
        state: StateChange::Keep { ttl_ms: None },
        messages: vec![OutMessage {
            method: "sendMessage".to_owned(),
            params: Bytes::from_static(b"{}"),
            class: OutClass::Reply,
            not_after: None,
            ambiguous: Ambiguous::Resend,
            cause: "1".to_owned(),
            trace: None,
        }],
        want_out: true,
        next: NextTurn::Release,
        charge: 0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_did_not_hear_of_a_spread_learn_of_it() {
    bears_nodes_that_did_not_hear(&database().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_did_not_hear_of_a_spread_learn_of_it_on_a_cluster() {
    let (url, _lock) = cluster().await;
    bears_nodes_that_did_not_hear(&url).await;
}
