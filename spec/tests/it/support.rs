//! What several tests need.

use std::path::PathBuf;

use botloom_spec::{Accepted, check};
use serde_json::{Value, json};

/// A path below this crate.
pub(crate) fn path(below: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// A file of this crate as JSON.
pub(crate) fn read(below: &str) -> Value {
    let text = std::fs::read_to_string(path(below)).unwrap_or_else(|error| panic!("{below}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{below}: {error}"))
}

/// The spec of the pizza bot.
pub(crate) fn pizza() -> Value {
    read("examples/pizza-demo/spec.json")
}

/// The smallest bot without a finding.
pub(crate) fn minimal() -> Value {
    json!({
        "meta": {"botId": "mini", "name": "Mini", "locales": ["en"], "defaultLocale": "en", "schema_ver": 1},
        "commands": [{"command": "/start", "flow": "main"}, {"command": "/help", "flow": "main"}],
        "flows": [{"id": "main", "steps": [{"id": "hi", "type": "reply", "text": "Hi"}]}]
    })
}

/// Code and pointer of every finding of a document.
pub(crate) fn found(document: &Value) -> Vec<(String, String)> {
    let checked = check(document.to_string().as_bytes());
    checked
        .findings
        .into_iter()
        .map(|finding| (finding.code.to_string(), finding.pointer))
        .collect()
}

/// The accepted spec of a text that must be good.
pub(crate) fn accepted(text: &str) -> Accepted {
    let checked = check(text.as_bytes());
    checked
        .spec
        .unwrap_or_else(|| panic!("refused: {:#?}", checked.findings))
}

/// Pointers to every object of a document.
pub(crate) fn object_pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            out.push(at.to_owned());
            for (name, member) in members {
                object_pointers(member, &botloom_spec::pointer::join(at, name), out);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                object_pointers(item, &botloom_spec::pointer::index(at, index), out);
            }
        }
        _ => {}
    }
}
