//! Update to sandbox to message: ingress, lanes, sandbox workers, outbox, simulator.
//!
//! The way of an update: [`start()`] builds a node; its router or its poller brings an update to the *door* (`ingress`),
//! which makes it durable in its lane; the *executor* claims the lane, runs bot code in a [`sandbox`] (`step_loop`,
//! `effects`), and commits state and messages in one step; the *sender* (`outbound`) brings the messages to Telegram.

mod bots;
mod cluster;
mod effects;
mod executor;
mod ingress;
mod meters;
mod node;
mod options;
mod outbound;
mod outcomes;
mod polling;
mod program;
mod reports;
mod revisions;
pub mod sandbox;
mod sandboxes;
mod simulations;
pub mod simulator;
mod slots;
mod start;
mod step_loop;
mod trace;

pub use cluster::cluster_sandboxes;
pub use effects::{DevHosts, Guard, InvalidDevHosts, Resolve, SystemResolver, is_public};
pub use options::{Options, PollOptions, SendLimits};
pub use start::{Deps, Handle, Status, start};
