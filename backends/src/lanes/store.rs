//! The ports, each method one step of the model.

use async_trait::async_trait;
use botloom_core::ports::{
    AckOut, AckOutOutcome, ActiveRevision, ChatPlace, ChatState, ChatStates, ChatView, Chats, Claims, Commit,
    CommitOutcome, DeadLetter, DeadLetters, Fail, FailOutcome, Freed, Ingest, IngestOutcome, LaneLease,
    LaneStats, Lanes, LetterCount, LetterQuery, NewDeadLetter, OutTurn, Outbox, Page, PageRequest, Remedy,
    SetRevision, StoreError, StoreResult, Token,
};
use botloom_core::{BotId, Lane, TimestampMs};
use bytes::Bytes;

use super::driver::Driver;
use super::model::{Model, Records, Replay};

/// Lanes, outbox and dead letters over a driver: [`super::ModelLanes`] or [`super::SqliteLanes`].
#[derive(Debug)]
pub struct Store<D> {
    driver: D,
}

impl<D> Store<D> {
    pub(super) const fn with(driver: D) -> Self {
        Self { driver }
    }

    pub(super) const fn driver(&self) -> &D {
        &self.driver
    }
}

#[expect(private_bounds, reason = "drivers are made here only")]
impl<D: Driver> Store<D> {
    /// Compares memory with records and every lane with its place; [`StoreError::Corrupt`] says what is wrong. Reads
    /// everything: for tests and for repair.
    pub async fn check(&self) -> StoreResult<()> {
        match self.driver.call(|model, _| model.check(), keep).await? {
            None => Ok(()),
            Some(faults) => Err(StoreError::Corrupt(faults)),
        }
    }
}

/// For answers that grant nothing.
fn keep<R, T>(_: &mut Model<R>, _: T) {}

fn abandon_ingest<R: Records>(model: &mut Model<R>, outcomes: Vec<IngestOutcome>) {
    for outcome in outcomes {
        if let IngestOutcome::Granted(turn) = outcome {
            model.release(&[turn.lease]);
        }
    }
}

fn abandon_claims<R: Records>(model: &mut Model<R>, claims: Claims) {
    let leases: Vec<LaneLease> = claims.turns.into_iter().map(|turn| turn.lease).collect();
    model.release(&leases);
}

fn abandon_commit<R: Records>(model: &mut Model<R>, outcomes: Vec<CommitOutcome>) {
    for outcome in outcomes {
        if let CommitOutcome::Committed { next, out } = outcome {
            if let Some(turn) = next {
                model.release(&[turn.lease]);
            }
            if let Some(turn) = out {
                model.release_out(&turn.lease);
            }
        }
    }
}

fn abandon_out<R: Records>(model: &mut Model<R>, claimed: (Vec<OutTurn>, Option<TimestampMs>)) {
    for turn in claimed.0 {
        model.release_out(&turn.lease);
    }
}

fn abandon_acks<R: Records>(model: &mut Model<R>, outcomes: Vec<AckOutOutcome>) {
    for outcome in outcomes {
        if let AckOutOutcome::Done { next: Some(turn), .. } = outcome {
            model.release_out(&turn.lease);
        }
    }
}

#[async_trait]
impl<D: Driver> Lanes for Store<D> {
    async fn ingest(&self, updates: Vec<Ingest>) -> StoreResult<Vec<IngestOutcome>> {
        let step = move |model: &mut Model<D::Records>, now| model.ingest(&updates, now);
        self.driver.call(step, abandon_ingest).await
    }

    async fn claim(&self, max: usize) -> StoreResult<Claims> {
        let step = move |model: &mut Model<D::Records>, now| model.claim(max, now);
        self.driver.call(step, abandon_claims).await
    }

    async fn renew(&self, leases: &[LaneLease]) -> StoreResult<Vec<Option<Token>>> {
        let leases = leases.to_vec();
        let step = move |model: &mut Model<D::Records>, now| Ok(model.renew(&leases, now));
        self.driver.call(step, keep).await
    }

    async fn release(&self, leases: &[LaneLease]) -> StoreResult<()> {
        let leases = leases.to_vec();
        let step = move |model: &mut Model<D::Records>, _| {
            model.release(&leases);
            Ok(())
        };
        self.driver.call(step, keep).await
    }

    async fn commit(&self, commits: Vec<Commit>) -> StoreResult<Vec<CommitOutcome>> {
        let step = move |model: &mut Model<D::Records>, now| model.commit(&commits, now);
        self.driver.call(step, abandon_commit).await
    }

    async fn fail(&self, fail: Fail) -> StoreResult<FailOutcome> {
        let step = move |model: &mut Model<D::Records>, now| model.fail(&fail, now);
        self.driver.call(step, keep).await
    }

    async fn set_revision(&self, bot: &BotId, revision: ActiveRevision) -> StoreResult<SetRevision> {
        let bot = bot.clone();
        let step = move |model: &mut Model<D::Records>, _| model.set_revision(&bot, revision);
        self.driver.call(step, keep).await
    }

    async fn revision(&self, bot: &BotId) -> StoreResult<Option<ActiveRevision>> {
        let bot = bot.clone();
        let step = move |model: &mut Model<D::Records>, _| Ok(model.revision(&bot));
        self.driver.call(step, keep).await
    }

    async fn state(&self, lane: &Lane) -> StoreResult<Option<Bytes>> {
        let lane = lane.clone();
        let step = move |model: &mut Model<D::Records>, now| model.state(&lane, now);
        self.driver.call(step, keep).await
    }

    async fn purge(&self, bot: &BotId) -> StoreResult<()> {
        let bot = bot.clone();
        let step = move |model: &mut Model<D::Records>, _| model.purge(&bot);
        self.driver.call(step, keep).await
    }

    async fn stats(&self) -> StoreResult<LaneStats> {
        let step = |model: &mut Model<D::Records>, _| Ok(model.stats());
        self.driver.call(step, keep).await
    }

    async fn ready(&self) {
        self.driver.hints().ready().await;
    }
}

#[async_trait]
impl<D: Driver> ChatStates for Store<D> {
    async fn chat_states(&self, bot: &BotId, page: &PageRequest) -> StoreResult<Page<ChatState>> {
        let (bot, page) = (bot.clone(), page.clone());
        let step = move |model: &mut Model<D::Records>, now| model.chat_states(&bot, &page, now);
        self.driver.call(step, keep).await
    }
}

#[async_trait]
impl<D: Driver> Outbox for Store<D> {
    async fn claim_out(&self, max: usize) -> StoreResult<(Vec<OutTurn>, Option<TimestampMs>)> {
        let step = move |model: &mut Model<D::Records>, now| model.claim_out(max, now);
        self.driver.call(step, abandon_out).await
    }

    async fn begin_send(&self, lease: &LaneLease) -> StoreResult<bool> {
        let lease = lease.clone();
        let step = move |model: &mut Model<D::Records>, _| model.begin_send(&lease);
        self.driver.call(step, keep).await
    }

    async fn ack_out(&self, acks: Vec<AckOut>) -> StoreResult<Vec<AckOutOutcome>> {
        let step = move |model: &mut Model<D::Records>, now| model.ack_out(&acks, now);
        self.driver.call(step, abandon_acks).await
    }

    async fn renew_out(&self, leases: &[LaneLease]) -> StoreResult<Vec<Option<Token>>> {
        let leases = leases.to_vec();
        let step = move |model: &mut Model<D::Records>, now| Ok(model.renew_out(&leases, now));
        self.driver.call(step, keep).await
    }

    async fn park(&self, bot: &BotId, until: Option<TimestampMs>) -> StoreResult<()> {
        let bot = bot.clone();
        let step = move |model: &mut Model<D::Records>, now| model.park(&bot, until, now);
        self.driver.call(step, keep).await
    }

    async fn out_ready(&self) {
        self.driver.hints().out_ready().await;
    }
}

#[async_trait]
impl<D: Driver> DeadLetters for Store<D> {
    async fn set_aside(&self, letter: NewDeadLetter) -> StoreResult<String> {
        let step = move |model: &mut Model<D::Records>, _| model.set_aside(&letter);
        self.driver.call(step, keep).await
    }

    async fn letters(
        &self,
        bot: &BotId,
        query: &LetterQuery,
        page: &PageRequest,
    ) -> StoreResult<Page<DeadLetter>> {
        let (bot, query, page) = (bot.clone(), query.clone(), page.clone());
        let step = move |model: &mut Model<D::Records>, _| model.dead_letters(&bot, &query, &page);
        self.driver.call(step, keep).await
    }

    async fn count(&self, bot: &BotId, query: &LetterQuery) -> StoreResult<LetterCount> {
        let (bot, query) = (bot.clone(), query.clone());
        let step = move |model: &mut Model<D::Records>, _| model.count_dead_letters(&bot, &query);
        self.driver.call(step, keep).await.map(LetterCount::exactly)
    }

    async fn dead_letter(&self, bot: &BotId, id: &str) -> StoreResult<Option<DeadLetter>> {
        let (bot, id) = (bot.clone(), id.to_owned());
        let step = move |model: &mut Model<D::Records>, _| model.dead_letter(&bot, &id);
        self.driver.call(step, keep).await
    }

    async fn replay(&self, bot: &BotId, id: &str) -> StoreResult<bool> {
        let (bot, id) = (bot.clone(), id.to_owned());
        let step = move |model: &mut Model<D::Records>, now| model.replay(&bot, &id, now);
        match self.driver.call(step, keep).await? {
            Replay::Done => Ok(true),
            Replay::Missing => Ok(false),
            Replay::LaneFull => Err(StoreError::Full),
        }
    }

    async fn discard(&self, bot: &BotId, id: &str) -> StoreResult<bool> {
        let (bot, id) = (bot.clone(), id.to_owned());
        let step = move |model: &mut Model<D::Records>, _| model.discard(&bot, &id);
        self.driver.call(step, keep).await
    }
}

#[async_trait]
impl<D: Driver> Chats for Store<D> {
    async fn chats(
        &self,
        bot: &BotId,
        place: Option<ChatPlace>,
        page: &PageRequest,
    ) -> StoreResult<Page<ChatView>> {
        let (bot, page) = (bot.clone(), page.clone());
        let step = move |model: &mut Model<D::Records>, _| model.chats(&bot, place, &page);
        self.driver.call(step, keep).await
    }

    async fn chat(&self, lane: &Lane) -> StoreResult<ChatView> {
        let lane = lane.clone();
        let step = move |model: &mut Model<D::Records>, _| model.chat(&lane);
        self.driver.call(step, keep).await
    }

    async fn free_updates(&self, lane: &Lane, remedy: Remedy) -> StoreResult<Freed> {
        let lane = lane.clone();
        let step = move |model: &mut Model<D::Records>, now| model.free_updates(&lane, remedy, now);
        self.driver.call(step, keep).await
    }

    async fn free_messages(&self, lane: &Lane, remedy: Remedy) -> StoreResult<Freed> {
        let lane = lane.clone();
        let step = move |model: &mut Model<D::Records>, now| model.free_messages(&lane, remedy, now);
        self.driver.call(step, keep).await
    }

    async fn forget_state(&self, lane: &Lane) -> StoreResult<bool> {
        let lane = lane.clone();
        let step = move |model: &mut Model<D::Records>, _| model.forget_state(&lane);
        self.driver.call(step, keep).await
    }
}
