//! The thread that owns the file: everything that waits becomes one transaction with one sync of the disk.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use botloom_core::ports::{LaneLimits, StoreError, StoreResult};
use botloom_core::time::SharedClock;

use super::SqliteTuning;
use super::inbox::{Inbox, Job};
use super::records::SqliteRecords;
use super::schema;
use crate::lanes::driver::Hints;
use crate::lanes::model::Model;

/// Time between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Time between two tries to open the file again after an error.
const REOPEN_EVERY: Duration = Duration::from_millis(500);

type SqliteModel = Model<SqliteRecords>;

pub(super) struct Writer {
    path: PathBuf,
    limits: LaneLimits,
    tuning: SqliteTuning,
    clock: SharedClock,
    inbox: Arc<Inbox>,
    hints: Arc<Hints>,
    /// `None` after an error that leaves memory or file in doubt, until the file was read anew.
    model: Option<SqliteModel>,
    tried: Instant,
    swept: Instant,
}

impl Writer {
    pub(super) fn open(
        path: PathBuf,
        limits: LaneLimits,
        tuning: SqliteTuning,
        clock: SharedClock,
        inbox: Arc<Inbox>,
        hints: Arc<Hints>,
    ) -> StoreResult<Self> {
        let mut writer = Self {
            path,
            limits,
            tuning,
            clock,
            inbox,
            hints,
            model: None,
            tried: Instant::now(),
            swept: Instant::now(),
        };
        writer.model = Some(writer.load()?);
        Ok(writer)
    }

    fn load(&self) -> StoreResult<SqliteModel> {
        let now = self.clock.now();
        let db = schema::open(&self.path, &self.tuning, now)?;
        let mut records = SqliteRecords::new(db)?;
        records.begin()?;
        let mut model = Model::load(records, self.limits, now)?;
        model.records().commit()?;
        self.hints.give(model.take_woke());
        Ok(model)
    }

    pub(super) fn run(mut self) {
        while let Some(jobs) = self.inbox.take(self.tuning.group.max(1), SWEEP_EVERY) {
            self.execute(jobs);
            if self.swept.elapsed() >= SWEEP_EVERY {
                self.swept = Instant::now();
                self.sweep();
            }
        }
        if let Some(Err(error)) = self.model.as_mut().map(|model| model.records().checkpoint()) {
            tracing::warn!(
                ?error,
                "the write-ahead log was not moved into the file; the next start does it"
            );
        }
    }

    fn execute(&mut self, mut jobs: VecDeque<Box<dyn Job>>) {
        jobs.retain(|job| job.wanted());
        if jobs.is_empty() {
            return;
        }
        if self.model.is_none() {
            self.reopen();
        }
        let Some(model) = self.model.as_mut() else {
            fail_all(
                jobs,
                &StoreError::unavailable("the file could not be read again yet"),
            );
            return;
        };
        let now = self.clock.now();
        let ran = group(model, |model| {
            jobs.iter_mut().try_for_each(|job| job.run(model, now))
        });
        let error = match ran {
            Ok(()) => {
                for job in jobs {
                    job.done(model);
                }
                model.settle();
                self.hints.give(model.take_woke());
                return;
            }
            Err(error) => error,
        };
        if matches!(error, StoreError::Full) && undo(model).is_ok() {
            if jobs.len() == 1 {
                fail_all(jobs, &error);
            } else {
                // Steps that need no space, and the first that still fit, go through on their own.
                for job in jobs {
                    self.execute(VecDeque::from([job]));
                }
            }
            return;
        }
        tracing::error!(?error, path = %self.path.display(), "writing failed; the file is opened and read anew");
        self.doubt();
        fail_all(jobs, &error);
    }

    /// Lets go of memory and file: nobody knows whether they agree.
    fn doubt(&mut self) {
        self.model = None;
        self.tried = Instant::now();
    }

    fn reopen(&mut self) {
        if self.tried.elapsed() < REOPEN_EVERY {
            return;
        }
        self.tried = Instant::now();
        match self.load() {
            Ok(model) => self.model = Some(model),
            Err(error) => tracing::error!(?error, path = %self.path.display(), "opening failed"),
        }
    }

    fn sweep(&mut self) {
        let now = self.clock.now();
        let Some(model) = self.model.as_mut() else {
            return;
        };
        match group(model, |model| model.records().sweep(now)) {
            Ok(()) => {}
            Err(StoreError::Full) if undo(model).is_ok() => {}
            Err(error) => {
                tracing::error!(?error, path = %self.path.display(), "sweeping failed");
                self.doubt();
            }
        }
    }
}

impl Drop for Writer {
    /// Also when a step panicked: whoever waits learns that nobody will answer.
    fn drop(&mut self) {
        self.inbox.close();
        self.inbox.clear();
    }
}

fn group(
    model: &mut SqliteModel,
    steps: impl FnOnce(&mut SqliteModel) -> StoreResult<()>,
) -> StoreResult<()> {
    model.records().begin()?;
    steps(model)?;
    model.records().commit()
}

/// Takes file and memory back to where the group began.
fn undo(model: &mut SqliteModel) -> StoreResult<()> {
    model.records().rollback()?;
    model.rollback();
    Ok(())
}

fn fail_all(jobs: VecDeque<Box<dyn Job>>, error: &StoreError) {
    for job in jobs {
        job.failed(match error {
            StoreError::Full => StoreError::Full,
            StoreError::Corrupt(what) => StoreError::Corrupt(what.clone()),
            StoreError::Missing(what) => StoreError::Missing(what),
            StoreError::Unavailable(source) => StoreError::unavailable(source.to_string()),
        });
    }
}
