//! Simulated conversations for others, in this node's sandboxes.

use std::time::Duration;

use async_trait::async_trait;
use botloom_core::ports::{Happening, SandboxError, SimulatedTurn, Simulation, Simulations};
use tokio::sync::Semaphore;

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
    places: Semaphore,
}

impl PoolSimulations {
    pub(crate) fn new(pool: Pool) -> Self {
        Self {
            pool,
            places: Semaphore::new(AT_ONCE),
        }
    }
}

#[async_trait]
impl Simulations for PoolSimulations {
    async fn simulate(&self, simulation: Simulation) -> Result<Vec<SimulatedTurn>, SandboxError> {
        let place = tokio::time::timeout(WAIT, self.places.acquire()).await;
        let _place = place
            .map_err(|_| SandboxError::Timeout)?
            .map_err(|_| SandboxError::NoNode)?;
        let Simulation {
            bot_js,
            passport,
            begins,
            happenings,
        } = simulation;
        let mut conversation = Conversation::new(self.pool.clone(), bot_js, passport, Api::Scripted, begins);
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
                    let transcript = conversation.send(&person, person.id, &text).await;
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
