//! Callers behind proxies: each counts for itself and is told by its own address, and none can be another.
//!
//! Proxies and callers are on addresses of their own of this machine.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::support::api::{Api, EMAIL, PASSWORD};
use crate::support::front::{Adds, Front};
use crate::support::http::{Answer, Http};
use crate::support::process::{Server, run};

const SETTING: &str = "BOTLOOM_TRUSTED_PROXIES";
/// The proxy that asks the server, and one in front of it.
const INNER: Ipv4Addr = Ipv4Addr::new(127, 0, 2, 1);
const OUTER: Ipv4Addr = Ipv4Addr::new(127, 0, 2, 2);
const PROXIES: &str = "127.0.2.1, 127.0.2.2/31";
/// Two who ask them, and somebody who passes them by.
const ADA: Ipv4Addr = Ipv4Addr::new(127, 0, 3, 1);
const BOB: Ipv4Addr = Ipv4Addr::new(127, 0, 3, 2);
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 3, 3);

const JSON: (&str, &str) = ("content-type", "application/json");

/// A server behind two proxies, and its owner's session, which does not come through them.
struct Installation {
    server: Server,
    owner: Api,
    inner: Front,
    outer: Front,
}

impl Installation {
    async fn start() -> Self {
        let server = Server::start(&[(SETTING, PROXIES)]).await;
        let owner = Api::set_up(&server).await;
        let inner = Front::start(INNER, Adds::ALine, &server.url("")).await;
        let outer = Front::start(OUTER, Adds::ToTheLine, &inner.url("")).await;
        Self {
            server,
            owner,
            inner,
            outer,
        }
    }

    /// The address that the audit log has of the one who made a bot.
    async fn maker_of(&self, bot: &str) -> Value {
        let log = self.owner.get("/audit?verb=bot.created").await.json();
        let entries = log["items"].as_array().unwrap();
        let entry = entries.iter().find(|entry| entry.to_string().contains(bot));
        entry.unwrap_or_else(|| panic!("{bot}: {log}"))["address"].clone()
    }
}

fn address(number: usize) -> String {
    format!("203.0.113.{}", number % 250)
}

async fn log_in(http: &Http, url: &str, password: &str, forged: &str) -> Answer {
    let account = json!({ "email": EMAIL, "password": password }).to_string();
    let headers = [JSON, ("x-forwarded-for", forged)];
    http.send("POST", url, &headers, account).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guesser_behind_a_proxy_keeps_nobody_else_out_and_escapes_by_no_header() {
    let at = Installation::start().await;
    let guesser = Http::from(ADA);
    for guess in 0..5 {
        // Through one proxy or two, the guesser is the same.
        let door = if guess % 2 == 0 { &at.inner } else { &at.outer };
        let answer = log_in(&guesser, &door.url("/auth/login"), "a guess", &address(guess)).await;
        assert_eq!(answer.status, 401, "{guess}: {answer:?}");
    }
    for forged in ["203.0.113.77", "127.0.2.1", "127.0.3.2, 127.0.2.2", "unknown", ""] {
        for door in [&at.inner, &at.outer] {
            let answer = log_in(&guesser, &door.url("/auth/login"), PASSWORD, forged).await;
            assert_eq!(answer.status, 429, "{forged}: {answer:?}");
        }
    }
    let api = Api::log_in_from(Http::from(BOB), &at.outer.url("")).await;
    let logins = api.get("/auth/sessions").await.json();
    let mut items = logins["items"].as_array().unwrap().iter();
    let current = items.find(|login| login["current"] == true).unwrap();
    assert_eq!(current["address"], BOB.to_string(), "{logins}");
}

/// Status lines of the answers to so many requests about a session, each under another forged address. All are there at once,
/// on one connection from the inner proxy, told as by it: the server alone has work with them.
async fn flood(at: &Installation, caller: Ipv4Addr, requests: usize) -> Vec<String> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((INNER, 0).into()).unwrap();
    let url = at.server.url("");
    let server = url.trim_start_matches("http://").parse().unwrap();
    let mut connection = socket.connect(server).await.unwrap();
    let request = |number| {
        let (forged, end) = (address(number), number + 1 == requests);
        let end = if end { "connection: close\r\n" } else { "" };
        format!("GET /auth/me HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {forged}, {caller}\r\n{end}\r\n")
    };
    let sent: String = (0..requests).map(request).collect();
    let (mut answers, mut questions) = connection.split();
    let mut text = String::new();
    let (read, written) = tokio::join!(
        answers.read_to_string(&mut text),
        questions.write_all(sent.as_bytes())
    );
    read.and(written.map(|()| 0)).unwrap();
    let statuses = text.split("HTTP/1.1 ").skip(1);
    statuses.map(|answer| answer[..3].to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_from_behind_a_proxy_has_a_bucket_of_its_own() {
    let at = Installation::start().await;
    // Far more than an address has in its bucket, and than comes in while they are answered.
    let statuses = flood(&at, ADA, 2_000).await;
    let refused = statuses.iter().filter(|status| **status == "429").count();
    assert_eq!(statuses.len(), 2_000);
    assert!(refused > 0, "whoever forges addresses has as many buckets");
    let url = at.outer.url("/auth/me");
    let other = Http::from(BOB).send("GET", &url, &[], "").await.unwrap();
    assert_eq!(other.status, 401, "{other:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_knocks_without_the_secret_is_counted_apart_from_others_behind_the_proxy() {
    let at = Installation::start().await;
    let (stranger, url) = (Http::from(ADA), at.outer.url("/wh/no-such-bot"));
    let mut refused = false;
    for knock in 0..1000 {
        let forged = address(knock);
        let headers = [("x-forwarded-for", forged.as_str())];
        let answer = stranger.send("POST", &url, &headers, "{}").await.unwrap();
        refused = answer.status == 429;
        if refused {
            break;
        }
        assert_eq!(answer.status, 404, "{answer:?}");
    }
    assert!(refused, "whoever forges addresses may knock for ever");
    let other = Http::from(BOB).send("POST", &url, &[], "{}").await.unwrap();
    assert_eq!(other.status, 404, "{other:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_log_tells_who_asked_the_proxies_and_believes_no_others() {
    let at = Installation::start().await;
    let from_outer = Front::start(OUTER, Adds::ToTheLine, &at.server.url("")).await;
    let table: [(&str, Ipv4Addr, String, &str, String); 7] = [
        ("one-proxy", ADA, at.inner.url(""), "", ADA.to_string()),
        ("two-proxies", ADA, at.outer.url(""), "", ADA.to_string()),
        ("its-network", BOB, from_outer.url(""), "", BOB.to_string()),
        (
            "forged",
            ADA,
            at.outer.url(""),
            "127.0.3.2, 127.0.2.2",
            ADA.to_string(),
        ),
        (
            "past-them",
            STRANGER,
            at.server.url(""),
            "127.0.3.2",
            STRANGER.to_string(),
        ),
        // A proxy of ours that tells nothing legible.
        (
            "illegible",
            INNER,
            at.server.url(""),
            "127.0.3.2, unknown",
            INNER.to_string(),
        ),
        (
            "with-a-port",
            INNER,
            at.server.url(""),
            "[2001:db8::5]:40000",
            "2001:db8::5".to_owned(),
        ),
    ];
    for (bot, from, base, forged, expected) in table {
        let api = Api::log_in_from(Http::from(from), &base).await;
        let headers = [("x-forwarded-for", forged)];
        let headers = if forged.is_empty() { &[] } else { &headers[..] };
        let body = json!({ "botId": bot, "name": bot }).to_string();
        let made = api.request("POST", "/bots", headers, body).await.unwrap();
        assert_eq!(made.status, 201, "{bot}: {made:?}");
        assert_eq!(at.maker_of(bot).await, expected, "{bot}");
    }
    // Once for all that the stranger sent.
    let log = at.server.log_text();
    let hints: Vec<&str> = log.lines().filter(|line| line.contains(SETTING)).collect();
    assert_eq!(hints.len(), 1, "{hints:?}");
    assert!(hints[0].contains(&STRANGER.to_string()), "{hints:?}");
}

#[test]
fn a_server_that_would_believe_everybody_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    for (text, reason) in [
        ("0.0.0.0/0", "everybody"),
        ("10.0.0.1/8", "10.0.0.0/8"),
        ("proxy.example", "neither"),
    ] {
        let ran = run(&["serve"], &[(SETTING, text)], dir.path(), "");
        assert_ne!(ran.code, Some(0));
        assert!(
            ran.err.contains(SETTING) && ran.err.contains(reason),
            "{}",
            ran.err
        );
    }
}
