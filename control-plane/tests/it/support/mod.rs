//! A whole API on a port of its own, and a client for it.

mod client;
mod fixtures;
mod server;

pub(crate) use client::{Answer, Client};
pub(crate) use fixtures::{live, revision, spec, stuck_chat};
pub(crate) use server::{EMAIL, PASSWORD, Server, Setup};
