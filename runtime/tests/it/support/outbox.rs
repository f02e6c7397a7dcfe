//! An outbox that goes away: every question fails until it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use botloom_core::ports::{
    AckOut, AckOutOutcome, LaneLease, OutTurn, Outbox, StoreError, StoreResult, Token,
};
use botloom_core::{BotId, TimestampMs};

#[derive(Debug)]
pub(crate) struct SwitchedOutbox {
    inner: Arc<dyn Outbox>,
    away: AtomicBool,
}

impl SwitchedOutbox {
    pub(crate) fn new(inner: Arc<dyn Outbox>) -> Self {
        Self {
            inner,
            away: AtomicBool::new(false),
        }
    }

    pub(crate) fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn pass(&self) -> StoreResult<&dyn Outbox> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("switched off"));
        }
        Ok(&*self.inner)
    }
}

#[async_trait]
impl Outbox for SwitchedOutbox {
    async fn claim_out(&self, max: usize) -> StoreResult<(Vec<OutTurn>, Option<TimestampMs>)> {
        self.pass()?.claim_out(max).await
    }
    async fn begin_send(&self, lease: &LaneLease) -> StoreResult<bool> {
        self.pass()?.begin_send(lease).await
    }
    async fn ack_out(&self, acks: Vec<AckOut>) -> StoreResult<Vec<AckOutOutcome>> {
        self.pass()?.ack_out(acks).await
    }
    async fn renew_out(&self, leases: &[LaneLease]) -> StoreResult<Vec<Option<Token>>> {
        self.pass()?.renew_out(leases).await
    }
    async fn park(&self, bot: &BotId, until: Option<TimestampMs>) -> StoreResult<()> {
        self.pass()?.park(bot, until).await
    }
    async fn rate_shares(&self, backlogs: &[(BotId, u64)]) -> StoreResult<Vec<f64>> {
        self.pass()?.rate_shares(backlogs).await
    }
    async fn out_ready(&self) {
        self.inner.out_ready().await;
    }
}
