//! Records and driver of [`super::ModelLanes`].

mod records;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use botloom_core::TimestampMs;
use botloom_core::ports::{LaneLimits, StoreResult};
use botloom_core::time::SharedClock;

pub(crate) use self::records::MemoryRecords;
use super::ModelLanes;
use super::driver::{Abandon, Driver, Hints, Step};
use super::model::Model;

/// Runs every step at once, under a lock.
#[derive(Debug)]
pub struct MemoryDriver {
    model: Mutex<Model<MemoryRecords>>,
    clock: SharedClock,
    hints: Hints,
}

impl ModelLanes {
    /// Empty lanes.
    pub fn new(limits: LaneLimits, clock: SharedClock) -> StoreResult<Arc<Self>> {
        let model = Model::load(MemoryRecords::default(), limits, clock.now())?;
        Ok(Arc::new(Self::with(MemoryDriver {
            model: Mutex::new(model),
            clock,
            hints: Hints::default(),
        })))
    }

    /// Forgets what a process forgets when it ends, and starts anew: leases are gone, lanes are ready, first messages
    /// of outboxes may have been sent.
    pub fn restart(&self) -> StoreResult<()> {
        let driver = self.driver();
        let mut model = driver.model();
        let limits = model.limits();
        let empty = Model::load(MemoryRecords::default(), limits, driver.clock.now())?;
        let records = std::mem::replace(&mut *model, empty).into_records();
        *model = Model::load(records, limits, driver.clock.now())?;
        driver.hints.give(model.take_woke());
        Ok(())
    }
}

impl MemoryDriver {
    fn model(&self) -> MutexGuard<'_, Model<MemoryRecords>> {
        // A step that panicked would have left a half-made change: nothing after it can be trusted less than before.
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver for MemoryDriver {
    type Records = MemoryRecords;

    async fn call<T: Send + 'static>(
        &self,
        mut step: impl Step<MemoryRecords, T>,
        _abandon: Abandon<MemoryRecords, T>,
    ) -> StoreResult<T> {
        let mut model = self.model();
        let now: TimestampMs = self.clock.now();
        let answer = step(&mut model, now);
        if answer.is_ok() {
            model.settle();
        } else {
            model.rollback();
        }
        self.hints.give(model.take_woke());
        answer
    }

    fn hints(&self) -> &Hints {
        &self.hints
    }
}
