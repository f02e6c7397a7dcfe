//! Somebody's API: answers what the test says and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

#[derive(Debug, Default)]
struct Shared {
    asked: Vec<Asked>,
    answers: Vec<(u16, String)>,
}

/// The stub.
#[derive(Debug, Clone)]
pub(crate) struct Stub {
    shared: Arc<Mutex<Shared>>,
    pub(crate) address: SocketAddr,
}

impl Stub {
    /// Answers `answers` one after the other, the last one for ever.
    pub(crate) async fn start(answers: &[(u16, &str)]) -> Self {
        let answers = answers
            .iter()
            .map(|(status, body)| (*status, (*body).to_owned()))
            .collect();
        let shared = Arc::new(Mutex::new(Shared {
            asked: Vec::new(),
            answers,
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shared, address }
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.lock().unwrap().asked.clone()
    }
}

async fn answer(
    State(shared): State<Arc<Mutex<Shared>>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    let mut shared = shared.lock().unwrap();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    shared.asked.push(Asked {
        method: method.to_string(),
        headers,
        body,
    });
    let (status, text) = if shared.answers.len() > 1 {
        shared.answers.remove(0)
    } else {
        shared.answers[0].clone()
    };
    (
        StatusCode::from_u16(status).unwrap(),
        [("content-type", "application/json")],
        text,
    )
}
