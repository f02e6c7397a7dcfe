//! Events in Redis, filled with what another log held.

use async_trait::async_trait;
use botloom_core::event::LoggedEvent;
use botloom_core::ids::ProjectId;
use botloom_core::ports::StoreResult;

use super::EventTransfer;
use crate::redis::RedisEventLog;

#[async_trait]
impl EventTransfer for RedisEventLog {
    async fn restore(&self, project: ProjectId, events: &[LoggedEvent]) -> StoreResult<()> {
        for event in events {
            self.put(project, event).await?;
        }
        Ok(())
    }
}
