//! Which worker serves, and how long a revision stays loaded.

use std::time::Duration;

use botloom_runtime::sandbox::{PoolOptions, Source};

use super::{body, call, options, pool, run};

/// Counts its calls, which only shows in a runtime that is used again. No filter would pass it.
fn counter(n: usize) -> Source {
    Source::text(format!(
        "let calls = 0; export function handle() {{ return {{ state: [{n}, ++calls] }} }}"
    ))
}

#[tokio::test]
async fn a_loaded_revision_is_found_again_and_the_least_used_goes_first() {
    let (pool, _guard) = pool(PoolOptions {
        workers: 1,
        loaded: 3,
        ..options()
    })
    .await;
    let bots: Vec<_> = (0..4).map(counter).collect();
    let calls = [
        (0, 1),
        (1, 1),
        (2, 1),
        (0, 2),
        (3, 1),
        (0, 3),
        (2, 2),
        (1, 1),
        (3, 1),
    ];
    for (bot, expected) in calls {
        let finished = run(&pool, &bots[bot], call()).await;
        assert_eq!(
            finished.json,
            format!("{{\"state\":[{bot},{expected}]}}"),
            "bot {bot}"
        );
    }
}

#[tokio::test]
async fn a_fresh_call_neither_finds_nor_leaves_anything() {
    let (pool, _guard) = pool(options()).await;
    let bot = counter(0);
    for (options, expected) in [(call(), 1), (super::fresh(), 1), (super::fresh(), 1), (call(), 2)] {
        assert_eq!(
            run(&pool, &bot, options).await.json,
            format!("{{\"state\":[0,{expected}]}}")
        );
    }
}

#[tokio::test]
async fn a_revision_that_nobody_calls_is_unloaded() {
    let (pool, _guard) = pool(PoolOptions {
        idle: Duration::from_millis(300),
        ..options()
    })
    .await;
    let bot = counter(0);
    run(&pool, &bot, call()).await;
    // Asking would keep it alive, so this waits for several sweeps.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(run(&pool, &bot, call()).await.json, "{\"state\":[0,1]}");
}

#[tokio::test]
async fn prewarming_loads_and_tells_what_is_wrong() {
    let (pool, _guard) = pool(PoolOptions {
        workers: 2,
        ..options()
    })
    .await;
    let bot = counter(0);
    assert!(pool.prewarm(&bot, 5).await.unwrap().is_ok());
    assert!(pool.prewarm(&bot, 1).await.unwrap().is_ok());
    assert_eq!(run(&pool, &bot, call()).await.json, "{\"state\":[0,1]}");
    let refused = pool
        .prewarm(&Source::text("export function handle( {"), 2)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(refused.name(), "load_failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_share_the_load_of_one_bot() {
    let (pool, _guard) = pool(PoolOptions {
        workers: 2,
        ..options()
    })
    .await;
    let bot = body("for (let i = 0; i < 3e5; i++); return { state: 1 }");
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let (pool, bot) = (pool.clone(), bot.clone());
            tokio::spawn(async move { run(&pool, &bot, call()).await.outcome.name() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "ok");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_makes_callers_wait() {
    let (pool, _guard) = pool(PoolOptions {
        workers: 1,
        queue: 1,
        ..options()
    })
    .await;
    let bot = body("for (let i = 0; i < 1e5; i++); return {}");
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let (pool, bot) = (pool.clone(), bot.clone());
            tokio::spawn(async move { run(&pool, &bot, call()).await.outcome.name() })
        })
        .collect();
    for call in calls {
        assert_eq!(
            tokio::time::timeout(Duration::from_mins(1), call)
                .await
                .unwrap()
                .unwrap(),
            "ok"
        );
    }
}
