//! What is special about the file: restarts, space, locks, versions, callers that give up.
//!
//! Longer than most files: each story makes a file as it was at some moment, with helpers that all of them share.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use botloom_backends::{SqliteLanes, SqliteTuning};
use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{
    AckOut, ActiveRevision, AfterAck, Chats as _, Commit, CommitOutcome, DeadLetters as _, DedupKey,
    Direction, Freed, Ingest, IngestOutcome, LaneLimits, Lanes as _, LetterCount, LetterQuery, NewDeadLetter,
    NextTurn, OutClass, OutMessage, Outbox as _, Remedy, StateChange, StoreError, Turn,
};
use botloom_core::testing::ManualClock;
use botloom_core::{BotId, ChatId, Clock as _, Epoch, Lane, RevHash, Sha256Hash, TimestampMs};
use bytes::Bytes;
use futures_util::future::try_join_all;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(TimestampMs(1_795_200_000_000)))
}

fn open(path: &Path, clock: &Arc<ManualClock>) -> Result<Arc<SqliteLanes>, StoreError> {
    SqliteLanes::open(path, LaneLimits::default(), clock.clone())
}

fn lane(chat: i64) -> Lane {
    Lane {
        bot: BotId::new("pizza").unwrap(),
        chat: ChatId::from(chat),
    }
}

fn update(chat: i64, id: i64, envelope: Bytes, want_turn: bool) -> Ingest {
    Ingest {
        lane: lane(chat),
        dedup: DedupKey::Update(id),
        envelope,
        accepted_at: TimestampMs(id),
        trace: None,
        want_turn,
    }
}

fn message(text: &str, ambiguous: Ambiguous) -> OutMessage {
    OutMessage {
        method: "sendMessage".to_owned(),
        params: Bytes::from(format!("{{\"text\":\"{text}\"}}")),
        class: OutClass::Reply,
        not_after: None,
        ambiguous,
        cause: text.to_owned(),
        trace: None,
    }
}

fn commit(turn: &Turn, messages: Vec<OutMessage>) -> Commit {
    Commit {
        lease: turn.lease.clone(),
        revision: turn.revision,
        updates: 1,
        state: StateChange::Put {
            document: Bytes::from_static(b"{}"),
            ttl_ms: None,
        },
        messages,
        want_out: false,
        next: NextTurn::Release,
        charge: 0,
    }
}

async fn ingest(store: &SqliteLanes, item: Ingest) -> Result<IngestOutcome, StoreError> {
    Ok(store.ingest(vec![item]).await?.remove(0))
}

async fn grant(store: &SqliteLanes, chat: i64, id: i64) -> Turn {
    let item = update(chat, id, Bytes::from_static(b"{}"), true);
    match ingest(store, item).await.unwrap() {
        IngestOutcome::Granted(turn) => *turn,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_restart_keeps_everything_but_leases() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("runtime.db"), clock());
    let store = open(&path, &clock).unwrap();
    let revision = ActiveRevision {
        epoch: Epoch(7),
        rev: RevHash(Sha256Hash::of("seven")),
    };
    store.set_revision(&lane(1).bot, revision).await.unwrap();
    let held = grant(&store, 1, 1).await;
    let delayed = grant(&store, 2, 2).await;
    let done = grant(&store, 3, 3).await;
    let fail = botloom_core::ports::Fail {
        lease: delayed.lease.clone(),
        max_attempts: 3,
        retry_at: clock.now().plus(60_000),
        reason: "script-error".to_owned(),
        detail: String::new(),
    };
    store.fail(fail).await.unwrap();
    store.commit(vec![commit(&done, Vec::new())]).await.unwrap();
    store
        .park(&BotId::new("sushi").unwrap(), Some(clock.now().plus(1_000)))
        .await
        .unwrap();
    drop(store);

    let store = open(&path, &clock).unwrap();
    store.check().await.unwrap();
    let stale = store.commit(vec![commit(&held, Vec::new())]).await.unwrap();
    assert_eq!(
        stale,
        [CommitOutcome::Fenced],
        "tokens of the last run are worth nothing"
    );
    let turns = store.claim(10).await.unwrap().turns;
    let found: Vec<_> = turns
        .iter()
        .map(|turn| (turn.lease.lane.clone(), turn.attempts))
        .collect();
    assert_eq!(
        found,
        [(lane(1), 0), (lane(2), 1)],
        "oldest first; tries are remembered, delays are not"
    );
    assert!(
        turns
            .iter()
            .all(|turn| turn.revision == Some(revision) && turn.lease.token > held.lease.token)
    );
    assert_eq!(store.state(&lane(3)).await.unwrap().as_deref(), Some(&b"{}"[..]));
    let again = ingest(&store, update(3, 3, Bytes::new(), true)).await.unwrap();
    assert_eq!(again, IngestOutcome::Duplicate);
}

#[tokio::test]
async fn after_a_restart_first_messages_are_in_doubt_if_they_may_have_been_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("runtime.db"), clock());
    let store = open(&path, &clock).unwrap();
    let queues = [
        vec![message("a", Ambiguous::Resend), message("b", Ambiguous::Resend)],
        vec![message("c", Ambiguous::Skip)],
        vec![message("d", Ambiguous::Skip), message("e", Ambiguous::Resend)],
    ];
    for (chat, messages) in (1..).zip(queues) {
        let turn = grant(&store, chat, chat).await;
        store.commit(vec![commit(&turn, messages)]).await.unwrap();
    }
    for turn in store.claim_out(3).await.unwrap().0 {
        if turn.lease.lane == lane(3) {
            assert!(store.begin_send(&turn.lease).await.unwrap());
        }
    }
    drop(store);
    let store = open(&path, &clock).unwrap();
    let mut doubts = Vec::new();
    for turn in store.claim_out(3).await.unwrap().0 {
        doubts.extend(
            turn.messages
                .into_iter()
                .map(|queued| (queued.message.cause, queued.maybe_sent)),
        );
    }
    let expected = [("a", true), ("b", false), ("c", false), ("d", true), ("e", false)];
    assert_eq!(doubts, expected.map(|(text, doubt)| (text.to_owned(), doubt)));
}

#[tokio::test]
async fn waits_of_senders_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("runtime.db"), clock());
    let store = open(&path, &clock).unwrap();
    for chat in 1..=2 {
        let turn = grant(&store, chat, chat).await;
        let messages = vec![message("a", Ambiguous::Skip)];
        store.commit(vec![commit(&turn, messages)]).await.unwrap();
    }
    let turn = store.claim_out(1).await.unwrap().0.remove(0);
    let until = clock.now().plus(5_000);
    let ack = AckOut {
        lease: turn.lease.clone(),
        sent: 0,
        dead: None,
        dead_all: false,
        after: AfterAck::Delay { until, attempt: 1 },
    };
    store.ack_out(vec![ack]).await.unwrap();
    drop(store);
    let store = open(&path, &clock).unwrap();
    let (turns, due) = store.claim_out(5).await.unwrap();
    assert_eq!(turns.len(), 1, "only the other chat");
    assert_ne!(turns[0].lease.lane, turn.lease.lane);
    assert_eq!(due, Some(until));
    store.park(&lane(1).bot, Some(until.plus(1))).await.unwrap();
    drop(store);
    let store = open(&path, &clock).unwrap();
    clock.advance(5_000);
    assert_eq!(
        store.claim_out(5).await.unwrap().0,
        Vec::new(),
        "the bot is parked"
    );
    clock.advance(1);
    assert_eq!(store.claim_out(5).await.unwrap().0.len(), 2);
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_wait_that_telegram_asked_for_survives_a_restart_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("runtime.db"), clock());
    let store = open(&path, &clock).unwrap();
    let turn = grant(&store, 1, 1).await;
    let messages = vec![message("a", Ambiguous::Resend)];
    store.commit(vec![commit(&turn, messages)]).await.unwrap();
    let until = clock.now().plus(60_000);
    let failed = AfterAck::Delay {
        until: clock.now(),
        attempt: 1,
    };
    for after in [failed, AfterAck::FloodWait { until }] {
        let turn = store.claim_out(1).await.unwrap().0.remove(0);
        let ack = AckOut {
            lease: turn.lease,
            sent: 0,
            dead: None,
            dead_all: false,
            after,
        };
        store.ack_out(vec![ack]).await.unwrap();
    }
    drop(store);
    let store = open(&path, &clock).unwrap();
    let freed = store.free_messages(&lane(1), Remedy::Retry).await.unwrap();
    assert_eq!(freed, Freed::NotBefore(until));
    assert_eq!(store.claim_out(1).await.unwrap().0, Vec::new());
    store.check().await.unwrap();
}

#[tokio::test]
async fn many_letters_are_counted_as_a_filter_means() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("runtime.db"), clock());
    let store = open(&path, &clock).unwrap();
    // All at once: one transaction takes many.
    let letters = (0..3_000_i64).map(|number| NewDeadLetter {
        bot: lane(1).bot,
        chat: (number % 7 != 0).then(|| lane(number % 3).chat),
        reason: ["overflow", "expired"][usize::from(number % 5 == 0)].to_owned(),
        detail: number.to_string(),
        body: Bytes::from_static(b"{}"),
        at: clock.now(),
    });
    try_join_all(letters.map(|letter| store.set_aside(letter)))
        .await
        .unwrap();
    let numbers = || 0..3_000_i64;
    let in_chat = |number: &i64| number % 7 != 0 && number % 3 == 1;
    let expired = |number: &i64| number % 5 == 0;
    for (chat, reason, expected) in [
        (None, None, numbers().count()),
        (Some(1), None, numbers().filter(in_chat).count()),
        (None, Some("expired"), numbers().filter(expired).count()),
        (
            Some(1),
            Some("expired"),
            numbers().filter(in_chat).filter(expired).count(),
        ),
        (Some(9), None, 0),
    ] {
        let query = LetterQuery {
            chat: chat.map(|chat| lane(chat).chat),
            reason: reason.map(str::to_owned),
            ..LetterQuery::all(Direction::In)
        };
        let count = store.count(&lane(1).bot, &query).await.unwrap();
        assert_eq!(count, LetterCount::exactly(expected as u64), "{query:?}");
    }
}

#[tokio::test]
async fn a_full_file_refuses_and_recovers_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("runtime.db"), clock());
    let tuning = SqliteTuning {
        max_bytes: Some(1 << 20),
        ..SqliteTuning::default()
    };
    let store = SqliteLanes::open_with(&path, LaneLimits::default(), clock.clone(), tuning).unwrap();
    let held = grant(&store, 0, 0).await;
    let big = Bytes::from(vec![b'x'; 20_000]);
    let mut accepted = 0;
    let refused = loop {
        let chat = accepted + 1;
        match ingest(&store, update(chat, chat, big.clone(), false)).await {
            Ok(outcome) => assert!(matches!(outcome, IngestOutcome::Ready { .. })),
            Err(error) => break error,
        }
        accepted += 1;
    };
    assert!(matches!(refused, StoreError::Full), "{refused:?}");
    assert!(accepted > 20, "{accepted}");
    // Together in one group: what needs no space goes through, what does is refused, nothing is half done.
    let (turns, late) = tokio::join!(
        store.claim(2),
        ingest(&store, update(9_999, 9_999, big.clone(), false))
    );
    let turns = turns.unwrap().turns;
    assert!(matches!(late, Err(StoreError::Full)), "{late:?}");
    store.check().await.unwrap();
    let stats = store.stats().await.unwrap();
    assert_eq!(
        (stats.updates, stats.leased),
        (u64::try_from(accepted + 1).unwrap(), 3)
    );
    // Leases outlive the trouble, and what they free makes room.
    for turn in turns.iter().chain([&held]) {
        let mut commit = commit(turn, Vec::new());
        commit.state = StateChange::Keep { ttl_ms: None };
        let outcome = store.commit(vec![commit]).await.unwrap().remove(0);
        assert_eq!(
            outcome,
            CommitOutcome::Committed {
                next: None,
                out: None
            }
        );
    }
    let again = ingest(&store, update(9_999, 9_999, big, false)).await.unwrap();
    assert!(matches!(again, IngestOutcome::Ready { .. }), "{again:?}");
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_purged_bot_leaves_the_file_and_may_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("runtime.db"), clock());
    let store = open(&path, &clock).unwrap();
    for chat in 0..50 {
        let turn = grant(&store, chat, chat).await;
        let messages = vec![message("a", Ambiguous::Skip)];
        store.commit(vec![commit(&turn, messages)]).await.unwrap();
    }
    store.purge(&lane(0).bot).await.unwrap();
    let turn = grant(&store, 1, 1).await;
    assert_eq!(turn.state, None);
    store.commit(vec![commit(&turn, Vec::new())]).await.unwrap();
    drop(store);
    let store = open(&path, &clock).unwrap();
    store.check().await.unwrap();
    // Sweeping runs by itself; this waits for it however long it takes.
    store.close().await;
    let rows = loop {
        let store = open(&path, &clock).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        drop(store);
        let db = rusqlite::Connection::open(&path).unwrap();
        let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        if count("SELECT count(*) FROM gone") == 0 {
            break ["state", "outq", "seen"].map(|table| count(&format!("SELECT count(*) FROM {table}")));
        }
    };
    assert_eq!(rows, [1, 0, 1]);
}

#[tokio::test]
async fn expired_ids_and_documents_leave_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("runtime.db"), clock());
    let store = open(&path, &clock).unwrap();
    for chat in 0..30 {
        let turn = grant(&store, chat, chat).await;
        let mut commit = commit(&turn, Vec::new());
        if chat % 3 > 0 {
            commit.state = StateChange::Put {
                document: Bytes::from_static(b"1"),
                ttl_ms: Some(1_000),
            };
        }
        store.commit(vec![commit]).await.unwrap();
    }
    clock.advance(LaneLimits::default().dedup_ttl_ms);
    grant(&store, 100, 100).await;
    drop(store);
    let rows = loop {
        let store = open(&path, &clock).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        drop(store);
        let db = rusqlite::Connection::open(&path).unwrap();
        let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let rows = [
            count("SELECT count(*) FROM seen"),
            count("SELECT count(*) FROM state"),
        ];
        if rows[0] < 31 && rows[1] < 30 {
            break rows;
        }
    };
    assert_eq!(rows, [1, 10], "what is still good is kept");
}

#[tokio::test]
async fn a_file_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("runtime.db"), clock());
    let store = open(&path, &clock).unwrap();
    let second = open(&path, &clock);
    assert!(matches!(&second, Err(StoreError::Unavailable(_))), "{second:?}");
    grant(&store, 1, 1).await;
    store.close().await;
    let closed = store.claim(1).await;
    assert!(matches!(closed, Err(StoreError::Unavailable(_))), "{closed:?}");
    let next = open(&path, &clock).unwrap();
    assert_eq!(next.claim(1).await.unwrap().turns.len(), 1);
}

#[tokio::test]
async fn foreign_and_newer_files_are_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let foreign = dir.path().join("foreign.db");
    rusqlite::Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE notes (text TEXT)")
        .unwrap();
    let newer = dir.path().join("newer.db");
    drop(open(&newer, &clock).unwrap());
    rusqlite::Connection::open(&newer)
        .unwrap()
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    let text = dir.path().join("text.db");
    std::fs::write(
        &text,
        "not a database at all, but long enough to have a header of one hundred bytes",
    )
    .unwrap();
    for path in [foreign, newer, text] {
        let before = std::fs::read(&path).unwrap();
        let refused = open(&path, &clock);
        assert!(matches!(&refused, Err(StoreError::Corrupt(_))), "{refused:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{}", path.display());
    }
}

/// Schema 2: before waits of Telegram were told apart, and letters had an index to be counted from.
#[tokio::test]
async fn a_file_of_an_older_version_is_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("runtime.db"), clock());
    let due = clock.now().plus(60_000).0;
    let db = rusqlite::Connection::open(&path).unwrap();
    for script in [
        include_str!("../../../../migrations/sqlite/runtime/0001_lanes.sql"),
        include_str!("../../../../migrations/sqlite/runtime/0002_traces.sql"),
    ] {
        db.execute_batch(script).unwrap();
    }
    db.execute_batch(&format!(
        "PRAGMA application_id = {}; PRAGMA user_version = 2;
         INSERT INTO meta (key, value) VALUES ('run', 3), ('made_at', 1), ('made_by', '0.1.0');
         INSERT INTO bots (n, id) VALUES (1, 'pizza');
         INSERT INTO outq (bot, chat, rank, seq, class, ambiguous, attempts, begun, maybe_sent, method, cause, params)
             VALUES (1, '1', 1, 1, 1, 0, 1, 0, 0, 'sendMessage', 'a', '{{}}');
         INSERT INTO out_delays (bot, chat, due) VALUES (1, '1', {due});
         INSERT INTO dlq (bot, dir, chat, at, attempts, reason, detail, body)
             VALUES (1, 0, '1', 1, 1, 'expired', '', '{{}}');",
        i64::from(u32::from_be_bytes(*b"BotL"))
    ).replace("'{}'", "CAST('{}' AS BLOB)"))
    .unwrap();
    drop(db);

    let store = open(&path, &clock).unwrap();
    for (reason, letters) in [("expired", 1), ("overflow", 0)] {
        let query = LetterQuery {
            chat: Some(lane(1).chat),
            reason: Some(reason.to_owned()),
            ..LetterQuery::all(Direction::In)
        };
        let count = store.count(&lane(1).bot, &query).await.unwrap();
        assert_eq!(count, LetterCount::exactly(letters));
    }
    let (turns, next) = store.claim_out(1).await.unwrap();
    assert_eq!((turns, next), (Vec::new(), Some(TimestampMs(due))));
    // The message had failed: its next try may be made now, because nobody knows that Telegram asked for the wait.
    let freed = store.free_messages(&lane(1), Remedy::Retry).await.unwrap();
    assert_eq!(freed, Freed::Retried);
    assert_eq!(store.claim_out(1).await.unwrap().0.len(), 1);
    store.check().await.unwrap();
}

#[tokio::test]
async fn damage_is_reported_and_after_repair_the_store_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("runtime.db"), clock());
    let store = open(&path, &clock).unwrap();
    for chat in 0..40 {
        let turn = grant(&store, chat, chat).await;
        let mut commit = commit(&turn, Vec::new());
        commit.state = StateChange::Put {
            document: Bytes::from(vec![b'd'; 60_000]),
            ttl_ms: None,
        };
        store.commit(vec![commit]).await.unwrap();
    }
    drop(store);
    let tuning = SqliteTuning {
        cache_bytes: 4_096,
        ..SqliteTuning::default()
    };
    let store = SqliteLanes::open_with(&path, LaneLimits::default(), clock.clone(), tuning).unwrap();
    // Behind the first pages of all tables there are only documents.
    let start = 100 * 4_096;
    let good = std::fs::read(&path).unwrap().split_off(start);
    overwrite(&path, start, &vec![0xff; good.len()]);
    let damaged = store.state(&lane(39)).await;
    assert!(matches!(damaged, Err(StoreError::Corrupt(_))), "{damaged:?}");
    overwrite(&path, start, &good);
    let repaired = loop {
        match store.state(&lane(39)).await {
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            Ok(document) => break document,
        }
    };
    assert_eq!(repaired, Some(Bytes::from(vec![b'd'; 60_000])));
    grant(&store, 1, 100).await;
    store.check().await.unwrap();
}

fn overwrite(path: &Path, start: usize, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, u64::try_from(start).unwrap()).unwrap();
}

#[tokio::test]
async fn long_queues_are_read_from_the_file_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("runtime.db"), clock());
    let store = open(&path, &clock).unwrap();
    // 500 updates of 100 KB: more than is kept in memory.
    for first in (0..500).step_by(50) {
        let batch = (first..first + 50).map(|id| update(id % 5, id, Bytes::from(vec![b'x'; 100_000]), false));
        store.ingest(batch.collect()).await.unwrap();
    }
    store.check().await.unwrap();
    let mut seen = vec![Vec::new(); 5];
    loop {
        let turns = store.claim(2).await.unwrap().turns;
        if turns.is_empty() {
            break;
        }
        for turn in turns {
            let chat: usize = turn.lease.lane.chat.as_str().parse().unwrap();
            for update in &turn.updates {
                let DedupKey::Update(id) = update.dedup else {
                    panic!("{update:?}")
                };
                assert_eq!(
                    (update.envelope.len(), update.accepted_at),
                    (100_000, TimestampMs(id))
                );
                seen[chat].push(id);
            }
            let mut commit = commit(&turn, Vec::new());
            commit.updates = turn.updates.len();
            store.commit(vec![commit]).await.unwrap();
        }
    }
    for (chat, ids) in (0..).zip(seen) {
        assert_eq!(ids, (0..100).map(|n| n * 5 + chat).collect::<Vec<_>>());
    }
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_turn_granted_to_a_caller_who_gave_up_is_ready_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (path, clock) = (dir.path().join("runtime.db"), clock());
    let store = open(&path, &clock).unwrap();
    // Callers give up at every moment from before the step runs to after it is durable.
    for round in 0..200 {
        let item = update(round, round, Bytes::new(), true);
        let call = store.ingest(vec![item]);
        let patience = std::time::Duration::from_micros(u64::try_from(round).unwrap() * 10);
        let kept = tokio::time::timeout(patience, call).await;
        if let Ok(answer) = kept {
            let IngestOutcome::Granted(turn) = answer.unwrap().remove(0) else {
                panic!("the lane was empty");
            };
            store.release(&[turn.lease]).await.unwrap();
        }
    }
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.leased, stats.ready), (0, stats.updates));
    store.check().await.unwrap();
}
