//! The worst 512 KB found are judged in time.

use std::time::Duration;

use botloom_spec::{check, limits};
use serde_json::{Value, json};

use crate::support::minimal;

/// The budget of an optimised build.
const BUDGET: Duration = Duration::from_millis(200);

/// An unoptimised build is slower by this much at most; measured factors are 3 to 12. The generous bound
/// still catches a rule that is not linear.
const UNOPTIMISED: u32 = if cfg!(debug_assertions) { 20 } else { 1 };

/// `spec` with as many additions of at most `room` bytes as fit.
fn filled(mut spec: Value, mut add: impl FnMut(&mut Value, usize), room: usize) -> String {
    let count = (limits::SPEC_BYTES - spec.to_string().len()) / room;
    for n in 0..count {
        add(&mut spec, n);
    }
    spec.to_string()
}

fn flows(step: impl Fn(usize, usize) -> Value) -> Value {
    let mut spec = minimal();
    spec["flows"] = (0..100)
        .map(|flow| json!({"id": format!("f{flow}"), "steps": (0..50).map(|n| step(flow, n)).collect::<Vec<_>>()}))
        .collect();
    spec["commands"] = json!([{"command": "/start", "flow": "f0"}, {"command": "/help", "flow": "f0"}]);
    spec
}

fn push(list: &mut Value, value: Value) {
    list.as_array_mut().unwrap().push(value);
}

fn families() -> Vec<(&'static str, String)> {
    let goto = |flow: usize, n: usize| json!({"id": format!("s{n}"), "type": "goto", "flow": format!("f{}", (flow * 7 + n * 13) % 100), "when": {"all": []}, "elseNext": format!("s{}", n * 3 % 50)});
    let regex = |flow: usize, n: usize| json!({"id": format!("s{n}"), "type": "validate", "regex": format!("^\\w{{{n}}}[^a]{{{flow}}}$"), "onFail": {"text": "x"}});
    let plain_regex = |flow: usize, n: usize| json!({"id": format!("s{n}"), "type": "validate", "regex": format!("^a{n}b{flow}$"), "onFail": {"text": "x"}});
    let tiny_regex = |spec: &mut Value, n: usize| {
        push(
            &mut spec["flows"][0]["steps"][0]["when"]["any"],
            json!({"path": "context.input", "op": "matches", "value": format!("{n:x}")}),
        );
    };
    let class_regex = |flow: usize, n: usize| json!({"id": format!("s{n}"), "type": "validate", "regex": format!("[\\w&&[^\\d]]{{{}}}\\PL{{{}}}", n % 7 + 1, flow % 9 + 1), "onFail": {"text": "x"}});
    let refused_regex = |flow: usize, n: usize| json!({"id": format!("s{n}"), "type": "validate", "regex": format!("(a{{1000}}){{{}}}", 500 + flow * 50 + n), "onFail": {"text": "x"}});
    let schema = |flow: usize, n: usize| json!({"id": format!("s{n}"), "type": "validate", "schema": {"const": flow * 50 + n}, "onFail": {"text": "x"}});
    let huge_regex = |flow: usize, n: usize| json!({"id": format!("s{n}"), "type": "validate", "regex": format!("(\\p{{L}}{{200}}){{{}}}", flow * 50 + n), "onFail": {"text": "x"}});
    let large_schema = |spec: &mut Value, n: usize| {
        let parts = vec![json!({"not": {"minLength": n}}); 900];
        push(
            &mut spec["flows"][0]["steps"],
            json!({"id": format!("s{n}"), "type": "validate", "schema": {"allOf": parts}, "onFail": {"text": "x"}}),
        );
    };
    let call = |flow: usize, n: usize| json!({"id": format!("s{n}"), "type": "apiCall", "method": "GET", "url": format!("https://h{flow}-{n}.example/")});
    let mut domains = flows(call);
    domains["security"] =
        json!({"allowDomains": (0..1000).map(|n| format!("*.d{n}.example")).collect::<Vec<_>>()});

    let mut locales = minimal();
    let tags: Vec<String> = (0..200).map(|n| format!("en-x-l{n}")).collect();
    locales["meta"]["locales"] = json!(tags);
    locales["meta"]["defaultLocale"] = json!(tags[0]);
    locales["localization"] = json!({(tags[0].as_str()): {}});
    let locales = filled(
        locales,
        |spec, n| spec["localization"][&tags[0]][format!("k{n}")] = json!(""),
        16,
    );

    let mut spread = minimal();
    spread["meta"]["locales"] = json!(tags);
    spread["meta"]["defaultLocale"] = json!(tags[0]);
    spread["localization"] = tags
        .iter()
        .map(|tag| (tag.clone(), json!({})))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let spread = filled(
        spread,
        |spec, n| {
            let tag = if n % 2 == 0 {
                &tags[0]
            } else {
                &tags[n % tags.len()]
            };
            spec["localization"][tag][format!("k{n}")] = json!("");
        },
        16,
    );

    let text = flows(|_, n| json!({"id": format!("s{n}"), "type": "reply", "text": {"key": "no"}}));

    let mut deep = json!({"path": "context.input", "op": "exists"});
    for _ in 0..26 {
        deep = json!({"all": [deep, {"path": "context.input", "op": "eq", "value": 1}]});
    }
    let mut trees = minimal();
    trees["flows"][0]["steps"] = json!([]);
    let trees = filled(
        trees,
        |spec, n| {
            if n % 50 == 0 {
                push(&mut spec["flows"], json!({"id": format!("t{n}"), "steps": []}));
            }
            let last = spec["flows"].as_array().unwrap().len() - 1;
            push(
                &mut spec["flows"][last]["steps"],
                json!({"id": format!("s{n}"), "type": "goto", "flow": "main", "when": deep}),
            );
        },
        4000,
    );

    let mut wide = minimal();
    wide["flows"][0]["steps"] = json!([{"id": "g", "type": "goto", "flow": "main", "when": {"any": []}}]);
    let wide = filled(
        wide,
        |spec, _| {
            push(
                &mut spec["flows"][0]["steps"][0]["when"]["any"],
                json!({"not": {"all": []}}),
            );
        },
        24,
    );

    let mut tiny = minimal();
    tiny["flows"][0]["steps"] = json!([{"id": "g", "type": "goto", "flow": "main", "when": {"any": []}}]);
    let tiny = filled(tiny, tiny_regex, 60);

    let mixed = flows(
        |_, n| json!({"id": format!("s{n}"), "type": "reply", "text": {"key": "no"}, "more": 1, "quickReplies": [{"flow": "no"}]}),
    );

    let mut nested = String::new();
    while nested.len() + 300 < limits::SPEC_BYTES {
        nested.push_str(&"[".repeat(60));
        nested.push_str(&"]".repeat(60));
        nested.push(',');
    }

    vec![
        ("graph", flows(goto).to_string()),
        ("dear patterns", flows(regex).to_string()),
        ("many patterns", flows(plain_regex).to_string()),
        ("tiny patterns", tiny),
        ("patterns of classes", flows(class_regex).to_string()),
        ("patterns too large", flows(refused_regex).to_string()),
        ("steps with faults of shape and meaning", mixed.to_string()),
        ("huge patterns", flows(huge_regex).to_string()),
        ("large schemas", filled(minimal(), large_schema, 25_000)),
        ("many schemas", flows(schema).to_string()),
        ("many hosts", domains.to_string()),
        ("locales", locales),
        ("texts in many locales", spread),
        ("missing texts", text.to_string()),
        ("deep conditions", trees),
        ("wide condition", wide),
        (
            "unknown fields",
            filled(minimal(), |spec, n| spec[format!("f{n}")] = Value::Null, 16),
        ),
        (
            "unknown fields in steps",
            flows(|_, n| json!({"id": format!("s{n}"), "type": "replay", "a": 1, "b": 2, "c": 3}))
                .to_string(),
        ),
        (
            "too many steps",
            filled(
                minimal(),
                |spec, n| {
                    push(
                        &mut spec["flows"][0]["steps"],
                        json!({"id": format!("s{n}"), "type": "goto", "step": format!("s{}", n / 2)}),
                    );
                },
                60,
            ),
        ),
        (
            "same step id",
            filled(
                minimal(),
                |spec, _| {
                    push(
                        &mut spec["flows"][0]["steps"],
                        json!({"id": "s", "type": "goto", "step": "t"}),
                    );
                },
                48,
            ),
        ),
        (
            "placeholders",
            filled(
                minimal(),
                |spec, n| {
                    push(
                        &mut spec["flows"][0]["steps"],
                        json!({"id": format!("s{n}"), "type": "reply", "text": "{{state.x}}".repeat(300)}),
                    );
                },
                4000,
            ),
        ),
        (
            "domains",
            filled(
                minimal(),
                |spec, n| {
                    if n == 0 {
                        spec["security"] = json!({"allowDomains": []});
                    }
                    push(&mut spec["security"]["allowDomains"], json!(format!("{n}")));
                },
                10,
            ),
        ),
        (
            "equal objects",
            filled(
                minimal(),
                |spec, n| {
                    if n == 0 {
                        spec["security"] = json!({"allowDomains": []});
                    }
                    push(&mut spec["security"]["allowDomains"], json!([{"a": n}]));
                },
                18,
            ),
        ),
        (
            "intents",
            filled(
                minimal(),
                |spec, n| {
                    if n == 0 {
                        spec["intents"] = json!([]);
                    }
                    push(
                        &mut spec["intents"],
                        json!({"id": format!("i{n}"), "keywords": {"xx": ["?"]}, "flow": "nowhere"}),
                    );
                },
                70,
            ),
        ),
        (
            "state keys",
            filled(
                minimal(),
                |spec, n| spec["state"]["keys"][format!("k{n}")] = json!({"type": "number", "default": ""}),
                44,
            ),
        ),
        ("nested", format!("{{\"meta\":[{nested}0]}}")),
        (
            "one string",
            format!("{{\"meta\":\"{}\"}}", "\\u0041".repeat(87_000)),
        ),
        ("one number", format!("{{\"meta\":{}}}", "1".repeat(520_000))),
        (
            "surrogates",
            format!("{{\"meta\":\"{}\"}}", "\\ud800".repeat(87_000)),
        ),
        ("duplicates", format!("{{{}\"a\":1}}", "\"a\":1,".repeat(87_000))),
    ]
}

/// What this thread has computed, so that other work on the machine does not count. Linux, `proc_pid_schedstat(5)`.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn the_worst_documents_are_judged_in_time() {
    // The schema is compiled once per process, at start in a server.
    check(minimal().to_string().as_bytes());
    let mut worst = (Duration::ZERO, "");
    for (name, document) in families() {
        assert!(document.len() <= limits::SPEC_BYTES, "{name}: {}", document.len());
        let start = cpu_time();
        let checked = check(document.as_bytes());
        let took = cpu_time().saturating_sub(start);
        println!(
            "{took:>10.1?}  {:>7} bytes  {:>5} findings  {name}",
            document.len(),
            checked.findings.len()
        );
        worst = worst.max((took, name));
    }
    println!("worst: {worst:?}");
    assert!(worst.0 < BUDGET * UNOPTIMISED, "{worst:?}");
}

/// What authors write to bound a name, all of it in one bot.
#[test]
fn ordinary_patterns_are_accepted_together() {
    let patterns = [
        r"^\w{1,200}$",
        r"^[\p{L} .'-]{1,64}$",
        r"\p{L}{1,255}",
        r"^\w{1,50}$",
        r"^[^\s@]+@[^\s@]+\.[^\s@]+$",
        r"^\+?[0-9 ()-]{7,20}$",
    ];
    let mut spec = minimal();
    let steps = &mut spec["flows"][0]["steps"];
    push(steps, json!({"id": "ask", "type": "ask", "text": "?"}));
    for (n, pattern) in patterns.iter().enumerate() {
        push(
            steps,
            json!({"id": format!("v{n}"), "type": "validate", "regex": pattern, "onFail": {"text": "x"}}),
        );
    }
    let checked = check(spec.to_string().as_bytes());
    assert!(checked.findings.is_empty(), "{:#?}", checked.findings);
    assert!(checked.spec.is_some());
}
