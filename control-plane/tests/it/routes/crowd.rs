//! A thousand event streams of one project, a hundred of which nobody reads.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use botloom_core::event::BotEvent;
use botloom_core::ids::BotId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Client, Server, Setup};

const QUICK: usize = 900;
const SILENT: usize = 100;
/// Events of the bot that the quick ones watch.
const TOLD: usize = 100;
/// Events of the bot that the silent ones watch, for each of the others.
const NOISE: usize = 4;

/// Opens a stream and reads its head.
async fn open(server: &Server, client: &Client, bot: &str, window: Option<u32>) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(window) = window {
        socket.set_recv_buffer_size(window).unwrap();
    }
    let mut stream = socket.connect(server.address).await.unwrap();
    let cookie = client.cookie.as_deref().unwrap();
    let request = format!(
        "GET /events?botId={bot} HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n",
        server.address
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.windows(11).any(|window| window == b": connected") {
        let mut part = [0; 1024];
        let count = stream.read(&mut part).await.unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&head));
        head.extend_from_slice(&part[..count]);
    }
    assert!(
        head.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&head)
    );
    stream
}

/// Reads so many events; answers the id of each and when it came.
async fn read(mut stream: TcpStream, count: usize) -> Vec<(u64, Instant)> {
    let (mut seen, mut text) = (Vec::new(), Vec::new());
    while seen.len() < count {
        let mut part = [0; 16 * 1024];
        let read = stream.read(&mut part).await.unwrap();
        assert!(read > 0, "the stream has ended after {} events", seen.len());
        text.extend_from_slice(&part[..read]);
        let Some(whole) = text.iter().rposition(|byte| *byte == b'\n') else {
            continue;
        };
        let rest = text.split_off(whole + 1);
        let now = Instant::now();
        let lines = String::from_utf8_lossy(&text);
        assert!(
            !lines.contains("event: resync"),
            "a quick reader is told to fetch anew"
        );
        let ids = lines.lines().filter_map(|line| line.strip_prefix("id: "));
        seen.extend(ids.map(|id| (id.parse().unwrap(), now)));
        text = rest;
    }
    seen
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Allows this process the files that a thousand connections are, both ends of each.
fn allow_files() {
    let own = std::process::id().to_string();
    let raised = std::process::Command::new("prlimit")
        .args(["--nofile=4096:", "--pid", &own])
        .status();
    assert!(raised.unwrap().success(), "4,096 open files are needed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_read_get_everything_and_wait_for_nobody() {
    allow_files();
    let mut setup = Setup::default();
    let limits = &mut setup.options.limits;
    (limits.streams_per_user, limits.user_burst, limits.address_burst) = (1_000, 10_000, 10_000);
    setup.options.stream_stall = Duration::from_secs(1);
    let server = Server::start_with(setup).await;
    let owner = server.with_bot().await;
    let made = serde_json::json!({ "botId": "noisy-bot", "name": "N" });
    owner.post("/bots", &made).await.expect(201);

    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(open(&server, &owner, "noisy-bot", Some(4_096)).await);
    }
    let mut quick = tokio::task::JoinSet::new();
    for number in 0..QUICK {
        let bot = if number < 10 { "noisy-bot" } else { "a-bot" };
        let count = if number < 10 { TOLD * NOISE } else { TOLD };
        let stream = open(&server, &owner, bot, None).await;
        quick.spawn(read(stream, count));
    }
    owner
        .get("/events?botId=a-bot")
        .await
        .refused(429, "too-many-streams");
    let before = resident_mib();

    let (quiet, noisy): (BotId, BotId) = ("a-bot".parse().unwrap(), "noisy-bot".parse().unwrap());
    let project = server.ports.catalog.bot(&quiet).await.unwrap().unwrap().project;
    let log = async |bot: &BotId, size: usize| {
        let event = BotEvent::WebhookDrifted {
            reason: "x".repeat(size),
            findings: Vec::new(),
        };
        let now = server.ports.clock.now();
        server
            .ports
            .events
            .append(project, bot, now, &event)
            .await
            .unwrap()
            .id
    };
    let mut written = HashMap::new();
    for _ in 0..TOLD {
        for _ in 0..NOISE {
            // Enough in all to fill every buffer on the way to those who do not read.
            log(&noisy, 16 * 1024).await;
        }
        let at = Instant::now();
        written.insert(log(&quiet, 256).await, at);
    }
    let mut delays = Vec::new();
    for seen in quick.join_all().await {
        assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order");
        let known = seen
            .iter()
            .filter_map(|(id, at)| Some(at.duration_since(*written.get(id)?)));
        delays.extend(known);
    }
    assert_eq!(
        delays.len(),
        (QUICK - 10) * TOLD,
        "every event reached every reader"
    );
    delays.sort_unstable();
    let at = |share: usize| delays[delays.len() * share / 1_000 - 1];
    let grown = resident_mib().saturating_sub(before);
    eprintln!(
        "events to {} readers beside {SILENT} silent ones: p50 {:?}, p99 {:?}, max {:?}; {grown} MiB more",
        QUICK,
        at(500),
        at(990),
        at(1_000)
    );
    // 256 events of 16 KiB for each of the silent ones would be 400 MiB if each had texts of its own.
    assert!(grown < 128, "{grown} MiB");

    // The silent ones have lost their places.
    let deadline = Instant::now() + Duration::from_secs(30);
    while owner
        .open(http::Method::GET, "/events?botId=a-bot", &[], "")
        .await
        .status()
        != 200
    {
        assert!(Instant::now() < deadline, "silent streams keep their places");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(silent);
}
