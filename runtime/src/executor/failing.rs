//! What happens to a turn whose first update cannot be executed.

use botloom_core::event::BotEvent;
use botloom_core::ports::analytics::event::ERROR;
use botloom_core::ports::{Direction, Fail, FailOutcome};
use serde_json::json;

use super::parking::{TROUBLE, Why};
use super::revision::Wait;
use super::{Executor, Held};
use crate::meters::count_dead_letters;
use crate::reports::{Run, plain};
use crate::step_loop::Failure;

/// Tries of an update in all.
const TRIES: u32 = 3;
/// Pauses between them, in milliseconds.
const PAUSES_MS: [i64; 2] = [100, 500];

impl Executor {
    /// Lets a turn wait for something, with its lease. A node that goes down gives it to others.
    pub(super) async fn wait(&self, held: Held, (time, why): Wait) {
        if self.node.draining.is_cancelled() {
            return self.give_back(&[held.lease]).await;
        }
        if let Some(lease) = self.parking.park(held, time, why) {
            self.give_back(&[lease]).await;
        }
    }

    /// The program failed: try again, at most twice.
    pub(super) async fn failed(&self, held: Held, failure: Failure) {
        match failure {
            Failure::Program { outcome, detail } => {
                if let Some(active) = held.turn.revision.filter(|_| held.turn.attempts == 0) {
                    self.node.outcomes.failed(held.bot(), active.epoch);
                }
                self.fail(held, TRIES, outcome, detail).await;
            }
            Failure::NoSandbox(detail) => {
                tracing::warn!(lane = %held.lease.lane, detail, "no sandbox, the update waits");
                self.wait(held, (TROUBLE, Why::Trouble)).await;
            }
            // A batch ends with another reason then.
            Failure::Overtaken => self.give_back(&[held.lease]).await,
        }
    }

    /// Ends the turn without effects; with the last try the update becomes a dead letter.
    pub(super) async fn fail(&self, held: Held, tries: u32, reason: &str, detail: String) {
        let node = &self.node;
        node.meters.failed.increment(1);
        let pause = PAUSES_MS
            .get(held.turn.attempts as usize)
            .or(PAUSES_MS.last())
            .copied()
            .unwrap_or_default();
        let lane = held.lease.lane.clone();
        let update = held
            .turn
            .updates
            .first()
            .map(|first| first.dedup.to_string())
            .unwrap_or_default();
        tracing::info!(%lane, update, reason, detail, attempt = held.turn.attempts + 1, "an update failed");
        let fail = Fail {
            lease: held.lease,
            max_attempts: tries,
            retry_at: node.now().plus(pause),
            reason: reason.to_owned(),
            detail: detail.clone(),
        };
        let id = match node.ports.lanes.fail(fail).await {
            Ok(FailOutcome::DeadLettered(id)) => id,
            Ok(FailOutcome::Delayed) => return self.delayed.notify_one(),
            Ok(FailOutcome::Fenced) => return node.meters.fenced.increment(1),
            Err(error) => {
                return tracing::warn!(%lane, error = %error, "a failure could not be noted, the lease will end");
            }
        };
        node.meters.dead_in.increment(1);
        count_dead_letters(Direction::In, reason, 1);
        tracing::warn!(%lane, update, id, reason, "an update was set aside");
        let run = Run {
            bot: &lane.bot,
            chat: &lane.chat,
            rev: held.turn.revision.map(|active| active.rev),
            at: node.now(),
            cause: &id,
        };
        let direction = Direction::In.as_str();
        let fields = json!({ "reason": reason, "direction": direction, "detail": detail }).to_string();
        node.reports.record(plain(run, ERROR, fields));
        if let Some(bot) = node.bots.known(&lane.bot) {
            let (direction, reason) = (Direction::In.as_str().to_owned(), reason.to_owned());
            node.reports.tell(
                bot.project,
                &lane.bot,
                BotEvent::DeadLettered {
                    direction,
                    id,
                    reason,
                },
            );
        }
    }
}
