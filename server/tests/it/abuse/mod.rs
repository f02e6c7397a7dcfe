//! Requests that nobody should send, byte by byte over raw sockets to a real server. Whatever comes, the answer is clear, tells
//! nothing that is none of the caller's business, and the next request is served.
//!
//! What needs the API's own clock or limits is in the tests of `control-plane`.

mod bodies;
mod door;
mod headers;
mod http2;
mod paths;
mod slow;
mod wire;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::api::{EMAIL, PASSWORD};
use crate::support::process::Server;

/// Longer than the server waits for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn read(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    /// The first header of this name, empty without one.
    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
            .unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// Slug of a problem, after what holds for every problem was checked.
    fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        let body = self.json();
        assert_eq!(body["status"], self.status, "{self:?}");
        assert_eq!(body["instance"], self.header("x-request-id"), "{self:?}");
        for key in ["title", "detail"] {
            assert!(
                body[key].as_str().is_some_and(|text| !text.is_empty()),
                "{self:?}"
            );
        }
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{self:?}");
        assert_eq!(self.header("cache-control"), "no-store", "{self:?}");
        for inside in [
            "sqlx", "SELECT", "panicked", "src/", ".rs", "Error {", "/tmp/", ".db", "botloom_",
        ] {
            assert!(!self.body.contains(inside), "{inside} is told: {self:?}");
        }
        let slug = body["type"].as_str().unwrap().strip_prefix("/problems/");
        slug.expect("the address of a page").to_owned()
    }

    #[track_caller]
    fn refused(&self, status: u16, slug: &str, what: &str) {
        assert_eq!(self.status, status, "{what}: {self:?}");
        assert_eq!(self.problem(), slug, "{what}: {self:?}");
    }
}

/// A server, and its owner's session as text.
struct Target {
    server: Server,
    session: String,
}

impl Target {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let server = Server::start(settings).await;
        let mut target = Self {
            server,
            session: String::new(),
        };
        let account = json!({ "email": EMAIL, "password": PASSWORD }).to_string();
        let made = target.post("/auth/setup", &account).await;
        assert!((200..300).contains(&made.status), "{made:?}");
        let cookie = made.header("set-cookie").split(';').next().unwrap();
        let csrf = made.json()["csrfToken"].as_str().unwrap().to_owned();
        target.session = format!("Cookie: {cookie}\r\nX-CSRF-Token: {csrf}\r\n");
        target
    }

    /// With a bot called `a-bot`.
    async fn with_bot(settings: &[(&str, &str)]) -> Self {
        let target = Self::start(settings).await;
        let made = target.post("/bots", r#"{"botId":"a-bot","name":"A bot"}"#).await;
        assert_eq!(made.status, 201, "{made:?}");
        target
    }

    fn host(&self) -> String {
        self.server.url("").replace("http://", "")
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.host()).await.unwrap()
    }

    /// Sends bytes as they are and reads until the server closes; `None`: it has answered nothing.
    async fn raw(&self, bytes: &[u8]) -> Option<Answer> {
        let mut stream = self.connect().await;
        // A server that refuses may close before it has read everything.
        stream.write_all(bytes).await.ok();
        Answer::read(&until_closed(&mut stream).await)
    }

    /// Sends a request whose head lines are given, with the owner's session; the connection ends with the answer.
    async fn send(&self, line: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let head = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}{headers}{length}\r\n",
            self.host(),
            self.session
        );
        let answer = self.raw(&[head.as_bytes(), body].concat()).await;
        answer.unwrap_or_else(|| panic!("no answer to {line} {headers}"))
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), "", "").await
    }

    async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.post_with(path, "", body).await
    }

    async fn post_with(&self, path: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
        let headers = format!("Content-Type: application/json\r\n{headers}");
        self.send(&format!("POST {path}"), &headers, body).await
    }

    /// The server lives and serves others.
    async fn serves(&self) {
        assert_eq!(self.get("/healthz").await.status, 200);
    }
}

/// Everything until the server closes.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // A reset after the answer is an end, too.
    drop(read.expect("the server neither answers nor closes"));
    String::from_utf8_lossy(&answer).into_owned()
}
