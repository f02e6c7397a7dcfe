//! Rounds, medians, ratios.

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use botloom_telegram::simulator::{Event, Filter, FloodModel, Handle, Options, Simulator};

use crate::load::{self, Pace, Seen};
use crate::peer::{self, Peer};
use crate::{cpu, sandbox};

/// Updates under way at a time when storages are compared: enough company for a commit to disk.
const IN_FLIGHT: u64 = 64;
/// Above the rows.
const HEAD: &str =
    "\nas fast as it is acknowledged      updates/s   per CPU-s   ack p50    ack p99    resident";

/// Prints a line of the report.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// One load on one server.
#[derive(Debug, Clone, Copy)]
struct Figures {
    per_second: f64,
    per_cpu_second: f64,
    ack_p50: Duration,
    ack_p99: Duration,
    rss: u64,
}

/// Measures everything and prints it.
pub(crate) async fn run(botloom: &Path, updates: u64, rounds: usize) -> Result<(), String> {
    let botloom = &botloom
        .canonicalize()
        .map_err(|error| format!("{}: {error}", botloom.display()))?;
    line(format!(
        "{updates} updates, {} chats, {} connections, {rounds} rounds, medians",
        load::CHATS,
        load::TELEGRAMS
    ));
    let telegram = telegram().await?;
    let peers = [
        peer::bare(&telegram, "7100000901:AA-bench-token").await?,
        peer::botloom("botloom", botloom, &telegram, "7100000902:AA-bench-token", &[]).await?,
    ];

    let [bare, ours] = as_fast_as_acknowledged(&telegram, &peers, updates, rounds, load::TELEGRAMS).await?;
    let rate = ours.per_second.min(bare.per_second) / 2.0;
    let pace = Pace {
        connections: load::TELEGRAMS,
        per_second: Some(rate),
    };
    let mut half: [Vec<Figures>; 2] = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        for (peer, figures) in peers.iter().zip(&mut half) {
            let run = 100 + round as u64;
            figures.push(measure(&telegram, peer, run, updates / 2, pace).await?);
        }
    }
    let [bare_half, ours_half] = half.each_ref().map(|figures| median(figures));

    line(HEAD);
    row("bare handler", bare);
    row("botloom", ours);
    line(format!(
        "\nbotloom ÷ bare: {:.2} updates/s, {:.2} updates per CPU second",
        ours.per_second / bare.per_second,
        ours.per_cpu_second / bare.per_cpu_second
    ));
    line(format!("\nat {rate:.0} updates/s"));
    row("bare handler", bare_half);
    row("botloom", ours_half);
    line(format!(
        "\nbotloom ÷ bare: {:.2} × p99 of the acknowledgement\n",
        ours_half.ack_p99.as_secs_f64() / bare_half.ack_p99.as_secs_f64()
    ));
    drop(peers);
    sandbox::run(botloom).await
}

/// Measures the two storages under the same load and prints how much of the embedded one's speed services leave.
pub(crate) async fn storages(
    botloom: &Path,
    services: &[(&str, String)],
    updates: u64,
    rounds: usize,
) -> Result<(), String> {
    let botloom = &botloom
        .canonicalize()
        .map_err(|error| format!("{}: {error}", botloom.display()))?;
    line(format!(
        "{updates} updates, {} chats, {IN_FLIGHT} updates in flight, {rounds} rounds, medians",
        load::CHATS,
    ));
    let telegram = telegram().await?;
    let peers = [
        peer::botloom("embedded", botloom, &telegram, "7100000903:AA-bench-token", &[]).await?,
        peer::botloom(
            "services",
            botloom,
            &telegram,
            "7100000904:AA-bench-token",
            services,
        )
        .await?,
    ];
    let [embedded, shared] = as_fast_as_acknowledged(&telegram, &peers, updates, rounds, IN_FLIGHT).await?;
    line(HEAD);
    row("embedded", embedded);
    row("services", shared);
    line(format!(
        "\nservices ÷ embedded: {:.2} updates/s",
        shared.per_second / embedded.per_second
    ));
    Ok(())
}

/// A simulated Telegram that refuses nothing and keeps next to nothing: what it keeps must not grow with the rounds.
pub(crate) async fn telegram() -> Result<Handle, String> {
    let options = Options {
        flood: FloodModel::off(),
        accept_unknown: true,
        history: 1,
        journal_limit: 1_000,
        ..Options::default()
    };
    Simulator::start(options).await.map_err(|error| error.to_string())
}

/// The medians of both servers, which take turns.
async fn as_fast_as_acknowledged(
    telegram: &Handle,
    peers: &[Peer; 2],
    updates: u64,
    rounds: usize,
    connections: u64,
) -> Result<[Figures; 2], String> {
    let pace = Pace {
        connections,
        per_second: None,
    };
    let mut all: [Vec<Figures>; 2] = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for (peer, figures) in peers.iter().zip(&mut all) {
            let figure = measure(telegram, peer, round as u64, updates, pace).await?;
            // The first round warms caches, connections and the allocator.
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    Ok(all.each_ref().map(|figures| median(figures)))
}

fn row(name: &str, figures: Figures) {
    line(format!(
        "  {name:<32} {:>9.0}   {:>9.0}   {:>7.2} ms {:>7.2} ms {:>6} MiB",
        figures.per_second,
        figures.per_cpu_second,
        figures.ack_p50.as_secs_f64() * 1e3,
        figures.ack_p99.as_secs_f64() * 1e3,
        figures.rss / 1024 / 1024,
    ));
}

async fn measure(
    telegram: &Handle,
    peer: &Peer,
    run: u64,
    updates: u64,
    pace: Pace,
) -> Result<Figures, String> {
    let sent_before = sent(telegram);
    let before = cpu::usage(peer.pid());
    let started = Instant::now();
    let seen: Seen = load::run(&peer.target, run, updates, pace).await;
    if seen.refused > 0 {
        return Err(format!("{} refused {} updates", peer.name, seen.refused));
    }
    // Acknowledged is not answered: the clock runs until Telegram has every reply.
    let deadline = Instant::now() + Duration::from_mins(2);
    while sent(telegram) < sent_before + updates {
        if Instant::now() > deadline {
            let missing = sent_before + updates - sent(telegram);
            return Err(format!(
                "{} did not answer {missing} of {updates} updates; {}",
                peer.name,
                last_call(telegram, peer)
            ));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let wall = started.elapsed();
    let after = cpu::usage(peer.pid());
    #[expect(clippy::cast_precision_loss, reason = "a count of updates")]
    let count = updates as f64;
    Ok(Figures {
        per_second: count / wall.as_secs_f64(),
        per_cpu_second: count / (after.cpu.saturating_sub(before.cpu)).as_secs_f64().max(0.001),
        ack_p50: seen.percentile(0.5),
        ack_p99: seen.percentile(0.99),
        rss: after.rss,
    })
}

/// Messages that Telegram took so far.
pub(crate) fn sent(telegram: &Handle) -> u64 {
    telegram
        .counters()
        .calls
        .get("sendMessage")
        .copied()
        .unwrap_or_default()
}

fn last_call(telegram: &Handle, peer: &Peer) -> String {
    let calls = telegram.journal(&Filter {
        bot: Some(peer.bot),
        ..Filter::default()
    });
    match calls.last().map(|entry| &entry.event) {
        Some(Event::Call {
            method,
            status,
            description,
            ..
        }) => format!("its last call: {method} {status} {description:?}"),
        _ => "it made no call".to_owned(),
    }
}

/// The run in the middle by updates per CPU second.
fn median(figures: &[Figures]) -> Figures {
    let mut sorted = figures.to_vec();
    sorted.sort_by(|left, right| left.per_cpu_second.total_cmp(&right.per_cpu_second));
    sorted[sorted.len() / 2]
}
