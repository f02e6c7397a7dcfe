//! `botloom pull`, `diff` and `apply` for a folder of specs in git.

mod apply;
mod compare;
mod files;
mod lock;
mod pull;
mod remote;
mod table;

pub(crate) use apply::apply;
pub(crate) use compare::diff;
pub(crate) use pull::pull;
