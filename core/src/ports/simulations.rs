//! Port: conversations with a program that need not be live. Nothing is stored, and nothing leaves the machine but the calls
//! of a conversation that asks for real ones.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use super::SandboxError;
use crate::conversation::{Person, ScriptedAnswer, Transcript};
use crate::model::RevJson;
use crate::time::TimestampMs;

/// How long a conversation with real calls may take.
pub const LIVE_LONGEST: Duration = Duration::from_secs(12);

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
    /// Who answers its `apiCall`s.
    pub http: SimulatedHttp,
}

/// Who answers the `apiCall`s of a simulated conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SimulatedHttp {
    /// Prepared answers, in order; a call without one fails.
    #[default]
    Prepared,
    /// The services themselves, by the same guarded client and within the same bounds as for a live bot.
    Live,
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
    /// One turn for each message, in order. With prepared answers the same conversation gives the same turns. One with real
    /// calls ends after [`LIVE_LONGEST`]: then there are turns for the first messages only. `Timeout` where this node has
    /// too many conversations already.
    async fn simulate(&self, simulation: Simulation) -> Result<Vec<SimulatedTurn>, SandboxError>;
}
