//! A host for `bot.js` in tests: Node runs the program, this side answers its effects.

pub(crate) mod chat;
pub(crate) mod node;

use std::path::PathBuf;

use botloom_spec::model::BotSpec;
use serde_json::{Value, json};

/// The folder of this crate.
pub(crate) fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The spec with these flows and nothing else; `more` is laid over it.
pub(crate) fn spec(flows: Value, more: Value) -> BotSpec {
    let mut document = json!({
        "meta": {"botId": "test-bot", "name": "Test", "schema_ver": 1, "locales": ["en"], "defaultLocale": "en"},
        "commands": [{"command": "/start", "flow": "main"}],
    });
    document["flows"] = flows;
    let Value::Object(more) = more else {
        panic!("{more} is no object")
    };
    for (name, value) in more {
        document[name] = value;
    }
    serde_json::from_value(document).unwrap()
}
