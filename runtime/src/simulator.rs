//! Conversations with an artifact, without Telegram and without a store: the same step loop, the same sandbox, a clock
//! that stands still. For authors in the terminal and for example bots as tests.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use botloom_core::bot_js::{ApiCall, ApiCallError, Telemetry};
pub use botloom_core::conversation::{
    CallAnswer, Failed, MadeCall, Person, ScriptedAnswer, Sent, Transcript,
};
use botloom_core::ids::ChatId;
use botloom_core::model::RevJson;
use botloom_core::ports::OutMessage;
use botloom_core::time::TimestampMs;
use botloom_telegram::update::Routed;
use serde_json::json;
use serde_json::value::RawValue;
use url::Url;
use uuid::Uuid;

use crate::effects::{ApiCalls, ApiOutcome, Attempt, Guard, Matcher, is_callable};
use crate::program::Program;
use crate::sandbox::Pool;
use crate::slots::Slots;
use crate::step_loop::{self, Failure, Host, Job, Overtaken};

/// Who answers the bot's `apiCall`s.
#[derive(Debug)]
pub enum Api {
    /// Prepared answers, in order; a call without one fails with `connect`. Nothing leaves the machine.
    Scripted,
    /// The guarded client: real calls.
    Real(Box<Guard>),
}

/// One bot and the people who talk to it.
#[derive(Debug)]
pub struct Conversation {
    pool: Pool,
    program: Program,
    matcher: Matcher,
    places: Slots,
    api: World,
    now: TimestampMs,
    states: HashMap<i64, Box<RawValue>>,
    updates: i64,
    /// What the idempotency keys of its calls begin with: services that are really called must not take one conversation
    /// for another.
    key: String,
}

#[derive(Debug)]
struct World {
    api: Api,
    answers: Mutex<VecDeque<ScriptedAnswer>>,
    calls: Mutex<Vec<MadeCall>>,
}

impl Conversation {
    /// A bot that nobody has spoken to yet, at the moment `now`.
    pub fn new(pool: Pool, bot_js: impl Into<String>, passport: RevJson, api: Api, now: TimestampMs) -> Self {
        let key = match &api {
            Api::Scripted => "simulated".to_owned(),
            Api::Real(_) => format!("simulated-{}", Uuid::new_v4()),
        };
        Self {
            key,
            pool,
            program: Program::new(bot_js.into(), passport),
            matcher: Matcher::default(),
            // One update at a time.
            places: Slots::new(1, 1),
            api: World {
                api,
                answers: Mutex::default(),
                calls: Mutex::default(),
            },
            now,
            states: HashMap::new(),
            updates: 0,
        }
    }

    /// Prepares the answer to the next call that has none.
    pub fn answer(&mut self, answer: ScriptedAnswer) {
        self.api
            .answers
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(answer);
    }

    /// Prepared answers that no call has used.
    pub fn unused_answers(&self) -> usize {
        self.api
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Lets virtual milliseconds pass.
    pub fn advance(&mut self, ms: i64) {
        self.now = self.now.plus(ms);
    }

    /// The stored document of a chat, JSON text.
    pub fn state(&self, chat: i64) -> Option<&str> {
        self.states.get(&chat).map(|state| state.get())
    }

    /// A text message of somebody in a chat: their private one if `chat` is their id, else a group.
    pub async fn send(&mut self, person: &Person, chat: i64, text: &str) -> Transcript {
        self.updates += 1;
        let seconds = self.now.0.div_euclid(1_000);
        let place = if chat == person.id {
            json!({"id": chat, "type": "private", "first_name": person.first_name})
        } else {
            json!({"id": chat, "type": "supergroup", "title": "Group"})
        };
        let from = json!({
            "id": person.id, "is_bot": false, "first_name": person.first_name, "last_name": person.last_name,
            "username": person.username, "language_code": person.language_code,
        });
        let message =
            json!({"message_id": self.updates, "date": seconds, "chat": place, "from": from, "text": text});
        let update = json!({"update_id": self.updates, "message": message}).to_string();
        self.update(chat, &update).await
    }

    async fn update(&mut self, chat: i64, text: &str) -> Transcript {
        let outcome = self.run(chat, text).await;
        let calls = std::mem::take(self.api.calls.get_mut().unwrap_or_else(PoisonError::into_inner));
        match outcome {
            Ok((messages, telemetry)) => Transcript {
                messages,
                telemetry,
                calls,
                outcome: Ok(()),
            },
            Err(failure) => {
                let failed = match failure {
                    Failure::Program { outcome, detail } => Failed {
                        outcome: outcome.to_owned(),
                        detail,
                    },
                    Failure::NoSandbox(detail) => Failed {
                        outcome: "no_sandbox".to_owned(),
                        detail,
                    },
                    Failure::Overtaken => unreachable!("nothing overtakes a simulated revision"),
                };
                Transcript {
                    messages: Vec::new(),
                    telemetry: Vec::new(),
                    calls,
                    outcome: Err(failed),
                }
            }
        }
    }

    async fn run(&mut self, chat: i64, text: &str) -> Result<(Vec<Sent>, Vec<Telemetry>), Failure> {
        let update = Routed::parse(text).expect("the update was written here");
        let job = Job {
            program: &self.program,
            event: &step_loop::event(&update),
            context: &step_loop::context(&update, self.now, &self.program.zone, None),
            state: self.states.get(&chat).map(|state| &**state),
            key: &format!("{}:{}", self.key, self.updates),
            now: self.now,
            fresh: false,
        };
        let host = Host {
            pool: &self.pool,
            matcher: &self.matcher,
            api: &self.api,
            places: &self.places,
            overtaken: Overtaken::never(),
        };
        let done = step_loop::run(&host, &job).await?;
        let lane = ChatId::from(chat);
        let messages = done
            .actions
            .into_iter()
            .map(|action| step_loop::message(action, &lane, self.now, ("simulated", None)).map(sent))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Failure::bad_result)?;
        match done.state {
            Some(state) => self.states.insert(chat, state),
            None => self.states.remove(&chat),
        };
        Ok((messages, done.telemetry))
    }
}

fn sent(message: OutMessage) -> Sent {
    let params = serde_json::from_slice(&message.params).expect("parameters were serialised from an object");
    Sent {
        method: message.method,
        params,
    }
}

impl ApiCalls for World {
    async fn call(&self, call: &ApiCall, attempt: Attempt<'_>) -> ApiOutcome {
        let mut made = made(call);
        let outcome = match &self.api {
            Api::Real(guard) => {
                made.answered = true;
                ApiCalls::call(&**guard, call, attempt).await
            }
            Api::Scripted => self.scripted(call, attempt, &mut made),
        };
        made.answer = told(&outcome);
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(made);
        outcome
    }
}

impl World {
    fn scripted(&self, call: &ApiCall, attempt: Attempt<'_>, made: &mut MadeCall) -> ApiOutcome {
        let allowed = is_callable(call, attempt.allow);
        let answer = if allowed {
            self.answers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front()
        } else {
            None
        };
        made.answered = answer.is_some() || !allowed;
        match answer {
            _ if !allowed => Err((ApiCallError::Denied, None)),
            None => Err((ApiCallError::Connect, None)),
            Some(ScriptedAnswer::Error(error)) => Err((error, None)),
            Some(ScriptedAnswer::Answer { status, .. }) if !(200..300).contains(&status) => {
                Err((ApiCallError::Status, Some(status)))
            }
            Some(ScriptedAnswer::Answer { status, body }) => {
                let body =
                    body.map(|body| serde_json::value::to_raw_value(&body).expect("a JSON value serialises"));
                Ok((status, body))
            }
        }
    }
}

/// An outcome as the bot is told of it.
fn told(outcome: &ApiOutcome) -> CallAnswer {
    match outcome {
        Ok((status, body)) => CallAnswer {
            status: Some(*status),
            body: body
                .as_ref()
                .and_then(|body| serde_json::from_str(body.get()).ok()),
            error: None,
        },
        Err((error, status)) => CallAnswer {
            status: *status,
            body: None,
            error: Some(*error),
        },
    }
}

fn made(call: &ApiCall) -> MadeCall {
    let mut query = Vec::new();
    let url = Url::parse(&call.url).map_or_else(
        |_| call.url.clone(),
        |mut url| {
            query.extend(url.query_pairs().into_owned());
            url.set_query(None);
            url.set_fragment(None);
            url.to_string()
        },
    );
    query.extend(call.query.clone());
    MadeCall {
        method: call.method.clone(),
        url,
        query,
        headers: call.headers.clone().into_iter().collect(),
        body: call
            .body
            .as_ref()
            .and_then(|body| serde_json::from_str(body.get()).ok()),
        answered: false,
        answer: CallAnswer::default(),
    }
}
