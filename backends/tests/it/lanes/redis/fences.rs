//! Whose a lease is: renewals whose answer was lost, and tokens that look alike because their counter came round.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use botloom_backends::{RedisLanes, RedisLink};
use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{
    AckOut, AckOutOutcome, AfterAck, Chats as _, CommitOutcome, Lanes as _, NextTurn, Outbox as _, StoreError,
};
use botloom_core::testing::ManualClock;
use botloom_core::testing::conformance::lanes::LaneKit;
use redis::cmd;

use super::faults::{durable_server, proxy};
use super::load::{LIMITS, effects, item, lane};
use crate::support::redis::{RedisServer, patient};

/// Leases after which the counter in a token comes round.
const ROUND: i64 = 4_096;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewals_whose_answer_was_lost_cost_nobody_the_lease() {
    let server = durable_server().await;
    let (url, swallow) = proxy(server.port()).await;
    let clock = LaneKit::clock();
    let link = RedisLink::connect(&url, patient(1)).await.unwrap();
    let lanes = RedisLanes::with_clock(link, LIMITS, clock.clone()).await.unwrap();
    lanes.ingest(vec![item(&lane(0, 1), 1, false)]).await.unwrap();
    let turn = lanes.claim(1).await.unwrap().turns.remove(0);
    let lease = std::slice::from_ref(&turn.lease);
    // The server knows the script from here on: the next answer is that of a renewal.
    assert!(lanes.renew(lease).await.unwrap()[0].is_some());
    subscribed(&server).await;
    for _ in 0..2 {
        clock.advance(LIMITS.lease_ms / 3);
        swallow.store(true, Ordering::SeqCst);
        let lost = lanes.renew(lease).await;
        assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
        subscribed(&server).await;
        let again = lanes.renew(lease).await.unwrap();
        assert!(again[0].is_some(), "the lease was lost with the answer");
    }
    let mut commit = effects(&turn);
    commit.want_out = true;
    let outcome = lanes.commit(vec![commit]).await.unwrap().remove(0);
    let CommitOutcome::Committed { out: Some(out), .. } = outcome else {
        panic!("{outcome:?}");
    };

    let lease = std::slice::from_ref(&out.lease);
    for _ in 0..2 {
        clock.advance(LIMITS.out_lease_ms / 3);
        swallow.store(true, Ordering::SeqCst);
        let lost = lanes.renew_out(lease).await;
        assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
        subscribed(&server).await;
        assert!(lanes.begin_send(&out.lease).await.unwrap());
        let again = lanes.renew_out(lease).await.unwrap();
        assert!(again[0].is_some(), "the lease was lost with the answer");
    }
    let acknowledged = AckOut {
        lease: out.lease.clone(),
        sent: 1,
        dead: None,
        dead_all: false,
        after: AfterAck::Release,
    };
    let outcome = lanes.ack_out(vec![acknowledged]).await.unwrap().remove(0);
    assert!(matches!(outcome, AckOutOutcome::Done { .. }), "{outcome:?}");
    assert_eq!(lanes.stats().await.unwrap().messages, 0);
}

/// Waits until the wake-ups are subscribed to again: a new subscription's answer is not to be swallowed.
async fn subscribed(server: &RedisServer) {
    loop {
        let channels: Vec<String> = server.command(cmd("PUBSUB").arg("CHANNELS")).await.unwrap();
        if !channels.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Lanes on one shard without a guard, and the clock on which they live.
async fn lanes_without(server: &RedisServer, check: &str) -> (Arc<RedisLanes>, Arc<ManualClock>) {
    server.command::<()>(&cmd("FLUSHALL")).await.unwrap();
    let link = RedisLink::connect(&server.url(), patient(1)).await.unwrap();
    let clock = LaneKit::clock();
    let lanes = RedisLanes::without(link, LIMITS, clock.clone(), check)
        .await
        .unwrap();
    (lanes, clock)
}

/// Turns the counter so that the next lease but `steps` has the counter of the one that was given last.
async fn come_round(server: &RedisServer, steps: i64) {
    let counters: Vec<String> = server.command(cmd("KEYS").arg("*seq*")).await.unwrap();
    assert_eq!(counters.len(), 1, "{counters:?}");
    let mut turn = cmd("INCRBY");
    turn.arg(&counters[0]).arg(ROUND - 1 - steps);
    server.command::<()>(&turn).await.unwrap();
}

#[tokio::test]
async fn a_commit_is_not_repeated_on_the_lease_that_follows() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    for (check, expected) in [("", true), ("next-lease-differs", false)] {
        let (lanes, _) = lanes_without(&server, check).await;
        for id in 0..3 {
            lanes.ingest(vec![item(&lane(0, 1), id, false)]).await.unwrap();
        }
        let mut turn = lanes.claim(1).await.unwrap().turns.remove(0);
        turn.updates.truncate(1);
        let mut commit = effects(&turn);
        (commit.next, commit.messages) = (NextTurn::Keep, Vec::new());
        come_round(&server, 0).await;
        lanes.commit(vec![commit.clone()]).await.unwrap();
        let again = lanes.commit(vec![commit]).await.unwrap().remove(0);
        // Given at the same moment of the clock: what differs is the counter alone.
        let fenced = again == CommitOutcome::Fenced;
        assert_eq!(fenced, expected, "without {check}: {again:?}");
    }
}

#[tokio::test]
async fn a_lease_that_ran_out_is_never_taken_for_the_next_one() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    for (check, expected) in [("", true), ("renewed-in-time", false)] {
        let (lanes, clock) = lanes_without(&server, check).await;
        lanes.ingest(vec![item(&lane(0, 1), 1, false)]).await.unwrap();
        let lost = lanes.claim(1).await.unwrap().turns.remove(0);
        clock.advance(LIMITS.lease_ms);
        // Taking it back counts as well.
        come_round(&server, 1).await;
        let turn = lanes.claim(1).await.unwrap().turns.remove(0);
        let outcome = lanes.commit(vec![effects(&lost)]).await.unwrap().remove(0);
        let fenced = outcome == CommitOutcome::Fenced;
        assert_eq!(fenced, expected, "without {check}: {outcome:?}");
        if fenced {
            let outcome = lanes.commit(vec![effects(&turn)]).await.unwrap().remove(0);
            assert_ne!(outcome, CommitOutcome::Fenced);
        }
    }
}

#[tokio::test]
async fn a_lease_that_was_taken_away_is_never_taken_for_the_next_one() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    for (check, expected) in [("", true), ("forget-remembers", false)] {
        let (lanes, clock) = lanes_without(&server, check).await;
        lanes.ingest(vec![item(&lane(0, 1), 1, false)]).await.unwrap();
        let mut lost = Vec::new();
        for _ in 0..2 {
            lost.push(lanes.claim(1).await.unwrap().turns.remove(0));
            // Its holder may have renewed it, and never have heard of that.
            clock.advance(LIMITS.lease_ms / 4);
            lanes.renew(&[lost[lost.len() - 1].lease.clone()]).await.unwrap();
            assert!(lanes.forget_state(&lane(0, 1)).await.unwrap());
            // Taking it away counts as well: the next lease has the counter of this one.
            come_round(&server, 1).await;
        }
        let turn = lanes.claim(1).await.unwrap().turns.remove(0);
        for lost in lost {
            let outcome = lanes.commit(vec![effects(&lost)]).await.unwrap().remove(0);
            let fenced = outcome == CommitOutcome::Fenced;
            assert_eq!(fenced, expected, "without {check}: {outcome:?}");
            if !fenced {
                break;
            }
        }
        if expected {
            let outcome = lanes.commit(vec![effects(&turn)]).await.unwrap().remove(0);
            assert_ne!(outcome, CommitOutcome::Fenced);
        }
    }
}

#[tokio::test]
async fn what_was_taken_away_is_forgotten_when_it_would_have_ended() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    let (lanes, clock) = lanes_without(&server, "").await;
    for id in 1..=5 {
        lanes.ingest(vec![item(&lane(0, id), id, false)]).await.unwrap();
        assert_eq!(lanes.claim(1).await.unwrap().turns.len(), 1);
        assert!(lanes.forget_state(&lane(0, id)).await.unwrap());
        lanes
            .ingest(vec![item(&lane(0, id), 10 + id, false)])
            .await
            .unwrap();
        let turn = lanes.claim(1).await.unwrap().turns.remove(0);
        let mut commit = effects(&turn);
        commit.updates = turn.updates.len();
        lanes.commit(vec![commit]).await.unwrap();
        clock.advance(LIMITS.lease_ms / 2 + 1);
    }
    let keys: Vec<String> = server.command(cmd("KEYS").arg("*taken*")).await.unwrap();
    assert_eq!(keys.len(), 1, "{keys:?}");
    let kept: u64 = server.command(cmd("ZCARD").arg(&keys[0])).await.unwrap();
    assert_eq!(kept, 2, "the last two could not have ended yet");
    let life: i64 = server.command(cmd("PTTL").arg(&keys[0])).await.unwrap();
    assert!(life > 0, "and nobody forgets what nobody adds to: {life}");
}

#[tokio::test]
async fn a_send_that_was_answered_is_in_no_doubt_later() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    for (check, doubted) in [("", false), ("answered-is-no-doubt", true)] {
        let (lanes, clock) = lanes_without(&server, check).await;
        lanes.ingest(vec![item(&lane(0, 1), 1, false)]).await.unwrap();
        let turn = lanes.claim(1).await.unwrap().turns.remove(0);
        let mut commit = effects(&turn);
        commit.want_out = false;
        commit.messages[0].ambiguous = Ambiguous::Skip;
        lanes.commit(vec![commit]).await.unwrap();
        let out = lanes.claim_out(1).await.unwrap().0.remove(0);
        assert!(lanes.begin_send(&out.lease).await.unwrap());
        let refused = AckOut {
            lease: out.lease,
            sent: 0,
            dead: None,
            dead_all: false,
            after: AfterAck::Keep,
        };
        lanes.ack_out(vec![refused]).await.unwrap();
        // The next sender is lost before it begins.
        clock.advance(LIMITS.out_lease_ms);
        let out = lanes.claim_out(1).await.unwrap().0.remove(0);
        assert_eq!(out.messages[0].maybe_sent, doubted, "without {check}");
    }
}
