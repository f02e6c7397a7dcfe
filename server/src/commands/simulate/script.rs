//! A scripted conversation: says what the script says, and fails where the bot does something else.

use std::collections::BTreeMap;

use botloom_core::TimestampMs;
use botloom_core::bot_js::ApiCallError;
use botloom_runtime::simulator::{Conversation, MadeCall, ScriptedAnswer, Sent};
use botloom_spec::model::BotSpec;
use botloom_spec::script::{ApiAnswer, ApiError, Entry, Message, Script, User};
use serde::Serialize;
use serde_json::Value;

use super::{person, shown};
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

/// When every script begins: 2026-01-01T12:00:00Z.
pub(super) const START: TimestampMs = TimestampMs(1_767_268_800_000);

struct Run<'a> {
    conversation: Conversation,
    spec: &'a BotSpec,
    user: User,
    now: TimestampMs,
    unseen: Vec<Sent>,
    calls: Vec<MadeCall>,
    answers: Vec<ApiAnswer>,
    verbose: bool,
}

/// Runs a script to its end.
pub(super) async fn run(
    conversation: Conversation,
    spec: &BotSpec,
    script: &Script,
    verbose: bool,
) -> CommandResult {
    if script.bot != spec.meta.bot_id {
        let reason = format!(
            "the script belongs to {}, the spec to {}",
            script.bot, spec.meta.bot_id
        );
        return Err(CommandError::Script(reason));
    }
    let mut run = Run {
        conversation,
        spec,
        user: User::default(),
        now: START,
        unseen: Vec::new(),
        calls: Vec::new(),
        answers: Vec::new(),
        verbose,
    };
    for (at, entry) in script.script.iter().enumerate() {
        run.entry(entry)
            .await
            .map_err(|reason| CommandError::Script(format!("entry {at}: {reason}")))?;
    }
    run.end()
        .map_err(|reason| CommandError::Script(format!("at the end: {reason}")))?;
    say(format!("{} entries, all as the script says", script.script.len()));
    Ok(())
}

impl Run<'_> {
    async fn entry(&mut self, entry: &Entry) -> Result<(), String> {
        match entry {
            Entry::User(user) => self.user = user.clone(),
            Entry::Send { text, user } => self.send(text, user.as_ref()).await?,
            Entry::Expect(expected) => self.expect(expected)?,
            Entry::Api(answer) => {
                self.conversation.answer(scripted(answer));
                self.answers.push(answer.clone());
            }
            Entry::Wait(seconds) => {
                let ms = i64::try_from(seconds.saturating_mul(1_000))
                    .map_err(|_| "the wait is too long".to_owned())?;
                self.conversation.advance(ms);
                self.now = self.now.plus(ms);
            }
            Entry::State(expected) => self.state(expected)?,
        }
        Ok(())
    }

    async fn send(&mut self, text: &str, user: Option<&User>) -> Result<(), String> {
        let user = user.unwrap_or(&self.user).clone();
        say(format!("{}> {text}", user.first_name));
        let transcript = self.conversation.send(&person(&user), user.id, text).await;
        transcript
            .messages
            .iter()
            .for_each(|sent| say(format!("bot> {}", shown::lines(sent))));
        if self.verbose {
            shown::details(&transcript, self.conversation.state(user.id));
        }
        transcript.outcome.map_err(|failed| failed.to_string())?;
        self.unseen.extend(transcript.messages);
        self.calls.extend(transcript.calls);
        Ok(())
    }

    fn expect(&mut self, expected: &[Message]) -> Result<(), String> {
        let sent: Vec<Message> = self.unseen.drain(..).map(|sent| shown::message(&sent)).collect();
        if sent == expected {
            Ok(())
        } else {
            Err(differs("messages", &expected, &sent))
        }
    }

    fn state(&self, expected: &BTreeMap<String, Value>) -> Result<(), String> {
        let document: Value = self
            .conversation
            .state(self.user.id)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or(Value::Null);
        for (key, expected) in expected {
            let value = self.value(&document, key);
            if !same(&value, expected) {
                return Err(differs(&format!("state.{key}"), expected, &value));
            }
        }
        Ok(())
    }

    /// What a placeholder would read: the stored value while it lives, else the default.
    fn value(&self, document: &Value, key: &str) -> Value {
        let expiry = document["x"][key].as_i64();
        let stored = document["v"]
            .get(key)
            .filter(|_| expiry.is_none_or(|expiry| self.now.0 < expiry));
        let declared = || {
            self.spec
                .state
                .keys
                .get(key)
                .and_then(|declared| declared.default.clone())
        };
        stored.cloned().or_else(declared).unwrap_or(Value::Null)
    }

    fn end(self) -> Result<(), String> {
        if !self.unseen.is_empty() {
            let sent: Vec<Message> = self.unseen.iter().map(shown::message).collect();
            return Err(differs("messages", &Vec::<Message>::new(), &sent));
        }
        if self.conversation.unused_answers() > 0 {
            return Err(format!(
                "{} prepared answers were not asked for",
                self.conversation.unused_answers()
            ));
        }
        for (at, call) in self.calls.iter().enumerate() {
            let Some(answer) = self.answers.get(at).filter(|_| call.answered) else {
                return Err(format!(
                    "call {at} ({} {}) has no prepared answer",
                    call.method, call.url
                ));
            };
            fits(call, answer).map_err(|reason| format!("call {at}: {reason}"))?;
        }
        Ok(())
    }
}

fn fits(call: &MadeCall, answer: &ApiAnswer) -> Result<(), String> {
    let expected = format!("{} {}", answer.method.as_str(), answer.url);
    let made = format!("{} {}", call.method, call.url);
    if expected != made {
        return Err(format!("expected {expected}, got {made}"));
    }
    let body = call.body.clone().unwrap_or(Value::Null);
    if let Some(expected) = answer
        .expect_body
        .as_ref()
        .filter(|expected| !same(expected, &body))
    {
        return Err(differs("body", expected, &body));
    }
    for (name, value) in &answer.expect_query {
        if !call.query.iter().any(|pair| pair.0 == *name && pair.1 == *value) {
            return Err(format!(
                "expected the parameter {name}={value}, got {:?}",
                call.query
            ));
        }
    }
    for (name, value) in &answer.expect_headers {
        if !call
            .headers
            .iter()
            .any(|pair| pair.0.eq_ignore_ascii_case(name) && pair.1 == *value)
        {
            return Err(format!(
                "expected the header {name}: {value}, got {:?}",
                call.headers
            ));
        }
    }
    Ok(())
}

fn scripted(answer: &ApiAnswer) -> ScriptedAnswer {
    match answer.error {
        Some(error) => ScriptedAnswer::Error(match error {
            ApiError::Timeout => ApiCallError::Timeout,
            ApiError::Connect => ApiCallError::Connect,
            ApiError::TooLarge => ApiCallError::TooLarge,
            ApiError::NotJson => ApiCallError::NotJson,
            ApiError::Denied => ApiCallError::Denied,
        }),
        None => ScriptedAnswer::Answer {
            status: answer.status,
            body: Some(answer.body.clone()),
        },
    }
}

/// Equal JSON: numbers by value, objects without order.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

fn differs(what: &str, expected: &impl Serialize, got: &impl Serialize) -> String {
    format!(
        "{what} differ\n  expected {}\n  got      {}",
        json(expected),
        json(got)
    )
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
