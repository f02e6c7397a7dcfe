//! Stores that stop answering, as behind a stuck disk: what they were asked meanwhile happens when they go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ports::{
    ActiveRevision, ArtifactError, ArtifactName, Artifacts, ChatState, ChatStates, Claims, Commit,
    CommitOutcome, Fail, FailOutcome, Ingest, IngestOutcome, LaneLease, LaneStats, Lanes, Page, PageRequest,
    SetRevision, StoreResult, Token,
};
use botloom_core::{BotId, Lane};
use bytes::Bytes;
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Stalling {
    inner: Arc<dyn Lanes>,
    stuck: watch::Sender<bool>,
    /// Answers that bring work are on their way for as long as this holds.
    late: watch::Sender<bool>,
}

impl Stalling {
    pub(crate) fn new(inner: Arc<dyn Lanes>) -> Self {
        Self {
            inner,
            stuck: watch::Sender::new(false),
            late: watch::Sender::new(false),
        }
    }

    pub(crate) fn stall(&self, stuck: bool) {
        self.stuck.send_replace(stuck);
    }

    /// What is asked happens, but answers with turns reach the node only later: it stands still, its claims get old.
    pub(crate) fn delay_answers(&self, late: bool) {
        self.late.send_replace(late);
    }

    async fn later<T>(&self, answer: T) -> T {
        let mut late = self.late.subscribe();
        // The sender lives as long as self.
        let _ = late.wait_for(|late| !late).await;
        answer
    }

    async fn pass(&self) -> &dyn Lanes {
        let mut stuck = self.stuck.subscribe();
        // The sender lives as long as self.
        let _ = stuck.wait_for(|stuck| !stuck).await;
        &*self.inner
    }
}

#[async_trait]
impl ChatStates for Stalling {
    async fn chat_states(&self, bot: &BotId, page: &PageRequest) -> StoreResult<Page<ChatState>> {
        self.pass().await.chat_states(bot, page).await
    }
}

#[async_trait]
impl Lanes for Stalling {
    async fn ingest(&self, updates: Vec<Ingest>) -> StoreResult<Vec<IngestOutcome>> {
        let answer = self.pass().await.ingest(updates).await;
        self.later(answer).await
    }
    async fn claim(&self, max: usize) -> StoreResult<Claims> {
        let answer = self.pass().await.claim(max).await;
        self.later(answer).await
    }
    async fn renew(&self, leases: &[LaneLease]) -> StoreResult<Vec<Option<Token>>> {
        self.pass().await.renew(leases).await
    }
    async fn release(&self, leases: &[LaneLease]) -> StoreResult<()> {
        self.pass().await.release(leases).await
    }
    async fn commit(&self, commits: Vec<Commit>) -> StoreResult<Vec<CommitOutcome>> {
        self.pass().await.commit(commits).await
    }
    async fn fail(&self, fail: Fail) -> StoreResult<FailOutcome> {
        self.pass().await.fail(fail).await
    }
    async fn set_revision(&self, bot: &BotId, revision: ActiveRevision) -> StoreResult<SetRevision> {
        self.pass().await.set_revision(bot, revision).await
    }
    async fn revision(&self, bot: &BotId) -> StoreResult<Option<ActiveRevision>> {
        self.pass().await.revision(bot).await
    }
    async fn state(&self, lane: &Lane) -> StoreResult<Option<Bytes>> {
        self.pass().await.state(lane).await
    }
    async fn purge(&self, bot: &BotId) -> StoreResult<()> {
        self.pass().await.purge(bot).await
    }
    async fn stats(&self) -> StoreResult<LaneStats> {
        self.pass().await.stats().await
    }
    async fn ready(&self) {
        self.inner.ready().await;
    }
}

/// Artifacts whose store stops answering.
#[derive(Debug)]
pub(crate) struct SlowArtifacts {
    inner: Arc<dyn Artifacts>,
    stuck: watch::Sender<bool>,
    reads: AtomicUsize,
}

impl SlowArtifacts {
    pub(crate) fn new(inner: Arc<dyn Artifacts>) -> Self {
        Self {
            inner,
            stuck: watch::Sender::new(false),
            reads: AtomicUsize::new(0),
        }
    }

    pub(crate) fn stall(&self, stuck: bool) {
        self.stuck.send_replace(stuck);
    }

    /// Files that were asked for.
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Artifacts for SlowArtifacts {
    async fn put(
        &self,
        bot: &BotId,
        rev: &RevHash,
        name: ArtifactName,
        bytes: Bytes,
    ) -> Result<(), ArtifactError> {
        self.inner.put(bot, rev, name, bytes).await
    }

    async fn get(
        &self,
        bot: &BotId,
        rev: &RevHash,
        name: ArtifactName,
        expected: &Sha256Hash,
    ) -> Result<Bytes, ArtifactError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let mut stuck = self.stuck.subscribe();
        // The sender lives as long as self.
        let _ = stuck.wait_for(|stuck| !stuck).await;
        self.inner.get(bot, rev, name, expected).await
    }

    async fn get_unchecked(
        &self,
        bot: &BotId,
        rev: &RevHash,
        name: ArtifactName,
    ) -> Result<Bytes, ArtifactError> {
        self.inner.get_unchecked(bot, rev, name).await
    }
}
