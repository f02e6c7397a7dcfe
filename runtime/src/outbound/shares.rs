//! Rates of a bot that several nodes send for: each takes a share, given out anew every second after what waits where.
//! A token bucket in the store would cost a trip for every message.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, timeout};

use super::Sender;

/// How often shares are given out.
const EVERY: Duration = Duration::from_secs(1);

impl Sender {
    /// Asks for shares until the node goes down.
    pub(crate) async fn follow_shares(self: Arc<Self>) {
        let nodes = self.node.membership.moves();
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.node.draining.cancelled() => return,
                _ = tick.tick() => {}
            }
            let count = nodes.borrow().len();
            let backlogs = self.pacer.backlogs(count);
            if backlogs.is_empty() {
                continue;
            }
            let shares = match timeout(EVERY, self.node.ports.outbox.rate_shares(&backlogs)).await {
                Ok(Ok(shares)) if shares.len() == backlogs.len() => shares.into_iter().map(Some).collect(),
                Ok(Ok(_)) | Err(_) => vec![None; backlogs.len()],
                Ok(Err(error)) => {
                    tracing::warn!(error = %error, "shares of rates are unknown, every node takes as much as any other");
                    vec![None; backlogs.len()]
                }
            };
            for ((bot, _), share) in backlogs.iter().zip(shares) {
                self.pacer.set_share(bot, share);
            }
        }
    }
}
