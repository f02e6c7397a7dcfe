//! The loop of the runtime, without its stores: calls `handle` until no effect is asked for.

use std::collections::HashMap;

use botloom_core::TimestampMs;
use botloom_core::bot_js::{ApiCall, MAX_CALLS, MAX_MATCH_TESTS, Output};
use botloom_spec::model::BotSpec;
use serde_json::{Value, json};

use super::node::Node;

/// What became of an update.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Calls of the Bot API.
    pub(crate) actions: Vec<Value>,
    /// Events.
    pub(crate) telemetry: Vec<Value>,
    /// Requests.
    pub(crate) requests: Vec<Value>,
}

impl Outcome {
    /// Texts that were sent.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.actions
            .iter()
            .filter_map(|action| action["params"]["text"].as_str())
            .collect()
    }
}

/// A bot with its chats.
pub(crate) struct Bot {
    node: Node,
    spec: BotSpec,
    /// Documents by chat.
    pub(crate) states: HashMap<i64, Value>,
    /// Answers to the next requests: the `resume` without its `cont`.
    pub(crate) answers: Vec<Value>,
    /// The time.
    pub(crate) now: TimestampMs,
    /// Who speaks, as `context.user`.
    pub(crate) user: Value,
    updates: i64,
}

impl Bot {
    /// Compiles a spec, puts the program through the filter and loads it.
    pub(crate) fn new(spec: BotSpec) -> Self {
        let source = botloom_generator::compile(&spec);
        let verdict = botloom_generator::filter(&source, &spec.security.allow_domains);
        assert!(verdict.is_ok(), "{verdict:#?}\n{source}");
        Self {
            node: Node::load(&source),
            spec,
            states: HashMap::new(),
            answers: Vec::new(),
            // 2026-01-01T12:00:00Z
            now: TimestampMs(1_767_268_800_000),
            user: json!({"id": 1, "firstName": "Ada", "lastName": null, "username": null, "languageCode": "en"}),
            updates: 0,
        }
    }

    /// A text message of who speaks, in their private chat.
    pub(crate) fn send(&mut self, text: &str) -> Outcome {
        self.try_send(text).unwrap()
    }

    /// As `send`; `Err` holds the message of what the bot threw. Then nothing is stored.
    pub(crate) fn try_send(&mut self, text: &str) -> Result<Outcome, String> {
        self.updates += 1;
        let chat = self.user["id"].as_i64().unwrap();
        let (command, args) = command(text);
        let mut input = json!({
            "event": {"updateId": self.updates, "type": "message", "text": text, "command": command, "args": args},
            "context": {
                "user": self.user, "chat": {"id": chat, "type": "private", "title": null},
                "message": {"id": self.updates, "date": self.now.0 / 1000}, "now": self.now.to_rfc3339(),
                "bot": {"username": "test_bot"},
            },
        });
        let mut state = self.states.get(&chat).cloned().unwrap_or(Value::Null);
        let mut outcome = Outcome::default();
        for _ in 0..MAX_CALLS {
            input["state"] = state;
            let answer = self.node.call(&input)?;
            check(&answer);
            outcome.actions.extend(list(&answer["actions"]));
            outcome.telemetry.extend(list(&answer["telemetry"]));
            state = answer["state"].clone();
            let effect = &answer["effect"];
            if effect.is_null() {
                if state.is_null() {
                    self.states.remove(&chat)
                } else {
                    self.states.insert(chat, state)
                };
                return Ok(outcome);
            }
            let mut resume = self.answer(effect, &mut outcome);
            resume["type"] = effect["type"].clone();
            resume["cont"] = effect["cont"].clone();
            input["resume"] = resume;
        }
        panic!("more than {MAX_CALLS} calls");
    }

    fn answer(&mut self, effect: &Value, outcome: &mut Outcome) -> Value {
        if effect["type"] == "match" {
            let tests = list(&effect["tests"]);
            assert!(tests.len() <= MAX_MATCH_TESTS);
            return json!({"results": tests.iter().map(matches).collect::<Vec<_>>()});
        }
        outcome.requests.push(effect.clone());
        assert!(!self.answers.is_empty(), "no answer to {effect}");
        self.answers.remove(0)
    }

    /// The value of a state key in the chat of who speaks: stored and not expired, else its default, else null.
    pub(crate) fn value(&self, key: &str) -> Value {
        let doc = self
            .states
            .get(&self.user["id"].as_i64().unwrap())
            .unwrap_or(&Value::Null);
        let live = doc["x"][key].as_i64().is_none_or(|expiry| self.now.0 < expiry);
        match doc["v"].get(key).filter(|_| live) {
            Some(value) => value.clone(),
            None => self
                .spec
                .state
                .keys
                .get(key)
                .and_then(|key| key.default.clone())
                .unwrap_or(Value::Null),
        }
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.now = self.now.plus(seconds * 1000);
    }
}

/// Command name and arguments, as the runtime tells them.
fn command(text: &str) -> (Option<String>, &str) {
    let Some(rest) = text.strip_prefix('/') else {
        return (None, "");
    };
    let (name, args) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    (Some(name.to_lowercase()), args.trim())
}

fn matches(test: &Value) -> bool {
    let text = test["text"].as_str().unwrap();
    if let Some(pattern) = test["pattern"].as_str() {
        return regex::Regex::new(pattern).unwrap().is_match(text);
    }
    let schema = jsonschema::validator_for(&test["schema"]).unwrap();
    let scalar = serde_json::from_str::<Value>(text.trim())
        .ok()
        .filter(|value| value.is_number() || value.is_boolean());
    schema.is_valid(&test["text"]) || scalar.is_some_and(|value| schema.is_valid(&value))
}

/// The answer has the form that the host accepts.
fn check(answer: &Value) {
    let mut answer = answer.clone();
    let effect = answer.as_object_mut().unwrap().remove("effect");
    let typed = serde_json::from_str::<Output>(&answer.to_string());
    assert!(typed.is_ok(), "{typed:?}: {answer}");
    if let Some(effect) = effect.filter(|effect| effect["type"] == "apiCall") {
        let typed = serde_json::from_str::<ApiCall>(&effect.to_string());
        assert!(typed.is_ok(), "{typed:?}: {effect}");
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap().clone()
}
