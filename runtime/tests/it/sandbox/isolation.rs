//! Nothing crosses from one call to the next.

use botloom_runtime::sandbox::{Outcome, Pool, Source};

use super::{call, fresh, input, options, pool};

/// Places where a call could leave something for a later one, each as code that plants `v` and code that reads it.
/// They are generated: 58 places reachable from any realm, and 6 inside the module.
fn places() -> Vec<(String, String)> {
    let objects = [
        "globalThis",
        "Object",
        "Object.prototype",
        "Array",
        "Array.prototype",
        "Array.prototype.map",
        "String.prototype",
        "Number",
        "Boolean.prototype",
        "Symbol",
        "BigInt.prototype",
        "Math",
        "Math.max",
        "JSON",
        "JSON.stringify",
        "Date",
        "Date.prototype",
        "RegExp",
        "RegExp.prototype",
        "Map",
        "Map.prototype",
        "Set.prototype",
        "WeakMap",
        "WeakSet",
        "Promise",
        "Promise.prototype",
        "Promise.prototype.then",
        "Error",
        "Error.prototype",
        "TypeError",
        "parseInt",
        "encodeURI",
        "Object.getPrototypeOf(function(){})",
        "Object.getPrototypeOf(function*(){})",
        "Object.getPrototypeOf(async()=>1)",
        "Object.getPrototypeOf(async function*(){})",
        "Object.getPrototypeOf([].values())",
        "Object.getPrototypeOf(new Map().keys())",
        "Object.getPrototypeOf(new Set().keys())",
        "Object.getPrototypeOf('a'[Symbol.iterator]())",
        "Object.getPrototypeOf('a'.matchAll(/a/g))",
        "Object.getPrototypeOf([].values().map(x=>x))",
        "Object.getPrototypeOf(Object.getPrototypeOf([].values()))",
        "handle",
        "handle.prototype",
        "import.meta",
    ];
    let mut places: Vec<_> = objects
        .iter()
        .map(|object| (format!("{object}.canary = v"), format!("{object}.canary")))
        .collect();
    let others = [
        (
            "Object.defineProperty(Math.max, 'name', { value: v })",
            "Math.max.name === 'max' ? undefined : Math.max.name",
        ),
        (
            "Object.defineProperty(handle, 'name', { value: v })",
            "handle.name === 'handle' ? undefined : handle.name",
        ),
        ("Object.prototype.__defineGetter__('leak', () => v)", "({}).leak"),
        (
            "Object.defineProperty(Object.prototype, 'chat_id', { set() {}, get: () => v })",
            "({}).chat_id",
        ),
        (
            "Object.setPrototypeOf(Object.prototype, { leak: v })",
            "({}).leak",
        ),
        (
            "Object.setPrototypeOf(globalThis, { leak: v })",
            "globalThis.leak",
        ),
        ("Error.stackTraceLimit = v", "Error.stackTraceLimit"),
        (
            "Error.prepareStackTrace = () => v",
            "new Error('x').stack === v ? v : undefined",
        ),
        (
            "JSON.parse('{\"__proto__\":{\"leak\":1}}', function (k, x) { Object.assign(Object.getPrototypeOf({}), { leak: v }); return x })",
            "({}).leak",
        ),
        (
            "Symbol.for('s').description.canary = v",
            "Symbol.for('s').description.canary",
        ),
        (
            "Array.prototype.push = () => v",
            "[].push(1) === 1 ? undefined : v",
        ),
        (
            "(function () { return arguments })().__proto__.leak = v",
            "(function () { return arguments })().leak",
        ),
    ];
    places.extend(others.map(|(plant, read)| (plant.to_owned(), read.to_owned())));
    assert_eq!(places.len(), 58);
    let inside = [
        ("kept = v", "kept"),
        ("box.v = v", "box.v"),
        ("list[0] = v", "list[0]"),
        ("map.set(1, v)", "map.get(1)"),
        ("weak.set(handle, v)", "weak.get(handle)"),
        ("helper.cache = v", "helper.cache"),
    ];
    places.extend(inside.map(|(plant, read)| (plant.to_owned(), read.to_owned())));
    places
}

/// Plants the text of the event in all `places`, and returns what it found there before.
fn hostile(bot: &str, places: &[(String, String)]) -> Source {
    let reads: Vec<_> = places
        .iter()
        .map(|(_, read)| format!("look(() => {read});\n"))
        .collect();
    let plants: Vec<_> = places
        .iter()
        .map(|(plant, _)| format!("try {{ {plant}; }} catch {{ }}\n"))
        .collect();
    let (reads, plants) = (reads.concat(), plants.concat());
    Source::text(format!(
        "// {bot}
        let kept; const box = {{}}, list = [], map = new Map(), weak = new WeakMap(); function helper() {{}}
        export function handle({{ event }}) {{
          const v = event.text, found = [];
          let n = 0;
          const look = (f) => {{ let x; try {{ x = f() }} catch {{ }} if (x !== undefined) found.push(n); n++; }};
          {reads}{plants}
          return {{ state: {{ found, mine: v }} }};
        }}"
    ))
}

async fn interleave(pool: &Pool, bots: &[Source], calls: usize, options: super::CallOptions) {
    let mut running = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let (pool, bots) = (pool.clone(), bots.to_vec());
        running.spawn(async move {
            for n in (worker..calls).step_by(8) {
                let text = input("null").replace("\"hi\"", &format!("\"canary of chat {n}\""));
                let finished = pool
                    .call(&bots[n % bots.len()], text, options)
                    .await
                    .expect("the pool is up");
                let Outcome::Ok(output) = finished.outcome else {
                    panic!("{:?}", finished.outcome)
                };
                let state = output.state.expect("the bot returns one");
                assert_eq!(
                    state.get(),
                    format!(r#"{{"found":[],"mine":"canary of chat {n}"}}"#),
                    "call {n}"
                );
            }
        });
    }
    while let Some(done) = running.join_next().await {
        done.expect("no call differs");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_planted_value_is_seen_in_warm_calls() {
    let (pool, _guard) = pool(super::PoolOptions {
        workers: 2,
        ..options()
    })
    .await;
    let places = places();
    // Without the six inside the module: code that has them does not pass the generator's filter.
    let bots: Vec<_> = ["a", "b", "c", "d"]
        .map(|bot| hostile(bot, &places[..58]))
        .to_vec();
    interleave(&pool, &bots, 10_000, call()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_planted_value_is_seen_in_fresh_calls_of_unfiltered_code() {
    let (pool, _guard) = pool(super::PoolOptions {
        workers: 2,
        ..options()
    })
    .await;
    let bots: Vec<_> = ["a", "b"].map(|bot| hostile(bot, &places())).to_vec();
    interleave(&pool, &bots, 400, fresh()).await;
}

#[tokio::test]
async fn the_canaries_can_be_seen_where_nothing_protects_them() {
    // Guards the two tests above: without fresh engines the six places inside the module do leak.
    let (pool, _guard) = pool(options()).await;
    let bot = hostile("a", &places());
    pool.call(&bot, input("null"), call()).await.unwrap();
    let second = pool.call(&bot, input("null"), call()).await.unwrap();
    assert_eq!(
        second.json,
        r#"{"state":{"found":[58,59,60,61,62,63],"mine":"hi"}}"#
    );
}

#[tokio::test]
async fn jobs_left_behind_do_not_run_in_the_next_call() {
    let (pool, _guard) = pool(options()).await;
    let bot = Source::text(
        "const log = []; export function handle({ event }) { const before = log.length;
         throw Promise.resolve().then(() => Promise.resolve().then(() => log.push(1))) && new Error('seen ' + before); }",
    );
    for _ in 0..5 {
        let finished = pool.call(&bot, input("null"), call()).await.unwrap();
        assert_eq!(finished.outcome.message().split(" (").next(), Some("seen 0"));
    }
}
