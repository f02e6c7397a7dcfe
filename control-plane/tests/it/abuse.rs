//! Requests that nobody should send: each gets a clear answer, and nothing is told that is none of the caller's business.

use std::sync::atomic::Ordering;

use axum::Router;
use axum::routing::post;
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, Client, Server, Setup};

#[tokio::test]
async fn addresses_and_methods_that_do_not_exist() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    for path in [
        "/nothing",
        "/bots/",
        "//bots",
        "/bots/a-bot/",
        "/bots/%2e%2e/",
        "/bots/%00",
        "/bots/A-BOT",
    ] {
        owner.get(path).await.refused(404, "not-found");
    }
    owner
        .get(&format!("/bots/{}", "a".repeat(300)))
        .await
        .refused(404, "not-found");
    let wrong = owner.send(Method::PUT, "/bots", &[], "").await;
    wrong.refused(405, "method-not-allowed");
    for method in ["GET", "POST"] {
        assert!(
            wrong.header("allow").contains(method),
            "{}",
            wrong.header("allow")
        );
    }
    owner
        .delete("/spec/1?botId=a-bot")
        .await
        .refused(405, "method-not-allowed");
    let head = owner.send(Method::HEAD, "/bots", &[], "").await.expect(200);
    assert!(head.body.is_empty());
    owner.send(Method::HEAD, "/nothing", &[], "").await.expect(404);
    let options = owner
        .send(
            Method::OPTIONS,
            "/bots",
            &[("origin", "https://evil.example")],
            "",
        )
        .await
        .expect(204);
    assert!(options.header("allow").contains("POST"));
    assert_eq!(options.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn sessions_that_are_none() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let good = owner.cookie.clone().unwrap();
    let long = format!("botloom_session={}", "A".repeat(4096));
    let random = format!("botloom_session={}", "A".repeat(43));
    let twice = format!("{good}; {good}");
    let cut = &good[..good.len() - 1];
    for cookie in [random.as_str(), cut, &long, &twice, "botloom_session=", "x"] {
        let client = Client {
            cookie: Some(cookie.to_owned()),
            ..owner.clone()
        };
        client.get("/auth/me").await.refused(401, "unauthenticated");
    }
    server.nobody().get("/bots").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let json = ("content-type", "application/json");
    let deep = "[".repeat(1024 * 1024 - 10);
    let table: [(&str, u16, &str); 12] = [
        ("", 400, "malformed-json"),
        ("{\"botId\":", 400, "malformed-json"),
        ("{\"botId\":\"a-bot\",\"name\":\"x\",}", 400, "malformed-json"),
        ("{\"botId\":\"a-bot\",\"name\":\"x\"} x", 400, "malformed-json"),
        (
            "\u{feff}{\"botId\":\"a-bot\",\"name\":\"x\"}",
            400,
            "malformed-json",
        ),
        (
            "{\"botId\":\"a-bot\",\"name\":\"\\ud800\"}",
            400,
            "malformed-json",
        ),
        (
            "{\"botId\":\"a-bot\",\"name\":\"x\",\"name\":\"y\"}",
            400,
            "duplicate-key",
        ),
        (&deep, 400, "json-too-deep"),
        (
            "{\"botId\":\"a-bot\",\"name\":\"a\\u0000b\"}",
            422,
            "validation-failed",
        ),
        (
            "{\"botId\":\"a-bot\",\"name\":\"x\",\"ownerId\":\"me\"}",
            422,
            "validation-failed",
        ),
        ("{\"botId\":\"A BOT\",\"name\":7}", 422, "validation-failed"),
        ("[]", 422, "validation-failed"),
    ];
    for (body, status, slug) in table {
        let answer = owner.send(Method::POST, "/bots", &[json], body.to_owned()).await;
        let shown: String = body.chars().take(60).collect();
        assert_eq!(
            (answer.status.as_u16(), answer.problem().as_str()),
            (status, slug),
            "{shown}"
        );
    }
    assert_eq!(owner.get("/bots").await.json()["items"], json!([]));

    let good = json!({ "botId": "a-bot", "name": "x" }).to_string();
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "",
    ] {
        let answer = owner
            .send(
                Method::POST,
                "/bots",
                &[("content-type", media_type)],
                good.clone(),
            )
            .await;
        answer.refused(415, "unsupported-media-type");
    }
    let gzip = owner
        .send(Method::POST, "/bots", &[json, ("content-encoding", "gzip")], good)
        .await;
    gzip.refused(415, "unsupported-encoding");
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let json = [("content-type", "application/json")];
    for size in [1024 * 1024 + 1, 2 * 1024 * 1024] {
        for path in ["/bots", "/spec", "/auth/login"] {
            let answer = owner.send(Method::POST, path, &json, " ".repeat(size)).await;
            answer.refused(413, "payload-too-large");
        }
    }
    let largest = owner
        .send(Method::POST, "/bots", &json, " ".repeat(1024 * 1024))
        .await;
    largest.refused(400, "malformed-json");
}

/// Sends bytes as they are and reads what comes until the connection is closed or has answered.
async fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = tokio::time::timeout(std::time::Duration::from_secs(20), stream.read(&mut buffer)).await;
        match read.expect("no answer and no end").unwrap_or(0) {
            0 => break,
            count => answer.extend_from_slice(&buffer[..count]),
        }
        if String::from_utf8_lossy(&answer).contains("\"type\"") {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn requests_that_are_not_proper_http() {
    let mut setup = Setup::default();
    setup.options.limits.body_timeout = std::time::Duration::from_millis(300);
    let server = Server::start_with(setup).await;
    server.owner().await;
    let without_host = raw(&server, b"GET /bots HTTP/1.1\r\n\r\n").await;
    assert!(
        without_host.starts_with("HTTP/1.1 400") && without_host.contains("malformed-request"),
        "{without_host}"
    );
    let two_hosts = raw(&server, b"GET /bots HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await;
    assert!(
        two_hosts.starts_with("HTTP/1.1 400") && two_hosts.contains("malformed-request"),
        "{two_hosts}"
    );
    let slow = b"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let slow = raw(&server, slow).await;
    assert!(
        slow.starts_with("HTTP/1.1 408") && slow.contains("request-timeout"),
        "{slow}"
    );
    let lengths = raw(
        &server,
        b"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    )
    .await;
    assert!(lengths.starts_with("HTTP/1.1 400"), "{lengths}");
}

#[tokio::test]
async fn lists_with_parameters_that_cannot_be() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    for list in [
        "/bots?",
        "/spec?botId=a-bot&",
        "/revisions?botId=a-bot&",
        "/deployments?botId=a-bot&",
    ] {
        for bad in [
            "limit=0",
            "limit=-1",
            "limit=1000000000",
            "limit=abc",
            "limit=1&limit=2",
            "limit=",
            "cursor=",
            "cursor=%00",
        ] {
            owner
                .get(&format!("{list}{bad}"))
                .await
                .refused(400, "invalid-parameter");
        }
        let forged = owner
            .get(&format!("{list}cursor=forged"))
            .await
            .expect(200)
            .json();
        assert_eq!(
            (&forged["items"], &forged["nextCursor"]),
            (&json!([]), &serde_json::Value::Null)
        );
        owner.get(&format!("{list}unknown=1")).await.expect(200);
    }
}

#[tokio::test]
async fn too_many_requests_of_an_address_and_of_a_user() {
    let mut setup = Setup::default();
    setup.options.limits.address_per_second = 1;
    setup.options.limits.address_burst = 5;
    let server = Server::start_with(setup).await;
    let client = server.nobody();
    let refused = until_refused(&client, "/problems/not-found").await;
    refused.refused(429, "rate-limited");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    for _ in 0..20 {
        client.get("/healthz").await.expect(200);
    }

    let mut setup = Setup::default();
    setup.options.limits.user_per_second = 1;
    setup.options.limits.user_burst = 5;
    let server = Server::start_with(setup).await;
    let owner = server.owner().await;
    until_refused(&owner, "/bots").await;
    server.stranger().await.get("/bots").await.expect(200);
}

/// Asks until that is too much: five are not, and how many are depends on how fast they are answered.
async fn until_refused(client: &Client, path: &str) -> Answer {
    for asked in 0..1_000 {
        let answer = client.get(path).await;
        if answer.status == 429 {
            assert!(asked >= 5, "{asked}");
            return answer;
        }
    }
    panic!("a thousand requests are not too many")
}

#[tokio::test]
async fn a_panic_is_a_problem_like_any_other() {
    let server = Server::start().await;
    server.rest.broken.store(true, Ordering::SeqCst);
    server.nobody().get("/readyz").await.refused(500, "internal");
    server.nobody().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn without_a_database_everything_is_unavailable_and_nothing_hangs() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let _kept = server.lose_the_database().await;
    for path in [
        "/auth/me",
        "/bots",
        "/bots/a-bot",
        "/spec?botId=a-bot",
        "/events?botId=a-bot",
    ] {
        let answer = owner.get(path).await;
        answer.refused(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "1");
    }
    let login = json!({ "email": "owner@example.org", "password": "x" });
    owner
        .post("/auth/login", &login)
        .await
        .refused(503, "unavailable");
    owner.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn a_router_without_a_fallback_fits_beside() {
    let setup = Setup {
        beside: Router::new().route("/wh/{botId}", post(async || "accepted")),
        ..Setup::default()
    };
    let server = Server::start_with(setup).await;
    let client = server.nobody();
    assert_eq!(
        client.post("/wh/a-bot", &json!({})).await.expect(200).text(),
        "accepted"
    );
    client.get("/nothing").await.refused(404, "not-found");
}
