//! Every guard in the scripts is needed: a script without it answers differently from the model, or leaves a lane in the
//! wrong place, and these tests notice.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Arc;

use botloom_backends::{RedisLanes, RedisLink, SetSpread};
use botloom_core::ports::{DeadLetters as _, Lanes as _};
use botloom_core::testing::conformance::lanes::LaneKit;
use futures_util::future::join_all;
use proptest::collection::vec;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use redis::cmd;

use super::load::{item, lane, letter};
use crate::lanes::same::{Both, LIMITS, Op, op};
use crate::support::redis::{RedisServer, patient};

/// Guards against calls at the same moment, or outside the histories; each has a test below.
const NOT_IN_HISTORIES: [&str; 6] = [
    "replay-once",
    "spread-drained",
    // In `fences`: needs five steps in a row that histories seldom have.
    "answered-is-no-doubt",
    // In `aside`: ids of letters follow the server's clock.
    "letters-age",
    // In `fences`: the counter in the tokens is too long for a history.
    "next-lease-differs",
    "renewed-in-time",
];
/// Histories after which a missing guard counts as unnoticed.
const HISTORIES: usize = 400;

async fn without(server: &RedisServer, check: &str) -> Arc<RedisLanes> {
    server.command::<()>(&cmd("FLUSHALL")).await.unwrap();
    let link = RedisLink::connect(&server.url(), patient(1)).await.unwrap();
    RedisLanes::without(link, LIMITS, LaneKit::clock(), check)
        .await
        .unwrap()
}

/// Whether the history goes as on the model.
fn holds(runtime: &tokio::runtime::Runtime, server: &RedisServer, check: &str, ops: Vec<Op>) -> bool {
    let history = async {
        server.command::<()>(&cmd("FLUSHALL")).await.unwrap();
        let link = RedisLink::connect(&server.url(), patient(1)).await.unwrap();
        let clock = Both::clock();
        let lanes = RedisLanes::without(link, LIMITS, clock.clone(), check)
            .await
            .unwrap();
        let mut both = Both::of_redis(lanes, clock);
        for op in ops {
            both.apply(op).await;
            both.compare().await;
        }
    };
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(history))).is_ok()
}

/// The guards whose number is `part` of `parts`.
fn every_guard_is_needed(part: usize, parts: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(RedisServer::start(&["--appendfsync", "no"]));
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let mut unnoticed = Vec::new();
    let checks = RedisLanes::checks();
    let guards = checks
        .iter()
        .filter(|check| !NOT_IN_HISTORIES.contains(&check.as_str()));
    for check in guards.skip(part).step_by(parts) {
        let mut runner = TestRunner::deterministic();
        let noticed = (0..HISTORIES).any(|_| {
            let ops = vec(op(), 60..90).new_tree(&mut runner).unwrap().current();
            // What the whole scripts do not bear either says nothing about the guard.
            !holds(&runtime, &server, check, ops.clone()) && holds(&runtime, &server, "", ops)
        });
        if !noticed {
            unnoticed.push(check);
        }
    }
    set_hook(hook);
    assert_eq!(
        unnoticed,
        Vec::<&String>::new(),
        "nothing notices that these are missing"
    );
    assert!(checks.len() > 30, "the marks in the scripts were found");
}

#[test]
fn every_guard_is_needed_1() {
    every_guard_is_needed(0, 4);
}

#[test]
fn every_guard_is_needed_2() {
    every_guard_is_needed(1, 4);
}

#[test]
fn every_guard_is_needed_3() {
    every_guard_is_needed(2, 4);
}

#[test]
fn every_guard_is_needed_4() {
    every_guard_is_needed(3, 4);
}

/// A letter that is replayed by eight at the same moment comes back once.
async fn replays(lanes: &Arc<RedisLanes>) -> u64 {
    let id = lanes.set_aside(letter(&lane(0, 1))).await.unwrap();
    let replays = (0..8).map(|_| {
        let (lanes, id) = (Arc::clone(lanes), id.clone());
        // Those that come late may find the lane full.
        async move { lanes.replay(&lane(0, 1).bot, &id).await.ok() }
    });
    join_all(replays).await;
    lanes.stats().await.unwrap().updates
}

#[tokio::test]
async fn a_letter_is_replayed_once_by_however_many() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    assert_eq!(replays(&without(&server, "").await).await, 1);
    assert!(replays(&without(&server, "replay-once").await).await > 1);
}

#[tokio::test]
async fn only_a_drained_bot_is_spread_anew() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    for (check, expected) in [("", SetSpread::Busy), ("spread-drained", SetSpread::Set)] {
        let lanes = without(&server, check).await;
        lanes.ingest(vec![item(&lane(0, 1), 1, false)]).await.unwrap();
        let answer = lanes.set_spread(&lane(0, 1).bot, 4).await.unwrap();
        assert_eq!(answer, expected, "without {check}");
    }
}
