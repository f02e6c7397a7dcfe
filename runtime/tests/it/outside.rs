//! `apiCall`s over real sockets.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, also in its helpers, a panic is the report"
)]

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use botloom_core::TimestampMs;
use botloom_core::ports::AnalyticsQuery;
use botloom_runtime::{DevHosts, Resolve};

use crate::support::{Bot, Canary, Setup, World, eventually, text_update};

/// Does what the message says and answers with how it went.
const CALLER: &str = "export function handle({ event, resume }) {
  const say = (text) => ({ state: null, actions: [{ method: 'sendMessage', params: { text } }], telemetry: [] });
  if (resume === undefined) {
    const call = JSON.parse(event.text);
    return { state: null, effect: { type: 'apiCall', cont: 0, method: 'GET', timeoutMs: 2000, retries: 0, backoff: { baseMs: 1, factor: 1 }, ...call } };
  }
  return say(JSON.stringify([resume.ok, resume.status ?? null, resume.body ?? null, resume.error ?? null]));
}";

/// A name server that answers like a hostile one, in turns.
#[derive(Debug)]
struct Scripted {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Resolve for Scripted {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.answers[turn % self.answers.len()].clone())
    }
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn ok(body: &str) -> Vec<u8> {
    http("200 OK", "", body)
}

pub(crate) struct Calls {
    world: World,
    bot: Bot,
    next: AtomicUsize,
}

impl Calls {
    pub(crate) async fn to(server: &Canary) -> Self {
        let mut setup = Setup::default();
        let hosts = format!("api.shop.example=http://{}", server.address);
        setup.options.dev_hosts = DevHosts::parse(&hosts).unwrap();
        Self::with(setup).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let world = Box::pin(World::with(setup)).await;
        let bot = world.bot("caller", CALLER).await;
        Self {
            world,
            bot,
            next: AtomicUsize::new(1),
        }
    }

    /// Makes a call and gives `[ok, status, body, error]`.
    pub(crate) async fn call(&self, call: &str) -> String {
        let chat = i64::try_from(self.next.fetch_add(1, Ordering::SeqCst)).unwrap();
        self.world
            .deliver(&self.bot, &text_update(chat, chat, call))
            .await;
        eventually(call, async || !self.world.texts(&self.bot, chat).is_empty()).await;
        self.world.texts(&self.bot, chat).remove(0)
    }
}

#[tokio::test]
async fn a_request_as_the_server_sees_it() {
    let server = Canary::answering(vec![ok(r#"{"id":"o-1"}"#)]).await;
    let calls = Calls::to(&server).await;
    let call = r#"{"method":"POST","url":"https://api.shop.example/orders?a=1#x","query":{"q":"ä b"},"headers":{"X-Key":"k"},"body":{"n":1}}"#;
    assert_eq!(calls.call(call).await, r#"[true,200,{"id":"o-1"},null]"#);
    let request = server.requests().remove(0).to_lowercase();
    assert!(
        request.starts_with("post /orders?a=1&q=%c3%a4+b http/1.1\r\n"),
        "{request}"
    );
    for line in [
        "host: api.shop.example",
        "x-key: k",
        "content-type: application/json",
        "idempotency-key: caller:1:1",
    ] {
        assert!(request.contains(&format!("\r\n{line}\r\n")), "{line}: {request}");
    }
    assert!(request.ends_with(r#"{"n":1}"#));
}

#[tokio::test]
async fn answers_that_do_not_fit() {
    let deep = format!("{}1{}", "[".repeat(33), "]".repeat(33));
    let long = format!("\"{}\"", "x".repeat(5_000));
    let table = [
        (ok("{}"), r"[true,200,{},null]"),
        (http("204 No Content", "", ""), r"[true,204,null,null]"),
        (ok(""), r"[true,200,null,null]"),
        (ok("<html>"), r#"[false,200,null,"not_json"]"#),
        (ok("{} {}"), r#"[false,200,null,"not_json"]"#),
        (ok(&deep), r#"[false,200,null,"not_json"]"#),
        (ok(&long), r#"[false,200,null,"too_large"]"#),
        (http("404 Not Found", "", "{}"), r#"[false,404,null,"status"]"#),
        (
            http("302 Found", "Location: https://api.shop.example/loop\r\n", ""),
            r#"[false,302,null,"status"]"#,
        ),
        (
            http("307 Temporary Redirect", "Location: //10.0.0.1/\r\n", ""),
            r#"[false,307,null,"status"]"#,
        ),
        (
            http("200 OK", &format!("X: {}\r\n", "y".repeat(40_000)), "{}"),
            r#"[false,null,null,"connect"]"#,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}".to_vec(),
            r#"[false,200,null,"connect"]"#,
        ),
        (b"nonsense\r\n\r\n".to_vec(), r#"[false,null,null,"connect"]"#),
    ];
    let server = Canary::answering(table.iter().map(|(answer, _)| answer.clone()).collect()).await;
    let calls = Calls::to(&server).await;
    for (nth, (answer, told)) in table.iter().enumerate() {
        let got = calls.call(r#"{"url":"https://api.shop.example/"}"#).await;
        assert_eq!(
            got,
            *told,
            "{}",
            String::from_utf8_lossy(&answer[..answer.len().min(80)])
        );
        assert_eq!(
            server.connections(),
            nth + 1,
            "one connection each: nothing is followed, nothing is repeated"
        );
    }
}

#[tokio::test]
async fn only_what_may_help_is_repeated() {
    let failing = |status: &str| http(status, "", "");
    for (status, tries) in [
        ("500 Oops", 3),
        ("429 Slow Down", 3),
        ("408 Late", 3),
        ("400 Bad", 1),
        ("301 Moved", 1),
    ] {
        let server = Canary::answering(vec![failing(status)]).await;
        let calls = Calls::to(&server).await;
        calls
            .call(r#"{"url":"https://api.shop.example/","retries":2}"#)
            .await;
        assert_eq!(server.connections(), tries, "{status}");
    }
    let server = Canary::answering(vec![failing("503 Later"), ok("1")]).await;
    let calls = Calls::to(&server).await;
    assert_eq!(
        calls
            .call(r#"{"url":"https://api.shop.example/","retries":3}"#)
            .await,
        "[true,200,1,null]"
    );
    let keys: Vec<bool> = server
        .requests()
        .iter()
        .map(|request| request.contains("idempotency-key: caller:1:1"))
        .collect();
    assert_eq!(keys, [true, true], "a repetition is recognisable");
}

#[tokio::test]
async fn a_silent_server_ends_in_time() {
    let server = Canary::answering(Vec::new()).await;
    let calls = Calls::to(&server).await;
    let told = calls
        .call(r#"{"url":"https://api.shop.example/","timeoutMs":100}"#)
        .await;
    assert_eq!(told, r#"[false,null,null,"timeout"]"#);
}

/// Listeners on the very addresses; not one connection arrives.
#[tokio::test]
async fn no_spelling_reaches_a_private_address() {
    let (v4, other) = (
        Canary::at("127.0.0.1:0", Vec::new()).await,
        Canary::at("127.0.0.2:0", Vec::new()).await,
    );
    let port = v4.address.port();
    let calls = Calls::with(Setup::default()).await;
    for host in [
        format!("127.0.0.1:{port}"),
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f000001:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("127.0.0.2:{}", other.address.port()),
        format!("localhost:{port}"),
        format!("api.shop.example:{port}"),
        format!("api.shop.example@127.0.0.1:{port}"),
        format!("api.shop.example.evil.example:{port}"),
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
    ] {
        for scheme in ["https", "http"] {
            let told = calls.call(&format!(r#"{{"url":"{scheme}://{host}/"}}"#)).await;
            assert_eq!(told, r#"[false,null,null,"denied"]"#, "{scheme}://{host}");
        }
    }
    assert_eq!((v4.connections(), other.connections()), (0, 0));
}

/// The name is allowed; its addresses are not.
#[tokio::test]
async fn names_that_lead_inside_are_refused() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let sets = [
        "127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "fd00:ec2::254",
        "0.0.0.0",
    ];
    let mut answers: Vec<Vec<IpAddr>> = sets.iter().map(|text| vec![ip(text)]).collect();
    // A public one beside a private one, in both orders.
    answers.push(vec![ip("192.0.2.0"), ip("127.0.0.1")]);
    answers.push(vec![ip("127.0.0.1"), ip("1.1.1.1")]);
    answers.push(vec![ip("1.1.1.1"), ip("::1")]);
    let resolver = Arc::new(Scripted {
        answers: answers.clone(),
        asked: AtomicUsize::new(0),
    });
    let calls = Calls::with(Setup {
        resolver: Arc::clone(&resolver) as _,
        ..Setup::default()
    })
    .await;
    for set in answers {
        let told = calls
            .call(r#"{"url":"https://api.shop.example/","retries":3}"#)
            .await;
        assert_eq!(told, r#"[false,null,null,"denied"]"#, "{set:?}");
    }
    assert_eq!(
        resolver.asked.load(Ordering::SeqCst),
        10,
        "each call resolves once, and is not repeated"
    );
}

#[tokio::test]
async fn the_third_call_of_an_update_is_too_many() {
    let code = "export function handle({ resume }) {
      const told = resume === undefined ? [] : [...resume.cont, resume.ok ? 'ok' : resume.error];
      if (told.length === 3) return { actions: [{ method: 'sendMessage', params: { text: told.join(' ') } }] };
      return { effect: { type: 'apiCall', cont: told, method: 'GET', url: 'https://api.shop.example/', timeoutMs: 1000 } };
    }";
    let server = Canary::answering(vec![ok("1")]).await;
    let mut calls = Calls::to(&server).await;
    calls.bot = calls.world.bot("greedy", code).await;
    assert_eq!(calls.call("x").await, "ok ok limit");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn calls_are_told_by_how_they_ended() {
    let server = Canary::answering(vec![ok("{}"), http("503 Service Unavailable", "", "")]).await;
    let calls = Calls::to(&server).await;
    let shop = r#"{"url":"https://api.shop.example/secret?phone=49"}"#;
    calls.call(shop).await;
    calls.call(shop).await;
    calls.call(r#"{"url":"https://elsewhere.example/"}"#).await;
    let ask = async || {
        let (from, to) = (TimestampMs(0), TimestampMs(i64::MAX));
        let analytics = &calls.world.ports.analytics;
        let rows = analytics
            .query(&calls.bot.id, from, to, &AnalyticsQuery::ApiCalls)
            .await;
        let rows = rows.unwrap().into_iter();
        rows.map(|row| (row.key, row.values[0])).collect::<Vec<_>>()
    };
    eventually("all calls are told", async || ask().await.len() == 3).await;
    let told = [("denied", 1), ("ok", 1), ("status-503", 1)];
    assert_eq!(ask().await, told.map(|(how, times)| (how.to_owned(), times)));
}
