//! Words and ports that every part of Botloom shares. No I/O happens here.
//!
//! Read in this order: [`ids`] (who and what), [`error`] (how failures are told), [`bot_js`] (what bot code is given
//! and gives back), [`model`] (rows of the catalog), [`event`] (what happened), [`ports`] (what backends promise).

pub mod bot_js;
pub mod conversation;
pub mod error;
pub mod event;
pub mod fault;
pub mod grid;
pub mod hash;
pub mod homes;
pub mod ids;
pub mod model;
pub mod ports;
pub mod reseal;
pub mod secret;
pub mod time;
pub mod trace;
pub mod vault;

#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Coded, Kind};
pub use hash::{RevHash, Sha256Hash, SpecHash};
pub use ids::{BotId, ChatId, Epoch, Lane, ProjectId, TaskId, UserId};
pub use secret::Secret;
pub use time::{Clock, SystemClock, TimestampMs};
pub use trace::TraceParent;
