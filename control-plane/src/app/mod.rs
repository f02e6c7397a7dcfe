//! The rules of the API, one file per resource, without a word of HTTP.

pub(crate) mod access;
pub(crate) mod accounts;
pub(crate) mod bots;
pub(crate) mod connection;
pub(crate) mod dead_letters;
pub(crate) mod deployments;
mod error;
pub(crate) mod generations;
pub(crate) mod revisions;
pub(crate) mod simulations;
pub(crate) mod specs;
pub(crate) mod tasks;
pub(crate) mod telegram;
pub(crate) mod versions;

pub use error::Error;
