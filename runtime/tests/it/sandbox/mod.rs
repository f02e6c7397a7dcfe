//! Bot code in real worker processes.

mod attacks;
mod bytecode;
mod isolation;
mod language;
mod limits;
mod process;
mod routing;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use botloom_core::TimestampMs;
use botloom_runtime::sandbox::{
    CallOptions, Finished, Outcome, Pool, PoolOptions, Source, WorkerCommand, wrap_body,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A bot that is called all through the attacks.
const GOOD: &str = "return { state: { n: (state ? state.n : 0) + 1 }, actions: [], telemetry: [] };";
/// Tests that are not about time get enough of it, however busy the machine is.
const LEISURE: Duration = Duration::from_secs(5);

fn command(args: &[&str]) -> WorkerCommand {
    WorkerCommand {
        program: PathBuf::from(env!("CARGO_BIN_EXE_botloom-sandbox-worker")),
        args: args.iter().map(Into::into).collect(),
    }
}

fn options() -> PoolOptions {
    PoolOptions {
        workers: 1,
        budget: LEISURE,
        load_budget: LEISURE,
        command: command(&[]),
        ..PoolOptions::default()
    }
}

async fn pool(options: PoolOptions) -> (Pool, DropGuard) {
    let shutdown = CancellationToken::new();
    (
        Pool::start(options, shutdown.clone())
            .await
            .expect("workers start"),
        shutdown.drop_guard(),
    )
}

fn body(text: &str) -> Source {
    Source::text(wrap_body(text))
}

fn call() -> CallOptions {
    CallOptions {
        budget: None,
        seed: 7,
        now: TimestampMs(1_700_000_000_000),
        fresh: false,
    }
}

fn fresh() -> CallOptions {
    CallOptions {
        fresh: true,
        ..call()
    }
}

fn input(state: &str) -> String {
    format!(r#"{{"event":{{"type":"message","text":"hi"}},"state":{state},"context":{{}}}}"#)
}

async fn run(pool: &Pool, source: &Source, options: CallOptions) -> Finished {
    pool.call(source, input("null"), options)
        .await
        .expect("the pool is up")
}

/// The state that `text`, as a handler body, returns.
async fn state_of(pool: &Pool, text: &str) -> String {
    let finished = run(pool, &body(text), call()).await;
    match finished.outcome {
        Outcome::Ok(output) => output
            .state
            .map_or_else(|| "null".to_owned(), |state| state.get().to_owned()),
        other => panic!("{text}: {} {}", other.name(), other.message()),
    }
}
