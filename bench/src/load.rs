//! Load on a webhook: a closed loop (as fast as it is acknowledged) or a steady rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Chats that speak.
pub(crate) const CHATS: u64 = 1_000;
/// Connections that Telegram opens by default.
pub(crate) const TELEGRAMS: u64 = 40;

/// How updates come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Updates under way at a time.
    pub connections: u64,
    /// Evenly spread over time; as fast as they are acknowledged where `None`.
    pub per_second: Option<f64>,
}

/// Where updates go.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub url: String,
    pub secret: String,
}

/// What the load saw.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Time to acknowledgement of each update, sorted.
    pub acks: Vec<Duration>,
    /// Answers that were no 200.
    pub refused: u64,
}

impl Seen {
    /// The time within which this share of the updates was acknowledged.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        percentile(&self.acks, share)
    }
}

/// The time that this share of the sorted times does not pass.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a list"
    )]
    let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}

/// The update `number` of the run, a text of `chat`. Ids and chats differ between runs that share a server.
pub(crate) fn body(run: u64, number: u64, chat: u64) -> Bytes {
    let (update, chat) = (run * 10_000_000 + number + 1, 5_000_000_000 + chat);
    Bytes::from(format!(
        r#"{{"update_id":{update},"message":{{"message_id":{number},"date":1795200000,"from":{{"id":{chat},"is_bot":false,"first_name":"Ada","last_name":"L","username":"ada{chat}","language_code":"en"}},"chat":{{"id":{chat},"type":"private","first_name":"Ada","last_name":"L","username":"ada{chat}"}},"text":"/n {number}","entities":[{{"offset":0,"length":2,"type":"bot_command"}}]}}}}"#
    ))
}

/// Sends one update, until its acknowledgement has arrived.
pub(crate) async fn deliver(
    client: &Client<HttpConnector, Full<Bytes>>,
    target: &Target,
    update: Bytes,
) -> Result<(), String> {
    let request = Request::post(&target.url)
        .header("content-type", "application/json")
        .header("x-telegram-bot-api-secret-token", &target.secret)
        .body(Full::new(update))
        .map_err(|error| error.to_string())?;
    let answer = client.request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let _ = answer.into_body().collect().await;
    if status == 200 {
        Ok(())
    } else {
        Err(format!("the webhook: {status}"))
    }
}

/// Sends `updates` updates.
pub(crate) async fn run(target: &Target, run: u64, updates: u64, pace: Pace) -> Seen {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let connections: Vec<_> = (0..pace.connections)
        .map(|_| {
            let (client, next, target) = (client.clone(), Arc::clone(&next), target.clone());
            tokio::spawn(async move {
                let (mut acks, mut refused) = (Vec::new(), 0u64);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= updates {
                        return (acks, refused);
                    }
                    if let Some(rate) = pace.per_second {
                        #[expect(clippy::cast_precision_loss, reason = "a time of day")]
                        let due = Duration::from_secs_f64(number as f64 / rate);
                        tokio::time::sleep_until((started + due).into()).await;
                    }
                    let update = body(run, number, number % CHATS);
                    let asked = Instant::now();
                    match deliver(&client, &target, update).await {
                        Ok(()) => acks.push(asked.elapsed()),
                        Err(_) => refused += 1,
                    }
                }
            })
        })
        .collect();
    let (mut acks, mut refused) = (Vec::new(), 0);
    for connection in connections {
        if let Ok((some, no)) = connection.await {
            acks.extend(some);
            refused += no;
        }
    }
    acks.sort_unstable();
    Seen { acks, refused }
}
