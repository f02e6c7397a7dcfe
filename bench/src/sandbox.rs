//! The sandbox alone: what loading a bot, calling it and keeping it loaded cost.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use botloom_runtime::sandbox::{CallOptions, Pool, PoolOptions, Source, WorkerCommand};
use tokio_util::sync::CancellationToken;

use crate::cpu;
use crate::report::line;

const CALLS: usize = 5_000;
const LOADS: usize = 200;

const INPUT: &str = r#"{"event":{"updateId":1,"type":"message","text":"/start","command":"start","args":""},"context":{"user":{"id":1,"firstName":"Ada","lastName":null,"username":null,"languageCode":"en"},"chat":{"id":1,"type":"private","title":null},"message":{"id":1,"date":1795200000},"now":"2026-11-20T18:40:00.000Z","bot":{"username":null}}}"#;

fn call() -> CallOptions {
    CallOptions {
        budget: Some(Duration::from_millis(200)),
        seed: 1,
        now: botloom_core::TimestampMs(0),
        fresh: false,
    }
}

/// The example bot, compiled by the server under test.
fn program(botloom: &Path) -> Result<String, String> {
    let spec = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../spec/examples/pizza-demo/spec.json"
    );
    let output = Command::new(botloom)
        .args(["compile", spec])
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        String::from_utf8(output.stdout).map_err(|error| error.to_string())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Measures and prints.
pub(crate) async fn run(botloom: &Path) -> Result<(), String> {
    let program = program(botloom)?;
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let command = WorkerCommand {
        program: this,
        args: vec!["sandbox-worker".into()],
    };
    let options = PoolOptions {
        workers: 1,
        spares: 0,
        loaded: LOADS * 2,
        command: command.clone(),
        // What is measured here are loads from source.
        bytecode_bytes: 0,
        ..PoolOptions::default()
    };
    let stop = CancellationToken::new();
    let pool = Pool::start(options, stop.clone())
        .await
        .map_err(|error| error.to_string())?;
    let me = std::process::id();

    let warm = Source::text(program.as_str());
    one(&pool, &warm).await?;
    let before = cpu::usage(me).rss;
    let mut loads = Vec::with_capacity(LOADS);
    for number in 0..LOADS {
        // Another comment is another revision.
        let source = Source::text(format!("{program}\n// {number}\n"));
        let started = Instant::now();
        one(&pool, &source).await?;
        loads.push(started.elapsed());
    }
    let grown = cpu::usage(me).rss.saturating_sub(before);

    let mut calls = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = Instant::now();
        one(&pool, &warm).await?;
        calls.push(started.elapsed());
    }
    stop.cancel();
    let mut again = loads_again(&program, command).await?;

    line(format!("sandbox, {} bytes of bot.js", program.len()));
    line(format!(
        "  warm call through the worker   p50 {:>6.1} µs   p99 {:>7.1} µs",
        micros(&mut calls, 0.5),
        micros(&mut calls, 0.99)
    ));
    line(format!(
        "  first call with cold load      p50 {:>6.0} µs   p99 {:>7.0} µs",
        micros(&mut loads, 0.5),
        micros(&mut loads, 0.99)
    ));
    line(format!(
        "  first call with bytecode       p50 {:>6.0} µs   p99 {:>7.0} µs",
        micros(&mut again, 0.5),
        micros(&mut again, 0.99)
    ));
    line(format!(
        "  resident memory per loaded bot {:>6} KiB",
        grown / 1024 / LOADS as u64
    ));
    Ok(())
}

/// Calls of two revisions by turns where only one fits, so that each is loaded from its bytecode.
async fn loads_again(program: &str, command: WorkerCommand) -> Result<Vec<Duration>, String> {
    let options = PoolOptions {
        workers: 1,
        spares: 0,
        loaded: 1,
        command,
        ..PoolOptions::default()
    };
    let stop = CancellationToken::new();
    let pool = Pool::start(options, stop.clone())
        .await
        .map_err(|error| error.to_string())?;
    let bots = [0, 1].map(|number| Source::text(format!("{program}\n// {number}\n")));
    for bot in &bots {
        one(&pool, bot).await?;
    }
    let until = Instant::now() + Duration::from_secs(10);
    while pool.bytecode().kept < 2 {
        if Instant::now() > until {
            return Err("no bytecode was made".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut loads = Vec::with_capacity(LOADS);
    for number in 0..LOADS {
        let started = Instant::now();
        one(&pool, &bots[number % 2]).await?;
        loads.push(started.elapsed());
    }
    stop.cancel();
    Ok(loads)
}

async fn one(pool: &Pool, source: &Source) -> Result<(), String> {
    let finished = pool
        .call(source, INPUT.to_owned(), call())
        .await
        .map_err(|error| error.to_string())?;
    if finished.outcome.name() == "ok" {
        Ok(())
    } else {
        Err(finished.outcome.message())
    }
}

fn micros(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a list"
    )]
    let index = (times.len() as f64 * share) as usize;
    times[index.min(times.len() - 1)].as_secs_f64() * 1e6
}
