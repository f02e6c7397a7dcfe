//! Many nodes on real services while nodes, services and the ways between them fail.

mod commands;
mod cut_off;
mod killed;
mod moving;
mod racing;
mod redis_faults;
mod roles;
mod silence;
mod slot_move;
mod stores_away;
mod telemetry_away;

use std::time::Duration;

/// The value below which so many percent of the sorted values lie.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}
