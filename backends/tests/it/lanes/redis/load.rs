//! Bots at work while something happens to Redis: what was accepted takes effect once and in order, and is sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use botloom_backends::RedisLanes;
use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{
    AckOut, AfterAck, Commit, DedupKey, Ingest, IngestOutcome, LaneLimits, LaneStats, Lanes as _,
    NewDeadLetter, NextTurn, OutClass, OutMessage, OutTurn, Outbox as _, StateChange, Turn,
};
use botloom_core::{BotId, ChatId, Lane, TimestampMs};
use bytes::Bytes;
use tokio::task::JoinSet;

/// Short leases: what a fault interrupts comes again soon.
pub(super) const LIMITS: LaneLimits = LaneLimits {
    queue_cap: 500,
    dedup_ttl_ms: 3_600_000,
    lease_ms: 1_000,
    out_lease_ms: 1_000,
    turn_updates: 8,
    dead_letter_cap: 100,
};
const BOTS: i64 = 5;
const CHATS: i64 = 4;
/// Wait before something that failed is tried again.
const AGAIN: Duration = Duration::from_millis(20);
/// Longest time for the rest after the last update was accepted: many times what a busy machine needs.
const DRAINED_WITHIN: Duration = Duration::from_secs(90);

pub(super) fn lane(bot: i64, chat: i64) -> Lane {
    Lane {
        bot: BotId::new(format!("bot-{bot}")).unwrap(),
        chat: ChatId::from(chat),
    }
}

pub(super) fn item(lane: &Lane, id: i64, want_turn: bool) -> Ingest {
    Ingest {
        lane: lane.clone(),
        dedup: DedupKey::Update(id),
        envelope: Bytes::from(id.to_string()),
        accepted_at: TimestampMs(1),
        trace: None,
        want_turn,
    }
}

pub(super) fn letter(lane: &Lane) -> NewDeadLetter {
    NewDeadLetter {
        bot: lane.bot.clone(),
        chat: Some(lane.chat.clone()),
        reason: "overflow".to_owned(),
        detail: String::new(),
        body: Bytes::from_static(b"{}"),
        at: TimestampMs(1),
    }
}

fn ids(turn: &Turn) -> Vec<i64> {
    let id = |dedup: &DedupKey| match dedup {
        DedupKey::Update(id) => *id,
        DedupKey::Synthetic(key) => panic!("{key} is not of this test"),
    };
    turn.updates.iter().map(|update| id(&update.dedup)).collect()
}

/// The document of a lane is the list of the updates that took effect; each sends one message.
pub(super) fn effects(turn: &Turn) -> Commit {
    let mut done: Vec<i64> = turn
        .state
        .as_ref()
        .map_or_else(Vec::new, |state| serde_json::from_slice(state).unwrap());
    let run = ids(turn);
    let messages = run.iter().map(|id| OutMessage {
        method: "sendMessage".to_owned(),
        params: Bytes::from_static(b"{}"),
        class: OutClass::Reply,
        not_after: None,
        ambiguous: Ambiguous::Resend,
        cause: id.to_string(),
        trace: None,
    });
    let messages = messages.collect();
    done.extend(&run);
    Commit {
        lease: turn.lease.clone(),
        revision: turn.revision,
        updates: run.len(),
        state: StateChange::Put {
            document: Bytes::from(serde_json::to_vec(&done).unwrap()),
            ttl_ms: None,
        },
        messages,
        want_out: run.len() == 1,
        next: NextTurn::Release,
        charge: 0,
    }
}

/// Tries until it works: every call bears a repetition.
async fn until_done<T, F: Future<Output = botloom_core::ports::StoreResult<T>>>(call: impl Fn() -> F) -> T {
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

#[derive(Default)]
struct Seen {
    sent: Mutex<HashMap<Lane, Vec<i64>>>,
    granted: Mutex<Vec<Turn>>,
    to_send: Mutex<Vec<OutTurn>>,
}

/// Bots at work until every update of every chat took effect and was sent; then looks at everything.
pub(super) async fn run(lanes: Vec<Arc<RedisLanes>>, updates: i64, pause: Duration) {
    let seen = Arc::new(Seen::default());
    let mut doors = JoinSet::new();
    let chats = (0..BOTS).flat_map(|bot| (0..CHATS).map(move |chat| (bot, chat)));
    for ((bot, chat), store) in chats.zip(lanes.iter().cycle()) {
        let (store, seen) = (Arc::clone(store), Arc::clone(&seen));
        doors.spawn(async move {
            let lane = lane(bot, chat);
            for n in 0..updates {
                let item = item(&lane, chat * 100_000 + n, n % 3 == 0);
                let outcome = until_done(|| store.ingest(vec![item.clone()])).await.remove(0);
                if let IngestOutcome::Granted(turn) = outcome {
                    seen.granted.lock().unwrap().push(*turn);
                }
                tokio::time::sleep(pause).await;
            }
        });
    }
    let mut workers = JoinSet::new();
    for store in &lanes {
        workers.spawn(work(Arc::clone(store), Arc::clone(&seen)));
        workers.spawn(work(Arc::clone(store), Arc::clone(&seen)));
        workers.spawn(send(Arc::clone(store), Arc::clone(&seen)));
    }
    while let Some(door) = doors.join_next().await {
        door.unwrap();
    }
    let store = &lanes[0];
    let drained = async {
        // In this order: what leaves the updates is among the messages by the time those are counted. Every node is asked,
        // since each measures its own shards and hears of the others' late.
        none_left(&lanes, |stats| stats.updates).await;
        none_left(&lanes, |stats| stats.messages).await;
    };
    let ended = tokio::time::timeout(DRAINED_WITHIN, drained).await;
    assert!(ended.is_ok(), "stuck: {:?}", store.stats().await);
    workers.abort_all();
    while workers.join_next().await.is_some() {}
    store.check().await.unwrap();
    for (bot, chat) in (0..BOTS).flat_map(|bot| (0..CHATS).map(move |chat| (bot, chat))) {
        let lane = lane(bot, chat);
        let expected: Vec<i64> = (0..updates).map(|n| chat * 100_000 + n).collect();
        let state = until_done(|| store.state(&lane)).await.unwrap();
        let done: Vec<i64> = serde_json::from_slice(&state).unwrap();
        assert_eq!(done, expected, "{lane}: once and in order");
        let sent = seen.sent.lock().unwrap().remove(&lane).unwrap_or_default();
        let mut first = Vec::new();
        for id in sent {
            if !first.contains(&id) {
                first.push(id);
            }
        }
        assert_eq!(first, expected, "{lane}: first sends in order");
    }
}

/// Waits until no node has any left.
async fn none_left(lanes: &[Arc<RedisLanes>], count: fn(&LaneStats) -> u64) {
    for store in lanes {
        while count(&until_done(|| store.stats()).await) > 0 {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn work(store: Arc<RedisLanes>, seen: Arc<Seen>) {
    loop {
        let mut turns = std::mem::take(&mut *seen.granted.lock().unwrap());
        if let Ok(claims) = store.claim(8).await {
            turns.extend(claims.turns);
        }
        if turns.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for turn in turns {
            let commit = effects(&turn);
            let outcome = until_done(|| store.commit(vec![commit.clone()])).await.remove(0);
            if let botloom_core::ports::CommitOutcome::Committed { out: Some(out), .. } = outcome {
                seen.to_send.lock().unwrap().push(*out);
            }
        }
    }
}

async fn send(store: Arc<RedisLanes>, seen: Arc<Seen>) {
    loop {
        let mut turns = std::mem::take(&mut *seen.to_send.lock().unwrap());
        if let Ok((claimed, _)) = store.claim_out(8).await {
            turns.extend(claimed);
        }
        if turns.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for turn in turns {
            // A sender whose lease was lost sends nothing.
            if !until_done(|| store.begin_send(&turn.lease)).await {
                continue;
            }
            let ids = turn
                .messages
                .iter()
                .map(|queued| queued.message.cause.parse::<i64>().unwrap());
            seen.sent
                .lock()
                .unwrap()
                .entry(turn.lease.lane.clone())
                .or_default()
                .extend(ids);
            let ack = AckOut {
                lease: turn.lease.clone(),
                sent: turn.messages.len(),
                dead: None,
                dead_all: false,
                after: AfterAck::Release,
            };
            until_done(|| store.ack_out(vec![ack.clone()])).await;
        }
    }
}
