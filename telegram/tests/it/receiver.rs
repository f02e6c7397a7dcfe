//! A webhook's receiver, and a bot that is hooked to it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use botloom_telegram::simulator::{Event, Filter, FloodModel, Options};
use botloom_telegram::update::Routed;
use botloom_telegram::{SetWebhook, WebhookInfo};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::{BOT, PATIENCE, Scene};

/// What the receiver got, and how it is to answer.
#[derive(Default)]
pub(crate) struct Receiver {
    pub(crate) got: Mutex<Vec<Got>>,
    pub(crate) script: Mutex<VecDeque<Response>>,
    pub(crate) usual: Mutex<Option<(u16, &'static str)>>,
    pub(crate) arrived: Notify,
    /// While set, requests wait for it.
    pub(crate) gate: Mutex<Option<Arc<tokio::sync::Semaphore>>>,
    pub(crate) flying: Mutex<(BTreeMap<String, u32>, u32)>,
}

#[derive(Clone)]
pub(crate) struct Got {
    pub(crate) update: Value,
    pub(crate) key: String,
    pub(crate) secret: Option<String>,
}

impl Receiver {
    pub(crate) async fn start() -> (Arc<Self>, String) {
        let receiver = Arc::new(Self::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let app = Router::new().fallback(receive).with_state(Arc::clone(&receiver));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (receiver, url)
    }

    pub(crate) fn next(&self, status: u16, headers: &[(&'static str, &'static str)], body: &str) {
        let mut response = (StatusCode::from_u16(status).unwrap(), body.to_owned()).into_response();
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        self.script.lock().unwrap().push_back(response);
    }

    pub(crate) async fn wait(&self, count: usize) -> Vec<Got> {
        let waiting = async {
            loop {
                let notified = self.arrived.notified();
                let got = self.got.lock().unwrap().clone();
                if got.len() >= count {
                    return got;
                }
                notified.await;
            }
        };
        let reached = tokio::time::timeout(PATIENCE, waiting).await;
        reached.unwrap_or_else(|_| panic!("{} of {count} arrived", self.got.lock().unwrap().len()))
    }
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = std::str::from_utf8(&body).unwrap();
    let routed = Routed::parse(text).unwrap();
    let key = format!("{} {}", routed.kind.as_str(), routed.chat_key());
    let secret = headers
        .get("x-telegram-bot-api-secret-token")
        .map(|v| v.to_str().unwrap().to_owned());
    {
        let mut flying = receiver.flying.lock().unwrap();
        let here = flying.0.entry(key.clone()).or_default();
        *here += 1;
        let here = *here;
        flying.1 = flying.1.max(here);
    }
    let got = Got {
        update: serde_json::from_slice(&body).unwrap(),
        key: key.clone(),
        secret,
    };
    receiver.got.lock().unwrap().push(got);
    receiver.arrived.notify_one();
    let gate = receiver.gate.lock().unwrap().clone();
    if let Some(gate) = gate {
        gate.acquire().await.unwrap().forget();
    }
    *receiver.flying.lock().unwrap().0.get_mut(&key).unwrap() -= 1;
    let scripted = receiver.script.lock().unwrap().pop_front();
    let usual = *receiver.usual.lock().unwrap();
    scripted.unwrap_or_else(|| match usual {
        Some((status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        None => StatusCode::OK.into_response(),
    })
}

pub(crate) struct Hooked {
    pub(crate) s: Scene,
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) url: String,
}

impl Hooked {
    /// A webhook that has got the person's `/start` already.
    pub(crate) async fn new(time_scale: f64) -> Self {
        let hooked = Self::unset(time_scale).await;
        hooked
            .set(&SetWebhook {
                url: &hooked.url,
                ..SetWebhook::default()
            })
            .await;
        hooked.receiver.wait(1).await;
        hooked.drained().await;
        hooked.receiver.got.lock().unwrap().clear();
        hooked
    }

    pub(crate) async fn unset(time_scale: f64) -> Self {
        let s = Scene::with(Options {
            flood: FloodModel::off(),
            time_scale,
            ..Options::default()
        })
        .await;
        let (receiver, url) = Receiver::start().await;
        Self { s, receiver, url }
    }

    pub(crate) async fn set(&self, webhook: &SetWebhook<'_>) {
        self.s.client.set_webhook(&self.s.token, webhook).await.unwrap();
    }

    pub(crate) fn say(&self, text: &str) -> i64 {
        self.s
            .sim
            .say(BOT, self.s.ann.id, text)
            .unwrap()
            .update_id
            .unwrap()
    }

    pub(crate) async fn info(&self) -> WebhookInfo {
        self.s.client.get_webhook_info(&self.s.token).await.unwrap()
    }

    /// Waits until nothing is pending.
    pub(crate) async fn drained(&self) {
        let drained = async {
            while self.info().await.pending_update_count > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, drained)
            .await
            .expect("pending updates are delivered");
    }

    /// (update id, attempt, status) of every delivery behind a journal position.
    pub(crate) fn deliveries(&self) -> Vec<(i64, u32, u16)> {
        let entries = self.s.sim.journal(&Filter {
            limit: 10_000,
            ..Filter::default()
        });
        let delivery = |event: Event| match event {
            Event::Delivery {
                update_id,
                attempt,
                status,
                ..
            } => Some((update_id, attempt, status)),
            Event::Call { .. } => None,
        };
        entries
            .into_iter()
            .filter_map(|entry| delivery(entry.event))
            .collect()
    }
}

pub(crate) fn texts(got: &[Got]) -> Vec<&str> {
    got.iter()
        .map(|got| got.update["message"]["text"].as_str().unwrap())
        .collect()
}
