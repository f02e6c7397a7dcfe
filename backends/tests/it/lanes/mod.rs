//! Lanes, outbox and dead letters: the contracts on both stores, what is special about the file, and crashes.

mod crash;
mod file;
mod memory;
mod same;
mod sqlite;
