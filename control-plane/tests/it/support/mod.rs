//! A whole API on a port of its own, and a client for it.

mod browser;
mod client;
mod fixtures;
mod hostile;
mod provider;
mod server;
mod waiting;

pub(crate) use browser::Browser;
pub(crate) use client::{Answer, Client};
pub(crate) use fixtures::{live, revision, revision_of, spec, stuck_chat};
pub(crate) use hostile::{Hostile, Signing};
pub(crate) use provider::{CLIENT_ID, CLIENT_SECRET, RealProvider, through};
pub(crate) use server::{EMAIL, PASSWORD, Server, Setup};
pub(crate) use waiting::{PATIENCE, until_state};
