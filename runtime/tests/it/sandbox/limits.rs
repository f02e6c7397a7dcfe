//! Each limit has its own outcome, and the next call of the same bot works.

use std::time::Duration;

use botloom_runtime::sandbox::{CallOptions, Error, MAX_INPUT_BYTES, MAX_SOURCE_BYTES, PoolOptions, Source};

use super::{body, call, input, options, pool, run};

/// Does what its event's text names.
const BOT: &str = r"
  const deep = (n) => n === 0 ? 1 : [deep(n - 1)];
  const f = () => f();
  switch (event.text) {
    case 'loop': for (;;);
    case 'native loop': [].reverse.call({ length: 2 ** 53 - 1 }); break;
    case 'hoard': { const a = []; for (;;) a.push('x'.repeat(1000) + a.length); }
    case 'recurse': f(); break;
    case 'jobs': return (async () => { for (;;) await 1; })();
    case 'much': return { state: 'x'.repeat(70000) };
    case 'too much': return { state: 'x'.repeat(200000) };
    case 'many': return { actions: Array.from({ length: 33 }, () => ({ method: 'sendMessage', params: {} })) };
    case 'deep': return { state: deep(40) };
    case 'cycle': { const o = {}; o.o = o; return o; }
    case 'function': return () => 1;
    case 'nothing': return;
    case 'bigint': return { state: 1n };
    case 'unsafe integer': return { state: 2 ** 53 };
    case 'surrogate': return { state: '\ud800' };
    case 'surprise': return { states: 1 };
    case 'throw': throw new Error('no');
  }
  return { state: { n: 1 } };";

#[tokio::test]
async fn every_limit_has_its_outcome_and_the_next_call_works() {
    let (pool, _guard) = pool(PoolOptions {
        workers: 1,
        ..options()
    })
    .await;
    let bot = body(BOT);
    let cases = [
        ("loop", "cpu_limit"),
        ("native loop", "cpu_limit"),
        ("hoard", "memory_limit"),
        ("recurse", "stack_limit"),
        ("jobs", "job_limit"),
        ("much", "output_limit"),
        ("too much", "output_limit"),
        ("many", "output_limit"),
        ("deep", "output_limit"),
        ("cycle", "script_error"),
        ("function", "bad_result"),
        ("nothing", "bad_result"),
        ("bigint", "script_error"),
        ("unsafe integer", "bad_result"),
        ("surrogate", "bad_result"),
        ("surprise", "bad_result"),
        ("throw", "script_error"),
    ];
    for (text, expected) in cases {
        // Time is short only where running out of it is the point.
        let budget = (expected == "cpu_limit").then_some(Duration::from_millis(50));
        let bad = input("null").replace("hi", text);
        let finished = pool
            .call(&bot, bad, CallOptions { budget, ..call() })
            .await
            .unwrap();
        assert_eq!(
            finished.outcome.name(),
            expected,
            "{text}: {}",
            finished.outcome.message()
        );
        assert!(!finished.outcome.message().is_empty(), "{text}");
        assert_eq!(
            run(&pool, &bot, call()).await.json,
            r#"{"state":{"n":1}}"#,
            "after {text}"
        );
    }
}

#[tokio::test]
async fn input_and_source_are_bounded() {
    let (pool, _guard) = pool(options()).await;
    let bot = body("return { state: event.text.length }");
    let text = "x".repeat(MAX_INPUT_BYTES - 100);
    let long = input("null").replace("hi", &text);
    let finished = pool.call(&bot, long, call()).await.unwrap();
    assert_eq!(finished.json, format!("{{\"state\":{}}}", text.len()));
    let longer = input("null").replace("hi", &"x".repeat(MAX_INPUT_BYTES));
    assert!(matches!(
        pool.call(&bot, longer, call()).await,
        Err(Error::InputTooLarge(_))
    ));

    let filled = |bytes: usize| {
        let module = "export function handle() { return {} }\n//";
        Source::text(format!("{module}{}", "x".repeat(bytes - module.len())))
    };
    assert_eq!(
        run(&pool, &filled(MAX_SOURCE_BYTES), call()).await.outcome.name(),
        "ok"
    );
    assert_eq!(
        run(&pool, &filled(MAX_SOURCE_BYTES + 1), call())
            .await
            .outcome
            .name(),
        "load_failed"
    );

    let finished = pool.call(&bot, "not json".to_owned(), call()).await.unwrap();
    assert_eq!(finished.outcome.name(), "script_error");
}

#[tokio::test]
async fn an_answer_of_the_largest_size_passes() {
    let (pool, _guard) = pool(options()).await;
    let bot = body(
        "return { state: 'x'.repeat(64 * 1024 - 2), telemetry: [{ event: 'y'.repeat(64 * 1024 - 60) }] }",
    );
    let finished = run(&pool, &bot, call()).await;
    assert_eq!(finished.outcome.name(), "ok", "{}", finished.outcome.message());
}
