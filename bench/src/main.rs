//! `botloom-bench`: what Botloom costs, as ratios to a bare handler in the same run.
//!
//! The machine's absolute speed is nobody's business; two servers under the same load, against the same simulated
//! Telegram, one after the other in several rounds, are. See the folder's README for how to read the figures.

mod api;
mod bare;
mod client;
mod cpu;
mod load;
mod mixed;
mod open;
mod peer;
mod report;
mod sandbox;
mod services;
mod streams;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use url::Url;

/// Measures Botloom.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything: end to end against the bare handler, then the sandbox alone.
    Run {
        /// The server under test, a release build.
        #[arg(long)]
        botloom: PathBuf,
        /// Updates of one load.
        #[arg(long, default_value_t = 20_000)]
        updates: u64,
        /// Rounds; the median counts.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Embedded storage against PostgreSQL, Redis, S3 and ClickHouse, end to end. Run it under `scripts/services/with`,
    /// whose fresh servers it uses up.
    Storages {
        /// The server under test, a release build.
        #[arg(long)]
        botloom: PathBuf,
        /// Updates of one load.
        #[arg(long, default_value_t = 20_000)]
        updates: u64,
        /// Rounds; the median counts.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// The API under a mixed load while updates come; fails where its reads are held up, or the load was not reached.
    Api {
        /// The server under test, a release build.
        #[arg(long)]
        botloom: PathBuf,
        /// How long is measured.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        /// How long the same load runs before, unmeasured.
        #[arg(long, default_value_t = 5)]
        warm_up: u64,
        /// Requests a second on the API.
        #[arg(long, default_value_t = 200)]
        requests: u32,
        /// Updates a second on the webhook.
        #[arg(long, default_value_t = 500)]
        updates: u32,
    },
    /// A thousand event streams, a hundred of them unread, while deployments happen; fails where the others wait.
    Streams {
        /// The server under test, a release build.
        #[arg(long)]
        botloom: PathBuf,
        /// How long deployments happen.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// The bare handler, as a process of its own.
    #[command(hide = true)]
    Bare {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        api_root: Url,
        #[arg(long)]
        token: String,
    },
    /// A sandbox worker, started by the pool.
    #[command(hide = true)]
    SandboxWorker,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::SandboxWorker => return botloom_runtime::sandbox::worker::main(),
        Command::Bare {
            listen,
            api_root,
            token,
        } => block_on(bare::serve(listen, api_root, &token)),
        Command::Run {
            botloom,
            updates,
            rounds,
        } => block_on(report::run(&botloom, updates, rounds)),
        Command::Storages {
            botloom,
            updates,
            rounds,
        } => services::settings()
            .and_then(|services| block_on(report::storages(&botloom, &services, updates, rounds))),
        Command::Api {
            botloom,
            seconds,
            warm_up,
            requests,
            updates,
        } => {
            let plan = api::Plan {
                warm_up: Duration::from_secs(warm_up),
                length: Duration::from_secs(seconds),
                requests: requests.into(),
                updates: updates.into(),
            };
            block_on(api::run(&botloom, plan))
        }
        Command::Streams { botloom, seconds } => {
            block_on(streams::run(&botloom, Duration::from_secs(seconds)))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::line(format!("botloom-bench: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn block_on(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(work)
}
