//! Port: conversations with a program that need not be live. Nothing is stored, and nothing leaves the machine.

use std::fmt::Debug;

use async_trait::async_trait;

use super::SandboxError;
use crate::conversation::{Person, ScriptedAnswer, Transcript};
use crate::model::RevJson;
use crate::time::TimestampMs;

/// A conversation to be had.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// The program.
    pub bot_js: String,
    /// Its passport.
    pub passport: RevJson,
    /// Virtual time at which it begins.
    pub begins: TimestampMs,
    /// What happens, in order.
    pub happenings: Vec<Happening>,
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub enum Happening {
    /// Somebody writes to the bot in their private chat.
    Says {
        /// Who.
        person: Person,
        /// What.
        text: String,
    },
    /// The answer to the next call that has none is prepared.
    Answer(ScriptedAnswer),
    /// Virtual milliseconds pass.
    Passes(i64),
}

/// What one message led to.
#[derive(Debug, Clone)]
pub struct SimulatedTurn {
    /// Virtual time.
    pub at: TimestampMs,
    /// The chat's document before, JSON text; `None`: there was none.
    pub before: Option<String>,
    /// What the bot did.
    pub transcript: Transcript,
    /// The chat's document after.
    pub after: Option<String>,
}

/// Has conversations, in the sandbox that live bots run in.
#[async_trait]
pub trait Simulations: Debug + Send + Sync {
    /// One turn for each message, in order. The same conversation gives the same turns. `Timeout` where this node has
    /// too many conversations already.
    async fn simulate(&self, simulation: Simulation) -> Result<Vec<SimulatedTurn>, SandboxError>;
}
