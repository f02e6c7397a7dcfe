//! The rules of the API, one file per resource, without a word of HTTP.

pub(crate) mod access;
pub(crate) mod accounts;
pub(crate) mod actor;
pub(crate) mod analytics;
pub(crate) mod audit;
pub(crate) mod bots;
pub(crate) mod chats;
pub(crate) mod connection;
pub(crate) mod dead_letters;
pub(crate) mod deployments;
mod error;
pub(crate) mod export;
pub(crate) mod federation;
pub(crate) mod generations;
pub(crate) mod invitations;
pub(crate) mod letters_in_bulk;
pub(crate) mod managed;
pub(crate) mod managed_token;
pub(crate) mod members;
pub(crate) mod memory;
pub(crate) mod projects;
pub(crate) mod promotion;
pub(crate) mod revisions;
pub(crate) mod sessions;
pub(crate) mod simulations;
pub(crate) mod specs;
pub(crate) mod staging;
pub(crate) mod tasks;
pub(crate) mod telegram;
pub(crate) mod tokens;
pub(crate) mod versions;
pub(crate) mod webhook;
pub(crate) mod webhooks;

pub use error::Error;
