//! Whether the revision that runs is still the one to run.

use botloom_core::ids::Epoch;
use tokio::sync::watch;

/// Tells a run that its bot flipped meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Overtaken(Option<(watch::Receiver<Epoch>, Epoch)>);

impl Overtaken {
    /// Of a run on `epoch`: as soon as the lowest epoch on which the bot's updates may run is above it.
    pub(crate) fn above(epoch: Epoch, floor: watch::Receiver<Epoch>) -> Self {
        Self(Some((floor, epoch)))
    }

    /// Of a run outside of any deployment.
    pub(crate) fn never() -> Self {
        Self(None)
    }

    /// Resolves once it is so.
    pub(super) async fn wait(&self) {
        if let Some((floor, epoch)) = &self.0
            && floor.clone().wait_for(|floor| floor > epoch).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
