//! Headers: sessions, origins, conditions, keys.

use super::Target;
use crate::support::api::{EMAIL, PASSWORD};
use crate::support::specs;

#[tokio::test]
async fn a_session_is_chosen_by_the_server_alone() {
    let mut target = Target::start(&[]).await;
    let chosen = format!("Cookie: botloom_session={}\r\n", "A".repeat(43));
    let account = serde_json::json!({ "email": EMAIL, "password": PASSWORD }).to_string();
    let own = std::mem::take(&mut target.session);
    let answer = target.post_with("/auth/login", &chosen, &account).await;
    assert_eq!(answer.status, 200);
    assert!(
        !answer.header("set-cookie").contains(&"A".repeat(43)),
        "{answer:?}"
    );
    target
        .send("GET /auth/me", &chosen, "")
        .await
        .refused(401, "unauthenticated", "a chosen id");
    // Ended by its person.
    assert_eq!(target.send("POST /auth/logout", &own, "").await.status, 204);
    let ended = target.send("GET /auth/me", &own, "").await;
    assert_eq!(ended.status, 401);
    ended.problem();
}

#[tokio::test]
async fn only_pages_of_the_console_may_ask_from_elsewhere() {
    let target = Target::start(&[("BOTLOOM_CONSOLE_ORIGIN", "https://console.example")]).await;
    let asks = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-unknown\r\n";
    for origin in [
        "https://evil.example",
        "null",
        "https://console.example.evil.com",
        "http://console.example",
        "https://console.example:444",
        "https://console.example/",
    ] {
        let headers = format!("Origin: {origin}\r\n{asks}");
        let answer = target.send("OPTIONS /bots", &headers, "").await;
        assert_eq!(answer.status, 204, "{origin}");
        assert_eq!(answer.header("vary"), "origin", "{origin}");
        assert!(
            !answer.head.to_lowercase().contains("access-control-allow"),
            "{origin}: {answer:?}"
        );
        let own = format!("Origin: {origin}\r\n");
        let body = r#"{"botId":"a-bot","name":"A"}"#;
        let post = target.post_with("/bots", &own, body).await;
        post.refused(403, "origin-forbidden", origin);
        let read = target.send("GET /bots", &own, "").await;
        assert_eq!(read.header("access-control-allow-origin"), "", "{origin}");
    }
    let console = "Origin: https://console.example\r\n";
    let answer = target
        .send("OPTIONS /bots", &format!("{console}{asks}"), "")
        .await;
    assert_eq!(answer.status, 204);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://console.example"
    );
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    let (methods, headers) = (
        answer.header("access-control-allow-methods"),
        answer.header("access-control-allow-headers"),
    );
    assert!(
        methods.contains("DELETE") && !methods.contains("TRACE"),
        "{methods}"
    );
    assert!(
        headers.contains("x-csrf-token") && !headers.contains("unknown") && !headers.contains('*'),
        "{headers}"
    );
    let made = target
        .post_with("/bots", console, r#"{"botId":"a-bot","name":"A"}"#)
        .await;
    assert_eq!(
        (made.status, made.header("access-control-allow-origin")),
        (201, "https://console.example")
    );
    // Its refusals can be read, too.
    let refused = target.send("GET /bots/b-bot", console, "").await;
    assert_eq!(
        (refused.status, refused.header("access-control-allow-origin")),
        (404, "https://console.example")
    );
}

#[tokio::test]
async fn conditions_that_cannot_hold() {
    let target = Target::with_bot(&[]).await;
    let spec = specs::chain("a-bot", "1").to_string();
    target.post_with("/spec", "If-Match: *\r\n", &spec).await.refused(
        412,
        "precondition-failed",
        "* where nothing is",
    );
    assert_eq!(target.post("/spec", &spec).await.status, 201);
    let other = specs::chain("a-bot", "2").to_string();
    let thousand = vec!["\"x\""; 1_000].join(", ");
    for (tags, status, slug) in [
        ("W/\"specVersion-1\"", 412, "precondition-failed"),
        ("\"specVersion-9\"", 412, "precondition-failed"),
        ("specVersion-1", 400, "malformed-header"),
        ("\"specVersion-1", 400, "malformed-header"),
        (thousand.as_str(), 400, "malformed-header"),
    ] {
        let answer = target
            .post_with("/spec", &format!("If-Match: {tags}\r\n"), &other)
            .await;
        answer.refused(status, slug, tags);
    }
    for tags in [
        "*",
        "\"specVersion-1\"",
        "W/\"specVersion-1\"",
        "\"x\", \"specVersion-1\"",
    ] {
        let answer = target
            .send(
                "GET /spec/latest?botId=a-bot",
                &format!("If-None-Match: {tags}\r\n"),
                "",
            )
            .await;
        assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{tags}");
        assert_eq!(answer.header("etag"), "\"specVersion-1\"", "{tags}");
    }
    let taken = target
        .post_with("/bots", "If-None-Match: *\r\n", r#"{"botId":"a-bot","name":"A"}"#)
        .await;
    taken.refused(409, "bot-exists", "a name that is taken");
}

#[tokio::test]
async fn keys_that_cannot_be_used() {
    let target = Target::with_bot(&[]).await;
    let spec = specs::chain("a-bot", "1").to_string();
    let long = "k".repeat(256);
    for key in ["", long.as_str(), "a\tb", "\u{e4}"] {
        let answer = target
            .post_with("/spec", &format!("Idempotency-Key: {key}\r\n"), &spec)
            .await;
        answer.refused(400, "idempotency-key-invalid", key);
    }
    let twice = "Idempotency-Key: a\r\nIdempotency-Key: b\r\n";
    target
        .post_with("/spec", twice, &spec)
        .await
        .refused(400, "idempotency-key-invalid", "two keys");
    // The same content, however it is written.
    let key = "Idempotency-Key: k-1\r\n";
    let body = r#"{"botId":"a-bot","specVersion":9}"#;
    let first = target.post_with("/generate", key, body).await;
    first.refused(404, "not-found", "first");
    for spelling in [
        r#"{ "specVersion" : 9.0, "botId" : "a-bot" }"#,
        r#"{"botId":"\u0061-bot","specVersion":9}"#,
        r#"{"botId":"a-bot","specVersion":9e0}"#,
    ] {
        let again = target.post_with("/generate", key, spelling).await;
        again.refused(404, "not-found", spelling);
        assert_eq!(again.header("idempotent-replayed"), "true", "{spelling}");
    }
    target
        .post_with("/generate", key, r#"{"botId":"a-bot","specVersion":8}"#)
        .await
        .refused(422, "idempotency-key-reused", "another body");
}
