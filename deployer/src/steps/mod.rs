//! What each stage does. Every step may be repeated after any prefix of it happened.

mod flip;
mod health;
mod invalidate;
mod preflight;
mod prewarm;
mod stage;

use std::time::Duration;

use botloom_core::model::{BotRow, DeployError, Deployment, Stage};
use botloom_core::ports::{SandboxError, StoreError};
use botloom_core::{Coded, Epoch};

use crate::Deps;

/// How a step ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepDone {
    /// Go on.
    Plain(Option<String>),
    /// The flip happened.
    Flipped(Epoch),
}

/// How a step ended badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepFailed {
    /// What it needs is away: the same step may succeed later.
    Away(DeployError),
    /// It will fail again.
    Final(DeployError),
}

impl StepFailed {
    pub(crate) fn into_error(self) -> DeployError {
        match self {
            Self::Away(error) | Self::Final(error) => error,
        }
    }

    pub(crate) fn final_(code: &str, detail: impl Into<String>) -> Self {
        Self::Final(DeployError {
            code: code.to_owned(),
            detail: detail.into(),
        })
    }

    /// From an error that can be shown.
    pub(crate) fn of(error: &dyn Coded) -> Self {
        let shown = DeployError {
            code: error.code().to_owned(),
            detail: error.outside(),
        };
        if error.kind().is_retryable() {
            Self::Away(shown)
        } else {
            Self::Final(shown)
        }
    }
}

impl From<StoreError> for StepFailed {
    fn from(error: StoreError) -> Self {
        tracing::warn!(?error, "a store failed during a deployment");
        Self::of(&error)
    }
}

impl From<SandboxError> for StepFailed {
    fn from(error: SandboxError) -> Self {
        Self::of(&error)
    }
}

/// A rollback does not wait for a node that cannot read a revision at this moment: that its sandboxes run is seen when it is
/// probed, and what is live may be hurting people.
fn or_urgent(row: &Deployment, done: Result<(), SandboxError>) -> Result<(), SandboxError> {
    match done {
        Err(error @ SandboxError::Artifact { .. }) if row.rollback && error.kind().is_retryable() => {
            tracing::warn!(bot = %row.bot, rev = %row.to_rev, error = %error, "a rollback goes on without a node");
            Ok(())
        }
        done => done,
    }
}

/// Runs the step of the deployment's stage, once.
pub(crate) async fn run(
    deps: &Deps,
    barrier: Duration,
    row: &Deployment,
    bot: &BotRow,
) -> Result<StepDone, StepFailed> {
    match row.stage {
        Stage::Preflight => preflight::run(deps, row).await,
        Stage::Stage => stage::run(deps, row).await,
        Stage::Prewarm => prewarm::run(deps, row).await,
        Stage::Health => health::run(deps, row).await,
        Stage::Flip => flip::run(deps, row, bot).await,
        Stage::Invalidate => invalidate::run(deps, barrier, row).await,
    }
}
