//! What others say: a revision will go live, or is; a bot changed.

use std::sync::Arc;

use botloom_core::hash::RevHash;
use botloom_core::ids::BotId;
use botloom_core::ports::Notice;
use tokio::sync::broadcast::error::RecvError;

use super::Executor;
use super::parking::Why;

impl Executor {
    /// Follows notices until the node goes down. They only make things faster: claims carry the revision, commits are
    /// checked against it.
    pub(crate) async fn follow_notices(self: Arc<Self>) {
        let mut notices = self.node.ports.bus.subscribe();
        let mut bots = self.node.bots.changes();
        loop {
            let notice = tokio::select! {
                () = self.node.draining.cancelled() => return,
                Ok(()) = bots.changed() => {
                    self.resume().await;
                    continue;
                }
                notice = notices.recv() => notice,
            };
            match notice {
                Ok(Notice::RevisionPrepare { bot, rev }) => self.prepare(bot, rev),
                Ok(Notice::RevisionSet { bot, revision }) => {
                    self.floors.raise(&bot, revision.epoch);
                    self.wake(&bot, Why::NoRevision).await;
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return self.node.draining.cancelled().await,
            }
        }
    }

    fn prepare(&self, bot: BotId, rev: RevHash) {
        let node = Arc::clone(&self.node);
        self.node.tasks.spawn(async move {
            match node.revisions.get(&bot, &rev).await {
                Ok(program) => {
                    // Whether it loads is for the deployer's probe to tell.
                    let _ = node.pool.prewarm(&program.source, 1).await;
                }
                Err(error) => tracing::warn!(%bot, %rev, error = %error, "a revision could not be prepared"),
            }
        });
    }

    /// Starts what waited for the end of a pause.
    async fn resume(self: &Arc<Self>) {
        for bot in self.parking.waiting_for(Why::Paused) {
            if self.node.bots.known(&bot).is_none_or(|bot| !bot.paused) {
                self.wake(&bot, Why::Paused).await;
            }
        }
    }

    async fn wake(self: &Arc<Self>, bot: &BotId, why: Why) {
        let mut refused = Vec::new();
        while let Some(held) = self.parking.take(bot, why) {
            refused.extend(self.start_or_park(held));
        }
        self.give_back(&refused).await;
    }
}
