//! A history of workers, senders, crashes, redeliveries and flips against the promises: every accepted update takes
//! effect once and in order or is a dead letter, its message is sent if and only if it took effect, and nothing commits
//! on a revision that is not active. Each check left out in turn must break a promise, or this test proves nothing.

use std::collections::HashMap;
use std::slice::from_ref;

use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::{
    AckOut, AckOutOutcome, ActiveRevision, AfterAck, Commit, CommitOutcome, DedupKey, Fail, FailOutcome,
    Ingest, IngestOutcome, LaneLimits, NextTurn, OutClass, OutMessage, OutTurn, StateChange, Turn,
};
use botloom_core::{BotId, ChatId, Epoch, Lane, RevHash, Sha256Hash, TimestampMs};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

use super::{Check, Model};
use crate::lanes::memory::MemoryRecords;

const LIMITS: LaneLimits = LaneLimits {
    queue_cap: 8,
    dedup_ttl_ms: 90_000_000,
    lease_ms: 1_000,
    out_lease_ms: 1_000,
    turn_updates: 3,
    dead_letter_cap: 1_000,
};
const CHATS: u8 = 4;

struct World {
    model: Model<MemoryRecords>,
    now: TimestampMs,
    epoch: u64,
    next_id: i64,
    /// Turns in the hands of workers, those included that lost theirs and do not know it.
    turns: Vec<Turn>,
    sends: Vec<OutTurn>,
    accepted: HashMap<Lane, Vec<i64>>,
    dead: HashMap<Lane, Vec<i64>>,
    sent: HashMap<Lane, Vec<i64>>,
}

fn bot() -> BotId {
    BotId::new("pizza").unwrap()
}

fn lane(chat: u8) -> Lane {
    Lane {
        bot: bot(),
        chat: ChatId::from(i64::from(chat % CHATS)),
    }
}

fn id_of(key: &DedupKey) -> i64 {
    match key {
        DedupKey::Update(id) => *id,
        DedupKey::Synthetic(key) => panic!("{key}"),
    }
}

fn effects(document: Option<&Bytes>) -> Vec<i64> {
    document.map_or_else(Vec::new, |text| serde_json::from_slice(text).unwrap())
}

impl World {
    fn new(without: Option<Check>) -> Self {
        let now = TimestampMs(1_795_200_000_000);
        let mut model = Model::load(MemoryRecords::default(), LIMITS, now).unwrap();
        model.without = without;
        let mut world = Self {
            model,
            now,
            epoch: 0,
            next_id: 1,
            turns: Vec::new(),
            sends: Vec::new(),
            accepted: HashMap::new(),
            dead: HashMap::new(),
            sent: HashMap::new(),
        };
        world.flip();
        world
    }

    fn step(&mut self, kind: u8, a: u8, b: u8) -> Result<(), String> {
        match kind % 16 {
            0..=3 => self.deliver(self.next_id, b.is_multiple_of(3)),
            4 => {
                // Telegram repeats one of the last updates.
                let back = i64::from(b % 6);
                if self.next_id > back + 1 {
                    self.deliver(self.next_id - 1 - back, false);
                }
            }
            5 | 6 => {
                let claims = self.model.claim(usize::from(a % 3), self.now).unwrap();
                self.turns.extend(claims.turns);
            }
            7..=9 => self.execute(a, b)?,
            10 => self.now = self.now.plus(i64::from(a) * 8),
            11 => self.flip(),
            12 => self.give_up(a, b),
            13 => {
                let (turns, _) = self.model.claim_out(usize::from(a % 3), self.now).unwrap();
                self.sends.extend(turns);
            }
            14 => self.send(a, b),
            _ => self.hold_on(a),
        }
        self.model.settle();
        self.model.check().unwrap().map_or(Ok(()), Err)
    }

    /// Chats take the update ids in turn, so that a repeated id is known to belong to its chat.
    fn deliver(&mut self, id: i64, want_turn: bool) {
        let lane = lane(u8::try_from(id % i64::from(CHATS)).unwrap());
        let update = Ingest {
            lane: lane.clone(),
            dedup: DedupKey::Update(id),
            envelope: Bytes::from(id.to_string()),
            accepted_at: self.now,
            trace: None,
            want_turn,
        };
        let outcome = self.model.ingest(&[update], self.now).unwrap().remove(0);
        self.next_id = self.next_id.max(id + 1);
        if matches!(outcome, IngestOutcome::Duplicate | IngestOutcome::Full) {
            return;
        }
        let accepted = self.accepted.entry(lane).or_default();
        if !accepted.contains(&id) {
            accepted.push(id);
        }
        if let IngestOutcome::Granted(turn) = outcome {
            self.turns.push(*turn);
        }
    }

    /// A worker ends a turn: the document lists every update that took effect, and each sends one message.
    fn execute(&mut self, pick: u8, how: u8) -> Result<(), String> {
        if self.turns.is_empty() {
            return Ok(());
        }
        let at = usize::from(pick) % self.turns.len();
        // Now and then a worker commits twice, because it did not hear the answer.
        let turn = if how.is_multiple_of(7) {
            self.turns[at].clone()
        } else {
            self.turns.remove(at)
        };
        let count = 1 + usize::from(how) % turn.updates.len();
        let next = if how.is_multiple_of(2) {
            NextTurn::Keep
        } else {
            NextTurn::Release
        };
        self.commit(turn, count, next)
    }

    fn commit(&mut self, mut turn: Turn, count: usize, next: NextTurn) -> Result<(), String> {
        loop {
            let mut done = effects(turn.state.as_ref());
            let run: Vec<i64> = turn.updates[..count]
                .iter()
                .map(|update| id_of(&update.dedup))
                .collect();
            done.extend(&run);
            let commit = Commit {
                lease: turn.lease.clone(),
                revision: turn.revision,
                updates: count,
                state: StateChange::Put {
                    document: Bytes::from(serde_json::to_vec(&done).unwrap()),
                    ttl_ms: None,
                },
                messages: run.iter().map(|id| message(*id)).collect(),
                want_out: count == 2,
                next,
                charge: 0,
            };
            match self.model.commit(from_ref(&commit), self.now).unwrap().remove(0) {
                CommitOutcome::Committed { next, out } => {
                    let active = self.model.revision(&turn.lease.lane.bot);
                    if turn.revision != active {
                        return Err(format!(
                            "{:?} committed while {active:?} was active",
                            turn.revision
                        ));
                    }
                    self.turns.extend(next.map(|turn| *turn));
                    self.sends.extend(out.map(|turn| *turn));
                    return Ok(());
                }
                CommitOutcome::Fenced => return Ok(()),
                CommitOutcome::Stale(active) => turn.revision = active,
            }
        }
    }

    fn flip(&mut self) {
        self.epoch += 1;
        let revision = ActiveRevision {
            epoch: Epoch(self.epoch),
            rev: RevHash(Sha256Hash::of([u8::from(self.epoch.is_multiple_of(2))])),
        };
        self.model.set_revision(&bot(), revision).unwrap();
    }

    fn give_up(&mut self, pick: u8, how: u8) {
        if self.turns.is_empty() {
            return;
        }
        let at = usize::from(pick) % self.turns.len();
        let turn = self.turns.swap_remove(at);
        if how.is_multiple_of(3) {
            return self.model.release(from_ref(&turn.lease));
        }
        let fail = Fail {
            lease: turn.lease.clone(),
            max_attempts: 3,
            retry_at: self.now.plus(i64::from(how)),
            reason: "script-error".to_owned(),
            detail: String::new(),
        };
        if let FailOutcome::DeadLettered(_) = self.model.fail(&fail, self.now).unwrap() {
            let dead = id_of(&turn.updates[0].dedup);
            self.dead.entry(turn.lease.lane).or_default().push(dead);
        }
    }

    fn hold_on(&mut self, pick: u8) {
        if self.turns.is_empty() {
            return;
        }
        let at = usize::from(pick) % self.turns.len();
        let lease = &self.turns[at].lease;
        match self.model.renew(from_ref(lease), self.now)[0] {
            Some(token) => self.turns[at].lease.token = token,
            None => drop(self.turns.remove(at)),
        }
    }

    fn send(&mut self, pick: u8, how: u8) {
        if self.sends.is_empty() {
            return;
        }
        let at = usize::from(pick) % self.sends.len();
        let turn = self.sends.swap_remove(at);
        let after = match how % 3 {
            0 => AfterAck::Keep,
            1 => AfterAck::Release,
            _ => AfterAck::Delay {
                until: self.now.plus(i64::from(how)),
                attempt: 1,
            },
        };
        self.acknowledge(&turn, usize::from(how % 2), after);
    }

    fn acknowledge(&mut self, turn: &OutTurn, sent: usize, after: AfterAck) {
        let ack = AckOut {
            lease: turn.lease.clone(),
            sent,
            dead: None,
            dead_all: false,
            after,
        };
        let outcome = self.model.ack_out(&[ack], self.now).unwrap().remove(0);
        if let AckOutOutcome::Done { next, .. } = outcome {
            let ids = turn.messages[..sent].iter();
            let ids = ids.map(|queued| queued.message.cause.parse::<i64>().unwrap());
            self.sent.entry(turn.lease.lane.clone()).or_default().extend(ids);
            self.sends.extend(next.map(|turn| *turn));
        }
    }

    /// Everybody who held something is gone; the rest is executed and sent in peace.
    fn end(mut self) -> Result<(), String> {
        self.turns.clear();
        self.sends.clear();
        loop {
            self.now = self.now.plus(2_000);
            let turns = self.model.claim(100, self.now).unwrap().turns;
            let (sends, _) = self.model.claim_out(100, self.now).unwrap();
            if turns.is_empty() && sends.is_empty() {
                break;
            }
            for turn in turns {
                let count = turn.updates.len();
                self.commit(turn, count, NextTurn::Release)?;
            }
            for turn in sends {
                self.acknowledge(&turn, turn.messages.len(), AfterAck::Release);
            }
        }
        for chat in 0..CHATS {
            let lane = lane(chat);
            let state = self.model.state(&lane, self.now).unwrap();
            let done = effects(state.as_ref());
            let dead = self.dead.remove(&lane).unwrap_or_default();
            let mut expected = self.accepted.remove(&lane).unwrap_or_default();
            expected.retain(|id| !dead.contains(id));
            if done != expected {
                return Err(format!("{lane}: accepted {expected:?}, took effect {done:?}"));
            }
            let sent = self.sent.remove(&lane).unwrap_or_default();
            if sent != expected {
                return Err(format!("{lane}: took effect {expected:?}, sent {sent:?}"));
            }
        }
        Ok(())
    }
}

fn message(id: i64) -> OutMessage {
    OutMessage {
        method: "sendMessage".to_owned(),
        params: Bytes::from_static(b"{}"),
        class: OutClass::Reply,
        not_after: None,
        ambiguous: Ambiguous::Skip,
        cause: id.to_string(),
        trace: None,
    }
}

type Steps = Vec<(u8, u8, u8)>;

fn history(steps: &Steps, without: Option<Check>) -> Result<(), String> {
    let mut world = World::new(without);
    for (kind, a, b) in steps {
        world.step(*kind, *a, *b)?;
    }
    world.end()
}

fn steps() -> impl Strategy<Value = Steps> {
    vec(any::<(u8, u8, u8)>(), 0..400)
}

proptest! {
    #![proptest_config(Config::with_cases(128))]

    #[test]
    fn every_history_keeps_the_promises(steps in steps()) {
        history(&steps, None).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn a_history_without_one_of_the_checks_breaks_a_promise() {
    for check in [Check::Fence, Check::Dedup, Check::Revision] {
        let mut runner = TestRunner::deterministic();
        let caught = (0..128).any(|_| {
            let steps = steps().new_tree(&mut runner).unwrap().current();
            history(&steps, Some(check)).is_err()
        });
        assert!(caught, "nothing notices that {check:?} is missing");
    }
}

#[test]
fn a_group_that_was_rolled_back_never_was() {
    let mut world = World::new(None);
    for id in 1..=6 {
        world.deliver(id, id % 2 == 0);
    }
    world.model.settle();
    let (before, stats) = (
        format!("{:?}", world.model.lanes.get(&lane(1))),
        world.model.stats(),
    );
    // Only the memory is taken back here: the steps are such that write nothing.
    let claims = world.model.claim(10, world.now).unwrap();
    let leases: Vec<_> = world
        .turns
        .iter()
        .chain(&claims.turns)
        .map(|turn| turn.lease.clone())
        .collect();
    world.model.renew(&leases, world.now.plus(10));
    assert_ne!(world.model.stats(), stats);
    world.model.rollback();
    assert_eq!(world.model.stats(), stats);
    assert_eq!(format!("{:?}", world.model.lanes.get(&lane(1))), before);
    assert_eq!(world.model.check().unwrap(), None);
}
