//! Driver of [`super::SqliteLanes`]: one file, one process, one writer thread.

mod convert;
mod inbox;
mod records;
mod schema;
mod sweep;
mod transfer;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use botloom_core::ports::{LaneLimits, StoreError, StoreResult};
use botloom_core::time::SharedClock;
use tokio::sync::oneshot;

use self::inbox::{Call, Caller, Inbox};
use self::records::SqliteRecords;
pub(crate) use self::transfer::SqliteLaneFile;
use self::writer::Writer;
use super::SqliteLanes;
use super::driver::{Abandon, Driver, Hints, Step};

/// What may be set about the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteTuning {
    /// Memory for pages of the file, bytes.
    pub cache_bytes: u64,
    /// Most bytes of the file, without its write-ahead log (up to 64 MiB more); `None`: as much as the disk has.
    /// Beyond it [`StoreError::Full`] is answered until something was deleted.
    pub max_bytes: Option<u64>,
    /// Most steps in one transaction.
    pub group: usize,
    /// Most steps that wait for the writer; callers beyond it wait for a place.
    pub waiting: usize,
}

impl Default for SqliteTuning {
    fn default() -> Self {
        Self {
            cache_bytes: 16 << 20,
            max_bytes: None,
            group: 4_096,
            waiting: 16_384,
        }
    }
}

/// Hands steps to the writer thread.
pub struct SqliteDriver {
    inbox: Arc<Inbox>,
    hints: Arc<Hints>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteLanes {
    /// Opens or makes the file at `path` and takes it for this process alone. What the last process left is there:
    /// leases are gone, every lane with updates is ready, what may have been in flight is `maybe_sent`. Blocks while
    /// it reads.
    ///
    /// [`StoreError::Unavailable`] if another process has the file, [`StoreError::Corrupt`] if it is not ours or was
    /// written by a newer program.
    pub fn open(path: &Path, limits: LaneLimits, clock: SharedClock) -> StoreResult<Arc<Self>> {
        Self::open_with(path, limits, clock, SqliteTuning::default())
    }

    /// [`Self::open`] with other settings.
    pub fn open_with(
        path: &Path,
        limits: LaneLimits,
        clock: SharedClock,
        tuning: SqliteTuning,
    ) -> StoreResult<Arc<Self>> {
        let inbox = Arc::new(Inbox::new(tuning.waiting));
        let hints = Arc::new(Hints::default());
        let writer = Writer::open(
            path.to_owned(),
            limits,
            tuning,
            clock,
            Arc::clone(&inbox),
            Arc::clone(&hints),
        )?;
        let thread = std::thread::Builder::new()
            .name("lanes-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(StoreError::unavailable)?;
        Ok(Arc::new(Self::with(SqliteDriver {
            inbox,
            hints,
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// Runs what waits, refuses what comes after, and lets go of the file. Dropping the store does the same.
    pub async fn close(&self) {
        let driver = self.driver();
        driver.inbox.close();
        if let Some(thread) = driver.take_thread() {
            // An error would be a panic of the writer, which has been reported where it happened.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl SqliteDriver {
    fn take_thread(&self) -> Option<JoinHandle<()>> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.take()
    }
}

impl fmt::Debug for SqliteDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteDriver").finish_non_exhaustive()
    }
}

impl Drop for SqliteDriver {
    fn drop(&mut self) {
        self.inbox.close();
        if let Some(thread) = self.take_thread() {
            let _ = thread.join();
        }
    }
}

impl Driver for SqliteDriver {
    type Records = SqliteRecords;

    async fn call<T: Send + 'static>(
        &self,
        step: impl Step<SqliteRecords, T>,
        abandon: Abandon<SqliteRecords, T>,
    ) -> StoreResult<T> {
        let place = self.inbox.place().await?;
        let (reply, answer) = oneshot::channel();
        self.inbox.push(Box::new(Call {
            step,
            abandon,
            answer: None,
            reply,
            _place: place,
        }))?;
        let caller = Caller {
            answer,
            abandon,
            inbox: &self.inbox,
        };
        caller.answer().await
    }

    fn hints(&self) -> &Hints {
        &self.hints
    }
}
