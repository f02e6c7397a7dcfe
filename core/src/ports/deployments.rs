//! Port: deployments.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Page, PageRequest, StoreResult};
use crate::hash::RevHash;
use crate::ids::{BotId, TaskId};
use crate::model::Deployment;

/// What became of a request to deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewDeploymentOutcome {
    /// Stored.
    Created,
    /// The same task was stored before; nothing changed.
    Existing,
    /// Another deployment of the bot has not ended.
    Busy(TaskId),
}

/// Deployments. At most one of a bot is not final.
#[async_trait]
pub trait Deployments: Debug + Send + Sync {
    /// Stores a deployment unless one of the bot is under way: one atomic step.
    async fn create_deployment(&self, deployment: &Deployment) -> StoreResult<NewDeploymentOutcome>;

    /// By task.
    async fn deployment(&self, task: &TaskId) -> StoreResult<Option<Deployment>>;

    /// Newest first.
    async fn deployments(&self, bot: &BotId, page: &PageRequest) -> StoreResult<Page<Deployment>>;

    /// Replaces the row if its version is still `deployment.version`; the stored version is one more. `false` means
    /// another worker moved it: read it again.
    async fn save_deployment(&self, deployment: &Deployment) -> StoreResult<bool>;

    /// Deployments that have not ended, oldest first: for the sweeper.
    async fn unfinished_deployments(&self) -> StoreResult<Vec<Deployment>>;

    /// Deployments with [`Deployment::watch_until`], in its order.
    async fn watched_deployments(&self) -> StoreResult<Vec<Deployment>>;

    /// The revision that was active before the present one, from the bot's last flip.
    async fn previous_revision(&self, bot: &BotId) -> StoreResult<Option<RevHash>>;
}
