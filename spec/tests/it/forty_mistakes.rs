//! A spec with forty mistakes of all layers: each is reported, at its place, in one answer.

use std::collections::BTreeSet;

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
        ("unknown-locale", "/intents/1/keywords/es"),
        ("unknown-flow", "/intents/1/flow"),
        ("unknown-state-key", "/flows/0/steps/0/text"),
        ("duplicate-id", "/flows/0/steps/1/id"),
        ("empty-text", "/flows/0/steps/1/text"),
        ("unknown-flow", "/flows/0/steps/4/quickReplies/0/flow"),
        ("invalid-regex", "/flows/0/steps/5/regex"),
        ("unknown-path", "/flows/0/steps/5/onFail/text"),
        ("unknown-step", "/flows/0/steps/5/onFail/goto"),
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
        ("too-many-api-calls", "/flows/0/steps/12"),
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
