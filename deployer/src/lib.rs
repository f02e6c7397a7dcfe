//! From built artifacts to a live revision, and back: preflight → stage → prewarm → health → flip → invalidate.
//!
//! [`machine`] decides and does nothing else; [`steps`] does and decides nothing; [`worker`] takes tasks from
//! `deploy:tasks` and moves the row of a deployment between the two; [`sweeper`] finds deployments that stopped moving;
//! [`watch`] takes revisions back on which updates fail.
//! Every step may be repeated, so the process may be killed at any point: whoever takes the task next goes on from the
//! row. A rollback is a deployment of an older revision.

pub mod machine;
pub mod reconcile;
pub mod steps;
pub mod sweeper;
pub mod watch;
pub mod worker;

mod code;
mod drive;
mod events;
mod faults;

pub use code::CODES;
pub use faults::FAULT_POINTS;

use std::sync::Arc;
use std::time::Duration;

use botloom_core::ports::{Ports, Sandboxes};
use tokio_util::sync::CancellationToken;

/// What the deployer works with.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Stores.
    pub ports: Ports,
    /// The runtime.
    pub sandboxes: Arc<dyn Sandboxes>,
}

/// Numbers of the deployer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Deployments under way at once, each of another bot.
    pub concurrency: usize,
    /// Life of a task's lease; renewed at a third of it. As long a deployment stands still when its node dies and another
    /// one shares the tasks.
    pub lease: Duration,
    /// Longest a step may take before it fails with `runtime-timeout`.
    pub step_timeout: Duration,
    /// How often a step is tried while what it needs is away.
    pub step_tries: u32,
    /// Pause between tries.
    pub retry_pause: Duration,
    /// Longest the flip barrier waits: the life of a revision lease (300 ms) and a margin for clocks that drift.
    pub barrier: Duration,
    /// How often the sweeper looks.
    pub sweep_every: Duration,
    /// How often active revisions of catalog and lanes are compared.
    pub reconcile_every: Duration,
    /// Whether a revision goes back by itself if too many updates fail on it.
    pub auto_rollback: bool,
    /// How often those that are watched are looked at.
    pub watch_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 4,
            lease: Duration::from_secs(10),
            step_timeout: Duration::from_secs(10),
            step_tries: 3,
            retry_pause: Duration::from_millis(500),
            barrier: Duration::from_millis(400),
            sweep_every: Duration::from_secs(5),
            reconcile_every: Duration::from_mins(1),
            auto_rollback: true,
            watch_every: Duration::from_secs(1),
        }
    }
}

/// Runs the deployer until `shutdown`; deployments under way end their step and are given back.
pub async fn run(deps: Deps, options: Options, shutdown: CancellationToken) {
    tokio::join!(
        worker::run(&deps, options, &shutdown),
        sweeper::run(&deps, options, &shutdown),
        reconcile::run(&deps, options, &shutdown),
        watch::run(&deps, options, &shutdown),
    );
}
