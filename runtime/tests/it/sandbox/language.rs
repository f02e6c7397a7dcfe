//! What bot code finds, and that it finds the same everywhere.

use botloom_core::{BotId, TimestampMs};
use botloom_runtime::sandbox::{CallOptions, GLOBALS, Outcome, Source, seed};

use super::{body, call, fresh, input, options, pool, run, state_of};

#[tokio::test]
async fn the_global_object_has_the_published_names_and_no_others() {
    let (pool, _guard) = pool(options()).await;
    let names = state_of(
        &pool,
        "return {state: Object.getOwnPropertyNames(globalThis).sort()};",
    )
    .await;
    assert_eq!(serde_json::from_str::<Vec<String>>(&names).unwrap(), GLOBALS);
    insta::assert_snapshot!(GLOBALS.join("\n"));
    let readme = include_str!("../../../src/sandbox/README.md");
    for name in GLOBALS {
        assert!(readme.contains(&format!("`{name}`")), "{name} is published");
    }
}

#[tokio::test]
async fn everything_reachable_is_frozen() {
    let (pool, _guard) = pool(options()).await;
    let open = state_of(
        &pool,
        r"
        const seen = new Set(), todo = [[globalThis, 'globalThis']], open = [];
        const samples = [handle, function(){}, ()=>1, function*(){}, async()=>1, async function*(){}, [].values(),
          new Map().entries(), new Set().values(), ''.matchAll(/a/g), 'a'[Symbol.iterator](), /a/, 1n, Symbol.iterator,
          Promise.resolve(), new Date(), new Error('x'), [].values().map(x=>x)];
        for (const s of samples) todo.push([Object.getPrototypeOf(s), 'proto of ' + typeof s]);
        todo.push([handle, 'handle']);
        while (todo.length) {
          const [o, path] = todo.pop();
          if (o === null || (typeof o !== 'object' && typeof o !== 'function') || seen.has(o)) continue;
          seen.add(o);
          if (!Object.isFrozen(o)) open.push(path);
          todo.push([Object.getPrototypeOf(o), path + '.__proto__']);
          for (const k of [...Object.getOwnPropertyNames(o), ...Object.getOwnPropertySymbols(o)]) {
            const d = Object.getOwnPropertyDescriptor(o, k);
            for (const part of ['value', 'get', 'set']) todo.push([d[part] ?? null, path + '.' + String(k)]);
          }
        }
        return {state: {open: open.slice(0, 20), enough: seen.size > 300}};",
    )
    .await;
    assert_eq!(open, r#"{"open":[],"enough":true}"#);
}

#[tokio::test]
async fn text_never_becomes_code() {
    let (pool, _guard) = pool(options()).await;
    for attempt in [
        "eval('1')",
        "(0, eval)('1')",
        "new Function('return 1')()",
        "Function('return 1')()",
        "(() => {}).constructor('return 1')()",
        "(function* () {}).constructor('yield 1')()",
        "(async () => {}).constructor('return 1')()",
        "(async function* () {}).constructor('yield 1')()",
        "[]['flat']['constructor']('return 1')()",
        "Object.getPrototypeOf(function () {}).constructor('return 1')()",
        "Object.getPrototypeOf(async function () {}).constructor('return 1')()",
        "class A extends (class {}).constructor { constructor() { super('return 1') } }; new A()()",
        "setTimeout('1')",
        "require('fs')",
        "std.open('/etc/passwd')",
        "Error.prepareStackTrace = () => 1",
        "new DisposableStack()",
        "queueMicrotask(() => 1)",
        "performance.now()",
        "new SharedArrayBuffer(8)",
        "Atomics.wait",
        "new WeakRef({})",
        "new Proxy({}, {})",
        "Reflect.ownKeys({})",
    ] {
        let finished = run(&pool, &body(&format!("{attempt}; return {{}};")), call()).await;
        assert_eq!(finished.outcome.name(), "script_error", "{attempt}");
    }
    let imported = run(&pool, &body("return import('fs').then(() => ({}))"), call()).await;
    assert_eq!(imported.outcome.name(), "script_error");
    for source in [
        "import x from 'fs'; export function handle() {}",
        "export function handle() { with ({}) {} }",
    ] {
        assert_eq!(
            run(&pool, &Source::text(source), call()).await.outcome.name(),
            "load_failed",
            "{source}"
        );
    }
}

#[tokio::test]
async fn the_clock_stands_still_and_is_utc() {
    let (pool, _guard) = pool(options()).await;
    let state = state_of(
        &pool,
        "const a = Date.now(); for (let i = 0; i < 1e6; i++); const d = new Date(2024, 0, 31, 5);
         return {state: [a, Date.now(), new Date().getTime(), new Date().getTimezoneOffset(), d.toISOString(), Date(),
           new Date(0) instanceof Date, Date.UTC(2024, 0), Date.length, Date.name, new Date(5).constructor === Date]};",
    )
    .await;
    insta::assert_snapshot!(state);
    // At load there is no event yet.
    let at_load = Source::text("const t = [Date.now()]; export function handle() { return {state: t} }");
    let Outcome::Ok(output) = run(&pool, &at_load, call()).await.outcome else {
        panic!()
    };
    assert_eq!(output.state.unwrap().get(), "[0]");
}

#[tokio::test]
async fn random_numbers_come_from_the_seed() {
    let (pool, _guard) = pool(options()).await;
    let bot = body("return {state: Array.from({length: 1000}, () => Math.random())};");
    let mut seen = Vec::new();
    for (update, options) in [(1, call()), (1, call()), (1, fresh()), (2, call())] {
        let seed = seed(&BotId::new("pizza").unwrap(), update);
        let finished = run(&pool, &bot, CallOptions { seed, ..options }).await;
        assert_eq!(finished.outcome.name(), "ok");
        seen.push(finished.json);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    assert_ne!(seen[0], seen[3]);
    let numbers: Vec<f64> =
        serde_json::from_str(seen[0].trim_start_matches("{\"state\":").trim_end_matches('}')).unwrap();
    let mean = numbers.iter().sum::<f64>() / 1000.0;
    assert!(
        numbers.iter().all(|n| (0.0..1.0).contains(n)) && (0.45..0.55).contains(&mean),
        "{mean}"
    );
    // The generator is ours, so its numbers are part of the contract: the same on every machine and in every version.
    insta::assert_snapshot!(format!("{:?}", &numbers[..3]));
}

#[tokio::test]
async fn the_same_input_gives_the_same_bytes_in_every_process() {
    let text = "const m = new Map(); for (let i = 0; i < 50; i++) m.set('k' + i * 7919 % 50, Math.random());
        return {state: {now: new Date().toString(), m: [...m], o: Object.keys({b: 1, 2: 2, a: 3, 1: 4}),
          f: [0.1 + 0.2, 1e21 / 1e6, 5e-324, -0], s: ['b', 'a', 'ä', 'B'].sort(), l: (1234.5).toLocaleString()}};";
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (pool, _guard) = pool(options()).await;
        for options in [call(), call(), fresh()] {
            let finished = pool.call(&body(text), input("null"), options).await.unwrap();
            assert_eq!(finished.outcome.name(), "ok", "{}", finished.outcome.message());
            seen.push(finished.json);
        }
    }
    assert!(seen.iter().all(|json| *json == seen[0]), "{seen:#?}");
}

#[tokio::test]
async fn a_promise_is_waited_for_and_jobs_are_run() {
    let (pool, _guard) = pool(options()).await;
    let module =
        "export async function handle({ state }) { await 1; await 2; return { state: { was: state } } }";
    let Outcome::Ok(output) = run(&pool, &Source::text(module), call()).await.outcome else {
        panic!()
    };
    assert_eq!(output.state.unwrap().get(), r#"{"was":null}"#);

    let cases = [
        ("return new Promise(() => {})", "bad_result"),
        ("return Promise.reject(new Error('no'))", "script_error"),
        ("Promise.reject(new Error('no')); return {}", "script_error"),
        ("Promise.reject(new Error('no')).catch(() => 1); return {}", "ok"),
        (
            "const p = Promise.reject(1); return Promise.resolve().then(() => p.catch(() => ({})))",
            "ok",
        ),
        ("return { then(done) { done({ state: 1 }) } }", "ok"),
        (
            "const answer = {state: 1}; Promise.resolve().then(() => { answer.state = 2 }); return answer",
            "ok",
        ),
        (
            "for (let i = 0; i < 900; i++) Promise.resolve().then(() => 1); return {}",
            "ok",
        ),
        (
            "for (let i = 0; i < 1100; i++) Promise.resolve().then(() => 1); return {}",
            "job_limit",
        ),
        ("return (async () => { for (;;) await 1 })()", "job_limit"),
    ];
    for (text, expected) in cases {
        let finished = run(&pool, &body(text), call()).await;
        assert_eq!(
            finished.outcome.name(),
            expected,
            "{text}: {}",
            finished.outcome.message()
        );
        if text.starts_with("const answer") {
            assert_eq!(finished.json, r#"{"state":1}"#);
        }
    }
}

#[tokio::test]
async fn errors_tell_code_and_place() {
    let (pool, _guard) = pool(options()).await;
    let cases = [
        (
            "throw new Error('transition_limit: 64 transitions')",
            Some("transition_limit"),
            "transition_limit: 64 transitions",
        ),
        ("null.x", None, "TypeError: cannot read property 'x' of null"),
        ("nope()", None, "ReferenceError: nope is not defined"),
        ("throw 'just text'", None, "just text"),
        ("throw 42", None, "42"),
        ("throw {}", None, "an object without a message was thrown"),
        (
            "throw { get message() { throw 1 }, name: 5 }",
            None,
            "an object without a message was thrown",
        ),
        ("throw undefined", None, "undefined was thrown"),
        ("throw new Error('a\\u001b[31m\\nb')", None, "a [31m b"),
    ];
    for (text, code, message) in cases {
        let outcome = run(&pool, &body(text), call()).await.outcome;
        let Outcome::ScriptError(error) = outcome else {
            panic!("{text}: {}", outcome.name())
        };
        assert_eq!(
            (error.code.as_deref(), error.message.as_str()),
            (code, message),
            "{text}"
        );
        if text.contains("new Error") || code.is_some() {
            assert_eq!(error.position.unwrap().line, 2, "{text}");
        }
    }
    let long = run(&pool, &body("throw new Error('x'.repeat(1e6))"), call())
        .await
        .outcome;
    assert!(long.message().len() < 3_000);

    for (source, reason) in [
        ("export function handle( {", "SyntaxError"),
        ("export const x = 1;", "does not export a function named handle"),
        (
            "export const handle = 1;",
            "does not export a function named handle",
        ),
        (
            "throw new Error('at load'); export function handle() {}",
            "at load",
        ),
        (
            "await new Promise(() => {}); export function handle() {}",
            "never comes",
        ),
        ("for (;;); export function handle() {}", "too long"),
        (
            "const a = []; for (;;) a.push('x'.repeat(1e5) + a.length); export function handle() {}",
            "memory",
        ),
    ] {
        let pool_options = botloom_runtime::sandbox::PoolOptions {
            load_budget: if reason == "too long" {
                std::time::Duration::from_millis(300)
            } else {
                super::LEISURE
            },
            ..options()
        };
        let (pool, _guard) = self::pool(pool_options).await;
        let outcome = run(&pool, &Source::text(source), call()).await.outcome;
        assert_eq!(outcome.name(), "load_failed", "{source}");
        assert!(
            outcome.message().contains(reason),
            "{source}: {}",
            outcome.message()
        );
    }
}

#[tokio::test]
async fn the_time_of_the_event_is_given() {
    let (pool, _guard) = pool(options()).await;
    let options = CallOptions {
        now: TimestampMs(1_234),
        ..call()
    };
    let finished = run(&pool, &body("return {state: new Date().toISOString()}"), options).await;
    assert_eq!(finished.json, r#"{"state":"1970-01-01T00:00:01.234Z"}"#);
}
