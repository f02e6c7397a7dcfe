//! Revisions that are loaded again are read from bytecode, and nobody can tell.

use botloom_runtime::sandbox::{Outcome, Pool, PoolOptions, Source};

use super::{body, call, options, pool, run};
use crate::support::eventually;

/// One worker that keeps one revision, so that every other revision makes it load again.
fn one_at_a_time() -> PoolOptions {
    PoolOptions {
        workers: 1,
        loaded: 1,
        ..options()
    }
}

async fn kept(pool: &Pool, count: u64) {
    eventually("the bytecode is made", async || pool.bytecode().kept == count).await;
}

#[tokio::test]
async fn a_revision_that_comes_back_is_the_same_from_bytecode() {
    let (pool, _guard) = pool(one_at_a_time()).await;
    let bot = Source::text(
        "const table = { \u{e4}: [1, 2, /x(\\d+)/] };
        class Shop { static #n = 1; get n() { return Shop.#n; } }
        // A comment, which the engine keeps as part of nothing.
        export function handle({ event }) {
            if (event === 1) {
                throw new TypeError('at ' + new Shop().n);
            }
            return { state: [handle.toString().length, table.\u{e4}[2].exec('x12')[1], String(Shop)] };
        }",
    );
    let all = async || {
        let said = run(&pool, &bot, call()).await.json;
        let thrown = pool.call(&bot, "{\"event\":1}".into(), call()).await;
        let Outcome::ScriptError(error) = thrown.expect("the pool is open").outcome else {
            panic!("it throws");
        };
        (said, error)
    };
    let first = all().await;
    assert!(first.0.contains("\"12\""), "{}", first.0);
    assert_eq!(first.1.position.expect("the place is known").line, 6);
    kept(&pool, 1).await;
    assert_eq!(pool.bytecode().found, 0);
    run(&pool, &body("return {}"), call()).await;
    assert_eq!(all().await, first);
    assert_eq!(pool.bytecode().found, 1);
}

#[tokio::test]
async fn what_cannot_be_compiled_stands_in_nobodys_way() {
    let (pool, _guard) = pool(one_at_a_time()).await;
    let texts = [
        "export function handle( {".to_owned(),
        format!(
            "export const handle = () => {}1{};",
            "[".repeat(20_000),
            "]".repeat(20_000)
        ),
        "export function handle() { return {} } throw new Error('never runs twice');".to_owned(),
    ];
    for text in texts {
        for _ in 0..2 {
            let outcome = run(&pool, &Source::text(text.as_str()), call()).await.outcome;
            assert_eq!(outcome.name(), "load_failed");
        }
    }
    run(&pool, &body("return { state: 1 }"), call()).await;
    kept(&pool, 1).await;
}

#[tokio::test]
async fn no_bytes_no_bytecode_and_a_fresh_engine_leaves_none() {
    let (off, _guard) = pool(PoolOptions {
        bytecode_bytes: 0,
        ..one_at_a_time()
    })
    .await;
    let (on, _guard) = pool(one_at_a_time()).await;
    let bots: Vec<_> = (0..3)
        .map(|n| body(&format!("return {{ state: {n} }}")))
        .collect();
    run(&on, &bots[0], super::fresh()).await;
    for bot in [&bots[1], &bots[2], &bots[1], &bots[2]] {
        run(&off, bot, call()).await;
        run(&on, bot, call()).await;
    }
    kept(&on, 2).await;
    assert_eq!((off.bytecode().kept, off.bytecode().found), (0, 0));
}
