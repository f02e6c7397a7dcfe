//! One file per command.

pub(crate) mod apply;
pub(crate) mod compile;
pub(crate) mod config;
pub(crate) mod folder;
pub(crate) mod health;
pub(crate) mod lanes;
pub(crate) mod migrate;
pub(crate) mod move_installation;
pub(crate) mod sandbox_run;
pub(crate) mod serve;
pub(crate) mod simulate;
pub(crate) mod simulator;
pub(crate) mod validate;
