//! What cannot be read is set aside and takes no other lane with it, and what was set aside does not stay for ever.

use std::ops::Range;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use botloom_backends::{RedisLanes, RedisLink, SetSpread};
use botloom_core::Secret;
use botloom_core::ports::{
    CommitOutcome, DeadLetter, DeadLetters as _, Direction, LaneLimits, Lanes as _, LetterCount, LetterQuery,
    NextTurn, Outbox as _, PageRequest,
};
use botloom_core::testing::conformance::lanes::LaneKit;
use futures_util::future::try_join_all;
use redis::cmd;

use super::load::{LIMITS, effects, item, lane, letter};
use crate::support::redis::{RedisServer, cluster, patient};

const CHATS: i64 = 5;
const FORTNIGHT_MS: u128 = 14 * 86_400_000;

async fn lanes_without(server: &RedisServer, check: &str) -> Arc<RedisLanes> {
    server.command::<()>(&cmd("FLUSHALL")).await.unwrap();
    let link = RedisLink::connect(&server.url(), patient(1)).await.unwrap();
    RedisLanes::without(link, LIMITS, LaneKit::clock(), check)
        .await
        .unwrap()
}

/// The only key that contains this.
async fn key(server: &RedisServer, part: &str) -> String {
    let mut keys: Vec<String> = server
        .command(cmd("KEYS").arg(format!("*{part}*")))
        .await
        .unwrap();
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys.remove(0)
}

async fn spoil_first(server: &RedisServer, list: &str) {
    let mut set = cmd("LSET");
    set.arg(key(server, list).await).arg(0).arg("nobody reads this");
    server.command::<()>(&set).await.unwrap();
}

async fn letters(lanes: &RedisLanes, direction: Direction) -> Vec<DeadLetter> {
    let page = PageRequest::default();
    lanes
        .dead_letters(&lane(0, 0).bot, direction, &page)
        .await
        .unwrap()
        .items
}

#[tokio::test]
async fn an_update_that_cannot_be_read_is_set_aside_and_its_lane_goes_on() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    let lanes = lanes_without(&server, "").await;
    for chat in 0..CHATS {
        for id in 0..3 {
            let update = item(&lane(0, chat), chat * 10 + id, false);
            lanes.ingest(vec![update]).await.unwrap();
        }
    }
    spoil_first(&server, "q:in:bot-0:2").await;
    let mut strange = cmd("ZADD");
    strange.arg(key(&server, "rz").await).arg(0).arg("no lane");
    server.command::<()>(&strange).await.unwrap();

    let turns = lanes.claim(10).await.unwrap().turns;
    let mut claimed: Vec<_> = turns.iter().map(|turn| turn.lease.lane.clone()).collect();
    claimed.sort();
    assert_eq!(claimed, [lane(0, 0), lane(0, 1), lane(0, 3), lane(0, 4)]);
    let aside = letters(&lanes, Direction::In).await;
    assert_eq!(aside.len(), 1);
    assert_eq!(
        (aside[0].letter.reason.as_str(), aside[0].attempts),
        ("malformed", 1)
    );
    assert_eq!(&aside[0].letter.body[..], b"nobody reads this");
    let rest = lanes.claim(10).await.unwrap().turns.remove(0);
    assert_eq!((&rest.lease.lane, rest.updates.len()), (&lane(0, 2), 2));
    lanes.check().await.unwrap();

    // The next turn of a lane that goes on, and one behind updates that can be read.
    let mut first = turns
        .into_iter()
        .find(|turn| turn.lease.lane == lane(0, 0))
        .unwrap();
    first.updates.truncate(1);
    spoil_first(&server, "q:in:bot-0:1").await;
    let mut second = cmd("LSET");
    second.arg(key(&server, "q:in:bot-0:0").await).arg(1).arg("");
    server.command::<()>(&second).await.unwrap();
    let mut commit = effects(&first);
    commit.next = NextTurn::Keep;
    let outcome = lanes.commit(vec![commit]).await.unwrap().remove(0);
    assert!(
        matches!(outcome, CommitOutcome::Committed { next: None, .. }),
        "{outcome:?}"
    );
    assert_eq!(letters(&lanes, Direction::In).await.len(), 2);
    let rest = lanes.claim(1).await.unwrap().turns.remove(0);
    assert_eq!((&rest.lease.lane, rest.updates.len()), (&lane(0, 0), 1));

    let mut document = cmd("SET");
    document
        .arg(key(&server, "state:bot:bot-0:chat:0").await)
        .arg("{}");
    server.command::<()>(&document).await.unwrap();
    lanes.release(&[rest.lease]).await.unwrap();
    assert_eq!(lanes.claim(1).await.unwrap().turns.len(), 0);
    assert_eq!(
        letters(&lanes, Direction::In).await[0].letter.reason,
        "state-corrupt"
    );
    lanes.check().await.unwrap();
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_set_aside_and_its_outbox_goes_on() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    let lanes = lanes_without(&server, "").await;
    for chat in 0..CHATS {
        for id in 0..2 {
            let update = item(&lane(0, chat), chat * 10 + id, false);
            lanes.ingest(vec![update]).await.unwrap();
        }
    }
    for turn in lanes.claim(10).await.unwrap().turns {
        let outcome = lanes.commit(vec![effects(&turn)]).await.unwrap().remove(0);
        assert!(matches!(outcome, CommitOutcome::Committed { .. }), "{outcome:?}");
    }
    spoil_first(&server, "q:out:bot-0:2").await;
    let (turns, _) = lanes.claim_out(10).await.unwrap();
    let mut claimed: Vec<_> = turns.iter().map(|turn| turn.lease.lane.clone()).collect();
    claimed.sort();
    assert_eq!(claimed, [lane(0, 0), lane(0, 1), lane(0, 3), lane(0, 4)]);
    let aside = letters(&lanes, Direction::Out).await;
    assert_eq!(aside.len(), 1);
    assert_eq!(&aside[0].letter.body[..], b"nobody reads this");
    let rest = lanes.claim_out(10).await.unwrap().0.remove(0);
    assert_eq!((&rest.lease.lane, rest.messages.len()), (&lane(0, 2), 1));
    lanes.check().await.unwrap();
}

#[tokio::test]
async fn letters_of_a_bot_that_makes_new_ones_age_as_well() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    for (check, expected) in [("", 2), ("letters-age", 3)] {
        let lanes = lanes_without(&server, check).await;
        lanes.set_aside(letter(&lane(0, 1))).await.unwrap();
        let stream = key(&server, "dlq:in:bot-0").await;
        server.command::<()>(cmd("DEL").arg(&stream)).await.unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        for age in [FORTNIGHT_MS + 60_000, FORTNIGHT_MS - 60_000] {
            let mut add = cmd("XADD");
            add.arg(&stream).arg(format!("{}-0", now - age));
            add.arg(&["t", "1", "c", "1", "r", "overflow", "d", "", "n", "0", "b", "{}"]);
            server.command::<String>(&add).await.unwrap();
        }
        lanes.set_aside(letter(&lane(0, 1))).await.unwrap();
        let kept = letters(&lanes, Direction::In).await.len();
        assert_eq!(kept, expected, "without {check}");
    }
}

/// Lanes of which a stream of letters holds 250.
async fn with_room_for_letters(url: &Secret) -> Arc<RedisLanes> {
    let limits = LaneLimits {
        dead_letter_cap: 250,
        ..LIMITS
    };
    let link = RedisLink::connect(url, patient(64)).await.unwrap();
    RedisLanes::with_clock(link, limits, LaneKit::clock())
        .await
        .unwrap()
}

/// Letters of ten chats; every third has another reason.
async fn set_aside_many(lanes: &RedisLanes, numbers: Range<i64>) {
    let letters = numbers.map(|number| {
        let mut letter = letter(&lane(0, number % 10));
        if number % 3 == 0 {
            "expired".clone_into(&mut letter.reason);
        }
        lanes.set_aside(letter)
    });
    try_join_all(letters).await.unwrap();
}

fn meant(chat: Option<i64>, reason: Option<&str>) -> LetterQuery {
    LetterQuery {
        chat: chat.map(|chat| lane(0, chat).chat),
        reason: reason.map(str::to_owned),
        ..LetterQuery::all(Direction::In)
    }
}

async fn counts_240(lanes: &RedisLanes) {
    for (query, expected) in [
        (meant(None, None), 240),
        (meant(None, Some("expired")), 80),
        (meant(Some(4), None), 24),
        (meant(Some(4), Some("expired")), 8),
        (meant(Some(4), Some("x")), 0),
        (meant(Some(11), None), 0),
    ] {
        let count = lanes.count(&lane(0, 0).bot, &query).await.unwrap();
        assert_eq!(count, LetterCount::exactly(expected), "{query:?}");
    }
}

#[tokio::test]
async fn many_letters_are_counted_where_they_lie() {
    let server = RedisServer::start(&["--appendfsync", "no"]).await;
    let lanes = with_room_for_letters(&server.url()).await;
    set_aside_many(&lanes, 1..240).await;
    // One that no node can read.
    let mut add = cmd("XADD");
    add.arg(key(&server, "dlq:in:bot-0").await);
    add.arg(&[
        "*", "t", "1", "c", "0", "r", "expired", "d", "", "n", "many", "b", "{}",
    ]);
    server.command::<String>(&add).await.unwrap();
    let bot = lane(0, 0).bot;
    let read = lanes
        .dead_letters(&bot, Direction::In, &PageRequest::default())
        .await;
    assert!(read.is_err(), "{read:?}");
    counts_240(&lanes).await;
}

#[tokio::test]
async fn no_more_letters_are_looked_through_than_one_shard_may_hold() {
    let (url, _lock) = cluster().await;
    let lanes = with_room_for_letters(&url).await;
    let bot = lane(0, 0).bot;
    assert_eq!(lanes.set_spread(&bot, 4).await.unwrap(), SetSpread::Set);
    set_aside_many(&lanes, 0..240).await;
    counts_240(&lanes).await;
    // More than one shard may hold: all of them are counted, and not all looked through.
    set_aside_many(&lanes, 240..300).await;
    let all = lanes.count(&bot, &meant(None, None)).await.unwrap();
    assert_eq!(all, LetterCount::exactly(300));
    let some = lanes.count(&bot, &meant(None, Some("expired"))).await.unwrap();
    assert!(some.at_least && (50..=100).contains(&some.letters), "{some:?}");
}
