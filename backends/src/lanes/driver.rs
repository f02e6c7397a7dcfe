//! How steps of the model are run: at once in memory, or grouped by the writer thread of SQLite.

use std::fmt::Debug;

use botloom_core::TimestampMs;
use botloom_core::ports::StoreResult;
use tokio::sync::Notify;

use super::model::{Model, Records};

/// One step of the model. It may run more than once: what a failed run did was undone.
pub(crate) trait Step<R, T>:
    FnMut(&mut Model<R>, TimestampMs) -> StoreResult<T> + Send + 'static
{
}

impl<R, T, F> Step<R, T> for F where F: FnMut(&mut Model<R>, TimestampMs) -> StoreResult<T> + Send + 'static {}

/// Takes back what an answer grants when its asker is gone, so that no lane waits for a lease that reached nobody.
pub(crate) type Abandon<R, T> = fn(&mut Model<R>, T);

/// Runs steps.
pub(crate) trait Driver: Debug + Send + Sync + 'static {
    /// Where the model keeps what must survive.
    type Records: Records;

    /// Runs a step; `Ok` means that what it wrote is durable.
    fn call<T: Send + 'static>(
        &self,
        step: impl Step<Self::Records, T>,
        abandon: Abandon<Self::Records, T>,
    ) -> impl Future<Output = StoreResult<T>> + Send;

    /// Who waits for lanes and outboxes.
    fn hints(&self) -> &Hints;
}

/// Wake-ups. A hint that comes while nobody waits is kept for the next who does.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    ready: Notify,
    out_ready: Notify,
}

impl Hints {
    /// Wakes who waits for lanes, and who waits for outboxes.
    pub(crate) fn give(&self, (lanes, outboxes): (bool, bool)) {
        if lanes {
            self.ready.notify_one();
        }
        if outboxes {
            self.out_ready.notify_one();
        }
    }

    pub(crate) async fn ready(&self) {
        self.ready.notified().await;
    }

    pub(crate) async fn out_ready(&self) {
        self.out_ready.notified().await;
    }
}
