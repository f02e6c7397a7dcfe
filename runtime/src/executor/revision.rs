//! On which revision an update may start.

use std::sync::Arc;
use std::time::Duration;

use botloom_core::ports::ActiveRevision;
use tokio::time::Instant;

use super::parking::{TROUBLE, Why};
use super::{Executor, Held};
use crate::cluster::Listing;
use crate::node::Node;
use crate::program::Program;

/// Why a turn cannot start, and for how long.
pub(super) type Wait = (Duration, Why);

/// When the store was asked for a revision, and that flips waited for this node then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    at: Instant,
    listing: Listing,
}

impl Asked {
    /// Before a question is sent.
    pub(crate) fn now(node: &Node) -> Self {
        Self {
            at: Instant::now(),
            listing: node.membership.listing(),
        }
    }

    pub(crate) fn at(self) -> Instant {
        self.at
    }

    /// Whether no flip can have been reported as live since: it is younger than `lease`, for which flips wait, and the
    /// node was on the list all the time, so that a flip which ends early asked it.
    pub(super) fn holds(self, lease: Duration) -> bool {
        self.at.elapsed() <= lease && self.listing.holds()
    }
}

impl Executor {
    /// The revision of a turn, read again where the answer that came with the claim is too old or known to be
    /// overtaken. A claim older than the revision lease may stem from before a flip that was reported since.
    pub(super) async fn active(&self, held: &mut Held) -> Result<ActiveRevision, Wait> {
        let bot = &held.lease.lane.bot;
        let holds = held.read.holds(self.node.options.revision_lease);
        let allowed = held
            .turn
            .revision
            .is_some_and(|active| self.floors.allows(bot, active.epoch));
        if !(holds && allowed) {
            (held.turn.revision, held.read) = self.read_revision(bot).await?;
        }
        match held.turn.revision {
            Some(active) if self.floors.observe(bot, active.epoch) => Ok(active),
            None if !self.floors.knows(bot) => Err((self.node.options.park, Why::NoRevision)),
            _ => {
                self.repair(bot).await;
                Err((TROUBLE, Why::Trouble))
            }
        }
    }

    /// The active revision as the store says now.
    pub(super) async fn read_revision(
        &self,
        bot: &botloom_core::ids::BotId,
    ) -> Result<(Option<ActiveRevision>, Asked), Wait> {
        let away = |error| {
            tracing::warn!(%bot, error = %error, "the active revision cannot be read");
            (TROUBLE, Why::Trouble)
        };
        if !self.node.membership.listing().holds() {
            self.node.membership.beat().await.map_err(away)?;
        }
        let asked = Asked::now(&self.node);
        let revision = self.node.ports.lanes.revision(bot).await.map_err(away)?;
        Ok((revision, asked))
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
