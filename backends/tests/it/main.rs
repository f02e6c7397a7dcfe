//! The backends against the contracts of their ports, and what is special about each.

mod artifacts;
mod conformance;
mod data_dir;
mod database;
mod embedded;
mod lanes;
