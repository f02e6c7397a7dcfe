//! The API under a mixed load while the bot answers: do hashing of passwords, judging of large specs and the updates
//! hold up the reads?
//!
//! A check: it fails where the slow reads take more than [`BOUND`] times what the median takes, where a request fails, and
//! where the load was not reached.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::cpu;
use crate::load::{self, CHATS, Target, percentile};
use crate::mixed::{Crowd, Kind};
use crate::open::{self, Load};
use crate::peer::{self, Peer};
use crate::report::{line, sent, telegram};

/// What p99 of the reads may be, in units of their p50.
const BOUND: f64 = 20.0;
/// The share of the planned rate that must have been answered.
const REACHED: f64 = 0.95;
/// Longest wait for the last replies.
const LAST_REPLIES: Duration = Duration::from_mins(1);

/// How much, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub warm_up: Duration,
    pub length: Duration,
    /// Requests a second on the API.
    pub requests: f64,
    /// Updates a second on the webhook.
    pub updates: f64,
}

/// What a request of the mix was, and how it ended.
type Asked = (Kind, Result<(), String>);

/// Both loads, side by side.
struct Seen {
    api: Load<Asked>,
    updates: Load<Result<(), String>>,
    /// Replies a second, until Telegram had the last one.
    replies: f64,
}

/// Measures and prints; the error says what was not as it should be.
pub(crate) async fn run(botloom: &Path, plan: Plan) -> Result<(), String> {
    let botloom = &botloom
        .canonicalize()
        .map_err(|error| format!("{}: {error}", botloom.display()))?;
    let telegram = telegram().await?;
    let peer = peer::botloom("botloom", botloom, &telegram, "7100000905:AA-bench-token", &[]).await?;
    let crowd = Crowd::gather(peer.url(), plan.requests).await?;
    line(format!(
        "{} requests/s of {} accounts and {} updates/s, {} s after {} s of warm-up",
        plan.requests,
        crowd.accounts(),
        plan.updates,
        plan.length.as_secs(),
        plan.warm_up.as_secs(),
    ));

    let replies = || sent(&telegram);
    both(&peer, &crowd, plan, 0, plan.warm_up, replies).await?;
    let before = (
        cpu::usage(peer.pid()),
        cpu::usage(std::process::id()),
        cpu::machine(),
    );
    let started = Instant::now();
    let seen = both(&peer, &crowd, plan, 1, plan.length, replies).await?;
    let wall = started.elapsed();
    let after = (
        cpu::usage(peer.pid()),
        cpu::usage(std::process::id()),
        cpu::machine(),
    );

    let cores =
        |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() / wall.as_secs_f64();
    let server = cores(before.0.cpu, after.0.cpu);
    // The server is a child of this process.
    let own = cores(before.1.cpu, after.1.cpu) - server;
    let all = cores(before.2, after.2);
    let verdict = report(&seen, plan, &crowd);
    line(format!(
        "cores busy: server {server:.2}, load generator and Telegram {own:.2}, others {:.2} of {}",
        (all - server - own).max(0.0),
        std::thread::available_parallelism().map_or(0, usize::from),
    ));
    verdict
}

/// Runs both loads for `length` and waits for the bot's replies.
async fn both(
    peer: &Peer,
    crowd: &Crowd,
    plan: Plan,
    run: u64,
    length: Duration,
    replies: impl Fn() -> u64,
) -> Result<Seen, String> {
    let before = replies();
    let started = Instant::now();
    let crowd = crowd.clone();
    let webhook = Webhook::new(&peer.target);
    let (api, updates) = tokio::join!(
        open::run(plan.requests, length, move |number| crowd.ask(run, number)),
        open::run(plan.updates, length, move |number| webhook.deliver(run, number)),
    );
    let (api, updates) = (api?, updates?);
    let wanted = updates.requests.iter().filter(|one| one.outcome.is_ok()).count() as u64;
    let deadline = Instant::now() + LAST_REPLIES;
    while replies() < before + wanted {
        if Instant::now() > deadline {
            let missing = before + wanted - replies();
            return Err(format!("{missing} of {wanted} updates were not answered"));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of updates")]
    let replies = wanted as f64 / started.elapsed().as_secs_f64();
    Ok(Seen {
        api,
        updates,
        replies,
    })
}

/// Telegram's side of the webhook.
struct Webhook {
    http: Client<HttpConnector, Full<Bytes>>,
    target: Target,
}

impl Webhook {
    fn new(target: &Target) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            http: Client::builder(TokioExecutor::new()).build(connector),
            target: target.clone(),
        }
    }

    fn deliver(&self, run: u64, number: u64) -> impl Future<Output = Result<(), String>> + Send + use<> {
        let (http, target) = (self.http.clone(), self.target.clone());
        async move { load::deliver(&http, &target, load::body(run, number, number % CHATS)).await }
    }
}

/// Prints what was seen and judges it.
fn report(seen: &Seen, plan: Plan, crowd: &Crowd) -> Result<(), String> {
    line("\n                                     count       p50        p99        max");
    for kind in Kind::ALL {
        let name = match kind {
            Kind::Read => "reads".to_owned(),
            Kind::Validate => format!("validate a spec of {} KiB", crowd.large_bytes() / 1024),
            Kind::LogIn => "log in".to_owned(),
            Kind::Edit => "post a version".to_owned(),
        };
        let of_kind = seen.api.requests.iter().filter(|one| one.outcome.0 == kind);
        row(&name, &sorted(of_kind.map(|one| one.took)));
    }
    row(
        "updates acknowledged",
        &sorted(seen.updates.requests.iter().map(|one| one.took)),
    );
    let late = seen.api.requests.iter().map(|one| one.late);
    row(
        "(requests begun late)",
        &sorted(late.chain(seen.updates.requests.iter().map(|one| one.late))),
    );

    let reads = seen.api.requests.iter().filter(|one| one.outcome.0 == Kind::Read);
    let reads = sorted(reads.map(|one| one.took));
    let ratio = percentile(&reads, 0.99).as_secs_f64() / percentile(&reads, 0.5).as_secs_f64();
    let (requests, updates) = (rate(&seen.api), rate(&seen.updates));
    let asked = seen.api.requests.iter().map(|one| &one.outcome.1);
    let delivered = seen.updates.requests.iter().map(|one| &one.outcome);
    let errors: Vec<_> = asked
        .chain(delivered)
        .filter_map(|outcome| outcome.as_ref().err())
        .collect();
    line(format!("\nreads: p99 ÷ p50 = {ratio:.1}, at most {BOUND}"));
    line(format!(
        "reached: {requests:.1} requests/s, {updates:.1} updates/s, {:.1} replies/s; {} errors",
        seen.replies,
        errors.len()
    ));

    let mut faults = Vec::new();
    if ratio > BOUND {
        faults.push(format!("p99 of the reads is {ratio:.1} times their p50"));
    }
    let planned = [
        ("requests", requests, plan.requests),
        ("updates", updates, plan.updates),
        ("replies", seen.replies, plan.updates),
    ];
    for (what, reached, planned) in planned {
        if reached < planned * REACHED {
            faults.push(format!("{reached:.1} {what}/s instead of {planned}"));
        }
    }
    if let Some(first) = errors.first() {
        faults.push(format!("{} errors, among them: {first}", errors.len()));
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("; "))
    }
}

/// Good answers a second, until the last answer.
fn rate<T>(load: &Load<T>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let count = load.requests.len() as f64;
    count / load.wall.as_secs_f64()
}

fn sorted(times: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times
}

fn row(name: &str, times: &[Duration]) {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    line(format!(
        "  {name:<32} {:>7} {:>7.2} ms {:>7.2} ms {:>7.2} ms",
        times.len(),
        millis(percentile(times, 0.5)),
        millis(percentile(times, 0.99)),
        millis(times.last().copied().unwrap_or_default()),
    ));
}
