//! Whoever follows a bot at the command line is told everything once, whatever becomes of the server.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::api::{EMAIL, PASSWORD};
use crate::support::desk::Desk;
use crate::support::process::binary;
use crate::support::specs::chain;
use crate::support::world::PATIENCE;

/// `botloom events` that goes on.
struct Follower {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Follower {
    fn start(desk: &Desk, args: &[&str]) -> Self {
        let mut child = binary()
            .args(["events", "shop", "--follow", "--json"])
            .args(args)
            .env("BOTLOOM_SERVER", desk.server.url(""))
            .env("BOTLOOM_EMAIL", EMAIL)
            .env("BOTLOOM_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads until an event of this name was told; answers all events on the way. A follower that hears nothing for too
    /// long is ended.
    fn until(&mut self, name: &str) -> Vec<Value> {
        let pid = self.child.id().to_string();
        let (done, waited) = std::sync::mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            if waited.recv_timeout(4 * PATIENCE) == Err(RecvTimeoutError::Timeout) {
                Command::new("kill").args(["-s", "KILL", &pid]).status().unwrap();
            }
        });
        let mut told = Vec::new();
        let mut is_told = false;
        while !is_told && let Some(line) = self.lines.next() {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            is_told = event["event"] == name;
            told.push(event);
        }
        drop(done);
        watch.join().unwrap();
        assert!(is_told, "it ended without {name}: {told:?}");
        told
    }

    fn interrupt(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", "INT", &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_misses_nothing_while_its_server_is_away() {
    let mut desk = Desk::new().await;
    let spec = chain("shop", "a");
    desk.api.create_bot(&spec).await;
    desk.api.go_live(&spec).await;
    let mut follower = Follower::start(&desk, &["--after", "0"]);
    let mut told = follower.until("DeployFlipped");
    assert_eq!(told[0]["event"], "GenerateStarted");
    assert_eq!(told[0]["data"]["botId"], "shop");

    desk.server.kill();
    desk.server.spawn(&[]);
    desk.server.ready().await;
    desk.ends(&["bots", "pause", "shop"], 0);
    desk.ends(&["bots", "resume", "shop"], 0);
    told.extend(follower.until("BotResumed"));
    let ids: Vec<u64> = told.iter().map(|event| event["id"].as_u64().unwrap()).collect();
    let last = *ids.last().unwrap();
    assert_eq!(ids, (1..=last).collect::<Vec<_>>(), "each of them once: {told:?}");
    assert_eq!(follower.interrupt(), Some(0));

    // Without --follow it tells what was, and ends, also where other bots have the last word.
    let was = desk.ends(&["events", "shop"], 0);
    assert_eq!(was.lines().count(), ids.len(), "{was}");
    assert!(was.lines().last().unwrap().contains("BotResumed"), "{was}");
    let after = (last - 1).to_string();
    let rest = desk.json(&["events", "shop", "--after", &after, "--json"], 0);
    assert_eq!(rest["id"], last);
    desk.ends(&["bots", "create", "other"], 0);
    desk.ends(&["bots", "pause", "other"], 0);
    assert_eq!(desk.ends(&["events", "shop"], 0), was);
    assert!(desk.ends(&["events", "nobody", "--follow"], 1).contains("404"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_begins_now_and_ends_with_its_reader() {
    let desk = Desk::new().await;
    let spec = chain("shop", "a");
    desk.api.create_bot(&spec).await;
    desk.api.go_live(&spec).await;
    let mut follower = Follower::start(&desk, &[]);
    // When it has begun, nobody tells: something happens until it hears of it.
    let (sender, heard) = std::sync::mpsc::channel();
    let listening = std::thread::spawn(move || {
        let told = follower.until("BotPaused");
        sender.send(told).unwrap();
        follower
    });
    let deadline = Instant::now() + Duration::from_mins(5);
    let told = loop {
        desk.ends(&["bots", "pause", "shop"], 0);
        desk.ends(&["bots", "resume", "shop"], 0);
        if let Ok(told) = heard.try_recv() {
            break told;
        }
        assert!(Instant::now() < deadline, "it hears nothing");
    };
    let is_new = |event: &Value| matches!(event["event"].as_str(), Some("BotPaused" | "BotResumed"));
    assert!(told.iter().all(is_new), "{told:?}");

    let Follower { mut child, lines } = listening.join().unwrap();
    drop(lines);
    let code = loop {
        desk.ends(&["bots", "pause", "shop"], 0);
        desk.ends(&["bots", "resume", "shop"], 0);
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        assert!(Instant::now() < deadline, "it goes on for nobody");
    };
    assert_eq!(code, Some(0));
}
