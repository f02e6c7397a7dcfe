//! The state machine of a deployment. Pure: no clock, no store.
//!
//! ```text
//!            Begin           Done        Done       Done        Done       Flipped          Done
//!  queued ─────────► preflight ─► stage ─► prewarm ─► health ─► flip ─────────► invalidate ─► succeeded
//!                        │          │         │          │        │
//!                        └──────────┴── Failed┴──────────┴────────┴─► failed      (nothing changed for users)
//! ```
//!
//! After the flip there is no way to fail: the new revision is live, and what is left (telling everybody) is repeated
//! until it succeeds.

use botloom_core::model::{DeployError, Deployment, Stage, StageRecord, TaskStatus};
use botloom_core::{Epoch, TimestampMs};

/// What happened to a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A worker took it, for the first time or after another one died.
    Begin,
    /// The step of its stage succeeded.
    Done {
        /// In words.
        detail: Option<String>,
    },
    /// The flip succeeded.
    Flipped {
        /// The new epoch.
        epoch: Epoch,
    },
    /// The step of its stage failed for good.
    Failed(DeployError),
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Run the step of this stage.
    Run(Stage),
    /// Nothing: the deployment has ended.
    End,
}

/// Moves a deployment. Events that do not fit the state (a zombie's late result) change nothing and answer with what
/// the state asks for.
#[must_use]
pub fn next(mut row: Deployment, event: Event, now: TimestampMs) -> (Deployment, Action) {
    if row.status.is_final() {
        return (row, Action::End);
    }
    match (event, row.status, row.stage) {
        (Event::Begin, TaskStatus::Queued, _) => {
            row.status = TaskStatus::Running;
            enter(&mut row, Stage::Preflight, now);
        }
        (Event::Done { detail }, TaskStatus::Running, stage) if stage != Stage::Flip => {
            leave(&mut row, detail, now);
            match stage.next() {
                Some(following) => enter(&mut row, following, now),
                None => row.status = TaskStatus::Succeeded,
            }
        }
        (Event::Flipped { epoch }, TaskStatus::Running, Stage::Flip) => {
            row.epoch = Some(epoch);
            leave(&mut row, Some(format!("epoch {epoch}")), now);
            enter(&mut row, Stage::Invalidate, now);
        }
        (Event::Failed(error), TaskStatus::Running, stage) if stage <= Stage::Flip => {
            leave(&mut row, Some(error.detail.clone()), now);
            row.error = Some(error);
            row.status = TaskStatus::Failed;
        }
        _ => return with_action(row),
    }
    row.updated_at = now;
    with_action(row)
}

fn with_action(row: Deployment) -> (Deployment, Action) {
    let action = match row.status {
        TaskStatus::Running => Action::Run(row.stage),
        TaskStatus::Queued | TaskStatus::Succeeded | TaskStatus::Failed => Action::End,
    };
    (row, action)
}

fn enter(row: &mut Deployment, stage: Stage, now: TimestampMs) {
    row.stage = stage;
    row.stages.push(StageRecord {
        name: stage,
        started_at: now,
        finished_at: None,
        detail: None,
    });
}

fn leave(row: &mut Deployment, detail: Option<String>, now: TimestampMs) {
    if let Some(record) = row.stages.last_mut() {
        record.finished_at = Some(now);
        record.detail = detail;
    }
}
