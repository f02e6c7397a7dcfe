//! What is no proper HTTP, or more of it than anybody needs.

use super::Target;

#[tokio::test]
async fn what_is_no_proper_http_is_refused_and_the_connection_ends() {
    let target = Target::start(&[]).await;
    let table: [(&str, &[u8]); 14] = [
        ("no host", b"GET /bots HTTP/1.1\r\n\r\n"),
        (
            "two hosts",
            b"GET /bots HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        ),
        (
            "a host with a user",
            b"GET /bots HTTP/1.1\r\nHost: u@a\r\nConnection: close\r\n\r\n",
        ),
        (
            "two lengths",
            b"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        ),
        (
            "a length that is none",
            b"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}",
        ),
        (
            "an unknown coding",
            b"POST /auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "chunked but not at last",
            b"POST /auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        ),
        (
            "a folded header",
            b"GET /bots HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
        ),
        (
            "a space before the colon",
            b"GET /bots HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n",
        ),
        (
            "a control character",
            b"GET /bots HTTP/1.1\r\nHost: a\r\nX-A: b\x01\r\n\r\n",
        ),
        (
            "NUL in a header",
            b"GET /bots HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n",
        ),
        (
            "a space in the address",
            b"GET /bo ts HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        ("another version", b"GET /bots HTTP/9.1\r\nHost: a\r\n\r\n"),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    ];
    for (what, bytes) in table {
        let mut bytes = bytes.to_vec();
        if what == "no host" {
            bytes.truncate(bytes.len() - 2);
            bytes.extend_from_slice(b"Connection: close\r\n\r\n");
        }
        let answer = target.raw(&bytes).await.expect(what);
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        target.serves().await;
    }
}

/// `Transfer-Encoding` is what counts (RFC 9112, 6.3), whatever else is said.
#[tokio::test]
async fn a_length_beside_chunks_does_not_count() {
    let target = Target::start(&[]).await;
    let body = r#"{"email":"nobody@example.com","password":"wrong"}"#;
    for order in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        let request = format!(
            "POST /auth/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n{order}\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            target.host(),
            body.len()
        );
        let answer = target.raw(request.as_bytes()).await.unwrap();
        answer.refused(401, "invalid-credentials", order);
    }
}

#[tokio::test]
async fn heads_have_bounds() {
    let target = Target::start(&[]).await;
    let many = (0..200).fold(String::new(), |many, n| many + &format!("X-{n}: 1\r\n"));
    let table = [
        (
            "a long header",
            format!(
                "GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: {}\r\n\r\n",
                "a".repeat(64 * 1024)
            ),
        ),
        (
            "many headers",
            format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
        ),
        (
            "a long address",
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(70_000)),
        ),
    ];
    for (what, request) in table {
        let answer = target.raw(request.as_bytes()).await.expect(what);
        assert!(matches!(answer.status, 414 | 431), "{what}: {answer:?}");
    }
    // What real clients send passes.
    let usual = format!("X-A: {}\r\n", "a".repeat(16 * 1024));
    assert_eq!(target.send("GET /healthz", &usual, "").await.status, 200);
}

#[tokio::test]
async fn the_server_is_no_proxy_and_believes_no_hearsay() {
    let target = Target::start(&[]).await;
    for line in [
        "CONNECT evil.example:443",
        "TRACE /auth/me",
        "GET http://evil.example/nothing",
    ] {
        let answer = target.send(line, "", "").await;
        assert!(matches!(answer.status, 404 | 405), "{line}: {answer:?}");
        answer.problem();
    }
    // Only the peer itself counts as where a request came from.
    let hearsay = "X-Forwarded-For: 203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\nForwarded: for=203.0.113.9;proto=https\r\nX-Forwarded-Proto: https\r\n";
    let made = target
        .post_with("/bots", hearsay, r#"{"botId":"a-bot","name":"A"}"#)
        .await;
    assert_eq!(
        (made.status, made.header("strict-transport-security")),
        (201, ""),
        "{made:?}"
    );
    let log = target.get("/audit?verb=bot.created").await.json();
    assert_eq!(log["items"][0]["address"], "127.0.0.1", "{log}");
    // An operator who forgot to name the proxy is told so, and told once.
    assert_eq!(target.send("GET /auth/me", hearsay, "").await.status, 200);
    let hints = target
        .server
        .log_text()
        .matches("BOTLOOM_TRUSTED_PROXIES")
        .count();
    assert_eq!(hints, 1);
}
