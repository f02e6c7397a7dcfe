//! Forgets what has expired.

use std::time::Duration;

use botloom_core::ports::StoreResult;
use tokio_util::sync::CancellationToken;

use crate::app::managed;
use crate::auth::{bearer, session};
use crate::idempotency;
use crate::state::App;

const PAUSE: Duration = Duration::from_mins(1);
/// Longest span that the pace of webhook changes is bounded over, ms, and some more.
const GRANTS_MS: i64 = 3_700_000;

/// Sweeps every minute until `shutdown`. A sweep that fails is repeated by the next.
pub(crate) async fn run(app: &App, shutdown: &CancellationToken) {
    loop {
        if let Err(error) = sweep(app).await {
            tracing::warn!(?error, "expired sessions and keys are kept until the next sweep");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn sweep(app: &App) -> StoreResult<()> {
    app.rates.forget_idle();
    let catalog = &app.deps.ports.catalog;
    let now = app.now();
    let sessions = catalog
        .expire_sessions(now.plus(-session::IDLE_MS), now.plus(-session::ABSOLUTE_MS))
        .await?;
    let keys = catalog.expire_keys(now.plus(-idempotency::KEPT_MS)).await?;
    let invitations = catalog.expire_invitations(now).await?;
    let logins = catalog.expire_attempts(now).await?;
    let tokens = catalog.expire_tokens(now.plus(-bearer::TOLD_MS)).await?;
    let grants = catalog.expire_webhook_grants(now.plus(-GRANTS_MS)).await?;
    let managed = catalog
        .expire_managed_requests(now.plus(-managed::SHOWN_MS))
        .await?;
    tracing::debug!(
        sessions,
        keys,
        invitations,
        logins,
        tokens,
        grants,
        managed,
        "swept"
    );
    Ok(())
}
