//! The client and the simulator against each other, over sockets.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, also in its helpers, a panic is the report"
)]

mod canary;
mod client;
mod control;
mod data;
mod files;
mod floods;
mod managed;
mod people;
mod polling;
mod receiver;
mod routing;
mod sending;
mod webhooks;

use std::time::Duration;

use botloom_telegram::simulator::{FloodModel, Handle, Options, Person, Simulator};
use botloom_telegram::{CallError, Client, Token};
use serde_json::{Value, json};

/// Long enough for anything that comes at all.
const PATIENCE: Duration = Duration::from_secs(20);
const TOKEN: &str = "7100000001:AAtest-token_test";
const BOT: i64 = 7_100_000_001;

/// A simulator with one bot, a person who has written to it, and a client.
struct Scene {
    sim: Handle,
    client: Client,
    token: Token,
    ann: Person,
}

impl Scene {
    async fn new() -> Self {
        Self::with(Options {
            flood: FloodModel::off(),
            ..Options::default()
        })
        .await
    }

    async fn with(options: Options) -> Self {
        let sim = Simulator::start(options).await.unwrap();
        let client = client_of(&sim);
        let token = Token::new(TOKEN).unwrap();
        assert_eq!(sim.bot(&token), BOT);
        let ann = sim.person("Ann");
        sim.say(BOT, ann.id, "/start").unwrap();
        Self {
            sim,
            client,
            token,
            ann,
        }
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, CallError> {
        self.client.call(&self.token, method, &params).await
    }

    async fn text(&self, text: &str) -> Result<Value, CallError> {
        self.call("sendMessage", json!({ "chat_id": self.ann.id, "text": text }))
            .await
    }
}

fn client_of(sim: &Handle) -> Client {
    Client::new(botloom_telegram::Options {
        api_root: sim.url(),
        ..botloom_telegram::Options::default()
    })
    .unwrap()
}

/// Code and words of a refusal.
fn refusal<T: std::fmt::Debug>(outcome: Result<T, CallError>) -> (u16, String) {
    match outcome {
        Err(CallError::Api {
            code, description, ..
        }) => (code, description),
        other => panic!("expected a refusal, not {other:?}"),
    }
}
