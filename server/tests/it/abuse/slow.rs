//! Peers that take their time.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Target, until_closed};

/// What is promised: 10 s, and what a busy machine adds.
const PROMISED: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_requests_end_and_hold_nobody_up() {
    let target = Target::start(&[]).await;
    let began = Instant::now();
    let head = format!(
        "POST /auth/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n",
        target.host()
    );

    let mut silent = Vec::new();
    for _ in 0..1_000 {
        silent.push(target.connect().await);
    }
    let mut slow_head = target.connect().await;
    let mut slow_body = target.connect().await;
    let mut endless = target.connect().await;
    let mut idle = target.connect().await;
    slow_body
        .write_all(format!("{head}Content-Length: 100\r\n\r\n{{").as_bytes())
        .await
        .unwrap();
    endless
        .write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\n \r\n").as_bytes())
        .await
        .unwrap();
    let whole = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", target.host());
    idle.write_all(whole.as_bytes()).await.unwrap();
    read_answer(&mut idle).await;

    // One byte at a time, and others are served in between.
    let (mut reader, mut writer) = slow_head.split();
    let dripping = async {
        let mut bytes = head.bytes().cycle();
        while writer.write_all(&[bytes.next().unwrap()]).await.is_ok() {
            target.serves().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let mut rest = Vec::new();
    let closed = async {
        drop(reader.read_to_end(&mut rest).await);
        began.elapsed()
    };
    let closed = tokio::select! {
        closed = closed => closed,
        () = dripping => began.elapsed(),
    };
    assert!(closed < PROMISED, "a dripping head is read for {closed:?}");

    for (what, stream) in [("body", &mut slow_body), ("chunks", &mut endless)] {
        let mut answer = Vec::new();
        while !String::from_utf8_lossy(&answer).contains("request-timeout") {
            let mut part = [0; 4096];
            let count = stream.read(&mut part).await.unwrap();
            assert!(count > 0, "{what}: {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&part[..count]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 408"), "{what}");
        assert!(began.elapsed() < PROMISED, "{what}");
    }
    for mut stream in silent {
        assert_eq!(until_closed(&mut stream).await, "");
    }
    assert!(
        began.elapsed() < PROMISED,
        "silent connections are kept for {:?}",
        began.elapsed()
    );

    // A connection that has brought a request may wait for its next one longer than that.
    idle.write_all(whole.as_bytes()).await.unwrap();
    read_answer(&mut idle).await;
}

async fn read_answer(stream: &mut tokio::net::TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.unwrap();
        assert!(count > 0, "closed");
        answer.extend_from_slice(&part[..count]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}
