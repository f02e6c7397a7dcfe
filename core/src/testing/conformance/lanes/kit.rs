//! What the suites of lanes, outbox and dead letters play with: a fresh store, a clock, and short ways to say things.

use std::sync::Arc;

use bytes::Bytes;

use crate::bot_js::Ambiguous;
use crate::hash::{RevHash, Sha256Hash};
use crate::ids::{BotId, ChatId, Epoch, Lane};
use crate::ports::{
    ActiveRevision, Chats, Commit, CommitOutcome, DeadLetters, DedupKey, Fail, FailOutcome, Ingest,
    IngestOutcome, LaneLimits, Lanes, NextTurn, OutClass, OutMessage, OutTurn, Outbox, StateChange,
    StoreResult, Turn,
};
use crate::testing::ManualClock;
use crate::testing::conformance::cases::T0;
use crate::time::{Clock, TimestampMs};

/// Limits that the suites count on; small, so that they are reached.
pub const LIMITS: LaneLimits = LaneLimits {
    queue_cap: 6,
    dedup_ttl_ms: 25 * 3_600_000,
    lease_ms: 5_000,
    out_lease_ms: 15_000,
    turn_updates: 4,
    dead_letter_cap: 3,
};

/// A fresh store with [`LIMITS`], and the clock that it was given.
#[derive(Debug, Clone)]
pub struct LaneKit {
    /// Updates in.
    pub lanes: Arc<dyn Lanes>,
    /// Messages out.
    pub outbox: Arc<dyn Outbox>,
    /// What was set aside.
    pub dead: Arc<dyn DeadLetters>,
    /// What people see and do.
    pub chats: Arc<dyn Chats>,
    /// The store's clock.
    pub clock: Arc<ManualClock>,
}

impl LaneKit {
    /// A clock for a store that is about to be made.
    pub fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::new(T0))
    }

    /// Wraps a store that implements all four ports.
    pub fn new<S: Lanes + Outbox + DeadLetters + Chats + 'static>(
        store: Arc<S>,
        clock: Arc<ManualClock>,
    ) -> Self {
        Self {
            lanes: Arc::clone(&store) as Arc<dyn Lanes>,
            outbox: Arc::clone(&store) as Arc<dyn Outbox>,
            dead: Arc::clone(&store) as Arc<dyn DeadLetters>,
            chats: store,
            clock,
        }
    }

    pub(in super::super) fn now(&self) -> TimestampMs {
        self.clock.now()
    }

    /// An update, as it stands at the door.
    pub(in super::super) fn update(&self, lane: &Lane, id: i64) -> Ingest {
        Ingest {
            lane: lane.clone(),
            dedup: DedupKey::Update(id),
            envelope: Bytes::from(format!("{{\"update_id\":{id}}}")),
            accepted_at: self.now(),
            trace: None,
            want_turn: false,
        }
    }

    pub(in super::super) async fn ingest(&self, update: Ingest) -> StoreResult<IngestOutcome> {
        let mut outcomes = self.lanes.ingest(vec![update]).await?;
        assert_eq!(outcomes.len(), 1);
        Ok(outcomes.remove(0))
    }

    pub(in super::super) async fn put(&self, lane: &Lane, id: i64) -> StoreResult<IngestOutcome> {
        self.ingest(self.update(lane, id)).await
    }

    /// Ingests the first update of an empty lane and takes its turn.
    pub(in super::super) async fn grant(&self, lane: &Lane, id: i64) -> StoreResult<Turn> {
        let mut update = self.update(lane, id);
        update.want_turn = true;
        match self.ingest(update).await? {
            IngestOutcome::Granted(turn) => Ok(*turn),
            other => panic!("{lane} was not granted but {other:?}"),
        }
    }

    /// The only turn there is.
    pub(in super::super) async fn claim_one(&self) -> StoreResult<Turn> {
        let mut claims = self.lanes.claim(2).await?;
        assert_eq!(claims.turns.len(), 1, "one lane is ready: {claims:?}");
        Ok(claims.turns.remove(0))
    }

    pub(in super::super) async fn claim_none(&self) -> StoreResult<()> {
        let claims = self.lanes.claim(1).await?;
        assert_eq!(claims.turns, Vec::new(), "no lane is ready");
        Ok(())
    }

    pub(in super::super) async fn commit(&self, commit: Commit) -> StoreResult<CommitOutcome> {
        let mut outcomes = self.lanes.commit(vec![commit]).await?;
        assert_eq!(outcomes.len(), 1);
        Ok(outcomes.remove(0))
    }

    /// Commits what must be committed; answers the next turn and the outbox.
    pub(in super::super) async fn committed(
        &self,
        commit: Commit,
    ) -> StoreResult<(Option<Turn>, Option<OutTurn>)> {
        match self.commit(commit).await? {
            CommitOutcome::Committed { next, out } => Ok((next.map(|turn| *turn), out.map(|turn| *turn))),
            other => panic!("not committed but {other:?}"),
        }
    }

    pub(in super::super) async fn fail(
        &self,
        turn: &Turn,
        retry_at: TimestampMs,
    ) -> StoreResult<FailOutcome> {
        let fail = Fail {
            lease: turn.lease.clone(),
            max_attempts: 3,
            retry_at,
            reason: "script-error".to_owned(),
            detail: "it threw".to_owned(),
        };
        self.lanes.fail(fail).await
    }

    /// Puts messages into the outbox of a lane without updates, through a turn as always.
    pub(in super::super) async fn send(
        &self,
        lane: &Lane,
        update: i64,
        messages: Vec<OutMessage>,
    ) -> StoreResult<()> {
        let turn = self.grant(lane, update).await?;
        let mut commit = answer(&turn);
        commit.messages = messages;
        let (_, out) = self.committed(commit).await?;
        assert_eq!(out, None, "nobody asked for the outbox");
        Ok(())
    }
}

pub(in super::super) fn bot(name: &str) -> BotId {
    BotId::new(name).expect("the suites name bots well")
}

pub(in super::super) fn lane(chat: i64) -> Lane {
    Lane {
        bot: bot("pizza"),
        chat: ChatId::from(chat),
    }
}

/// The smallest commit of a turn: one update taken off, nothing else.
pub(in super::super) fn answer(turn: &Turn) -> Commit {
    Commit {
        lease: turn.lease.clone(),
        revision: turn.revision,
        updates: 1,
        state: StateChange::Keep { ttl_ms: None },
        messages: Vec::new(),
        want_out: false,
        next: NextTurn::Release,
        charge: 0,
    }
}

pub(in super::super) fn put_document(text: &'static str, ttl_ms: Option<i64>) -> StateChange {
    StateChange::Put {
        document: Bytes::from_static(text.as_bytes()),
        ttl_ms,
    }
}

pub(in super::super) fn message(text: &str) -> OutMessage {
    OutMessage {
        method: "sendMessage".to_owned(),
        params: Bytes::from(format!("{{\"chat_id\":1,\"text\":\"{text}\"}}")),
        class: OutClass::Reply,
        not_after: None,
        ambiguous: Ambiguous::Resend,
        cause: "1".to_owned(),
        trace: None,
    }
}

pub(in super::super) fn revision(epoch: u64) -> ActiveRevision {
    ActiveRevision {
        epoch: Epoch(epoch),
        rev: RevHash(Sha256Hash::of(epoch.to_string())),
    }
}

/// Ids of the updates of a turn.
pub(in super::super) fn ids(turn: &Turn) -> Vec<i64> {
    turn.updates
        .iter()
        .map(|update| match &update.dedup {
            DedupKey::Update(id) => *id,
            DedupKey::Synthetic(key) => panic!("{key} is not an update of Telegram"),
        })
        .collect()
}
