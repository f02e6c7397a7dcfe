//! A spec with forty mistakes of all layers: each is reported, at its place, in one answer.

use std::collections::BTreeSet;

use botloom_spec::{Code, Finding, Severity, check};
use serde_json::{Value, json};

use crate::support::found;

#[test]
fn forty_mistakes_are_forty_findings() {
    let document = json!({
        "meta": {
            "botId": "Forty Mistakes", "name": "", "schema_ver": 2, "locales": ["en", "de_DE"], "defaultLocale": "fr",
            "retention": {"stateDays": 0}, "pii_policy": "hide", "owner": "me"
        },
        "commands": [
            {"command": "/start", "flow": "main"},
            {"command": "/help", "flow": "halp"},
            {"command": "/Help", "flow": "main"},
            {"command": "/start", "flow": "main"},
            {"command": "/about"}
        ],
        "intents": [
            {"id": "a", "keywords": {"es": ["hola"]}, "priority": 1.5, "flow": "main"},
            {"id": "b", "keywords": {"es": ["hola"]}, "flow": "nowhere"}
        ],
        "flows": [
            {"id": "main", "steps": [
                {"id": "hi", "type": "reply", "text": "Hello {{state.nmae}}"},
                {"id": "hi", "type": "reply", "text": ""},
                {"id": "pic", "type": "reply", "text": "", "media": {"kind": "picture", "url": "https://a.example/b"}},
                {"id": "both", "type": "reply", "text": "x", "media": {"kind": "photo", "url": "https://a.example/", "fileId": "A"}},
                {"id": "ask", "type": "ask", "text": "What?", "quickReplies": [{"text": "x", "flow": "nowhere"}]},
                {"id": "check", "type": "validate", "regex": "(?<=a)b", "onFail": {"text": "{{context.imput}}", "goto": "missing"}},
                {"id": "size", "type": "validate", "schema": {"type": "int"}, "onFail": {"text": "x", "maxAttempts": 0}},
                {"id": "size2", "type": "validate", "schema": {"type": "int"}, "onFail": {"text": "x"}},
                {"id": "keep", "type": "save", "key": "other"},
                {"id": "call", "type": "apiCall", "method": "FETCH", "url": "https://api.example/"},
                {"id": "call2", "type": "apiCall", "method": "GET", "url": "http://api.example/"},
                {"id": "call3", "type": "apiCall", "method": "GET", "url": "https://evil.example/", "map": {"name": "x"},
                 "headers": {"Host": "a"}},
                {"id": "call4", "type": "apiCall", "method": "GET", "url": "https://{{state.name}}.example/"},
                {"id": "jump", "type": "goto", "step": "nope", "when": {"path": "state.name", "op": "in", "value": "a"}},
                {"id": "jump2", "type": "goto", "step": "hi", "when": {"all": [{"path": "state.name", "op": "like"}]}},
                {"id": "wait", "type": "sleep"}
            ]},
            {"id": "loop", "steps": [{"id": "round", "type": "goto", "step": "round"}]},
            {"id": "loop", "steps": "none"}
        ],
        "state": {"keys": {"name": {"type": "string", "default": 1}, "age": {"type": "date"}}, "maxKB": 65},
        "security": {"allowDomains": ["api.example", "10.0.0.1"]}
    });
    let expected = BTreeSet::from([
        // Shape.
        ("invalid-format", "/meta/botId"),
        ("too-short", "/meta/name"),
        ("unknown-value", "/meta/schema_ver"),
        ("too-small", "/meta/retention/stateDays"),
        ("unknown-value", "/meta/pii_policy"),
        ("unknown-field", "/meta/owner"),
        ("invalid-format", "/commands/2/command"),
        ("missing-field", "/commands/4"),
        ("wrong-type", "/intents/0/priority"),
        ("unknown-value", "/flows/0/steps/2/media/kind"),
        ("exactly-one", "/flows/0/steps/3/media"),
        ("too-small", "/flows/0/steps/6/onFail/maxAttempts"),
        ("unknown-value", "/flows/0/steps/9/method"),
        ("unknown-value", "/flows/0/steps/14/when/all/0/op"),
        ("unknown-value", "/flows/0/steps/15/type"),
        ("wrong-type", "/flows/2/steps"),
        ("unknown-value", "/state/keys/age/type"),
        ("too-large", "/state/maxKB"),
        // Meaning.
        ("invalid-locale", "/meta/locales/1"),
        ("unknown-locale", "/meta/defaultLocale"),
        ("unknown-flow", "/commands/1/flow"),
        ("duplicate-command", "/commands/3/command"),
        ("unknown-locale", "/intents/0/keywords/es"),
        ("unknown-locale", "/intents/1/keywords/es"),
        ("unknown-flow", "/intents/1/flow"),
        ("unknown-state-key", "/flows/0/steps/0/text"),
        ("duplicate-id", "/flows/0/steps/1/id"),
        ("empty-text", "/flows/0/steps/1/text"),
        ("unknown-flow", "/flows/0/steps/4/quickReplies/0/flow"),
        ("invalid-regex", "/flows/0/steps/5/regex"),
        ("unknown-path", "/flows/0/steps/5/onFail/text"),
        ("unknown-step", "/flows/0/steps/5/onFail/goto"),
        ("invalid-schema", "/flows/0/steps/6/schema/type"),
        ("invalid-schema", "/flows/0/steps/7/schema/type"),
        ("unknown-state-key", "/flows/0/steps/8/key"),
        ("invalid-url", "/flows/0/steps/10/url"),
        ("domain-not-allowed", "/flows/0/steps/11/url"),
        ("invalid-pointer", "/flows/0/steps/11/map/name"),
        ("invalid-header", "/flows/0/steps/11/headers/Host"),
        ("template-in-host", "/flows/0/steps/12/url"),
        ("unknown-step", "/flows/0/steps/13/step"),
        ("invalid-condition", "/flows/0/steps/13/when/value"),
        ("endless-loop", "/flows/1/steps/0/step"),
        ("duplicate-id", "/flows/2/id"),
        ("wrong-default", "/state/keys/name/default"),
        ("invalid-domain", "/security/allowDomains/1"),
    ]);
    assert!(expected.len() >= 40);
    let found = found(&document);
    let errors: BTreeSet<_> = found
        .iter()
        .map(|(code, pointer)| (code.as_str(), pointer.as_str()))
        .collect();
    let missing: Vec<_> = expected.difference(&errors).collect();
    assert!(
        missing.is_empty(),
        "not reported: {missing:#?}\nreported: {errors:#?}"
    );
    // Beyond them only warnings: two flows nothing leads to, a third call in one update.
    let more: BTreeSet<_> = errors.difference(&expected).copied().collect();
    let warnings = BTreeSet::from([
        ("too-many-api-calls", "/flows/0/steps/11"),
        ("unreachable-flow", "/flows/1"),
        ("unreachable-flow", "/flows/2"),
    ]);
    assert_eq!(more, warnings);
    // Document order, and the same order every time.
    assert_eq!(
        found.first().map(|(_, pointer)| pointer.as_str()),
        Some("/commands/1/flow")
    );
    assert_eq!(found, crate::support::found(&document));
}

/// One fault in each part at a time leaves the checks of all other parts as they were.
#[test]
fn a_broken_part_does_not_silence_the_others() {
    let base = json!({
        "meta": {"botId": "mini", "name": "Mini", "locales": ["en"], "defaultLocale": "en", "schema_ver": 1},
        "commands": [{"command": "/start", "flow": "main"}, {"command": "/help", "flow": "lost"}],
        "flows": [{"id": "main", "steps": [
            {"id": "a", "type": "reply", "text": "{{state.none}}"},
            {"id": "b", "type": "reply", "text": "x"},
            {"id": "c", "type": "goto", "flow": "lost"}
        ]}]
    });
    let meant = [
        ("unknown-flow".to_owned(), "/commands/1/flow".to_owned()),
        ("unknown-state-key".to_owned(), "/flows/0/steps/0/text".to_owned()),
        ("unknown-flow".to_owned(), "/flows/0/steps/2/flow".to_owned()),
    ];
    for breakage in [
        "/meta/name",
        "/meta",
        "/flows/0/steps/1",
        "/flows/0/steps/1/text",
        "/flows/0/id",
    ] {
        let mut document = base.clone();
        *document.pointer_mut(breakage).unwrap() = Value::Null;
        let found = found(&document);
        for finding in &meant {
            assert!(
                found.contains(finding),
                "{breakage}: {finding:?} missing in {found:?}"
            );
        }
        assert!(
            found.contains(&("wrong-type".to_owned(), breakage.to_owned())),
            "{breakage}: {found:?}"
        );
    }
}

/// A bot each of whose parts has faults of shape and of meaning.
fn mixed() -> Value {
    json!({
        "meta": {
            "botId": "Mixed Up", "name": "Mixed", "schema_ver": 1, "locales": ["en", 5, "de_DE"], "defaultLocale": "en",
            "timezone": "Mars/Olympus", "retention": {"stateDays": "many", "days": 3}
        },
        "commands": [
            {"command": "/start", "flow": "main"},
            {"command": "/help", "flow": "main"},
            {"command": "/Bad", "flow": "nowhere", "description": {"key": "none"}},
            {"flow": "nowhere", "description": ""}
        ],
        "intents": [
            {"id": "a", "keywords": {"xx": ["word", 5, "?"]}, "cooldownSec": -1, "flow": "nowhere"},
            {"id": "a", "keywords": {"en": ["word"]}, "more": 1, "flow": "main"}
        ],
        "flows": [
            {"id": "main", "steps": [
                {"id": "call", "type": "apiCall", "method": "GET", "url": "https://evil.example/", "timeoutMs": 6000,
                 "map": {"lost": "/a", "age": "b"}, "headers": {"Host": "x", "A": 1}, "query": {"q": "{{state.lost}}", "r": []},
                 "onError": {"goto": "nowhere", "more": 1}},
                {"id": "hi", "type": "reply", "text": {"key": "none"}, "more": 1, "quickReplies": [{"text": "x", "flow": "nowhere"}]},
                {"id": "ask", "type": "ask", "quickReplies": [{"flow": "nowhere", "value": 5}, 7, {"text": ""}]},
                {"id": "pic", "type": "reply", "text": "x", "media": {"kind": "picture", "url": "http://a.example/", "more": 1}},
                {"id": "check", "type": "validate", "regex": "(", "onFail": {"text": {"key": "none"}, "maxAttempts": "3", "goto": "nowhere"}},
                {"id": "both", "type": "validate", "regex": "[", "schema": {"type": "int"}, "onFail": {"text": "{{"}},
                {"id": "keep", "type": "save", "key": "lost", "value": ["{{context.imput}}"], "more": 1},
                {"id": "jump", "type": "goto", "flow": "nowhere", "elseNext": "nowhere", "more": 1, "when": {"any": [
                    {"path": "state.lost", "op": "like", "value": []},
                    {"path": "state.age", "op": "in", "value": "a", "more": 1}
                ]}},
                {"id": "jump2", "type": "goto", "step": "nowhere", "elseNext": "nowhere", "when": 5}
            ]},
            {"id": "loop", "more": 1, "steps": [
                {"id": "round", "type": "reply", "text": "x", "quickReplies": "none"},
                {"id": "back", "type": "goto", "step": "round", "more": 1}
            ]}
        ],
        "state": {"more": 1, "keys": {
            "age": {"type": "number", "ttlSec": 0, "default": "x"},
            "day": {"type": "date", "default": 5, "maxBytes": "1"}
        }},
        "telemetry": {"events": ["none", "Bad"], "more": 1}
    })
}

#[test]
fn shape_and_meaning_are_judged_field_by_field() {
    let expected = BTreeSet::from([
        ("invalid-format", "/meta/botId"),
        ("wrong-type", "/meta/locales/1"),
        ("invalid-locale", "/meta/locales/2"),
        ("unknown-time-zone", "/meta/timezone"),
        ("wrong-type", "/meta/retention/stateDays"),
        ("unknown-field", "/meta/retention/days"),
        ("invalid-format", "/commands/2/command"),
        ("unknown-flow", "/commands/2/flow"),
        ("missing-text", "/commands/2/description/key"),
        ("missing-field", "/commands/3"),
        ("unknown-flow", "/commands/3/flow"),
        ("description-length", "/commands/3/description"),
        ("too-small", "/intents/0/cooldownSec"),
        ("unknown-locale", "/intents/0/keywords/xx"),
        ("wrong-type", "/intents/0/keywords/xx/1"),
        ("keyword-without-word", "/intents/0/keywords/xx/2"),
        ("unknown-flow", "/intents/0/flow"),
        ("duplicate-id", "/intents/1/id"),
        ("unknown-field", "/intents/1/more"),
        ("too-large", "/flows/0/steps/0/timeoutMs"),
        ("domain-not-allowed", "/flows/0/steps/0/url"),
        ("unknown-state-key", "/flows/0/steps/0/map/lost"),
        ("invalid-pointer", "/flows/0/steps/0/map/age"),
        ("invalid-header", "/flows/0/steps/0/headers/Host"),
        ("wrong-type", "/flows/0/steps/0/headers/A"),
        ("unknown-state-key", "/flows/0/steps/0/query/q"),
        ("wrong-type", "/flows/0/steps/0/query/r"),
        ("unknown-step", "/flows/0/steps/0/onError/goto"),
        ("unknown-field", "/flows/0/steps/0/onError/more"),
        ("missing-text", "/flows/0/steps/1/text/key"),
        ("unknown-field", "/flows/0/steps/1/more"),
        ("unknown-flow", "/flows/0/steps/1/quickReplies/0/flow"),
        ("missing-field", "/flows/0/steps/2"),
        ("missing-field", "/flows/0/steps/2/quickReplies/0"),
        ("unknown-flow", "/flows/0/steps/2/quickReplies/0/flow"),
        ("wrong-type", "/flows/0/steps/2/quickReplies/0/value"),
        ("wrong-type", "/flows/0/steps/2/quickReplies/1"),
        ("empty-text", "/flows/0/steps/2/quickReplies/2/text"),
        ("unknown-value", "/flows/0/steps/3/media/kind"),
        ("invalid-url", "/flows/0/steps/3/media/url"),
        ("unknown-field", "/flows/0/steps/3/media/more"),
        ("invalid-regex", "/flows/0/steps/4/regex"),
        ("missing-text", "/flows/0/steps/4/onFail/text/key"),
        ("wrong-type", "/flows/0/steps/4/onFail/maxAttempts"),
        ("unknown-step", "/flows/0/steps/4/onFail/goto"),
        ("exactly-one", "/flows/0/steps/5"),
        ("invalid-regex", "/flows/0/steps/5/regex"),
        ("invalid-schema", "/flows/0/steps/5/schema/type"),
        ("invalid-template", "/flows/0/steps/5/onFail/text"),
        ("unknown-state-key", "/flows/0/steps/6/key"),
        ("unknown-path", "/flows/0/steps/6/value/0"),
        ("unknown-field", "/flows/0/steps/6/more"),
        ("unknown-flow", "/flows/0/steps/7/flow"),
        ("unknown-step", "/flows/0/steps/7/elseNext"),
        ("unknown-field", "/flows/0/steps/7/more"),
        ("unknown-state-key", "/flows/0/steps/7/when/any/0/path"),
        ("unknown-value", "/flows/0/steps/7/when/any/0/op"),
        ("invalid-condition", "/flows/0/steps/7/when/any/1/value"),
        ("unknown-field", "/flows/0/steps/7/when/any/1/more"),
        ("unreachable-step", "/flows/0/steps/8"),
        ("unknown-step", "/flows/0/steps/8/step"),
        ("unknown-step", "/flows/0/steps/8/elseNext"),
        ("wrong-type", "/flows/0/steps/8/when"),
        ("unreachable-flow", "/flows/1"),
        ("unknown-field", "/flows/1/more"),
        ("wrong-type", "/flows/1/steps/0/quickReplies"),
        ("endless-loop", "/flows/1/steps/1/step"),
        ("unknown-field", "/flows/1/steps/1/more"),
        ("unknown-field", "/state/more"),
        ("too-small", "/state/keys/age/ttlSec"),
        ("wrong-default", "/state/keys/age/default"),
        ("unknown-value", "/state/keys/day/type"),
        ("wrong-type", "/state/keys/day/maxBytes"),
        ("unknown-event", "/telemetry/events/0"),
        ("invalid-format", "/telemetry/events/1"),
        ("unknown-field", "/telemetry/more"),
    ]);
    let found = found(&mixed());
    let found: BTreeSet<_> = found
        .iter()
        .map(|(code, pointer)| (code.as_str(), pointer.as_str()))
        .collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let follow_ups: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && follow_ups.is_empty(),
        "not reported: {missing:#?}\nreported beyond: {follow_ups:#?}"
    );
}

/// A fault of shape alone brings no finding but itself, wherever it stands.
#[test]
fn a_fault_of_shape_has_no_follow_ups() {
    let good = json!({
        "meta": {"botId": "good", "name": "Good", "locales": ["en", "de"], "defaultLocale": "en", "schema_ver": 1, "timezone": "UTC"},
        "commands": [
            {"command": "/start", "flow": "main", "description": {"key": "hi"}}, {"command": "/help", "flow": "main"}
        ],
        "intents": [{"id": "more", "keywords": {"en": ["more"]}, "flow": "main"}],
        "flows": [{"id": "main", "steps": [
            {"id": "hi", "type": "reply", "text": {"key": "hi"}, "quickReplies": [{"text": "x", "flow": "main", "value": "y"}]},
            {"id": "pic", "type": "reply", "text": "", "media": {"kind": "photo", "url": "https://a.example/"}},
            {"id": "ask", "type": "ask", "text": "{{state.all.part}}"},
            {"id": "check", "type": "validate", "regex": "a", "onFail": {"text": "x", "maxAttempts": 2, "goto": "hi"}},
            {"id": "keep", "type": "save", "key": "name", "value": "{{context.input}}"},
            {"id": "call", "type": "apiCall", "method": "GET", "url": "https://a.example/", "timeoutMs": 5, "headers": {"A": "b"},
             "map": {"name": "/a"}, "onError": {"goto": "ask"}},
            {"id": "jump", "type": "goto", "step": "ask", "elseNext": "end", "when": {"all": [{"path": "state.name", "op": "in", "value": ["a"]}]}},
            {"id": "end", "type": "reply", "text": "x"}
        ]}],
        "state": {"keys": {"name": {"type": "string", "default": "abc", "maxBytes": 10}, "all": {"type": "object"}}},
        "localization": {"en": {"hi": "Hi"}, "de": {"hi": "Hallo"}},
        "telemetry": {"events": ["api_ok"]},
        "security": {"allowDomains": ["a.example"]}
    });
    assert_eq!(found(&good), []);
    let mut leaves = Vec::new();
    leaf_pointers(&good, "", &mut leaves);
    assert!(leaves.len() > 60);
    for leaf in leaves {
        // What others refer to is missing to them, if it cannot be read.
        let referred = [
            "/flows/0/id",
            "/meta/locales/0",
            "/meta/locales/1",
            "/meta/defaultLocale",
            "/security/allowDomains/0",
        ];
        // A step of no kind leads nowhere; a command of no name is none.
        let lost =
            leaf.starts_with("/commands/") && !leaf.contains("/description") || leaf.ends_with("/type");
        if referred.contains(&leaf.as_str()) || lost || leaf.contains("/steps/") && leaf.ends_with("/id") {
            continue;
        }
        // Inside the constant of a condition any JSON will do.
        if leaf.contains("/value/") {
            continue;
        }
        let mut document = good.clone();
        *document.pointer_mut(&leaf).unwrap() = Value::Null;
        let unreadable = found(&document);
        assert!(
            !unreadable.is_empty() && unreadable.iter().all(|(_, at)| *at == leaf),
            "{leaf}: {unreadable:#?}"
        );
        let (parent, name) = leaf.rsplit_once('/').unwrap();
        let mut document = good.clone();
        let Some(Value::Object(members)) = document.pointer_mut(parent) else {
            continue;
        };
        members.remove(name);
        let missing = check(document.to_string().as_bytes()).findings;
        let mut errors = missing.iter().filter(|found| found.severity == Severity::Error);
        let told = |found: &Finding| {
            found.pointer == parent
                && matches!(
                    found.code,
                    Code::MissingField | Code::AtLeastOne | Code::ExactlyOne
                )
        };
        assert!(
            leaf.starts_with("/localization/") || errors.all(told),
            "without {leaf}: {missing:#?}"
        );
    }
}

fn leaf_pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                leaf_pointers(member, &botloom_spec::pointer::join(at, name), out);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                leaf_pointers(item, &botloom_spec::pointer::index(at, index), out);
            }
        }
        _ => out.push(at.to_owned()),
    }
}

/// One more field that nobody knows takes no finding away, in whichever object it stands.
#[test]
fn an_unknown_field_hides_nothing() {
    let before: BTreeSet<_> = found(&mixed()).into_iter().collect();
    let mut objects = Vec::new();
    crate::support::object_pointers(&mixed(), "", &mut objects);
    assert!(objects.len() > 40);
    for at in objects {
        let mut document = mixed();
        document.pointer_mut(&at).unwrap()["unheardOf"] = json!(true);
        let after: BTreeSet<_> = found(&document).into_iter().collect();
        let hidden: Vec<_> = before.difference(&after).collect();
        assert!(hidden.is_empty(), "{at}: {hidden:#?}");
    }
}

/// Nothing can lead to a flow without a name: that the name is missing says enough.
#[test]
fn a_flow_without_id_is_reported_once() {
    let mut document = crate::support::minimal();
    let nameless = json!({"steps": [{"id": "hi", "type": "reply", "text": "Hi"}]});
    document["flows"].as_array_mut().unwrap().push(nameless);
    assert_eq!(
        found(&document),
        [("missing-field".to_owned(), "/flows/1".to_owned())]
    );
}
