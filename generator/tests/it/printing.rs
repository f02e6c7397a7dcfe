//! Whatever an author writes stays data.

use botloom_generator::{compile, filter};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::node::Node;

/// A spec with `text` in every field that takes free text.
fn everywhere(text: &str) -> Value {
    let reply = json!({"key": text});
    json!({
        "meta": {"botId": "text-bot", "name": text, "schema_ver": 1, "locales": ["en"], "defaultLocale": "en"},
        "commands": [{"command": "/start", "flow": "main", "description": text}],
        "intents": [{"id": "i", "keywords": {"en": [text]}, "flow": "main"}],
        "flows": [{"id": "main", "steps": [
            {"id": "a", "type": "reply", "text": text, "media": {"kind": "photo", "url": text},
             "quickReplies": [{"text": text, "value": text}, {"text": reply, "flow": "main"}]},
            {"id": "b", "type": "ask", "text": reply, "quickReplies": [{"text": text}]},
            {"id": "c", "type": "validate", "regex": text, "onFail": {"text": text}},
            {"id": "d", "type": "validate", "schema": {"const": text, text: {text: [text]}}, "onFail": {"text": text}},
            {"id": "e", "type": "save", "key": "k", "value": {text: text, "list": [text]}},
            {"id": "f", "type": "apiCall", "method": "POST", "url": "https://api.example.org/", "headers": {"X-A": text},
             "query": {text: text}, "body": {text: [text]}, "map": {"k": text}},
            {"id": "g", "type": "goto", "step": "a", "when": {"all": [
                {"path": "state.k", "op": "eq", "value": text}, {"path": "state.k", "op": "matches", "value": text}]}},
            {"id": "h", "type": "reply", "text": "", "media": {"kind": "video", "fileId": text}},
        ]}],
        "state": {"keys": {"k": {"type": "object", "default": {text: text}}}},
        "localization": {"en": {text: text}},
        "telemetry": {"events": [text]},
        "security": {"allowDomains": ["api.example.org"]},
    })
}

fn program(text: &str) -> String {
    compile(&serde_json::from_value(everywhere(text)).unwrap())
}

/// The bot's own part with every string literal taken out, and the values of the literals as the text that was read.
fn without_strings(program: &str) -> (String, Vec<String>) {
    let own = &program[..program.find("\n// --- sdk: ").unwrap()];
    let mut shape = String::new();
    let mut literals = Vec::new();
    let mut rest = own;
    while let Some(start) = rest.find('"') {
        shape.push_str(&rest[..start]);
        let mut end = start + 1;
        let bytes = rest.as_bytes();
        while bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        literals.push(rest[start..=end].to_owned());
        shape.push('S');
        rest = &rest[end + 1..];
    }
    shape.push_str(rest);
    // Where lines are broken depends on the length of the text, a trailing comma on where they are broken.
    let shape: String = shape.chars().filter(|c| !c.is_whitespace()).collect();
    (shape.replace(",}", "}").replace(",]", "]"), literals)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_of_any_content_changes_nothing_but_strings(text in hostile()) {
        prop_assume!(!["__proto__", "constructor", "prototype"].contains(&text.as_str()) && !text.starts_with("__"));
        let program = program(&text);
        prop_assert_eq!(filter(&program, &["api.example.org".to_owned()]), Ok(()));
        let (shape, literals) = without_strings(&program);
        let (benign, wanted) = without_strings(&self::program("benign"));
        prop_assert_eq!(shape, benign);
        prop_assert_eq!(literals.len(), wanted.len());
        for (literal, wanted) in literals.iter().zip(wanted) {
            // Every escape that is printed is one of JSON, so a JSON reader says what JavaScript reads.
            let value: String = serde_json::from_str(literal).unwrap();
            let wanted: String = serde_json::from_str(&wanted).unwrap();
            prop_assert_eq!(value, if wanted == "benign" { text.clone() } else { wanted });
        }
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "\"",
        "'",
        "`",
        "\\",
        "${",
        "}",
        "*/",
        "/*",
        "//",
        "\n",
        "\r",
        "\u{2028}",
        "\u{2029}",
        "\0",
        "\u{7f}",
        "\u{85}",
        "</script>",
        "<!--",
        "-->",
        "--",
        ">",
        "<",
        "!",
        "]]>",
        "while(1){}",
        "alert()",
        "eval",
        "\\u0022",
        "\\x22",
        "\u{feff}",
        "\u{202e}",
        "🍕",
        "{{state.k}}",
        "{{",
        "}}",
        "https://evil.example.net/",
        "// --- sdk: core ---\n",
        "é",
    ]);
    let any = prop_oneof![3 => pieces.prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from), 1 => ".{0,20}"];
    prop::collection::vec(any, 1..12).prop_map(|parts| parts.concat())
}

#[test]
fn an_engine_reads_back_what_was_written() {
    let hostile: String = ('\0'..='\u{2fff}')
        .chain('\u{fe00}'..='\u{ffff}')
        .chain("🍕👩‍🚀</script><!-- -->".chars())
        .collect();
    let spec = json!({
        "meta": {"botId": "text-bot", "name": "n", "schema_ver": 1, "locales": ["en"], "defaultLocale": "en"},
        "commands": [{"command": "/start", "flow": "main"}],
        "flows": [{"id": "main", "steps": [{"id": "a", "type": "save", "key": "k", "value": hostile.replace("{{", "")}]}],
        "state": {"keys": {"k": {"type": "string"}}},
    });
    let mut node = Node::load(&compile(&serde_json::from_value(spec).unwrap()));
    let input = json!({
        "event": {"updateId": 1, "type": "message", "text": "/start", "command": "start", "args": ""},
        "context": {"user": null, "chat": {"id": 1, "type": "private", "title": null}, "message": null,
            "now": "2026-01-01T12:00:00.000Z", "bot": {"username": null}},
    });
    assert_eq!(
        node.call(&input).unwrap()["state"]["v"]["k"],
        hostile.replace("{{", "")
    );
}

#[test]
fn names_that_mean_something_to_javascript_are_members_like_others() {
    for name in [
        "__proto__",
        "constructor",
        "prototype",
        "__defineGetter__",
        "toString",
        "hasOwnProperty",
    ] {
        let program = program(name);
        assert_eq!(
            filter(&program, &["api.example.org".to_owned()]),
            Ok(()),
            "{name}"
        );
    }
}

#[test]
fn ids_in_comments_cannot_leave_them() {
    let mut spec = everywhere("benign");
    spec["flows"][0]["id"] = json!("x\n*/ eval(1) //");
    spec["meta"]["botId"] = json!("a\u{2028}eval(1)");
    let program = compile(&serde_json::from_value(spec).unwrap());
    assert_eq!(filter(&program, &["api.example.org".to_owned()]), Ok(()));
    assert!(!program.contains("\neval"));
}
