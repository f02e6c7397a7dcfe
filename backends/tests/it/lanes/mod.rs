//! Lanes, outbox and dead letters: the contracts on all stores, what is special about each, and crashes.

mod crash;
mod file;
mod memory;
mod redis;
mod same;
mod sqlite;
