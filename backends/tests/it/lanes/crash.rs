//! A process that is killed at any moment: what it acknowledged is there, nothing took effect twice or out of order.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use botloom_backends::SqliteLanes;
use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{
    AckOut, AckOutOutcome, AfterAck, Commit, CommitOutcome, DedupKey, Ingest, IngestOutcome, LaneLimits,
    Lanes as _, NextTurn, OutClass, OutMessage, OutTurn, Outbox as _, StateChange, Turn,
};
use botloom_core::time::SystemClock;
use botloom_core::{BotId, ChatId, Lane, TimestampMs};
use bytes::Bytes;

/// Tells the test that it is the process to be killed, and where its file is.
const VICTIM: &str = "BOTLOOM_TEST_LANES_VICTIM";
const KILLS: u64 = 20;
const CHATS: i64 = 12;
const MILLION: i64 = 1_000_000;

fn lane(chat: i64) -> Lane {
    Lane {
        bot: BotId::new("victim").unwrap(),
        chat: ChatId::from(chat),
    }
}

fn open(path: &Path) -> Arc<SqliteLanes> {
    SqliteLanes::open(path, LaneLimits::default(), Arc::new(SystemClock)).unwrap()
}

/// The document of a chat is the number of its last update.
fn counted(document: Option<&Bytes>) -> i64 {
    document.map_or(0, |text| std::str::from_utf8(text).unwrap().parse().unwrap())
}

fn number(update: &DedupKey) -> i64 {
    match update {
        DedupKey::Update(id) => id % MILLION,
        DedupKey::Synthetic(key) => panic!("{key}"),
    }
}

/// Reports what is durable, in one write.
fn report(what: char, chat: &str, number: i64) {
    let line = format!("@{what} {chat} {number}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

async fn execute(store: &SqliteLanes, turn: Turn) {
    let mut next = Some(turn);
    while let Some(turn) = next.take() {
        let chat = turn.lease.lane.chat.as_str().to_owned();
        let done = counted(turn.state.as_ref());
        let last = done + i64::try_from(turn.updates.len()).unwrap();
        let numbers = turn.updates.iter().map(|update| number(&update.dedup));
        assert_eq!(
            numbers.collect::<Vec<_>>(),
            (done + 1..=last).collect::<Vec<_>>(),
            "chat {chat}"
        );
        let commit = Commit {
            lease: turn.lease.clone(),
            revision: None,
            updates: turn.updates.len(),
            state: StateChange::Put {
                document: Bytes::from(last.to_string()),
                ttl_ms: None,
            },
            messages: (done + 1..=last).map(message).collect(),
            want_out: true,
            next: NextTurn::Keep,
            charge: 0,
        };
        if let CommitOutcome::Committed { next: more, out } =
            store.commit(vec![commit]).await.unwrap().remove(0)
        {
            report('C', &chat, last);
            if let Some(out) = out {
                send(store, *out).await;
            }
            next = more.map(|turn| *turn);
        }
    }
}

fn message(number: i64) -> OutMessage {
    OutMessage {
        method: "sendMessage".to_owned(),
        params: Bytes::from_static(b"{}"),
        class: OutClass::Reply,
        not_after: None,
        ambiguous: Ambiguous::Resend,
        cause: number.to_string(),
        trace: None,
    }
}

async fn send(store: &SqliteLanes, turn: OutTurn) {
    let mut next = Some(turn);
    while let Some(turn) = next.take() {
        let ack = AckOut {
            lease: turn.lease.clone(),
            sent: 1,
            dead: None,
            dead_all: false,
            after: AfterAck::Keep,
        };
        let outcome = store.ack_out(vec![ack]).await.unwrap().remove(0);
        if let AckOutOutcome::Done { next: more, .. } = outcome {
            let sent = turn.messages[0].message.cause.parse().unwrap();
            report('S', turn.lease.lane.chat.as_str(), sent);
            next = more.map(|turn| *turn);
        }
    }
}

/// Delivers, executes and sends until it is killed.
async fn victim(path: &Path) {
    let store = open(path);
    let deliver = |chat: i64| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut next = counted(store.state(&lane(chat)).await.unwrap().as_ref()) + 1;
            loop {
                let item = Ingest {
                    lane: lane(chat),
                    dedup: DedupKey::Update(chat * MILLION + next),
                    envelope: Bytes::from(format!("{{\"update_id\":{next}}}")),
                    accepted_at: TimestampMs(next),
                    trace: None,
                    want_turn: next % 3 == 0,
                };
                match store.ingest(vec![item]).await.unwrap().remove(0) {
                    IngestOutcome::Full => tokio::time::sleep(Duration::from_millis(1)).await,
                    outcome => {
                        report('I', &chat.to_string(), next);
                        next += 1;
                        if let IngestOutcome::Granted(turn) = outcome {
                            execute(&store, *turn).await;
                        }
                    }
                }
            }
        })
    };
    let doors: Vec<_> = (0..CHATS).map(deliver).collect();
    loop {
        for turn in store.claim(4).await.unwrap().turns {
            execute(&store, turn).await;
        }
        for turn in store.claim_out(4).await.unwrap().0 {
            send(&store, turn).await;
        }
        // Whoever panicked has said why; the parent sees the process end before it was killed.
        if doors.iter().any(tokio::task::JoinHandle::is_finished) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Highest number reported, by kind and chat.
type Reports = HashMap<(char, i64), i64>;

/// Starts a victim, kills it some time `after` its first report, and adds up what it reported.
fn run_and_kill(path: &Path, after: Duration, reports: &mut Reports) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "lanes::crash::nothing_acknowledged_is_lost_to_a_kill",
            "--nocapture",
        ])
        .env(VICTIM, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let child = Arc::new(Mutex::new(child));
    let mut killer = None;
    for line in output.split(b'\n') {
        let line = String::from_utf8(line.unwrap()).unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let ([kind, chat, number], true) = (&words[..], line.starts_with('@')) else {
            continue;
        };
        let kind = kind.chars().nth(1).unwrap();
        let number: i64 = number.parse().unwrap();
        let highest = reports.entry((kind, chat.parse().unwrap())).or_insert(0);
        *highest = number.max(*highest);
        if killer.is_none() {
            let child = Arc::clone(&child);
            killer = Some(std::thread::spawn(move || {
                std::thread::sleep(after);
                child.lock().unwrap().kill().unwrap();
            }));
        }
    }
    killer.expect("the victim reported something").join().unwrap();
    let status = child.lock().unwrap().wait().unwrap();
    assert_eq!(status.code(), None, "the victim ended by itself: {status}");
}

fn integrity(path: &Path) -> String {
    let db = rusqlite::Connection::open(path).unwrap();
    db.query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap()
}

/// What is stored is at least what was reported, and without gaps.
async fn verify(path: &Path, reports: &Reports) {
    // Turns as long as the queues, to see all that waits.
    let limits = LaneLimits {
        turn_updates: 10_000,
        ..LaneLimits::default()
    };
    let store = SqliteLanes::open(path, limits, Arc::new(SystemClock)).unwrap();
    store.check().await.unwrap();
    let mut waiting: HashMap<i64, Vec<i64>> = HashMap::new();
    for turn in store.claim(usize::MAX).await.unwrap().turns {
        let chat = turn.lease.lane.chat.as_str().parse().unwrap();
        let numbers = turn.updates.iter().map(|update| number(&update.dedup));
        waiting.insert(chat, numbers.collect());
    }
    let mut unsent: HashMap<i64, Vec<i64>> = HashMap::new();
    for turn in store.claim_out(usize::MAX).await.unwrap().0 {
        let chat = turn.lease.lane.chat.as_str().parse().unwrap();
        let numbers = turn
            .messages
            .iter()
            .map(|queued| queued.message.cause.parse().unwrap());
        unsent.insert(chat, numbers.collect());
    }
    for chat in 0..CHATS {
        let reported = |kind| reports.get(&(kind, chat)).copied().unwrap_or(0);
        let done = counted(store.state(&lane(chat)).await.unwrap().as_ref());
        assert!(
            done >= reported('C'),
            "chat {chat}: {done} took effect, {} acknowledged",
            reported('C')
        );
        let waiting = waiting.remove(&chat).unwrap_or_default();
        let last = done + i64::try_from(waiting.len()).unwrap();
        assert_eq!(waiting, (done + 1..=last).collect::<Vec<_>>(), "chat {chat}");
        assert!(
            last >= reported('I'),
            "chat {chat}: {last} stored, {} accepted",
            reported('I')
        );
        let unsent = unsent.remove(&chat).unwrap_or_default();
        let first = unsent.first().copied().unwrap_or(done + 1);
        let expected = first..first + i64::try_from(unsent.len()).unwrap();
        assert_eq!(unsent, expected.collect::<Vec<_>>(), "chat {chat}");
        assert!(first > reported('S'), "chat {chat}: {first} would be sent again");
    }
}

#[test]
fn nothing_acknowledged_is_lost_to_a_kill() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(path) = std::env::var_os(VICTIM) {
        runtime.block_on(victim(Path::new(&path)));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("runtime.db");
    let mut reports = Reports::new();
    for kill in 0..KILLS {
        // Moments between the first report and a good deal later; any of them may hit any step.
        let after = Duration::from_micros(kill * kill * 397 % 120_000);
        run_and_kill(&path, after, &mut reports);
        assert_eq!(integrity(&path), "ok");
        runtime.block_on(verify(&path, &reports));
    }
    for kind in ['I', 'C', 'S'] {
        let busy = (0..CHATS)
            .filter(|chat| reports.contains_key(&(kind, *chat)))
            .count();
        assert!(
            busy > 0,
            "nothing was reported of kind {kind}: the kills came too early"
        );
    }
}
