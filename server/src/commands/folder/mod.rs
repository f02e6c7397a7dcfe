//! `botloom pull`, `diff` and `apply`: specs in files, for git.

mod apply;
mod compare;
mod entry;
mod fileless;
mod files;
mod hold;
mod lock;
mod one;
mod pull;
mod remote;
mod table;

pub(crate) use apply::apply;
pub(crate) use compare::diff;
pub(crate) use one::apply_file;
pub(crate) use pull::pull;
