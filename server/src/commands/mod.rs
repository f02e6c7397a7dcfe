//! One file per command.

pub(crate) mod analytics;
pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod bots;
pub(crate) mod chats;
pub(crate) mod compile;
pub(crate) mod config;
pub(crate) mod dead_letters;
pub(crate) mod folder;
pub(crate) mod health;
pub(crate) mod lanes;
mod listing;
pub(crate) mod members;
pub(crate) mod migrate;
pub(crate) mod move_installation;
pub(crate) mod new_bot;
pub(crate) mod projects;
pub(crate) mod promote;
pub(crate) mod rotate_master_key;
pub(crate) mod sandbox_run;
pub(crate) mod serve;
pub(crate) mod sessions;
pub(crate) mod simulate;
pub(crate) mod simulator;
pub(crate) mod tokens;
pub(crate) mod validate;
pub(crate) mod webhooks;
