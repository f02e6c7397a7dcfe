//! Hints inside one process.

use async_trait::async_trait;
use botloom_core::ports::{Bus, Notice};
use tokio::sync::broadcast;

/// Notices that a slow listener may be behind before it loses the oldest.
const BACKLOG: usize = 1_024;

/// The bus of an installation that is one process.
#[derive(Debug)]
pub struct LocalBus {
    sender: broadcast::Sender<Notice>,
}

impl LocalBus {
    /// A bus without listeners.
    pub fn new() -> Self {
        Self {
            sender: broadcast::Sender::new(BACKLOG),
        }
    }
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, notice: Notice) {
        // The one error says that nobody listens, which is no fault.
        self.sender.send(notice).ok();
    }

    fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.sender.subscribe()
    }
}
