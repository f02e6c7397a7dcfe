//! One task: version → files → row.

use std::sync::atomic::{AtomicU8, Ordering};

use botloom_core::event::BotEvent;
use botloom_core::fault;
use botloom_core::hash::Sha256Hash;
use botloom_core::model::{RevJson, RevisionRow, SpecVersion, TaskPayload};
use botloom_core::ports::{ArtifactError, ArtifactName, StoreError, TaskLease};
use botloom_core::trace::TARGET;
use botloom_core::{Coded, RevHash};
use botloom_spec::accept;
use bytes::Bytes;
use tracing::Instrument;

use super::{Deps, Options};
use crate::{BuildError, BuildInputs, Built, build};

pub(super) struct Job<'a> {
    pub(super) deps: &'a Deps,
    pub(super) options: Options,
    pub(super) lease: &'a TaskLease,
    /// How far it got, 0 to 100, for those who renew the lease meanwhile.
    pub(super) reached: AtomicU8,
}

/// Why a task did not come to its end.
#[derive(Debug)]
pub(super) enum Fault {
    /// It never will.
    Final { code: &'static str, detail: String },
    /// It may the next time.
    Passing(Box<dyn std::error::Error + Send + Sync>),
}

impl Fault {
    fn of(error: impl Coded + Send + Sync + 'static) -> Self {
        if error.kind().is_retryable() {
            Self::Passing(error.into())
        } else {
            Self::last(&error)
        }
    }

    fn last(error: &impl Coded) -> Self {
        tracing::debug!(?error, "generation ends");
        Self::Final {
            code: error.code(),
            detail: error.outside(),
        }
    }

    fn missing(what: &str) -> Self {
        Self::Final {
            code: "not-found",
            detail: format!("The {what} does not exist."),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::of(error)
    }
}

impl From<ArtifactError> for Fault {
    fn from(error: ArtifactError) -> Self {
        Self::of(error)
    }
}

impl From<BuildError> for Fault {
    fn from(error: BuildError) -> Self {
        Self::of(error)
    }
}

impl Job<'_> {
    /// Makes and stores the revision.
    pub(super) async fn run(&self) -> Result<RevHash, Fault> {
        let task = &self.lease.task;
        let TaskPayload::Generate {
            spec_version,
            model,
            seed,
            ..
        } = &task.payload
        else {
            return Err(Fault::missing("generation"));
        };
        if task.attempts <= 1 {
            self.tell(&BotEvent::GenerateStarted { task_id: task.id }).await;
        }
        let version = self.deps.catalog.version(&task.bot, *spec_version).await?;
        let version = version.ok_or_else(|| Fault::missing("version of the spec"))?;
        let author = match task.author {
            Some(id) => self.deps.catalog.user(id).await?.map(|user| user.email),
            None => None,
        };
        self.progress(10).await?;
        let inputs = BuildInputs {
            model: model.clone(),
            seed: *seed,
            bot_id: task.bot.clone(),
            spec_version: *spec_version,
            author,
            // Of the task, not of this attempt: the next attempt writes the same passport.
            built_at: task.created_at,
        };
        let span = tracing::info_span!(target: TARGET, "build");
        let built = self.built(version, inputs).instrument(span).await?;
        self.progress(60).await?;
        let span = tracing::info_span!(target: TARGET, "store", botloom.revision = %built.rev_hash);
        self.store(&built).instrument(span).await?;
        Ok(built.rev_hash)
    }

    async fn built(&self, version: SpecVersion, inputs: BuildInputs) -> Result<Built, Fault> {
        let building = tokio::task::spawn_blocking(move || {
            let spec = serde_json::from_str(&version.canonical);
            let spec = spec
                .map(accept)
                .ok()
                .filter(|spec| spec.canonical == version.canonical);
            // Versions are checked before they are stored, so this is no fault of the author.
            let spec =
                spec.ok_or_else(|| Fault::of(StoreError::Corrupt("the spec of a version".to_owned())))?;
            build(&spec, &inputs).map_err(Fault::from)
        });
        match tokio::time::timeout(self.options.build_timeout, building).await {
            Ok(Ok(built)) => built,
            Ok(Err(panicked)) => Err(Fault::Passing(panicked.into())),
            // A busy machine may do better the next time; a spec that takes this long on any machine ends here.
            Err(_) if self.lease.task.attempts < self.options.max_attempts => {
                Err(Fault::of(BuildError::TooSlow))
            }
            Err(_) => Err(Fault::last(&BuildError::TooSlow)),
        }
    }

    /// Writes what the spec determines, then the row, then the passport as the row has it: of two builds of the same
    /// revision at different times the first one's passport stays, also when that build died before it wrote the file.
    async fn store(&self, built: &Built) -> Result<(), Fault> {
        let bot = &self.lease.task.bot;
        let Deps {
            artifacts, catalog, ..
        } = self.deps;
        let rev = &built.rev_hash;
        let put = |name, text: &str| artifacts.put(bot, rev, name, Bytes::copy_from_slice(text.as_bytes()));
        put(ArtifactName::SpecJson, &built.spec_json).await?;
        put(ArtifactName::BotJs, &built.bot_js).await?;
        fault::point("generator.program-stored");
        let mut row = RevisionRow {
            rev_hash: *rev,
            bot: bot.clone(),
            spec_version: built.rev.spec_version,
            digests: built.digests,
            rev_json: built.rev_json.clone(),
            created_at: self.lease.task.created_at,
        };
        if let Some(passport) = self.orphan(built).await? {
            row.digests.rev_json = Sha256Hash::of(&passport);
            row.rev_json = passport;
        }
        let row = if catalog.add_revision(&row).await? {
            row
        } else {
            catalog
                .revision(rev)
                .await?
                .ok_or_else(|| Fault::missing("revision"))?
        };
        fault::point("generator.row-stored");
        if row.digests.bot_js != built.digests.bot_js {
            return Err(ArtifactError::Conflict.into());
        }
        put(ArtifactName::RevJson, &row.rev_json).await?;
        fault::point("generator.passport-stored");
        self.progress(90).await
    }

    /// The passport of this very revision that an earlier build stored and whose row is gone, as after the catalog was
    /// restored from a backup that is older than the artifacts.
    async fn orphan(&self, built: &Built) -> Result<Option<String>, Fault> {
        let (bot, rev) = (&self.lease.task.bot, &built.rev_hash);
        let artifacts = &self.deps.artifacts;
        let bytes = match artifacts.get_unchecked(bot, rev, ArtifactName::RevJson).await {
            Ok(bytes) => bytes,
            Err(ArtifactError::Missing) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // All but what a build does not decide: when, by whom, from which version of the same content.
        let same = |mut passport: RevJson| {
            passport.spec_version = built.rev.spec_version;
            passport.author.clone_from(&built.rev.author);
            passport.notes.clone_from(&built.rev.notes);
            passport.build.built_at.clone_from(&built.rev.build.built_at);
            passport
                .build
                .generator_git_sha
                .clone_from(&built.rev.build.generator_git_sha);
            passport == built.rev
        };
        let known = serde_json::from_slice(&bytes).is_ok_and(same);
        // What is something else makes the put of ours a conflict.
        Ok(String::from_utf8(bytes.into()).ok().filter(|_| known))
    }

    /// Notes and tells progress; fails when the lease is lost.
    async fn progress(&self, progress: u8) -> Result<(), Fault> {
        let task = &self.lease.task;
        let now = self.deps.clock.now();
        self.reached.store(progress, Ordering::Relaxed);
        if !self
            .deps
            .tasks
            .heartbeat(&task.id, self.lease.fence, progress, now, self.options.lease)
            .await?
        {
            return Err(Fault::Passing("the lease is lost".into()));
        }
        self.tell(&BotEvent::GenerateProgress {
            task_id: task.id,
            progress,
        })
        .await;
        Ok(())
    }

    /// Events are for people who watch; the task's row is the truth.
    pub(super) async fn tell(&self, event: &BotEvent) {
        let task = &self.lease.task;
        let now = self.deps.clock.now();
        if let Err(error) = self.deps.events.append(task.project, &task.bot, now, event).await {
            tracing::warn!(task = %task.id, ?error, "cannot log an event");
        }
    }
}
