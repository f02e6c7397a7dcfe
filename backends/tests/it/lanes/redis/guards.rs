//! Every guard in the scripts is needed: a script without it answers differently from the model, or leaves a lane in the
//! wrong place, and these tests notice.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Arc;
use std::time::Duration;

use botloom_backends::{RedisLanes, RedisLink, SetSpread};
use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{
    AckOut, ActiveRevision, AfterAck, Chats as _, CommitOutcome, DeadLetters as _, Freed, IngestOutcome,
    Lanes as _, Outbox as _, Remedy, StoreError, StoreResult,
};
use botloom_core::testing::ManualClock;
use botloom_core::testing::conformance::lanes::LaneKit;
use botloom_core::{Clock as _, Epoch, RevHash, Sha256Hash, TimestampMs};
use futures_util::future::join_all;
use proptest::collection::vec;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use redis::cmd;

use super::load::{effects, item, lane, letter};
use crate::lanes::same::{Both, LIMITS, Op, op};
use crate::support::redis::{RedisServer, patient};

/// Guards against calls at the same moment, or against what is rare in the histories; each has a test below.
const NOT_IN_HISTORIES: [&str; 23] = [
    "begin-note",
    "commit-revision",
    "forget-layout",
    "free-layout",
    "free-out-layout",
    "ingest-layout",
    "load-out-fence",
    "look-layout",
    "park-layout",
    "repair-once",
    "replay-cap",
    "replay-layout",
    "replay-once",
    "set-aside-layout",
    "set-rev-layout",
    "spread-drained",
    // In `fences`: needs five steps in a row that histories seldom have.
    "answered-is-no-doubt",
    // A message that failed, and then Telegram's wait, and then a person: too many steps in a row.
    "ack-flood",
    "free-out-asked",
    // In `aside`: ids of letters follow the server's clock.
    "letters-age",
    // In `fences`: the counter in the tokens is too long for a history.
    "forget-remembers",
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
    let is_known = |name: &&str| checks.iter().any(|check| check == name);
    assert!(NOT_IN_HISTORIES.iter().all(is_known), "each is a guard");
}

#[test]
fn every_guard_is_needed_1() {
    every_guard_is_needed(0, 8);
}

#[test]
fn every_guard_is_needed_2() {
    every_guard_is_needed(1, 8);
}

#[test]
fn every_guard_is_needed_3() {
    every_guard_is_needed(2, 8);
}

#[test]
fn every_guard_is_needed_4() {
    every_guard_is_needed(3, 8);
}

#[test]
fn every_guard_is_needed_5() {
    every_guard_is_needed(4, 8);
}

#[test]
fn every_guard_is_needed_6() {
    every_guard_is_needed(5, 8);
}

#[test]
fn every_guard_is_needed_7() {
    every_guard_is_needed(6, 8);
}

#[test]
fn every_guard_is_needed_8() {
    every_guard_is_needed(7, 8);
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
async fn a_letter_comes_back_only_where_there_is_room() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    for (check, is_full) in [("", true), ("replay-cap", false)] {
        let lanes = without(&server, check).await;
        let (lane, most) = (lane(0, 1), i64::try_from(LIMITS.queue_cap).unwrap());
        let id = lanes.set_aside(letter(&lane)).await.unwrap();
        let items = (1..=most).map(|id| item(&lane, id, false)).collect();
        lanes.ingest(items).await.unwrap();
        let replayed = lanes.replay(&lane.bot, &id).await;
        assert_eq!(
            matches!(replayed, Err(StoreError::Full)),
            is_full,
            "without {check}"
        );
    }
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

#[tokio::test]
async fn nothing_takes_effect_on_a_revision_that_was_replaced() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    let revision = |epoch: u64| ActiveRevision {
        epoch: Epoch(epoch),
        rev: RevHash(Sha256Hash::of(epoch.to_string())),
    };
    let stale = CommitOutcome::Stale(Some(revision(2)));
    for (check, is_stale) in [("", true), ("commit-revision", false)] {
        let lanes = without(&server, check).await;
        let lane = lane(0, 1);
        lanes.set_revision(&lane.bot, revision(1)).await.unwrap();
        let granted = lanes.ingest(vec![item(&lane, 1, true)]).await.unwrap();
        let [IngestOutcome::Granted(turn)] = granted.as_slice() else {
            panic!("{granted:?}");
        };
        lanes.set_revision(&lane.bot, revision(2)).await.unwrap();
        let committed = lanes.commit(vec![effects(turn)]).await.unwrap();
        assert_eq!(committed == [stale.clone()], is_stale, "without {check}");
    }
}

/// What comes without a lease, to a bot that is being moved.
async fn asks_a_closed_bot(lanes: &RedisLanes, server: &RedisServer, check: &str) -> StoreResult<()> {
    let lane = lane(0, 1);
    let letter_id = lanes.set_aside(letter(&lane)).await.unwrap();
    let mut close = cmd("HSET");
    close.arg("spread:0").arg(lane.bot.as_str()).arg(0);
    server.command::<u8>(&close).await.unwrap();
    match check {
        "forget-layout" => lanes.forget_state(&lane).await.map(drop),
        "free-layout" => lanes.free_updates(&lane, Remedy::Retry).await.map(drop),
        "free-out-layout" => lanes.free_messages(&lane, Remedy::Retry).await.map(drop),
        "look-layout" => lanes.chat(&lane).await.map(drop),
        "ingest-layout" => lanes.ingest(vec![item(&lane, 1, false)]).await.map(drop),
        "park-layout" => lanes.park(&lane.bot, Some(TimestampMs(i64::MAX / 8_192))).await,
        "replay-layout" => lanes.replay(&lane.bot, &letter_id).await.map(drop),
        "set-aside-layout" => lanes.set_aside(letter(&lane)).await.map(drop),
        "set-rev-layout" => {
            let revision = ActiveRevision {
                epoch: Epoch(1),
                rev: RevHash(Sha256Hash::of([1])),
            };
            lanes.set_revision(&lane.bot, revision).await.map(drop)
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn nothing_changes_at_a_bot_that_is_being_moved() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    for check in NOT_IN_HISTORIES.iter().filter(|check| check.ends_with("-layout")) {
        let whole = without(&server, "").await;
        let refused = asks_a_closed_bot(&whole, &server, check).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{check}");
        let broken = without(&server, check).await;
        asks_a_closed_bot(&broken, &server, check).await.unwrap();
    }
}

/// A message in the outbox of a chat, nobody's.
async fn queue_message(lanes: &RedisLanes) {
    let outcome = lanes.ingest(vec![item(&lane(0, 1), 1, true)]).await.unwrap();
    let [IngestOutcome::Granted(turn)] = outcome.as_slice() else {
        panic!("{outcome:?}");
    };
    let mut commit = effects(turn);
    commit.want_out = false;
    // Of the kind whose begin is noted.
    commit.messages[0].ambiguous = Ambiguous::Skip;
    lanes.commit(vec![commit]).await.unwrap();
}

/// Whether a message counts as maybe sent that was begun, and, if it was `answered` ("not now"), leased again and not begun.
async fn is_in_doubt(server: &RedisServer, check: &str, answered: bool) -> bool {
    server.command::<()>(&cmd("FLUSHALL")).await.unwrap();
    let link = RedisLink::connect(&server.url(), patient(1)).await.unwrap();
    let clock = LaneKit::clock();
    let lanes = RedisLanes::without(link, LIMITS, clock.clone(), check)
        .await
        .unwrap();
    queue_message(&lanes).await;
    let turn = lanes.claim_out(1).await.unwrap().0.remove(0);
    assert!(lanes.begin_send(&turn.lease).await.unwrap());
    if answered {
        let not_now = AckOut {
            lease: turn.lease,
            sent: 0,
            dead: None,
            dead_all: false,
            after: AfterAck::Release,
        };
        lanes.ack_out(vec![not_now]).await.unwrap();
        assert_eq!(lanes.claim_out(1).await.unwrap().0.len(), 1);
    }
    clock.advance(LIMITS.out_lease_ms + 1);
    let turn = lanes.claim_out(1).await.unwrap().0.remove(0);
    turn.messages[0].maybe_sent
}

#[tokio::test]
async fn a_message_is_in_doubt_from_its_begin_to_its_answer() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    assert!(is_in_doubt(&server, "", false).await);
    assert!(!is_in_doubt(&server, "begin-note", false).await);
    assert!(!is_in_doubt(&server, "", true).await);
    assert!(is_in_doubt(&server, "answered-is-no-doubt", true).await);
}

/// What a person who helps a chat does to a message that failed before Telegram asked for a pause.
async fn helped_against_a_pause(server: &RedisServer, check: &str) -> Freed {
    let lanes = without(server, check).await;
    queue_message(&lanes).await;
    let failed = AfterAck::Delay {
        until: LaneKit::clock().now(),
        attempt: 1,
    };
    let until = LaneKit::clock().now().plus(60_000);
    for after in [failed, AfterAck::FloodWait { until }] {
        let turn = lanes.claim_out(1).await.unwrap().0.remove(0);
        let answered = AckOut {
            lease: turn.lease,
            sent: 0,
            dead: None,
            dead_all: false,
            after,
        };
        lanes.ack_out(vec![answered]).await.unwrap();
    }
    lanes.free_messages(&lane(0, 1), Remedy::Retry).await.unwrap()
}

#[tokio::test]
async fn nobody_ends_a_pause_that_telegram_asked_for() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    let helped = helped_against_a_pause(&server, "").await;
    assert!(matches!(helped, Freed::NotBefore(_)), "{helped:?}");
    for check in ["ack-flood", "free-out-asked"] {
        let helped = helped_against_a_pause(&server, check).await;
        assert_eq!(helped, Freed::Retried, "without {check}");
    }
}

/// How many of two nodes get the same message, when the lease of the first runs out before it reads what it leased.
async fn holders(server: &RedisServer, check: &str) -> usize {
    let slow = without(server, check).await;
    queue_message(&slow).await;
    let late = Arc::new(ManualClock::new(TimestampMs(
        LaneKit::clock().now().0 + LIMITS.out_lease_ms * 2,
    )));
    let link = RedisLink::connect(&server.url(), patient(1)).await.unwrap();
    let other = RedisLanes::without(link, LIMITS, late, check).await.unwrap();
    // Both open their connections and know the scripts; then both requests wait at the server, in this order.
    slow.claim_out(0).await.unwrap();
    other.claim_out(0).await.unwrap();
    server.signal("STOP");
    let first = tokio::spawn(async move { slow.claim_out(1).await.unwrap().0.len() });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = tokio::spawn(async move { other.claim_out(1).await.unwrap().0.len() });
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.signal("CONT");
    first.await.unwrap() + second.await.unwrap()
}

#[tokio::test]
async fn an_outbox_is_read_under_its_lease_only() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    let (mut most, mut without_it) = (0, 0);
    for _ in 0..5 {
        most = most.max(holders(&server, "").await);
        without_it = without_it.max(holders(&server, "load-out-fence").await);
    }
    assert_eq!((most, without_it), (1, 2));
}

#[tokio::test]
async fn repair_leaves_what_has_its_place() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    for (check, given) in [("", 0), ("repair-once", 1)] {
        let lanes = without(&server, check).await;
        lanes.ingest(vec![item(&lane(0, 1), 1, true)]).await.unwrap();
        assert_eq!(lanes.repair().await.unwrap(), given, "without {check}");
        assert_eq!(lanes.check().await.is_ok(), given == 0, "without {check}");
    }
}
