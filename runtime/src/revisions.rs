//! Revisions in memory: read once, checked against their digests, shared by all updates of their bot.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use botloom_core::Coded;
use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ids::BotId;
use botloom_core::model::{RevJson, RevisionRow};
use botloom_core::ports::{ArtifactError, ArtifactName, Artifacts, Catalog, StoreError};
use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use metrics::{Counter, counter};
use moka::future::Cache;
use tokio::time::timeout;

use crate::program::Program;

/// Bytes of source that are kept.
const KEPT_BYTES: u64 = 256 * 1024 * 1024;
/// What a kept revision costs besides its source.
const OVERHEAD: usize = 4 * 1024;
/// How long a caller waits for a read: less than any lease, so that a turn can give its lane back. The read goes on.
const WAIT: Duration = Duration::from_secs(1);

/// How long a node that is asked to stage a revision waits for its files.
const STAGE_WAIT: Duration = Duration::from_secs(2);

type Read = Result<Arc<Program>, Arc<RevisionError>>;
/// A read that several callers wait for.
type Reading = Shared<BoxFuture<'static, Read>>;

/// Why a revision cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RevisionError {
    /// The catalog does not know it, or it belongs to another bot.
    #[error("the revision does not exist")]
    Unknown,
    /// Its passport in the catalog is not the one it was stored with.
    #[error("the passport of the revision is corrupt")]
    CorruptPassport,
    /// A file of it is missing, corrupt or cannot be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The catalog is away.
    #[error(transparent)]
    Catalog(#[from] StoreError),
    /// It is still being read.
    #[error("the revision is not read yet")]
    Slow,
}

impl RevisionError {
    /// Stable code, as of the artifact store.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "artifact-missing",
            Self::CorruptPassport => "artifact-corrupt",
            Self::Artifact(error) => error.code(),
            Self::Catalog(error) => error.code(),
            Self::Slow => "unavailable",
        }
    }

    /// In words for the author.
    pub(crate) fn outside(&self) -> String {
        match self {
            Self::Unknown => ArtifactError::Missing.outside(),
            Self::CorruptPassport => ArtifactError::Corrupt.outside(),
            Self::Artifact(error) => error.outside(),
            Self::Catalog(error) => error.outside(),
            Self::Slow => "The artifact store takes too long to answer.".to_owned(),
        }
    }

    /// Whether it may work later.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Unknown | Self::CorruptPassport => false,
            Self::Artifact(error) => error.kind().is_retryable(),
            Self::Catalog(error) => error.kind().is_retryable(),
            Self::Slow => true,
        }
    }
}

/// The cache. Clones share it. Of concurrent reads of one revision only one reaches the stores.
#[derive(Debug, Clone)]
pub(crate) struct Revisions {
    catalog: Arc<dyn Catalog>,
    artifacts: Arc<dyn Artifacts>,
    cache: Cache<RevHash, Arc<Program>>,
    reading: Arc<Mutex<HashMap<(BotId, RevHash), Reading>>>,
    hits: Counter,
    misses: Counter,
}

impl Revisions {
    pub(crate) fn new(catalog: Arc<dyn Catalog>, artifacts: Arc<dyn Artifacts>) -> Self {
        let weight =
            |_: &RevHash, program: &Arc<Program>| u32::try_from(program.size + OVERHEAD).unwrap_or(u32::MAX);
        Self {
            catalog,
            artifacts,
            cache: Cache::builder().weigher(weight).max_capacity(KEPT_BYTES).build(),
            reading: Arc::default(),
            hits: counter!("botloom_cache_requests_total", "tier" => "program", "result" => "hit"),
            misses: counter!("botloom_cache_requests_total", "tier" => "program", "result" => "miss"),
        }
    }

    /// The revision of a bot, [`Slow`](RevisionError::Slow) after a second. A failure is not kept: the next call reads
    /// again.
    pub(crate) async fn get(&self, bot: &BotId, rev: &RevHash) -> Read {
        if let Some(program) = self.cache.get(rev).await.filter(|program| program.bot == *bot) {
            self.hits.increment(1);
            return Ok(program);
        }
        self.misses.increment(1);
        timeout(WAIT, self.reading(bot, rev))
            .await
            .unwrap_or_else(|_| Err(Arc::new(RevisionError::Slow)))
    }

    /// Whether a revision of a bot is in memory.
    pub(crate) fn holds(&self, rev: &RevHash) -> bool {
        self.cache.contains_key(rev)
    }

    /// The read that is under way, or a new one. It is a task of its own: a caller that gives up takes it from nobody.
    fn reading(&self, bot: &BotId, rev: &RevHash) -> Reading {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (bot.clone(), *rev);
        if let Some(read) = reading.get(&key) {
            return read.clone();
        }
        let (this, own) = (self.clone(), key.clone());
        let task = tokio::spawn(async move {
            let read = this.read(&own.0, &own.1).await.map_err(Arc::new);
            if let Ok(program) = &read {
                this.cache.insert(own.1, Arc::clone(program)).await;
            }
            this.reading
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&own);
            read
        });
        // A task ends without an answer only when the process ends.
        let read = task
            .map(|read| read.unwrap_or_else(|_| Err(Arc::new(RevisionError::Slow))))
            .boxed()
            .shared();
        reading.insert(key, read.clone());
        read
    }

    async fn read(&self, bot: &BotId, rev: &RevHash) -> Result<Arc<Program>, RevisionError> {
        let (row, passport) = self.row(bot, rev).await?;
        let bytes = self
            .artifacts
            .get(bot, rev, ArtifactName::BotJs, &row.digests.bot_js)
            .await?;
        let source = String::from_utf8(bytes.into()).map_err(|_| ArtifactError::Corrupt)?;
        Ok(Arc::new(Program::new(source, passport)))
    }

    /// Reads all files of a revision, which puts them where this node can reach them fast, and checks their digests.
    /// [`Slow`](RevisionError::Slow) after two seconds.
    pub(crate) async fn stage(&self, bot: &BotId, rev: &RevHash) -> Result<(), RevisionError> {
        timeout(STAGE_WAIT, self.read_all(bot, rev))
            .await
            .unwrap_or(Err(RevisionError::Slow))
    }

    async fn read_all(&self, bot: &BotId, rev: &RevHash) -> Result<(), RevisionError> {
        let (row, _) = self.row(bot, rev).await?;
        for name in ArtifactName::ALL {
            let digest = match name {
                ArtifactName::BotJs => &row.digests.bot_js,
                ArtifactName::SpecJson => &row.digests.spec_json,
                ArtifactName::RevJson => &row.digests.rev_json,
            };
            self.artifacts.get(bot, rev, name, digest).await?;
        }
        Ok(())
    }

    async fn row(&self, bot: &BotId, rev: &RevHash) -> Result<(RevisionRow, RevJson), RevisionError> {
        let row = self
            .catalog
            .revision(rev)
            .await?
            .filter(|row| row.bot == *bot)
            .ok_or(RevisionError::Unknown)?;
        if Sha256Hash::of(&row.rev_json) != row.digests.rev_json {
            return Err(RevisionError::CorruptPassport);
        }
        let passport: RevJson =
            serde_json::from_str(&row.rev_json).map_err(|_| RevisionError::CorruptPassport)?;
        if passport.rev_hash != *rev || passport.bot_id != *bot {
            return Err(RevisionError::CorruptPassport);
        }
        Ok((row, passport))
    }
}
