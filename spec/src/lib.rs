//! What a bot is, as data: types, JSON Schema, meaning checks, canonical JSON, hash.
//!
//! A `BotSpec` is a JSON document ([`model::BotSpec`]). This crate does no I/O: bytes in, findings or an accepted
//! spec out.

pub mod limits;
pub mod model;
pub mod path;
pub mod step;
pub mod template;
