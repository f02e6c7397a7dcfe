//! `apiCall`s of an update, as long as its revision is the one to run. A call cannot be taken back, so it begins only
//! while the revision was read within its lease, and one that lasts is cut off when the bot flips, also on a node that
//! nobody can tell.

use botloom_core::bot_js::ApiCall;
use botloom_core::ids::{BotId, Epoch};

use super::{Asked, Executor};
use crate::effects::{ApiCalls, ApiOutcome, Attempt};

/// The guarded client for one update.
#[derive(Debug)]
pub(super) struct Fenced<'a> {
    pub(super) executor: &'a Executor,
    pub(super) bot: &'a BotId,
    /// On which the update runs.
    pub(super) epoch: Epoch,
    /// When that was read.
    pub(super) read: Asked,
}

impl Fenced<'_> {
    /// Reads the revision until it is that of the update. Once it is a newer one this raises the bot's floor, which
    /// ends the run, and never resolves.
    async fn confirm(&self) {
        loop {
            if let Ok((active, read)) = self.executor.read_revision(self.bot).await {
                match active.map(|active| active.epoch) {
                    // An answer that was on its way for longer than it holds says nothing any more.
                    Some(epoch) if epoch == self.epoch => {
                        if read.holds(self.executor.node.options.revision_lease) {
                            return;
                        }
                    }
                    Some(epoch) if epoch > self.epoch => {
                        self.executor.raise(self.bot, epoch);
                        return std::future::pending().await;
                    }
                    _ => self.executor.repair(self.bot).await,
                }
            }
            tokio::time::sleep(self.executor.node.options.revision_lease).await;
        }
    }

    /// Never resolves; sees to it that a flip ends the run.
    async fn watch(&self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(self.executor.node.options.revision_lease).await;
            self.confirm().await;
        }
    }
}

impl ApiCalls for Fenced<'_> {
    async fn call(&self, call: &ApiCall, attempt: Attempt<'_>) -> ApiOutcome {
        if !self.read.holds(self.executor.node.options.revision_lease) {
            self.confirm().await;
        }
        tokio::select! {
            biased;
            outcome = self.executor.node.guard.call(call, attempt) => outcome,
            never = self.watch() => match never {},
        }
    }
}
