//! Simulated conversations for others, in this node's sandboxes; real calls go out by the way that those of live bots take.

use std::time::Duration;

use async_trait::async_trait;
use botloom_core::ports::{
    Happening, LIVE_LONGEST, SandboxError, SimulatedHttp, SimulatedTurn, Simulation, Simulations,
};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::effects::Guard;
use crate::sandbox::Pool;
use crate::simulator::{Api, Conversation};

/// Conversations at a time: live bots come first.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const WAIT: Duration = Duration::from_secs(5);

/// Conversations in the sandboxes of a pool.
#[derive(Debug)]
pub(crate) struct PoolSimulations {
    pool: Pool,
    guard: Guard,
    places: Semaphore,
    /// The same for those that wait for others: whoever talks to slow services leaves the rest alone.
    live_places: Semaphore,
}

impl PoolSimulations {
    pub(crate) fn new(pool: Pool, guard: Guard) -> Self {
        Self {
            pool,
            guard,
            places: Semaphore::new(AT_ONCE),
            live_places: Semaphore::new(AT_ONCE),
        }
    }
}

#[async_trait]
impl Simulations for PoolSimulations {
    async fn simulate(&self, simulation: Simulation) -> Result<Vec<SimulatedTurn>, SandboxError> {
        let places = match simulation.http {
            SimulatedHttp::Prepared => &self.places,
            SimulatedHttp::Live => &self.live_places,
        };
        let place = tokio::time::timeout(WAIT, places.acquire()).await;
        let _place = place
            .map_err(|_| SandboxError::Timeout)?
            .map_err(|_| SandboxError::NoNode)?;
        let Simulation {
            bot_js,
            passport,
            begins,
            happenings,
            http,
        } = simulation;
        let (api, longest) = match http {
            // Nothing that it waits for takes real time.
            SimulatedHttp::Prepared => (Api::Scripted, Duration::from_hours(1)),
            SimulatedHttp::Live => (Api::Real(Box::new(self.guard.clone())), LIVE_LONGEST),
        };
        let end = Instant::now() + longest;
        let mut conversation = Conversation::new(self.pool.clone(), bot_js, passport, api, begins);
        let (mut now, mut turns) = (begins, Vec::new());
        for happening in happenings {
            match happening {
                Happening::Answer(answer) => conversation.answer(answer),
                Happening::Passes(ms) => {
                    conversation.advance(ms);
                    now = now.plus(ms);
                }
                Happening::Says { person, text } => {
                    let before = conversation.state(person.id).map(ToOwned::to_owned);
                    let sent = conversation.send(&person, person.id, &text);
                    let Ok(transcript) = timeout_at(end, sent).await else {
                        break;
                    };
                    let after = conversation.state(person.id).map(ToOwned::to_owned);
                    turns.push(SimulatedTurn {
                        at: now,
                        before,
                        transcript,
                        after,
                    });
                }
            }
        }
        Ok(turns)
    }
}
