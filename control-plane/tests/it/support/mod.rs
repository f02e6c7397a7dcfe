//! A whole API on a port of its own, and a client for it.

mod client;
mod fixtures;
mod server;

pub(crate) use client::{Answer, Client};
pub(crate) use fixtures::{revision, revision_of, spec};
pub(crate) use server::{EMAIL, PASSWORD, Server, Setup};
