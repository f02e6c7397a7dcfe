//! What Botloom knows of the Telegram Bot API.
//!
//! - [`Client`]: every method as a raw call, typed where the runtime needs it. A [`Token`] never reaches an error or a
//!   log.
//! - [`CallError`] and [`classify`]: what an answer of Telegram means for the sender.
//! - [`update`]: the little of an incoming update that decides where it goes, read without building a tree.
//! - `simulator` (feature of the same name): a Bot API over a real socket with virtual people.

mod class;
mod client;
mod error;
mod multipart;
mod token;
pub mod update;

#[cfg(feature = "simulator")]
pub mod simulator;

pub use class::{Class, classify};
pub use client::{BotCommand, Client, GetUpdates, Me, Options, SetWebhook, WebhookInfo};
pub use error::{CallError, InvalidOptions, Parameters};
pub use multipart::{Part, Upload};
pub use token::{InvalidToken, Token};
