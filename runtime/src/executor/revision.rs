//! On which revision an update may start.

use std::sync::Arc;
use std::time::Duration;

use botloom_core::ports::ActiveRevision;
use tokio::time::Instant;

use super::parking::{TROUBLE, Why};
use super::{Executor, Held};
use crate::program::Program;

/// Why a turn cannot start, and for how long.
pub(super) type Wait = (Duration, Why);

impl Executor {
    /// The revision of a turn, read again where the answer that came with the claim is too old or known to be
    /// overtaken. A claim older than the revision lease may stem from before a flip that was reported since.
    pub(super) async fn active(&self, held: &mut Held) -> Result<ActiveRevision, Wait> {
        let bot = &held.lease.lane.bot;
        let fresh = held.read.elapsed() <= self.node.options.revision_lease;
        let allowed = held
            .turn
            .revision
            .is_some_and(|active| self.floors.allows(bot, active.epoch));
        if !(fresh && allowed) {
            let asked = Instant::now();
            held.turn.revision = self.node.ports.lanes.revision(bot).await.map_err(|error| {
                tracing::warn!(%bot, error = %error, "the active revision cannot be read");
                (TROUBLE, Why::Trouble)
            })?;
            held.read = asked;
        }
        match held.turn.revision {
            None => Err((self.node.options.park, Why::NoRevision)),
            Some(active) if self.floors.allows(bot, active.epoch) => Ok(active),
            Some(active) => {
                tracing::error!(%bot, epoch = %active.epoch, "the store's epoch went back, the bot waits");
                Err((TROUBLE, Why::Trouble))
            }
        }
    }

    /// The program of a revision.
    pub(super) async fn program(&self, held: &Held, active: ActiveRevision) -> Result<Arc<Program>, Wait> {
        let bot = held.bot();
        self.node.revisions.get(bot, &active.rev).await.map_err(|error| {
            tracing::error!(%bot, rev = %active.rev, code = error.code(), error = %error, "the active revision cannot be run");
            metrics::counter!("botloom_revision_failures_total", "code" => error.code()).increment(1);
            (if error.is_temporary() { TROUBLE } else { self.node.options.park }, Why::Trouble)
        })
    }
}
