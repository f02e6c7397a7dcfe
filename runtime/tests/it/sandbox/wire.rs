//! A worker that was taken over can say anything. The node survives it.

use std::time::Duration;

use botloom_runtime::sandbox::{Error, Pool, PoolOptions};
use tokio_util::sync::CancellationToken;

use super::{GOOD, LEISURE, body, call, command, input, options};

#[tokio::test]
async fn a_worker_that_never_says_hello_is_an_error_at_start() {
    for command in [
        command(&["--lie", "exit"]),
        super::WorkerCommand {
            program: "/no/such/file".into(),
            args: vec![],
        },
    ] {
        let broken = PoolOptions { command, ..options() };
        let started = Pool::start(broken, CancellationToken::new()).await;
        assert!(matches!(started, Err(Error::Start(_))));
    }
}

#[tokio::test]
async fn nonsense_from_a_worker_costs_that_worker_one_call() {
    let lies = [
        ("huge", "worker_crashed"),
        ("empty", "worker_crashed"),
        ("unknown", "worker_crashed"),
        ("short", "worker_crashed"),
        ("unasked", "worker_crashed"),
        ("not text", "worker_crashed"),
        ("long", "worker_crashed"),
        ("not json", "bad_result"),
        ("deep", "output_limit"),
        ("twice", "ok"),
        // It says half of something and then nothing, until the watchdog has enough.
        ("half", "load_failed"),
    ];
    for (lie, expected) in lies {
        let shutdown = CancellationToken::new();
        let _guard = shutdown.clone().drop_guard();
        let short = if lie == "half" {
            Duration::from_millis(50)
        } else {
            LEISURE
        };
        let command = command(&["--lie", lie]);
        let lying = PoolOptions {
            workers: 1,
            budget: short,
            load_budget: short,
            command,
            ..options()
        };
        let pool = Pool::start(lying, shutdown).await.unwrap();
        let finished = pool.call(&body(GOOD), input("null"), call()).await.unwrap();
        assert_eq!(finished.outcome.name(), expected, "{lie}");
    }
}
