//! A Bot API over a real socket: what every test of Botloom talks to instead of Telegram.
//!
//! [`Simulator::start`] opens the socket; the [`Handle`] is the people's side of it (write, press, block, watch, make
//! things fail), and the same can be done over HTTP under `/sim/` (see the folder's README). It imitates the official
//! Bot API server where that is known, down to error texts, delivery order and pauses.

mod api;
mod clock;
mod control;
mod delivery;
mod faults;
mod flood;
mod handle;
mod journal;
mod keyboard;
mod lanes;
mod media;
mod options;
mod params;
mod people;
mod polling;
mod reply;
mod schema;
mod server;
mod text;
mod world;

pub use faults::{Action, Fault};
pub use handle::{BotProfile, BotState, Handle};
pub use journal::{Counters, Entry, Event, Filter};
pub use options::{FloodModel, JournalMode, NewBot, Options, Rate, Tokens};
pub use people::{Content, Done, NewPlace, Seen, SentFile, SimError, WebhookChaos};
pub use schema::{Method, Schema, UpdateKind, schema};
pub use server::{Simulator, StartError};
pub use world::{Access, Person, Place, Renamed};
