//! Keeping a lease while work goes on.

use std::time::Duration;

use botloom_core::ports::LaneLease;
use tokio::time::Instant;

use super::Executor;

/// Pause after a renewal that the store did not answer.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

impl Executor {
    /// Does `work` and renews the lease meanwhile. `None`: the lease was lost and the work was dropped half-way; its
    /// new holder does it.
    pub(super) async fn keeping<F: Future>(
        &self,
        lease: &mut LaneLease,
        leased: &mut Instant,
        work: F,
    ) -> Option<F::Output> {
        tokio::pin!(work);
        // Nearly every turn is over long before.
        let renewed_after = self.node.options.lease_part(2);
        let mut renew_at = *leased + renewed_after;
        loop {
            tokio::select! {
                biased;
                output = &mut work => return Some(output),
                () = tokio::time::sleep_until(renew_at) => {}
            }
            let asked = Instant::now();
            match self
                .node
                .ports
                .lanes
                .renew(std::slice::from_ref(lease))
                .await
                .map(|tokens| tokens.first().copied())
            {
                Ok(Some(Some(token))) => {
                    lease.token = token;
                    *leased = asked;
                    renew_at = asked + renewed_after;
                }
                Ok(_) => {
                    self.node.meters.fenced.increment(1);
                    return None;
                }
                Err(error) => {
                    tracing::warn!(lane = %lease.lane, error = %error, "a lease could not be renewed");
                    renew_at = Instant::now() + AGAIN_AFTER;
                }
            }
        }
    }
}
