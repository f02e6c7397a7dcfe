//! A server that answers one request after the other as the story says, and keeps what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::world::PATIENCE;

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    /// An answer: status, further headers (each with its end of line), body.
    Answer(u16, &'static str, &'static str),
    /// The connection ends without an answer.
    Close,
    /// The same answer as soon as [`Scripted::go_on`] is called; until then nobody else is answered.
    Held(u16, &'static str, &'static str),
    /// Nothing comes.
    Hang,
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// Method and address.
    pub(crate) line: String,
    /// By name in lower case.
    pub(crate) headers: HashMap<String, String>,
}

/// The server; dropping it closes its door.
#[derive(Debug)]
pub(crate) struct Scripted {
    port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    goes_on: Arc<Notify>,
    _accepting: AbortOnDropHandle<()>,
}

impl Scripted {
    /// Starts it on a port that is free.
    pub(crate) fn start(replies: &[Reply]) -> Self {
        Self::at(unopened(), replies)
    }

    /// Starts it where nobody was let in so far. What comes after the last reply gets 500.
    pub(crate) fn at(door: TcpSocket, replies: &[Reply]) -> Self {
        let listener = door.listen(64).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let goes_on = Arc::new(Notify::new());
        let accepting = tokio::spawn(serve(
            listener,
            replies.to_vec(),
            Arc::clone(&heard),
            Arc::clone(&goes_on),
        ));
        Self {
            port,
            heard,
            goes_on,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// Gives the answer that is held, or is the next to be.
    pub(crate) fn go_on(&self) {
        self.goes_on.notify_one();
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Everything that it was asked.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Methods and addresses of it.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.heard().into_iter().map(|heard| heard.line).collect()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn asked(&self, times: usize) {
        let enough = async {
            while self.heard().len() < times {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.unwrap();
    }
}

/// A port that is taken and lets nobody in: connections are refused.
pub(crate) fn unopened() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    socket
}

async fn serve(
    listener: TcpListener,
    replies: Vec<Reply>,
    heard: Arc<Mutex<Vec<Heard>>>,
    goes_on: Arc<Notify>,
) {
    let mut replies = replies.into_iter();
    let mut hanging = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let Some(request) = read(&mut stream).await else {
            continue;
        };
        heard.lock().unwrap().push(request);
        match replies.next() {
            Some(Reply::Close) => {}
            Some(Reply::Hang) => hanging.push(stream),
            Some(Reply::Answer(status, headers, body)) => answer(&mut stream, status, headers, body).await,
            Some(Reply::Held(status, headers, body)) => {
                goes_on.notified().await;
                answer(&mut stream, status, headers, body).await;
            }
            None => answer(&mut stream, 500, "", "").await,
        }
    }
}

async fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: \
         {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// A whole request; `None` if none comes.
async fn read(stream: &mut TcpStream) -> Option<Heard> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut lines = head.lines();
            let first: Vec<&str> = lines.next()?.split(' ').collect();
            let headers: HashMap<String, String> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, text)| (name.to_lowercase(), text.to_owned()))
                .collect();
            let length = headers
                .get("content-length")
                .map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let line = format!("{} {}", first[0], first[1]);
                return Some(Heard { line, headers });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
