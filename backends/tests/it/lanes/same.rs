//! The same steps on [`ModelLanes`] and another store give the same answers: on [`SqliteLanes`], restarts included, and
//! on [`RedisLanes`].
//!
//! Longer than most files: one property, whose steps and comparisons only make sense side by side.

use std::sync::Arc;

use botloom_backends::{ModelLanes, RedisLanes, RedisLink, SqliteLanes};
use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{
    AckOut, AckOutOutcome, ActiveRevision, AfterAck, ChatPlace, ChatView, Chats, Commit, CommitOutcome,
    DeadLetters, DedupKey, Direction, Fail, FailOutcome, Freed, Ingest, IngestOutcome, LaneLease, LaneLimits,
    Lanes, NewDeadLetter, NextTurn, OutClass, OutMessage, OutTurn, Outbox, PageRequest, QueuedUpdate, Remedy,
    StateChange, Token, Turn,
};
use botloom_core::testing::ManualClock;
use botloom_core::{BotId, ChatId, Clock as _, Epoch, Lane, RevHash, Sha256Hash, TimestampMs};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::redis::{database, patient};

pub(super) const LIMITS: LaneLimits = LaneLimits {
    queue_cap: 5,
    dedup_ttl_ms: 20_000,
    lease_ms: 1_000,
    out_lease_ms: 3_000,
    turn_updates: 3,
    dead_letter_cap: 3,
};

#[derive(Debug, Clone)]
pub(super) enum Op {
    Ingest(Vec<(u8, u8, bool)>),
    Claim(u8),
    Renew(u8),
    Release(u8),
    Commit(u8, Change),
    Fail(u8, u8),
    SetRevision(u8, u8),
    Advance(u16),
    Purge(u8),
    ClaimOut(u8),
    Begin(u8),
    Ack(u8, u8, u8, u8),
    RenewOut(u8),
    Park(u8, u16),
    SetAside(u8, bool),
    Replay(u8),
    Discard(u8),
    Free(u8, bool, bool),
    Forget(u8),
    Restart,
}

#[derive(Debug, Clone)]
pub(super) struct Change {
    updates: u8,
    state: u8,
    messages: Vec<u8>,
    want_out: bool,
    keep: bool,
    charge: u8,
    forget_revision: bool,
}

fn change() -> impl Strategy<Value = Change> {
    let messages = vec(any::<u8>(), 0..4);
    let flags = any::<(bool, bool, bool)>();
    (1..4_u8, 0..6_u8, messages, flags, 0..3_u8).prop_map(|(updates, state, messages, flags, charge)| {
        Change {
            updates,
            state,
            messages,
            want_out: flags.0,
            keep: flags.1,
            charge,
            forget_revision: flags.2,
        }
    })
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let update = (0..6_u8, 0..24_u8, any::<bool>());
    prop_oneof![
        8 => vec(update, 1..4).prop_map(Op::Ingest),
        4 => (1..4_u8).prop_map(Op::Claim),
        1 => any::<u8>().prop_map(Op::Renew),
        1 => any::<u8>().prop_map(Op::Release),
        8 => (any::<u8>(), change()).prop_map(|(pick, change)| Op::Commit(pick, change)),
        3 => any::<(u8, u8)>().prop_map(|(pick, how)| Op::Fail(pick, how)),
        1 => any::<(u8, u8)>().prop_map(|(bot, epoch)| Op::SetRevision(bot, epoch)),
        3 => (0..2_500_u16).prop_map(Op::Advance),
        1 => any::<u8>().prop_map(Op::Purge),
        4 => (1..3_u8).prop_map(Op::ClaimOut),
        2 => any::<u8>().prop_map(Op::Begin),
        6 => any::<(u8, u8, u8, u8)>().prop_map(|(a, b, c, d)| Op::Ack(a, b, c, d)),
        1 => any::<u8>().prop_map(Op::RenewOut),
        1 => (any::<u8>(), 0..4_000_u16).prop_map(|(bot, ms)| Op::Park(bot, ms)),
        1 => any::<(u8, bool)>().prop_map(|(lane, chat)| Op::SetAside(lane, chat)),
        1 => any::<u8>().prop_map(Op::Replay),
        1 => any::<u8>().prop_map(Op::Discard),
        3 => (0..6_u8, any::<bool>(), any::<bool>()).prop_map(|(lane, out, aside)| Op::Free(lane, out, aside)),
        1 => (0..6_u8).prop_map(Op::Forget),
        1 => Just(Op::Restart),
    ]
}

/// A lease of the same thing in both stores, whose tokens differ.
#[derive(Debug, Clone)]
struct Pair {
    lane: Lane,
    tokens: [Token; 2],
    revision: Option<ActiveRevision>,
    /// When these tokens run out by themselves.
    until: TimestampMs,
}

impl Pair {
    fn lease(&self, store: usize) -> LaneLease {
        LaneLease {
            lane: self.lane.clone(),
            token: self.tokens[store],
        }
    }
}

/// The ports of one store.
trait Ports: Lanes + Outbox + DeadLetters + Chats {}
impl<T: Lanes + Outbox + DeadLetters + Chats> Ports for T {}

/// The store that is held against the model.
enum Other {
    /// Closed only while it is opened again.
    Sqlite(Option<Arc<SqliteLanes>>, TempDir),
    /// Its leases outlive a process, its letters have other ids, and the backlog that it tells is an estimate.
    Redis(Arc<RedisLanes>),
}

pub(super) struct Both {
    model: Arc<ModelLanes>,
    other: Other,
    clock: Arc<ManualClock>,
    /// Leases that were ever given; most are lost, and using them must be refused alike.
    turns: Vec<Pair>,
    sends: Vec<Pair>,
    /// The id of each letter in both stores.
    letters: Vec<(BotId, [String; 2])>,
}

fn bot(n: u8) -> BotId {
    BotId::new(["pizza", "sushi"][usize::from(n % 2)]).unwrap()
}

fn lane(n: u8) -> Lane {
    Lane {
        bot: bot(n),
        chat: ChatId::from(i64::from(n / 2 % 3)),
    }
}

fn pick<T>(from: &[T], n: u8) -> Option<&T> {
    // The youngest are the most interesting.
    from.iter().rev().nth(usize::from(n) % from.len().clamp(1, 6))
}

/// The holder hears of a renewal, or it does not: what it has is as good while that alone would have lasted.
fn hear(pairs: &mut [Pair], renewed: &Pair, tokens: [Token; 2], now: TimestampMs, life_ms: i64, n: u8) {
    if now < renewed.until && n.is_multiple_of(2) {
        return;
    }
    for pair in pairs.iter_mut().filter(|pair| pair.tokens == renewed.tokens) {
        (pair.tokens, pair.until) = (tokens, now.plus(life_ms));
    }
}

fn message(n: u8) -> OutMessage {
    OutMessage {
        method: "sendMessage".to_owned(),
        params: Bytes::from(format!("{{\"n\":{n}}}")),
        class: [OutClass::Urgent, OutClass::Reply, OutClass::Bulk][usize::from(n % 3)],
        not_after: n.is_multiple_of(5).then_some(TimestampMs(i64::from(n))),
        ambiguous: if n.is_multiple_of(2) {
            Ambiguous::Resend
        } else {
            Ambiguous::Skip
        },
        cause: n.to_string(),
        trace: None,
    }
}

fn state_change(n: u8) -> StateChange {
    match n {
        0 => StateChange::Keep { ttl_ms: None },
        1 => StateChange::Keep { ttl_ms: Some(2_000) },
        2 => StateChange::Delete,
        3 => StateChange::Put {
            document: Bytes::from_static(b"{\"short\":1}"),
            ttl_ms: Some(1_500),
        },
        4 => StateChange::Put {
            document: Bytes::from_static(b"{\"gone\":1}"),
            ttl_ms: Some(0),
        },
        _ => StateChange::Put {
            document: Bytes::from("x".repeat(6_000)),
            ttl_ms: None,
        },
    }
}

impl Both {
    fn of_sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut both = Self::new(Self::clock(), Other::Sqlite(None, dir));
        both.open();
        both
    }

    pub(super) fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::new(TimestampMs(1_795_200_000_000)))
    }

    pub(super) fn of_redis(lanes: Arc<RedisLanes>, clock: Arc<ManualClock>) -> Self {
        Self::new(clock, Other::Redis(lanes))
    }

    fn new(clock: Arc<ManualClock>, other: Other) -> Self {
        let model = ModelLanes::new(LIMITS, clock.clone()).unwrap();
        Self {
            model,
            other,
            clock,
            turns: Vec::new(),
            sends: Vec::new(),
            letters: Vec::new(),
        }
    }

    fn open(&mut self) {
        if let Other::Sqlite(store, dir) = &mut self.other {
            // The file is closed before it is opened again.
            *store = None;
            let path = dir.path().join("runtime.db");
            *store = Some(SqliteLanes::open(&path, LIMITS, self.clock.clone()).unwrap());
        }
    }

    fn other(&self) -> Arc<dyn Ports> {
        match &self.other {
            Other::Sqlite(store, _) => Arc::clone(store.as_ref().unwrap()) as Arc<dyn Ports>,
            Other::Redis(store) => Arc::clone(store) as Arc<dyn Ports>,
        }
    }

    fn is_redis(&self) -> bool {
        matches!(self.other, Other::Redis(_))
    }

    fn same_turn(&mut self, mut a: Turn, mut b: Turn) {
        let pair = Pair {
            lane: a.lease.lane.clone(),
            tokens: [a.lease.token, b.lease.token],
            revision: a.revision,
            until: self.clock.now().plus(LIMITS.lease_ms),
        };
        (a.lease.token, b.lease.token) = (Token(0), Token(0));
        if self.is_redis() {
            a.updates.iter_mut().for_each(without_letter);
            b.updates.iter_mut().for_each(without_letter);
        }
        assert_eq!(a, b);
        self.turns.push(pair);
    }

    fn same_turns(&mut self, a: Vec<Turn>, b: Vec<Turn>) {
        assert_eq!(a.len(), b.len(), "{a:?} and {b:?}");
        for (a, b) in a.into_iter().zip(b) {
            self.same_turn(a, b);
        }
    }

    fn same_sends(&mut self, a: Vec<OutTurn>, b: Vec<OutTurn>) {
        assert_eq!(a.len(), b.len(), "{a:?} and {b:?}");
        for (mut a, mut b) in a.into_iter().zip(b) {
            let pair = Pair {
                lane: a.lease.lane.clone(),
                tokens: [a.lease.token, b.lease.token],
                revision: None,
                until: self.clock.now().plus(LIMITS.out_lease_ms),
            };
            (a.lease.token, b.lease.token) = (Token(0), Token(0));
            assert_eq!(a, b);
            self.sends.push(pair);
        }
    }

    pub(super) async fn apply(&mut self, op: Op) {
        let (model, other) = (Arc::clone(&self.model), self.other());
        let now = self.clock.now();
        match op {
            Op::Ingest(updates) => {
                let items: Vec<_> = updates.iter().map(|update| ingest(*update, now)).collect();
                // Redis keeps the order of a batch inside lanes, not between them.
                let size = if self.is_redis() { 1 } else { items.len() };
                for batch in items.chunks(size) {
                    let a = model.ingest(batch.to_vec()).await.unwrap();
                    let b = other.ingest(batch.to_vec()).await.unwrap();
                    for (a, b) in a.into_iter().zip(b) {
                        match (a, b) {
                            (IngestOutcome::Granted(a), IngestOutcome::Granted(b)) => self.same_turn(*a, *b),
                            (IngestOutcome::Ready { .. }, IngestOutcome::Ready { .. }) if self.is_redis() => {
                            }
                            (a, b) => assert_eq!(a, b),
                        }
                    }
                }
            }
            Op::Claim(max) => {
                let a = model.claim(usize::from(max)).await.unwrap();
                let b = other.claim(usize::from(max)).await.unwrap();
                assert_eq!(a.next_due, b.next_due);
                self.same_turns(a.turns, b.turns);
            }
            Op::Renew(n) => {
                let Some(pair) = pick(&self.turns, n).cloned() else {
                    return;
                };
                let a = model.renew(&[pair.lease(0)]).await.unwrap();
                let b = other.renew(&[pair.lease(1)]).await.unwrap();
                assert_eq!(a[0].is_some(), b[0].is_some());
                if let (Some(a), Some(b)) = (a[0], b[0]) {
                    hear(&mut self.turns, &pair, [a, b], now, LIMITS.lease_ms, n);
                }
            }
            Op::Release(n) => {
                let Some(pair) = pick(&self.turns, n) else { return };
                model.release(&[pair.lease(0)]).await.unwrap();
                other.release(&[pair.lease(1)]).await.unwrap();
            }
            Op::Commit(n, change) => {
                let Some(pair) = pick(&self.turns, n).cloned() else {
                    return;
                };
                let a = model
                    .commit(vec![commit(&pair, 0, &change)])
                    .await
                    .unwrap()
                    .remove(0);
                let b = other
                    .commit(vec![commit(&pair, 1, &change)])
                    .await
                    .unwrap()
                    .remove(0);
                match (a, b) {
                    (
                        CommitOutcome::Committed { next: a, out: out_a },
                        CommitOutcome::Committed { next: b, out: out_b },
                    ) => {
                        let turn = |turn: Option<Box<Turn>>| turn.map(|turn| *turn).into_iter().collect();
                        self.same_turns(turn(a), turn(b));
                        let send = |turn: Option<Box<OutTurn>>| turn.map(|turn| *turn).into_iter().collect();
                        self.same_sends(send(out_a), send(out_b));
                    }
                    (a, b) => assert_eq!(a, b),
                }
            }
            Op::Fail(n, how) => {
                let Some(pair) = pick(&self.turns, n).cloned() else {
                    return;
                };
                let fail = |store| Fail {
                    lease: pair.lease(store),
                    max_attempts: 2,
                    retry_at: now.plus(i64::from(how) * 4),
                    reason: "script-error".to_owned(),
                    detail: how.to_string(),
                };
                let a = model.fail(fail(0)).await.unwrap();
                let b = other.fail(fail(1)).await.unwrap();
                match (a, b) {
                    (FailOutcome::DeadLettered(_), FailOutcome::DeadLettered(_)) if self.is_redis() => {}
                    (a, b) => assert_eq!(a, b),
                }
            }
            Op::SetRevision(n, epoch) => {
                let revision = ActiveRevision {
                    epoch: Epoch(u64::from(epoch)),
                    rev: RevHash(Sha256Hash::of([epoch])),
                };
                let a = model.set_revision(&bot(n), revision).await.unwrap();
                assert_eq!(a, other.set_revision(&bot(n), revision).await.unwrap());
            }
            Op::Advance(ms) => self.clock.advance(i64::from(ms)),
            Op::Purge(n) => {
                if n < 64 {
                    model.purge(&bot(n)).await.unwrap();
                    other.purge(&bot(n)).await.unwrap();
                }
            }
            Op::Restart if self.is_redis() => {}
            Op::Restart => {
                model.restart().unwrap();
                drop(other);
                self.open();
            }
            op => self.apply_out(op, now).await,
        }
    }

    async fn apply_out(&mut self, op: Op, now: TimestampMs) {
        let (model, other) = (Arc::clone(&self.model), self.other());
        match op {
            Op::ClaimOut(max) => {
                let a = model.claim_out(usize::from(max)).await.unwrap();
                let b = other.claim_out(usize::from(max)).await.unwrap();
                assert_eq!(a.1, b.1);
                self.same_sends(a.0, b.0);
            }
            Op::Begin(n) => {
                let Some(pair) = pick(&self.sends, n) else { return };
                let a = model.begin_send(&pair.lease(0)).await.unwrap();
                assert_eq!(a, other.begin_send(&pair.lease(1)).await.unwrap());
            }
            Op::Ack(n, sent, dead, after) => {
                let Some(pair) = pick(&self.sends, n).cloned() else {
                    return;
                };
                let ack = |store| acknowledgement(&pair, store, [sent, dead, after], now);
                let a = model.ack_out(vec![ack(0)]).await.unwrap().remove(0);
                let b = other.ack_out(vec![ack(1)]).await.unwrap().remove(0);
                match (a, b) {
                    (
                        AckOutOutcome::Done {
                            next: a,
                            dead_letters: dead_a,
                        },
                        AckOutOutcome::Done {
                            next: b,
                            dead_letters: dead_b,
                        },
                    ) => {
                        assert_eq!(dead_a.len(), dead_b.len());
                        assert!(self.is_redis() || dead_a == dead_b);
                        let send = |turn: Option<Box<OutTurn>>| turn.map(|turn| *turn).into_iter().collect();
                        self.same_sends(send(a), send(b));
                    }
                    (a, b) => assert_eq!(a, b),
                }
            }
            Op::RenewOut(n) => {
                let Some(pair) = pick(&self.sends, n).cloned() else {
                    return;
                };
                let a = model.renew_out(&[pair.lease(0)]).await.unwrap();
                let b = other.renew_out(&[pair.lease(1)]).await.unwrap();
                assert_eq!(a[0].is_some(), b[0].is_some());
                if let (Some(a), Some(b)) = (a[0], b[0]) {
                    hear(&mut self.sends, &pair, [a, b], now, LIMITS.out_lease_ms, n);
                }
            }
            Op::Park(n, ms) => {
                let until = (ms > 500).then(|| now.plus(i64::from(ms)));
                model.park(&bot(n), until).await.unwrap();
                other.park(&bot(n), until).await.unwrap();
            }
            Op::SetAside(n, chat) => {
                let letter = NewDeadLetter {
                    bot: bot(n),
                    chat: chat.then(|| lane(n).chat),
                    reason: "malformed".to_owned(),
                    detail: n.to_string(),
                    body: Bytes::from(vec![n]),
                    at: now,
                };
                let a = model.set_aside(letter.clone()).await.unwrap();
                let b = other.set_aside(letter).await.unwrap();
                assert!(self.is_redis() || a == b);
            }
            Op::Replay(n) => {
                let Some((bot, [id, other_id])) = pick(&self.letters, n) else {
                    return;
                };
                let a = model.replay(bot, id).await.map_err(|error| error.to_string());
                let b = other
                    .replay(bot, other_id)
                    .await
                    .map_err(|error| error.to_string());
                assert_eq!(a, b);
            }
            Op::Discard(n) => {
                let Some((bot, [id, other_id])) = pick(&self.letters, n) else {
                    return;
                };
                let a = model.discard(bot, id).await.unwrap();
                assert_eq!(a, other.discard(bot, other_id).await.unwrap());
            }
            Op::Free(n, out, aside) => {
                let (lane, remedy) = (lane(n), if aside { Remedy::SetAside } else { Remedy::Retry });
                let (mut a, mut b) = if out {
                    let a = model.free_messages(&lane, remedy).await.unwrap();
                    (a, other.free_messages(&lane, remedy).await.unwrap())
                } else {
                    let a = model.free_updates(&lane, remedy).await.unwrap();
                    (a, other.free_updates(&lane, remedy).await.unwrap())
                };
                if self.is_redis() {
                    for freed in [&mut a, &mut b] {
                        if let Freed::SetAside(id) = freed {
                            id.clear();
                        }
                    }
                }
                assert_eq!(a, b);
            }
            Op::Forget(n) => {
                let a = model.forget_state(&lane(n)).await.unwrap();
                assert_eq!(a, other.forget_state(&lane(n)).await.unwrap());
            }
            op => unreachable!("{op:?} is applied elsewhere"),
        }
    }

    /// What can be seen from outside is the same, and inside everything is in its place.
    pub(super) async fn compare(&mut self) {
        let (model, other) = (Arc::clone(&self.model), self.other());
        assert_eq!(model.stats().await.unwrap(), other.stats().await.unwrap());
        self.letters.clear();
        for n in 0..2 {
            let bot = bot(n);
            let a = model.revision(&bot).await.unwrap();
            assert_eq!(a, other.revision(&bot).await.unwrap());
            for direction in [Direction::In, Direction::Out] {
                let page = PageRequest::default();
                let mut a = model.dead_letters(&bot, direction, &page).await.unwrap();
                let mut b = other.dead_letters(&bot, direction, &page).await.unwrap();
                assert_eq!(a.items.len(), b.items.len());
                for (a, b) in a.items.iter_mut().zip(&mut b.items) {
                    self.letters.push((bot.clone(), [a.id.clone(), b.id.clone()]));
                    if self.is_redis() {
                        b.id.clone_from(&a.id);
                    }
                }
                assert_eq!(a, b);
            }
        }
        for n in 0..6 {
            let a = model.state(&lane(n)).await.unwrap();
            assert_eq!(a, other.state(&lane(n)).await.unwrap());
            let a = model.chat(&lane(n)).await.unwrap();
            assert_eq!(a, other.chat(&lane(n)).await.unwrap());
        }
        for place in std::iter::once(None).chain(ChatPlace::ALL.map(Some)) {
            let a = every_chat(&*model, place).await;
            assert_eq!(a, every_chat(&*other, place).await, "{place:?}");
        }
        model.check().await.unwrap();
        match &self.other {
            Other::Sqlite(store, _) => store.as_ref().unwrap().check().await.unwrap(),
            Other::Redis(store) => store.check().await.unwrap(),
        }
    }
}

/// What is listed of a bot, page by page, in order: what is told is the same, the order is each store's own.
async fn every_chat<P: Chats + ?Sized>(store: &P, place: Option<ChatPlace>) -> Vec<ChatView> {
    let mut page = PageRequest {
        cursor: None,
        limit: 2,
    };
    let mut all = Vec::new();
    loop {
        let mut found = store.chats(&bot(0), place, &page).await.unwrap();
        all.append(&mut found.items);
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            all.sort_by(|a, b| a.chat.cmp(&b.chat));
            return all;
        }
    }
}

fn ingest((n, id, want_turn): (u8, u8, bool), now: TimestampMs) -> Ingest {
    Ingest {
        lane: lane(n),
        dedup: if id < 20 {
            DedupKey::Update(i64::from(id))
        } else {
            DedupKey::Synthetic(id.to_string().into())
        },
        envelope: Bytes::from(format!("{{\"update_id\":{id}}}")),
        accepted_at: now,
        trace: None,
        want_turn,
    }
}

fn commit(pair: &Pair, store: usize, change: &Change) -> Commit {
    Commit {
        lease: pair.lease(store),
        revision: pair.revision.filter(|_| !change.forget_revision),
        updates: usize::from(change.updates),
        state: state_change(change.state),
        messages: change.messages.iter().map(|n| message(*n)).collect(),
        want_out: change.want_out,
        next: if change.keep {
            NextTurn::Keep
        } else {
            NextTurn::Release
        },
        charge: u32::from(change.charge),
    }
}

fn acknowledgement(pair: &Pair, store: usize, [sent, dead, after]: [u8; 3], now: TimestampMs) -> AckOut {
    AckOut {
        lease: pair.lease(store),
        sent: usize::from(sent % 4),
        dead: (dead < 80).then(|| ("telegram-400".to_owned(), "no".to_owned())),
        dead_all: dead < 20,
        after: match after % 6 {
            0 | 1 => AfterAck::Keep,
            2 => AfterAck::Release,
            3 => AfterAck::FloodWait {
                until: now.plus(i64::from(after) * 10),
            },
            _ => AfterAck::Delay {
                until: now.plus(i64::from(after) * 10),
                attempt: u32::from(after % 2),
            },
        },
    }
}

/// Ids of letters differ between the stores, and so does the key under which one is replayed.
fn without_letter(update: &mut QueuedUpdate) {
    if matches!(&update.dedup, DedupKey::Synthetic(key) if key.starts_with("replay:")) {
        update.dedup = DedupKey::Synthetic("replay".into());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_answers_like_the_model(ops in vec(op(), 1..90)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut both = Both::of_sqlite();
            for op in ops {
                both.apply(op).await;
                both.compare().await;
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 100, ..ProptestConfig::default() })]

    // With one shard: the model has one queue, and order is exact inside a shard.
    #[test]
    fn redis_answers_like_the_model(ops in vec(op(), 1..70)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let url = database().await;
            let link = RedisLink::connect(&url, patient(1)).await.unwrap();
            let clock = Both::clock();
            let lanes = RedisLanes::with_clock(link, LIMITS, clock.clone()).await.unwrap();
            let mut both = Both::of_redis(lanes, clock);
            for op in ops {
                both.apply(op).await;
                both.compare().await;
            }
        });
    }
}
