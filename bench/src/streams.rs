//! A thousand event streams, a hundred of which nobody reads: when do the others get what happens, and what does it cost?
//!
//! A check: it fails where the slow deliveries take more than [`BOUND`], where a reader misses an event or gets one out of
//! order, and where the server keeps more memory than [`PER_STREAM`] for each stream.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::client::{Api, text};
use crate::cpu;
use crate::load::percentile;
use crate::mixed::Account;
use crate::peer::{self, BOT, Peer};
use crate::report::{line, telegram};

/// Streams that are read.
const READ: u16 = 900;
/// Streams that nobody reads.
const SILENT: u16 = 100;
/// Streams of one account: what a user may have.
const PER_ACCOUNT: u16 = 6;
/// What p99 of the deliveries may take.
const BOUND: Duration = Duration::from_secs(1);
/// Memory of the server for one stream, bytes.
const PER_STREAM: u64 = 256 * 1024;
/// What a silent reader's machine takes for it, bytes: little, or it would keep for the server what it should keep itself.
const SILENT_WINDOW: u32 = 4_096;
/// Longest wait for a stream to begin.
const OPENING: Duration = Duration::from_secs(30);
/// What a stream begins with.
const CONNECTED: &[u8] = b": connected\n\n";
/// Longest wait for the last events.
const LAST_EVENTS: Duration = Duration::from_secs(30);

/// One event at one reader: its id, and how long after it happened it came.
type Delivery = (u64, Duration);

/// Measures for `length` and prints; the error says what was not as it should be.
pub(crate) async fn run(botloom: &Path, length: Duration) -> Result<(), String> {
    let botloom = &botloom
        .canonicalize()
        .map_err(|error| format!("{}: {error}", botloom.display()))?;
    let telegram = telegram().await?;
    let peer = peer::botloom("botloom", botloom, &telegram, "7100000906:AA-bench-token", &[]).await?;
    let mut owner = Api::new(peer.url(), None);
    owner.log_in(peer::EMAIL, peer::PASSWORD).await?;
    let revisions = two_revisions(&owner).await?;
    let accounts = accounts(&owner, &peer).await?;

    let before = cpu::usage(peer.pid());
    let mut silent = Vec::new();
    let latest: Arc<[AtomicU64]> = (0..READ).map(|_| AtomicU64::new(0)).collect();
    let stop = CancellationToken::new();
    let mut readers = JoinSet::new();
    for number in 0..READ + SILENT {
        let at = usize::from(number / PER_ACCOUNT);
        let (account, from) = &accounts[at];
        // The silent ones are among the others, not after them.
        let nobody_reads = number % (READ / SILENT + 1) == 0;
        let stream = open(&peer, account, *from, nobody_reads).await?;
        if nobody_reads {
            silent.push(stream);
        } else {
            let (latest, stop, place) = (Arc::clone(&latest), stop.clone(), readers.len());
            readers.spawn(async move { read(stream, &latest[place], &stop).await });
        }
    }
    line(format!(
        "{} streams that are read and {} that are not, of {} accounts; deployments for {} s",
        readers.len(),
        silent.len(),
        accounts.len(),
        length.as_secs(),
    ));
    let deploying = async {
        let deployments = deploy(&owner, &revisions, length).await?;
        wait_for_the_last(&latest).await?;
        Ok::<_, String>(deployments)
    };
    let deployments = tokio::select! {
        done = deploying => done?,
        Some(ended) = readers.join_next() => return Err(reason(ended)),
    };
    let after = cpu::usage(peer.pid());
    stop.cancel();
    let seen = readers
        .join_all()
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    report(&seen, deployments, after.rss.saturating_sub(before.rss))
}

/// Two revisions of the bot, to be put live in turns: the one that it has, and another.
async fn two_revisions(owner: &Api) -> Result<[String; 2], String> {
    let bot = owner.send("GET", &format!("/bots/{BOT}"), Value::Null).await?;
    let mut spec = peer::spec();
    spec["meta"]["name"] = "Bench, again".into();
    let version = owner.send("POST", "/spec", spec).await?;
    let build = json!({ "botId": BOT, "specVersion": version["version"] });
    let task = owner.send("POST", "/generate", build).await?;
    let built = owner.ended(&format!("/tasks/{}", text(&task, "taskId"))).await?;
    Ok([text(&built, "revHash"), text(&bot, "activeRevHash")])
}

/// Accounts for all streams, each with an address of its own.
async fn accounts(owner: &Api, peer: &Peer) -> Result<Vec<(Api, IpAddr)>, String> {
    let projects = owner.send("GET", "/projects", Value::Null).await?;
    let project = format!("/projects/{}", text(&projects["items"][0], "projectId"));
    let mut accounts = Vec::new();
    for number in 0..(READ + SILENT).div_ceil(PER_ACCOUNT) {
        let number = u8::try_from(number).map_err(|error| error.to_string())?;
        let account = Account::make(owner, peer.url(), &project, number).await?;
        accounts.push((account.person, IpAddr::V4(Ipv4Addr::new(127, 0, 1, number + 1))));
    }
    Ok(accounts)
}

/// Why a reader ended that was not told to.
fn reason(ended: Result<Result<Vec<Delivery>, String>, JoinError>) -> String {
    match ended {
        Ok(Ok(seen)) => format!("a reader stopped after {} events", seen.len()),
        Ok(Err(reason)) => reason,
        Err(error) => error.to_string(),
    }
}

/// A stream that has begun, and what came behind its beginning.
struct Begun {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// Opens a stream and reads until it has begun.
async fn open(peer: &Peer, account: &Api, from: IpAddr, nobody_reads: bool) -> Result<Begun, String> {
    let opening = async {
        let socket = TcpSocket::new_v4()?;
        if nobody_reads {
            socket.set_recv_buffer_size(SILENT_WINDOW)?;
        }
        socket.bind(SocketAddr::new(from, 0))?;
        let (_, address) = peer.url().split_once("//").unwrap_or_default();
        let address: SocketAddr = address.parse().map_err(std::io::Error::other)?;
        let mut stream = socket.connect(address).await?;
        let cookie = account.cookie();
        let request =
            format!("GET /events?botId={BOT} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        loop {
            let begun = head.windows(CONNECTED.len()).position(|some| some == CONNECTED);
            if let Some(at) = begun {
                let bytes = head.split_off(at + CONNECTED.len());
                return Ok(Begun { stream, bytes });
            }
            if stream.read_buf(&mut head).await? == 0 || head.len() > 16 * 1024 {
                return Err(std::io::Error::other(String::from_utf8_lossy(&head).into_owned()));
            }
        }
    };
    tokio::time::timeout(OPENING, opening)
        .await
        .map_err(|_| format!("a stream did not begin within {} s", OPENING.as_secs()))?
        .map_err(|error: std::io::Error| format!("a stream: {error}"))
}

/// Reads events until it is told to stop, and keeps the id of the latest one.
async fn read(begun: Begun, latest: &AtomicU64, stop: &CancellationToken) -> Result<Vec<Delivery>, String> {
    let Begun {
        mut stream,
        mut bytes,
    } = begun;
    let (mut seen, mut id) = (Vec::new(), 0);
    loop {
        let now = SystemTime::now();
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let lines: Vec<u8> = bytes.drain(..whole).collect();
        for said in String::from_utf8_lossy(&lines).lines() {
            if said == "event: resync" {
                return Err("a reader is told to fetch everything anew".to_owned());
            }
            if let Some(number) = said.strip_prefix("id: ") {
                id = number.parse().map_err(|_| format!("no id: {number}"))?;
            } else if let Some(data) = said.strip_prefix("data: ") {
                let event: Value = serde_json::from_str(data).map_err(|error| error.to_string())?;
                seen.push((id, since(&text(&event, "at"), now)?));
                latest.store(id, Ordering::Release);
            }
        }
        let count = tokio::select! {
            count = stream.read_buf(&mut bytes) => count.map_err(|error| error.to_string())?,
            () = stop.cancelled() => return Ok(seen),
        };
        if count == 0 {
            return Err(format!(
                "a stream that was read has ended after {} events",
                seen.len()
            ));
        }
    }
}

/// The time from an event's moment (RFC 3339, UTC, with milliseconds) to `now`: both read the same clock.
fn since(at: &str, now: SystemTime) -> Result<Duration, String> {
    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
    let part = |from: usize, to: usize| at.get(from..to)?.parse::<u64>().ok();
    let moment = (|| {
        let minutes = part(11, 13)? * 60 + part(14, 16)?;
        Some((minutes * 60 + part(17, 19)?) * 1_000 + part(20, 23)?)
    })();
    let moment = moment.ok_or_else(|| format!("no time: {at}"))?;
    let now = now
        .duration_since(UNIX_EPOCH)
        .map_err(|error| error.to_string())?;
    let now = u64::try_from(now.as_millis()).map_err(|error| error.to_string())? % DAY_MS;
    // Midnight may lie between them.
    Ok(Duration::from_millis((now + DAY_MS - moment) % DAY_MS))
}

/// Puts the two revisions live in turns; answers how often.
async fn deploy(owner: &Api, revisions: &[String; 2], length: Duration) -> Result<u32, String> {
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < length {
        for revision in revisions {
            let deploy = json!({ "botId": BOT, "revHash": revision, "strategy": "flip" });
            let task = owner.send("POST", "/deploy", deploy).await?;
            owner
                .ended(&format!("/deployments/{}", text(&task, "taskId")))
                .await?;
            count += 1;
        }
    }
    Ok(count)
}

/// Waits until every reader has the latest event that any has, and no further one comes.
async fn wait_for_the_last(latest: &[AtomicU64]) -> Result<(), String> {
    let deadline = Instant::now() + LAST_EVENTS;
    let mut calm = None;
    while Instant::now() < deadline {
        let ids = || latest.iter().map(|id| id.load(Ordering::Acquire));
        let (first, last) = (ids().min(), ids().max());
        if first == last && last > Some(0) && calm == last {
            return Ok(());
        }
        calm = last;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Err(format!(
        "some readers lack the last events after {} s",
        LAST_EVENTS.as_secs()
    ))
}

/// Prints what was seen and judges it.
fn report(seen: &[Vec<Delivery>], deployments: u32, grown: u64) -> Result<(), String> {
    let ids = |events: &[Delivery]| events.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    let first = ids(seen.first().map(Vec::as_slice).unwrap_or_default());
    let mut delays: Vec<_> = seen.iter().flatten().map(|(_, took)| *took).collect();
    delays.sort_unstable();
    let slow = percentile(&delays, 0.99);
    line(format!(
        "{deployments} deployments, {} events to each of {} readers: p50 {:?}, p99 {slow:?}, max {:?}; at most {BOUND:?}",
        first.len(),
        seen.len(),
        percentile(&delays, 0.5),
        delays.last().copied().unwrap_or_default(),
    ));
    let streams = u64::from(READ + SILENT);
    let allowed = PER_STREAM * streams;
    line(format!(
        "memory: {} KiB more for each stream, at most {}",
        grown / 1024 / streams,
        PER_STREAM / 1024
    ));
    let mut faults = Vec::new();
    if slow > BOUND {
        faults.push(format!("p99 of the deliveries is {slow:?}"));
    }
    if !first.is_sorted_by(|one, next| one < next) {
        faults.push("events came out of order".to_owned());
    }
    if seen.iter().any(|events| ids(events) != first) {
        faults.push("readers of one bot did not get the same events".to_owned());
    }
    if grown > allowed {
        faults.push(format!("{} MiB more in memory", grown / 1024 / 1024));
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("; "))
    }
}
