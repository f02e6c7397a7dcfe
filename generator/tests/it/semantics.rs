//! What bots do, step by step, where the example conversations do not go.
//!
//! Longer than most files: many small stories of one kind.

use serde_json::{Value, json};

use crate::support::chat::Bot;
use crate::support::spec;

pub(crate) fn bot(flows: Value, more: Value) -> Bot {
    Bot::new(spec(flows, more))
}

pub(crate) fn keyboard(action: &Value) -> Vec<&str> {
    let rows = action["params"]["reply_markup"]["keyboard"].as_array();
    rows.into_iter()
        .flatten()
        .map(|row| row[0]["text"].as_str().unwrap())
        .collect()
}

#[test]
fn a_message_that_nothing_waits_for_changes_nothing() {
    let mut bot = bot(
        json!([{"id": "main", "steps": [{"id": "a", "type": "reply", "text": "hi"}]}]),
        json!({}),
    );
    assert_eq!(bot.send("hello").actions, [Value::Null; 0]);
    assert_eq!(bot.send("/unknown").actions, [Value::Null; 0]);
    assert_eq!(bot.send("/start").texts(), ["hi"]);
    assert!(bot.states.is_empty(), "nothing to remember");
}

#[test]
fn messages_have_no_parse_mode_and_no_chat() {
    let mut bot = bot(
        json!([{"id": "main", "steps": [{"id": "a", "type": "reply", "text": "<b>{{context.args}}"}]}]),
        json!({}),
    );
    assert_eq!(
        bot.send("/start </b>*x*").actions,
        [json!({"method": "sendMessage", "params": {"text": "<b></b>*x*"}})]
    );
}

#[test]
fn a_command_interrupts_and_its_question_is_forgotten() {
    let mut bot = bot(
        json!([
            {"id": "main", "steps": [
                {"id": "q", "type": "ask", "text": "name?", "quickReplies": [{"text": "Bob", "value": "robert"}]},
                {"id": "s", "type": "save", "key": "name"}, {"id": "r", "type": "reply", "text": "{{state.name}}"}]},
            {"id": "stop", "steps": []},
        ]),
        json!({"commands": [{"command": "/start", "flow": "main"}, {"command": "/stop", "flow": "stop"}],
               "state": {"keys": {"name": {"type": "string"}}}}),
    );
    assert_eq!(keyboard(&bot.send("/start").actions[0]), ["Bob"]);
    bot.send("/stop");
    assert_eq!(bot.send("Bob").actions, [Value::Null; 0]);
    bot.send("/start");
    bot.send("/nonsense");
    assert_eq!(bot.send("Bob").actions, [Value::Null; 0]);
    bot.send("/start");
    assert_eq!(bot.send("Bob").texts(), ["robert"]);
    assert_eq!(
        bot.send("Bob").actions,
        [Value::Null; 0],
        "the keyboard went with the waiting"
    );
}

#[test]
fn a_reply_keyboard_stays_live_and_starts_flows_again_and_again() {
    let mut bot = bot(
        json!([
            {"id": "main", "steps": [{"id": "r", "type": "reply", "text": "menu", "quickReplies": [
                {"text": "Go {{context.user.firstName}}", "flow": "go"}, {"text": "  "}, {"text": "Plain", "value": "pizza"}]}]},
            {"id": "go", "steps": [{"id": "g", "type": "reply", "text": "gone: {{context.input}}"}]},
        ]),
        json!({"intents": [{"id": "i", "keywords": {"en": ["pizza"]}, "flow": "go"}]}),
    );
    let sent = bot.send("/start");
    assert_eq!(keyboard(&sent.actions[0]), ["Go Ada", "Plain"]);
    assert_eq!(
        sent.actions[0]["params"]["reply_markup"]["one_time_keyboard"],
        true
    );
    assert_eq!(sent.actions[0]["params"]["reply_markup"]["resize_keyboard"], true);
    assert_eq!(bot.send("Go Ada").texts(), ["gone: Go Ada"]);
    assert_eq!(bot.send("Go Ada").texts(), ["gone: Go Ada"]);
    assert_eq!(bot.send("go ada").texts(), [""; 0], "character for character");
    assert_eq!(
        bot.send("Plain").texts(),
        ["gone: pizza"],
        "the value is the input of intents, too"
    );
}

#[test]
fn a_revision_that_does_not_know_the_waiting_step_forgets_it_and_keeps_the_values() {
    let mut bot = bot(
        json!([{"id": "main", "steps": [{"id": "r", "type": "reply", "text": "{{state.a}}"}]}]),
        json!({"state": {"keys": {"a": {"type": "string"}}},
               "intents": [{"id": "i", "keywords": {"en": ["hi"]}, "flow": "main"}]}),
    );
    for waiting in [
        json!({"f": "gone", "s": "x"}),
        json!({"f": "main", "s": "gone"}),
        json!({"f": "main", "s": "r"}),
        json!({"f": "toString", "s": "x"}),
    ] {
        bot.states
            .insert(1, json!({"v": {"a": "kept"}, "x": {}, "w": waiting}));
        assert_eq!(bot.send("hi").texts(), ["kept"]);
        assert_eq!(bot.states[&1], json!({"v": {"a": "kept"}, "x": {}}));
    }
}

fn order() -> Bot {
    bot(
        json!([{"id": "main", "steps": [
            {"id": "q", "type": "ask", "text": "size?", "quickReplies": [{"text": "30"}]},
            {"id": "c", "type": "validate", "schema": {"type": "integer", "minimum": 30},
             "onFail": {"text": "no: {{context.input}}", "maxAttempts": 3, "goto": "bye"}},
            {"id": "s", "type": "save", "key": "size"},
            {"id": "ok", "type": "reply", "text": "ok {{state.size}}"},
            {"id": "end", "type": "goto", "step": "last"},
            {"id": "bye", "type": "reply", "text": "bye"},
            {"id": "last", "type": "reply", "text": "."},
        ]}]),
        json!({"state": {"keys": {"size": {"type": "number"}}},
            "telemetry": {"events": ["flow_started", "flow_completed", "step_completed", "validation_failed"]}}),
    )
}

#[test]
fn a_failed_answer_is_asked_for_again_until_the_last_attempt() {
    let mut bot = order();
    bot.send("/start");
    assert_eq!(bot.send("20").texts(), ["no: 20"]);
    assert_eq!(bot.send("abc").texts(), ["no: abc"]);
    assert_eq!(
        bot.send("1").texts(),
        ["bye", "."],
        "the last attempt sends no text"
    );
    assert_eq!(bot.send("30").actions, [Value::Null; 0], "nothing waits any more");
    bot.send("/start");
    assert_eq!(bot.send("20").texts(), ["no: 20"], "a new question counts anew");
    assert_eq!(bot.send("30").texts(), ["ok 30", "."]);
    assert_eq!(bot.value("size"), 30);
}

#[test]
fn events_are_recorded_without_what_people_wrote() {
    let mut bot = order();
    assert_eq!(
        bot.send("/start").telemetry,
        [json!({"event": "flow_started", "flow": "main"})]
    );
    assert_eq!(
        bot.send("x").telemetry,
        [
            json!({"event": "step_completed", "flow": "main", "step": "q", "kind": "ask"}),
            json!({"event": "validation_failed", "flow": "main", "step": "c", "attempt": 1}),
        ]
    );
    let events = bot.send("40").telemetry;
    let steps: Vec<_> = events.iter().filter_map(|event| event["step"].as_str()).collect();
    assert_eq!(steps, ["q", "c", "s", "ok", "end", "last"]);
    assert_eq!(
        events.last(),
        Some(&json!({"event": "flow_completed", "flow": "main"}))
    );
}

#[test]
fn an_event_that_is_not_asked_for_is_not_recorded() {
    let flows = json!([{"id": "main", "steps": [{"id": "r", "type": "reply", "text": "x"}]}]);
    let mut bot = bot(flows, json!({"telemetry": {"events": ["flow_completed"]}}));
    assert_eq!(
        bot.send("/start").telemetry,
        [json!({"event": "flow_completed", "flow": "main"})]
    );
}

#[test]
fn a_validate_without_a_question_waits_at_itself() {
    let mut bot = bot(
        json!([{"id": "main", "steps": [
            {"id": "c", "type": "validate", "regex": "^/?[a-z]+$", "onFail": {"text": "again", "maxAttempts": 2}},
            {"id": "c2", "type": "validate", "regex": "ok", "onFail": {"text": "say ok", "maxAttempts": 2}},
            {"id": "r", "type": "reply", "text": "done"}]}]),
        json!({}),
    );
    assert_eq!(bot.send("/start").texts(), ["say ok"]);
    assert_eq!(
        bot.send("ok").texts(),
        ["done"],
        "waits at the step itself, not at the one before"
    );
    bot.send("/start");
    assert_eq!(
        bot.send("no").texts(),
        [""; 0],
        "the second failure ends the flow"
    );
    assert_eq!(bot.send("ok").texts(), [""; 0]);
}

#[test]
fn a_value_that_does_not_fit_is_a_failed_answer() {
    let mut bot = bot(
        json!([
            {"id": "main", "steps": [
                {"id": "q", "type": "ask", "text": "word?", "quickReplies": [{"text": "b"}]},
                {"id": "s", "type": "save", "key": "short"}, {"id": "r", "type": "reply", "text": "ok"}]},
            {"id": "checked", "steps": [
                {"id": "q", "type": "ask", "text": "word?"},
                {"id": "c", "type": "validate", "regex": "", "onFail": {"text": "too long", "maxAttempts": 2, "goto": "out"}},
                {"id": "s", "type": "save", "key": "short"}, {"id": "r", "type": "reply", "text": "ok"},
                {"id": "out", "type": "reply", "text": "out"}]},
            {"id": "alone", "steps": [{"id": "s", "type": "save", "key": "n"}, {"id": "r", "type": "reply", "text": "not reached"}]},
        ]),
        json!({"commands": [{"command": "/start", "flow": "main"}, {"command": "/checked", "flow": "checked"}, {"command": "/alone", "flow": "alone"}],
               "state": {"keys": {"short": {"type": "string", "maxBytes": 4}, "n": {"type": "number"}}}}),
    );
    bot.send("/start");
    let again = bot.send("too long");
    assert_eq!(
        (again.texts(), keyboard(&again.actions[0])),
        (vec!["word?"], vec!["b"])
    );
    assert_eq!(bot.value("short"), Value::Null);
    assert_eq!(bot.send("ééé").texts(), ["word?"]);
    assert_eq!(
        bot.send("12345").texts(),
        [""; 0],
        "the third failure ends the flow"
    );
    bot.send("/start");
    bot.send("too long");
    assert_eq!(bot.send("éé").texts(), ["ok"]);
    bot.send("/checked");
    assert_eq!(bot.send("too long").texts(), ["too long"]);
    assert_eq!(
        bot.send("too long").texts(),
        ["out",][..1],
        "the attempts of the validate hold"
    );
    assert_eq!(bot.send("/alone x").texts(), [""; 0]);
}

#[test]
fn save_evaluates_templates_with_their_types() {
    let mut bot = bot(
        json!([{"id": "main", "steps": [
            {"id": "a", "type": "save", "key": "n", "value": "7"},
            {"id": "b", "type": "save", "key": "o", "value": {"n": "{{state.n}}", "t": "n={{state.n}}", "list": ["{{state.none}}", true]}},
            {"id": "c", "type": "save", "key": "s", "value": "{{state.o}}"},
            {"id": "d", "type": "save", "key": "list", "value": "[1, 2]"},
            {"id": "e", "type": "save", "key": "yes", "value": true}]}]),
        json!({"state": {"keys": {"n": {"type": "number"}, "o": {"type": "object"}, "s": {"type": "string"},
            "list": {"type": "array"}, "yes": {"type": "boolean"}, "none": {"type": "string"}}}}),
    );
    bot.send("/start");
    assert_eq!(bot.value("o"), json!({"n": 7, "t": "n=7", "list": ["", true]}));
    assert_eq!(bot.value("s"), "{\"n\":7,\"t\":\"n=7\",\"list\":[\"\",true]}");
    assert_eq!(
        (bot.value("list"), bot.value("yes")),
        (json!([1, 2]), json!(true))
    );
}

#[test]
fn values_expire_and_defaults_come_back() {
    let mut bot = bot(
        json!([
            {"id": "main", "steps": [{"id": "a", "type": "save", "key": "a", "value": "new"}, {"id": "b", "type": "save", "key": "b", "value": "new"}]},
            {"id": "show", "steps": [{"id": "r", "type": "reply", "text": "{{state.a}} {{state.b}} {{state.c}}"}]},
        ]),
        json!({"commands": [{"command": "/start", "flow": "main"}, {"command": "/show", "flow": "show"}],
            "state": {"ttlSec": 100, "keys": {"a": {"type": "string", "ttlSec": 10, "default": "old"},
                "b": {"type": "string"}, "c": {"type": "number", "default": 5}}}}),
    );
    assert_eq!(bot.send("/show").texts(), ["old  5"]);
    bot.send("/start");
    assert_eq!(bot.send("/show").texts(), ["new new 5"]);
    bot.wait(9);
    assert_eq!(bot.send("/show").texts(), ["new new 5"]);
    bot.wait(1);
    assert_eq!(bot.send("/show").texts(), ["old new 5"]);
    bot.wait(90);
    assert_eq!(bot.send("/show").texts(), ["old  5"]);
    assert!(bot.states.is_empty());
}

#[test]
fn an_api_call_is_asked_for_with_everything_filled_in() {
    let mut bot = bot(
        json!([{"id": "main", "steps": [
            {"id": "call", "type": "apiCall", "method": "POST", "url": "https://api.example.org/{{context.args}}",
             "headers": {"X-Name": "{{context.args}}\r\nX-Evil: 1"}, "query": {"q": "a b&{{context.args}}", "n": 1.5, "b": true},
             "body": {"args": "{{context.args}}", "none": "{{state.price}}", "id": "{{context.user.id}}"},
             "timeoutMs": 2000, "retries": 2, "map": {"price": "/total/amount", "note": "/note"}, "onError": {"goto": "sorry"}},
            {"id": "ok", "type": "reply", "text": "{{state.price}}{{state.note}}"},
            {"id": "end", "type": "goto", "flow": "done"},
            {"id": "sorry", "type": "reply", "text": "sorry"}]},
            {"id": "done", "steps": []}]),
        json!({"state": {"keys": {"price": {"type": "number"}, "note": {"type": "string"}}},
            "security": {"allowDomains": ["api.example.org"]}, "telemetry": {"events": ["api_ok", "api_error"]}}),
    );
    bot.answers
        .push(json!({"ok": true, "status": 201, "body": {"total": {"amount": "12.5"}, "note": "!"}}));
    let outcome = bot.send("/start a/b?c");
    assert_eq!(outcome.texts(), ["12.5!"]);
    assert_eq!(
        outcome.telemetry,
        [json!({"event": "api_ok", "flow": "main", "step": "call", "status": 201})]
    );
    let mut request = outcome.requests[0].clone();
    request.as_object_mut().unwrap().remove("cont");
    assert_eq!(
        request,
        json!({"type": "apiCall", "method": "POST", "url": "https://api.example.org/a%2Fb%3Fc",
            "headers": {"X-Name": "a/b?c X-Evil: 1"}, "query": {"q": "a b&a/b?c", "n": "1.5", "b": "true"},
            "body": {"args": "a/b?c", "none": null, "id": 1}, "timeoutMs": 2000, "retries": 2,
            "backoff": {"baseMs": 100, "factor": 2}})
    );

    bot.answers
        .push(json!({"ok": true, "status": 200, "body": {"total": {"amount": "much"}, "note": "?"}}));
    let outcome = bot.send("/start x");
    assert_eq!(
        outcome.texts(),
        ["sorry"],
        "a value that does not convert fails the call"
    );
    assert_eq!(outcome.telemetry[0]["event"], "api_error");
    assert_eq!(
        (bot.value("price"), bot.value("note")),
        (json!(12.5), json!("!")),
        "none of the map was applied"
    );

    bot.answers
        .push(json!({"ok": true, "status": 200, "body": {"total": null}}));
    assert_eq!(bot.send("/start x").texts(), [""; 0], "an empty text is not sent");
    assert_eq!(bot.value("price"), Value::Null, "finding nothing deletes the key");

    bot.answers
        .push(json!({"ok": false, "error": "status", "status": 503}));
    let outcome = bot.send("/start x");
    assert_eq!(outcome.texts(), ["sorry"]);
    assert_eq!(
        outcome.telemetry,
        [json!({"event": "api_error", "flow": "main", "step": "call", "error": "status", "status": 503})]
    );
}

#[test]
fn conditions_with_many_patterns_are_asked_for_in_portions() {
    let patterns: Vec<Value> = (0..40)
        .map(|n| json!({"path": "context.args", "op": "matches", "value": format!("x{n}x")}))
        .collect();
    let mut bot = bot(
        json!([{"id": "main", "steps": [
            {"id": "g", "type": "goto", "when": {"any": [{"all": patterns}, {"not": {"any": patterns}}]}, "step": "yes", "elseNext": "no"},
            {"id": "no", "type": "reply", "text": "no"}, {"id": "e", "type": "goto", "flow": "end"}, {"id": "yes", "type": "reply", "text": "yes"}]},
            {"id": "end", "steps": []}]),
        json!({}),
    );
    let all = (0..40).map(|n| format!("x{n}x")).collect::<Vec<_>>().concat();
    assert_eq!(bot.send(&format!("/start {all}")).texts(), ["yes"]);
    assert_eq!(bot.send("/start nothing").texts(), ["yes"]);
    assert_eq!(bot.send("/start x39x").texts(), ["no"]);
}

#[test]
fn the_201st_step_of_an_update_throws_and_nothing_is_stored() {
    let mut flow: Vec<Value> = (0..39)
        .map(|n| json!({"id": format!("s{n}"), "type": "save", "key": "n", "value": n}))
        .collect();
    flow.push(json!({"id": "again", "type": "goto", "step": "s0"}));
    let mut endless = bot(
        json!([{"id": "main", "steps": flow}]),
        json!({"state": {"keys": {"n": {"type": "number"}}}}),
    );
    let thrown = endless.try_send("/start").unwrap_err();
    assert!(thrown.starts_with("transition_limit: "), "{thrown}");
    assert!(endless.states.is_empty());

    let mut flow: Vec<Value> = (0..200)
        .map(|n| json!({"id": format!("s{n}"), "type": "save", "key": "n", "value": n}))
        .collect();
    let mut just = bot(
        json!([{"id": "main", "steps": flow}]),
        json!({"state": {"keys": {"n": {"type": "number"}}}}),
    );
    just.send("/start");
    assert_eq!(just.value("n"), 199);
    flow.push(json!({"id": "one", "type": "reply", "text": "too many"}));
    let mut over = bot(
        json!([{"id": "main", "steps": flow}]),
        json!({"state": {"keys": {"n": {"type": "number"}}}}),
    );
    assert!(over.try_send("/start").is_err());
}

#[test]
fn transitions_are_counted_over_effects() {
    let mut flow: Vec<Value> = (0..210)
        .map(|n| json!({"id": format!("s{n}"), "type": "save", "key": "n", "value": n}))
        .collect();
    flow.insert(
        100,
        json!({"id": "v", "type": "validate", "regex": "", "onFail": {"text": "no"}}),
    );
    let mut bot = bot(
        json!([{"id": "main", "steps": flow}]),
        json!({"state": {"keys": {"n": {"type": "number"}}}}),
    );
    let thrown = bot.try_send("/start").unwrap_err();
    assert!(thrown.starts_with("transition_limit: "), "{thrown}");
}
