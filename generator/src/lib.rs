//! BotSpec to bot.js: lowering, emit, AST filter, artifacts.
//!
//! [`compile`] makes the program of an accepted spec, [`filter()`] judges a program whoever made it, [`build()`] makes
//! the three files of a revision, [`worker::run`] does so for the tasks of a queue.

mod build;
mod emit;
mod error;
pub mod filter;
mod ir;
mod lower;
mod prelude;
pub mod worker;

pub use build::{BuildInputs, Built, COMPILER, build, rev_hash};
pub use error::BuildError;
pub use filter::{AST_RULES_VERSION, Violation, filter};
pub use prelude::SDK_VERSION;

use botloom_spec::model::BotSpec;

/// Version of lowering and emission. Part of a revision's name: counts up when the same spec would give other bytes.
pub const COMPILER_VERSION: &str = "1";

/// The text of `bot.js`. The same spec gives the same bytes.
///
/// The spec must have been accepted by `botloom_spec::check`: nothing is judged here.
pub fn compile(spec: &BotSpec) -> String {
    emit::module(&lower::program(spec))
}
