//! Bodies: what is no JSON, what is too much of it, what means something that is not allowed.

use serde_json::json;

use super::Target;
use crate::support::specs;

#[tokio::test]
async fn what_is_no_json() {
    let target = Target::start(&[]).await;
    let utf16: Vec<u8> = r#"{"botId":"a-bot"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let huge = format!(r#"{{"botId":"a-bot","name":1{}}}"#, "0".repeat(400));
    let only_opened = "[".repeat(1024 * 1024);
    let levels = format!(r#"{{"botId":{}{}}}"#, "[".repeat(129), "]".repeat(129));
    let table: [(&str, &[u8], u16, &str); 16] = [
        ("cut off", br#"{"botId":"#, 400, "malformed-json"),
        (
            "a comma too many",
            br#"{"botId":"a-bot","name":"x",}"#,
            400,
            "malformed-json",
        ),
        (
            "something behind",
            br#"{"botId":"a-bot","name":"x"}{}"#,
            400,
            "malformed-json",
        ),
        ("a comment", br#"{"botId":"a-bot"/**/}"#, 400, "malformed-json"),
        ("a byte order mark", b"\xef\xbb\xbf{}", 400, "malformed-json"),
        ("UTF-16", &utf16, 400, "malformed-json"),
        (
            "no UTF-8",
            b"{\"botId\":\"a-bot\",\"name\":\"\xff\"}",
            400,
            "malformed-json",
        ),
        (
            "half a pair",
            br#"{"botId":"a-bot","name":"\ud800"}"#,
            400,
            "malformed-json",
        ),
        ("NaN", br#"{"botId":"a-bot","name":NaN}"#, 400, "malformed-json"),
        ("a number without end", huge.as_bytes(), 400, "malformed-json"),
        (
            "a key twice",
            br#"{"botId":"a-bot","botId":"b-bot","name":"x"}"#,
            400,
            "duplicate-key",
        ),
        ("129 levels", levels.as_bytes(), 400, "json-too-deep"),
        ("a mebibyte of [", only_opened.as_bytes(), 400, "json-too-deep"),
        (
            "NUL",
            br#"{"botId":"a-bot","name":"a\u0000b"}"#,
            422,
            "validation-failed",
        ),
        (
            "a field of others",
            br#"{"botId":"a-bot","name":"x","ownerId":"1","role":"owner"}"#,
            422,
            "validation-failed",
        ),
        (
            "an integer past 2^53",
            br#"{"botId":"a-bot","name":9007199254740993}"#,
            422,
            "validation-failed",
        ),
    ];
    for (what, body, status, slug) in table {
        target.post("/bots", body).await.refused(status, slug, what);
    }
    assert_eq!(target.get("/bots").await.json()["items"], json!([]));
}

#[tokio::test]
async fn bodies_that_are_more_or_something_else() {
    let target = Target::start(&[]).await;
    let good = r#"{"botId":"a-bot","name":"x"}"#;
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/xml",
    ] {
        let headers = format!("Content-Type: {media_type}\r\n");
        let answer = target.send("POST /bots", &headers, good).await;
        answer.refused(415, "unsupported-media-type", media_type);
    }
    target
        .send("POST /bots", "", good)
        .await
        .refused(415, "unsupported-media-type", "no type");
    for encoding in ["gzip", "br", "deflate", "x-unknown"] {
        let answer = target
            .post_with("/bots", &format!("Content-Encoding: {encoding}\r\n"), good)
            .await;
        answer.refused(415, "unsupported-encoding", encoding);
    }
    for path in ["/bots", "/spec", "/auth/login", "/simulate"] {
        let answer = target.post(path, " ".repeat(1024 * 1024 + 1)).await;
        answer.refused(413, "payload-too-large", path);
    }
    // Announced and never sent.
    let head = "Content-Type: application/json\r\nContent-Length: 99999999999\r\n";
    let body = format!(
        "POST /bots HTTP/1.1\r\nHost: {}\r\n{}{head}\r\n",
        target.host(),
        target.session
    );
    let answer = target.raw(body.as_bytes()).await.unwrap();
    assert!(matches!(answer.status, 408 | 413), "{answer:?}");
    answer.problem();
}

#[tokio::test]
async fn specs_that_would_harm() {
    let target = Target::with_bot(&[]).await;
    let call = |url: &str| {
        let mut spec = specs::chain("a-bot", "");
        spec["security"]["allowDomains"] = json!(["api.shop.example"]);
        spec["flows"][0]["steps"][0] = json!({"id": "hello", "type": "apiCall", "method": "GET", "url": url,
            "timeoutMs": 1000, "retries": 0, "backoff": {"baseMs": 100, "factor": 2}});
        spec.to_string()
    };
    let fine = target
        .post("/spec/validate", call("https://api.shop.example/x"))
        .await;
    let errors = |answer: &super::Answer| {
        let findings = answer.json()["findings"].as_array().cloned().unwrap_or_default();
        findings.iter().filter(|f| f["severity"] == "error").count()
    };
    assert_eq!((fine.status, errors(&fine)), (200, 0), "{fine:?}");
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/",
        "http://0xA9FEA9FE/",
        "https://2852039166/",
        "https://user@evil.example/",
        "https://api.shop.example@evil.example/",
        "https://api.shop.example.evil.example/",
        "https://evilapi.shop.example/",
        "ftp://api.shop.example/",
        "file:///etc/passwd",
        "gopher://api.shop.example/",
        "https://other.example/",
        "https://api.shop.example:6379/",
        "https://[::1]/",
        "https://localhost/",
        "https://{{state.last}}/",
        "https://api.shop.example\\@evil.example/",
    ] {
        let answer = target.post("/spec", call(url)).await;
        answer.refused(400, "invalid-spec", url);
    }
    // What looks like code is text.
    for text in [
        "{{constructor.constructor('return 1')()}}",
        "{{state.__proto__}}",
        "{{state['last']}}",
        "${process.env}",
    ] {
        let mut spec = specs::chain("a-bot", "");
        spec["flows"][0]["steps"][0]["text"] = json!(text);
        let answer = target.post("/spec", spec.to_string()).await;
        if answer.status == 400 {
            answer.refused(400, "invalid-spec", text);
        } else {
            assert_eq!((answer.status, text), (201, "${process.env}"), "{answer:?}");
        }
    }
}
