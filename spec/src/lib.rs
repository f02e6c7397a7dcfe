//! What a bot is, as data: types, JSON Schema, meaning checks, canonical JSON, hash.
//!
//! A `BotSpec` is a JSON document ([`model::BotSpec`]). This crate does no I/O: bytes in, findings or an accepted
//! spec out ([`check()`]). What a running bot does with a spec is in `SEMANTICS.md` beside this crate.

mod check;
mod code;
mod diff;
mod draft;
mod finding;
pub mod json;
pub mod limits;
pub mod model;
pub mod path;
pub mod pointer;
pub mod profile;
mod schema;
pub mod script;
pub mod step;
pub mod template;
mod updates;
mod validate;

pub use check::{Accepted, Checked, accept, check};
pub use code::{Code, Severity};
pub use diff::{Change, Diff, PatchOp, diff};
pub use finding::Finding;
pub use schema::{generate as generate_schema, schema_json};
pub use updates::allowed_updates;
