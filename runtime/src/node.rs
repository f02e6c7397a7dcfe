//! What all parts of a node share.

use std::sync::Arc;

use botloom_core::ports::Ports;
use botloom_core::time::TimestampMs;
use botloom_telegram::Client;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bots::Bots;
use crate::cluster::Membership;
use crate::effects::{Guard, Matcher};
use crate::meters::Meters;
use crate::options::Options;
use crate::outcomes::Tally;
use crate::reports::Reports;
use crate::revisions::Revisions;
use crate::sandbox::Pool;
use crate::slots::Slots;

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) ports: Ports,
    pub(crate) options: Options,
    pub(crate) bots: Bots,
    pub(crate) revisions: Revisions,
    pub(crate) pool: Pool,
    /// Places for turns.
    pub(crate) turns: Slots,
    /// This node among the others.
    pub(crate) membership: Arc<Membership>,
    /// Places for calls at the pool's workers.
    pub(crate) calls: Slots,
    pub(crate) matcher: Matcher,
    pub(crate) guard: Guard,
    pub(crate) telegram: Client,
    pub(crate) reports: Reports,
    pub(crate) meters: Meters,
    /// How updates end, for the watch over new revisions.
    pub(crate) outcomes: Arc<Tally>,
    /// Everything that must have ended before the node has.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the node goes down: nothing new is begun from then on.
    pub(crate) draining: CancellationToken,
}

impl Node {
    pub(crate) fn now(&self) -> TimestampMs {
        self.ports.clock.now()
    }

    /// Spawns a part that runs until the node goes down. One that panics is started again.
    pub(crate) fn supervise<F, Fut>(self: &Arc<Self>, name: &'static str, part: F)
    where
        F: Fn() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        supervise(&self.tasks, self.draining.clone(), name, part);
    }
}

/// Spawns a part that runs until `end`. One that panics is started again.
pub(crate) fn supervise<F, Fut>(tasks: &TaskTracker, end: CancellationToken, name: &'static str, part: F)
where
    F: Fn() -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    tasks.spawn(async move {
            loop {
                let ended = tokio::spawn(part()).await;
                if end.is_cancelled() {
                    return;
                }
                match ended {
                    Ok(()) => tracing::warn!(part = name, "a part of the runtime ended early, it is started again"),
                    Err(error) => tracing::error!(part = name, error = %error, "a part of the runtime panicked, it is started again"),
                }
                metrics::counter!("botloom_restarted_parts_total", "part" => name).increment(1);
                tokio::time::sleep(RESTART_PAUSE).await;
            }
        });
}

const RESTART_PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
