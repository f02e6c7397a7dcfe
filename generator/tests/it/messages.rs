//! What is sent, what starts a flow, and what is let pass.

use serde_json::{Value, json};

use crate::semantics::{bot, keyboard};
use crate::support::spec;

#[test]
fn long_texts_are_split_and_captions_go_on_as_messages() {
    let paragraph = "word ".repeat(500);
    let long = format!("{paragraph}\n\n{paragraph}");
    let mut bot = bot(
        json!([
            {"id": "main", "steps": [{"id": "r", "type": "reply", "text": long, "quickReplies": [{"text": "b"}]}]},
            {"id": "media", "steps": [{"id": "m", "type": "reply", "text": long, "quickReplies": [{"text": "b"}],
                "media": {"kind": "photo", "url": "https://img.example.org/{{context.args}}.png"}}]},
            {"id": "file", "steps": [{"id": "m", "type": "reply", "text": " ", "media": {"kind": "voice", "fileId": "F{{context.args}}"}}]},
            {"id": "any", "steps": [{"id": "m", "type": "reply", "text": "", "media": {"kind": "video", "url": "{{context.args}}"}}]},
        ]),
        json!({"commands": [{"command": "/start", "flow": "main"}, {"command": "/media", "flow": "media"}, {"command": "/file", "flow": "file"}, {"command": "/any", "flow": "any"}]}),
    );
    let sent = bot.send("/start");
    assert_eq!(sent.texts(), [paragraph.as_str(), paragraph.as_str()]);
    assert_eq!(
        (keyboard(&sent.actions[0]), keyboard(&sent.actions[1])),
        (vec![], vec!["b"])
    );
    let sent = bot.send("/media a/b");
    assert_eq!(sent.actions[0]["method"], "sendPhoto");
    assert_eq!(
        sent.actions[0]["params"]["photo"],
        "https://img.example.org/a%2Fb.png"
    );
    assert!(
        sent.actions[0]["params"]["caption"]
            .as_str()
            .unwrap()
            .chars()
            .count()
            <= 1024
    );
    assert!(sent.actions.len() == 2 && keyboard(sent.actions.last().unwrap()) == ["b"]);
    let sent = bot.send("/any https://img.example.org/a?b=c");
    assert_eq!(
        sent.actions[0]["params"]["video"],
        "https://img.example.org/a?b=c"
    );
    assert_eq!(
        bot.send("/file 7").actions,
        [json!({"method": "sendVoice", "params": {"voice": "F7"}})]
    );
}

#[test]
fn intents_go_by_priority_and_cool_down_per_chat() {
    let flow = |id: &str| json!({"id": id, "steps": [{"id": "r", "type": "reply", "text": id}]});
    let mut bot = bot(
        json!([flow("main"), flow("low"), flow("high"), flow("equal")]),
        json!({"meta": {"botId": "test-bot", "name": "Test", "schema_ver": 1, "locales": ["en", "ru"], "defaultLocale": "en"},
            "intents": [
            {"id": "low", "keywords": {"en": ["pizza"]}, "priority": 1, "flow": "low"},
            {"id": "high", "keywords": {"en": ["pizza"], "ru": ["Пицца"]}, "priority": 5, "cooldownSec": 10, "flow": "high"},
            {"id": "equal", "keywords": {"en": ["pizza"]}, "priority": 5, "cooldownSec": 0, "flow": "equal"}]}),
    );
    assert_eq!(bot.send("a PIZZA!").texts(), ["high"]);
    assert_eq!(bot.send("pizza").texts(), ["equal"], "the other is cooling down");
    bot.wait(9);
    assert_eq!(bot.send("pizza").texts(), ["equal"]);
    bot.wait(1);
    assert_eq!(bot.send("pizza").texts(), ["high"]);
    assert_eq!(bot.send("pizzeria").texts(), [""; 0]);
    bot.user =
        json!({"id": 2, "firstName": "Боря", "lastName": null, "username": null, "languageCode": "ru-RU"});
    assert_eq!(bot.send("хочу ПИЦЦА").texts(), ["high"]);
    bot.user["languageCode"] = json!("fr");
    assert_eq!(bot.send("пицца").texts(), [""; 0]);
}

#[test]
fn other_updates_and_messages_without_text_are_answered_calmly() {
    let flows = json!([{"id": "main", "steps": [{"id": "q", "type": "ask", "text": "?"}, {"id": "r", "type": "reply", "text": "[{{context.input}}]"}]}]);
    let mut bot = bot(flows, json!({}));
    bot.send("/start");
    assert_eq!(
        bot.send("").texts(),
        ["[]"],
        "a photo answers the question with an empty text"
    );

    let program = botloom_generator::compile(&spec(json!([{"id": "main", "steps": []}]), json!({})));
    let mut node = crate::support::node::Node::load(&program);
    let state = json!({"v": {"a": 1}, "x": {}, "w": {"f": "main", "s": "q"}});
    let mut input = json!({
        "event": {"updateId": 1, "type": "edited_message", "text": "x", "command": null, "args": ""}, "state": state,
        "context": {"user": null, "chat": {"id": 1, "type": "private", "title": null}, "message": null,
            "now": "2026-01-01T12:00:00.000+01:00", "bot": {"username": null}},
    });
    assert_eq!(
        node.call(&input),
        Ok(json!({"state": state, "actions": [], "telemetry": []}))
    );
    input["event"]["type"] = json!("message");
    input["context"]["chat"] = Value::Null;
    assert_eq!(
        node.call(&input),
        Ok(json!({"state": state, "actions": [], "telemetry": []}))
    );
}

#[test]
fn what_is_substituted_is_never_read_again() {
    let flows = json!([{"id": "main", "steps": [
        {"id": "q", "type": "ask", "text": "?"}, {"id": "s", "type": "save", "key": "a"}, {"id": "r", "type": "reply", "text": "{{state.a}}"}]}]);
    let mut bot = bot(
        flows,
        json!({"state": {"keys": {"a": {"type": "string"}, "secret": {"type": "string", "default": "s3cret"}}}}),
    );
    bot.send("/start");
    assert_eq!(bot.send("{{state.secret}}").texts(), ["{{state.secret}}"]);
}
