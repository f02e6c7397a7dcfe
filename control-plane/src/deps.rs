//! What the API needs of the outside.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use botloom_core::ports::{Ports, Sandboxes, Simulations};
use botloom_core::vault::Vault;
use botloom_telegram::Client;

/// State of one thing that this node depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Short name: `catalog`, `lanes` …
    pub name: String,
    /// `None`: fine. Else in words, without addresses and secrets.
    pub failure: Option<String>,
    /// What an operator should know although it works, in words.
    pub note: Option<String>,
}

/// Tells whether this node can take work.
#[async_trait]
pub trait Readiness: fmt::Debug + Send + Sync {
    /// Every dependency with its state. Telegram is none of them: bots of others must not stop when it is away.
    async fn dependencies(&self) -> Vec<Dependency>;

    /// Generators that take tasks of this installation.
    async fn live_generators(&self) -> u32;
}

/// What machines that watch this node are told.
#[derive(Clone)]
pub struct Watch {
    /// Answers `/readyz`.
    pub readiness: Arc<dyn Readiness>,
    /// Answers `/metrics` in the Prometheus text format.
    pub metrics_render: Arc<dyn Fn() -> String + Send + Sync>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("readiness", &self.readiness)
            .finish_non_exhaustive()
    }
}

/// Everything handed in by the composition root.
#[derive(Clone)]
pub struct Deps {
    /// Stores, queues, bus and clock.
    pub ports: Ports,
    /// The runtime, as far as a deployment needs it.
    pub sandboxes: Arc<dyn Sandboxes>,
    /// Simulated conversations, where this node runs bots.
    pub simulations: Option<Arc<dyn Simulations>>,
    /// Client of the Bot API.
    pub telegram: Client,
    /// Seals bot tokens and webhook secrets.
    pub vault: Vault,
    /// Answers `/readyz` and `/metrics`.
    pub watch: Watch,
}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deps")
            .field("ports", &self.ports)
            .field("watch", &self.watch)
            .finish_non_exhaustive()
    }
}
