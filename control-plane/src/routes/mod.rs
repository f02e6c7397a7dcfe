//! The HTTP shape of each resource: what a request says, what an answer shows. Rules are in `app`.

pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod bots;
pub(crate) mod connection;
pub(crate) mod dead_letters;
pub(crate) mod deployments;
pub(crate) mod events;
pub(crate) mod generate;
pub(crate) mod invitations;
pub(crate) mod managed;
pub(crate) mod members;
pub(crate) mod pages;
mod path;
pub(crate) mod projects;
pub(crate) mod revisions;
pub(crate) mod sessions;
pub(crate) mod simulate;
pub(crate) mod spec;
pub(crate) mod system;
pub(crate) mod tasks;
pub(crate) mod tokens;
pub(crate) mod versions;
