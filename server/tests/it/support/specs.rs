//! Bots of the stories.

use serde_json::{Value, json};

/// The example bot.
pub(crate) fn pizza() -> Value {
    let text = include_str!("../../../../spec/examples/pizza-demo/spec.json");
    serde_json::from_str(text).unwrap()
}

/// A bot whose answers form a chain: `/n X` is answered with `<mark><the X before>-><X>`, so that a lost, doubled or
/// disordered update shows in the answers.
pub(crate) fn chain(bot: &str, mark: &str) -> Value {
    json!({
        "meta": {"botId": bot, "name": "Chain", "schema_ver": 1, "locales": ["en"], "defaultLocale": "en"},
        "commands": [
            {"command": "/start", "flow": "start"},
            {"command": "/help", "flow": "start"},
            {"command": "/n", "flow": "chain"},
        ],
        "intents": [],
        "flows": [
            {"id": "start", "steps": [{"id": "hello", "type": "reply", "text": format!("{mark}hello")}]},
            {"id": "chain", "steps": [
                {"id": "tell", "type": "reply", "text": format!("{mark}{{{{state.last}}}}->{{{{context.args}}}}")},
                {"id": "keep", "type": "save", "key": "last", "value": "{{context.args}}"},
            ]},
        ],
        "state": {"keys": {"last": {"type": "string"}}},
        "localization": {"en": {}},
        "telemetry": {"events": []},
        "security": {"allowDomains": [], "maxApiResponseKB": 64},
    })
}
