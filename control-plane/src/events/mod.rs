//! Live events: a project's log as server-sent events, for one bot.
//!
//! On each node one task per project reads the log ([`hub`]) and tells all streams of the project; it also asks for all of
//! them whether their sessions and roles still hold. A stream ([`stream`]) reads the log itself only to catch up. The bus
//! only wakes: what is sent comes from the log, so a lost hint delays and never loses. Every buffer on the way is bounded,
//! and nobody waits for a slow reader.

mod frame;
mod hub;
mod places;
mod stream;

pub(crate) use hub::Hub;
pub(crate) use places::{Place, Streams};
pub(crate) use stream::open;

use botloom_core::hash::Sha256Hash;
use botloom_core::ids::{BotId, ProjectId};

use crate::app::actor::Actor;
use crate::auth::caller::Credential;

/// Where a reader wants to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// With what happens from now on.
    Now,
    /// After this event.
    After(u64),
    /// After an event that never was: the reader has to fetch everything anew.
    Unknown,
}

/// Who watches what.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) actor: Actor,
    pub(crate) credential: Credential,
    pub(crate) project: ProjectId,
    pub(crate) bot: BotId,
    pub(crate) start: Start,
}

impl Watch {
    /// Digest of the session's id or of the token: the same for all streams that end with it.
    fn digest(&self) -> Sha256Hash {
        match &self.credential {
            Credential::Session { session, .. } => session.hash,
            Credential::Token(token) => token.hash,
        }
    }
}
