//! The client: typed methods, raw calls, and what each kind of failure is called.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use botloom_telegram::{BotCommand, CallError, Class, Client, Options, Token, classify};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use crate::{BOT, Scene, refusal};

fn options(root: &str) -> Options {
    Options {
        api_root: Url::parse(root).unwrap(),
        ..Options::default()
    }
}

fn token() -> Token {
    Token::new("1:abcdef").unwrap()
}

#[tokio::test]
async fn typed_methods() {
    let s = Scene::new().await;
    let me = s.client.get_me(&s.token).await.unwrap();
    assert_eq!(
        (me.id, me.username.as_str(), me.can_join_groups),
        (BOT, "bot7100000001_bot", true)
    );

    let menu = [BotCommand {
        command: "start".into(),
        description: "Begin".into(),
    }];
    s.client.set_my_commands(&s.token, &menu, None).await.unwrap();
    s.client.set_my_commands(&s.token, &[], Some("de")).await.unwrap();
    let read: Vec<BotCommand> = s
        .client
        .call(&s.token, "getMyCommands", &json!({}))
        .await
        .unwrap();
    assert_eq!(read, menu);

    s.client
        .set_my_commands(&s.token, &menu, Some("de"))
        .await
        .unwrap();
    s.client
        .set_my_short_description(&s.token, "Kurz", Some("de"))
        .await
        .unwrap();
    let profile = s.sim.profile(BOT).unwrap();
    assert_eq!(profile.commands.keys().collect::<Vec<_>>(), ["", "de"]);
    assert_eq!(profile.short_descriptions["de"], "Kurz");
    s.client.delete_my_commands(&s.token, Some("de")).await.unwrap();
    assert_eq!(
        s.sim.profile(BOT).unwrap().commands.keys().collect::<Vec<_>>(),
        [""]
    );
    for code in ["deu", "DE", "d"] {
        let outcome = s.client.set_my_description(&s.token, "x", Some(code)).await;
        assert_eq!(
            refusal(outcome),
            (400, "Bad Request: Invalid language code specified".into()),
            "{code}"
        );
    }
    let scoped = json!({ "commands": menu, "scope": { "type": "chat", "chat_id": 7 } });
    s.call("setMyCommands", scoped).await.unwrap();
    let scope = json!({ "scope": { "type": "chat", "chat_id": 7 } });
    assert_eq!(s.call("getMyCommands", scope).await.unwrap(), json!(menu));
    for scope in [json!({ "type": "chat" }), json!({ "type": "everywhere" })] {
        let refused = s
            .call("setMyCommands", json!({ "commands": menu, "scope": scope }))
            .await;
        assert_eq!(refusal(refused).0, 400, "{scope}");
    }

    s.client
        .set_my_description(&s.token, "Vorne", Some("de"))
        .await
        .unwrap();
    let text = s
        .call("getMyDescription", json!({ "language_code": "de" }))
        .await
        .unwrap();
    assert_eq!(text, json!({ "description": "Vorne" }));
    assert_eq!(
        s.call("getMyDescription", json!({})).await.unwrap(),
        json!({ "description": "" })
    );
}

#[tokio::test]
async fn raw_calls() {
    let s = Scene::new().await;
    let params = format!(r#"{{"chat_id":{},"text":"hi"}}"#, s.ann.id);
    let result = s.client.call_raw(&s.token, "SENDmessage", params).await.unwrap();
    let message: Value = serde_json::from_str(result.get()).unwrap();
    assert_eq!(message["text"], "hi");
    assert_eq!(
        refusal(s.client.call_raw(&s.token, "sendNothing", "{}").await),
        (404, "Not Found: method not found".into())
    );
    for method in ["", "getMe/../x", "a b", "é"] {
        let outcome = s.client.call_raw(&s.token, method, "{}").await;
        assert!(matches!(outcome, Err(CallError::BadCall { .. })), "{method}");
    }
}

#[test]
fn roots_that_cannot_be() {
    for root in [
        "ftp://x/",
        "http://u:p@x/",
        "http://x/?a",
        "http://x/#a",
        "data:x",
    ] {
        assert!(Client::new(options(root)).is_err(), "{root}");
    }
}

#[tokio::test]
async fn nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let client = Client::new(options(&format!("http://{free}"))).unwrap();
    let error = client.get_me(&token()).await.unwrap_err();
    assert!(matches!(error, CallError::Connect { .. }), "{error:?}");
    assert_eq!(classify(&error, "getMe"), Class::Transient { ambiguous: false });
}

/// A server that reads a request and answers it with these bytes, or with nothing, and then closes.
async fn server(answer: &'static [u8], pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                tokio::time::sleep(pause).await;
                let _ = stream.write_all(answer).await;
            });
        }
    });
    format!("http://{address}")
}

async fn failure(answer: &'static [u8]) -> CallError {
    let root = server(answer, Duration::ZERO).await;
    let options = Options {
        max_answer: 1000,
        ..options(&root)
    };
    Client::new(options).unwrap().get_me(&token()).await.unwrap_err()
}

#[tokio::test]
async fn the_connection_closes_after_the_request() {
    let error = failure(b"").await;
    assert!(matches!(error, CallError::Ambiguous { .. }), "{error:?}");
    let error = failure(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"ok\":").await;
    assert!(matches!(error, CallError::Ambiguous { .. }), "{error:?}");
    assert_eq!(
        classify(&error, "sendMessage"),
        Class::Transient { ambiguous: true }
    );
}

#[tokio::test]
async fn no_answer_in_time() {
    let root = server(b"", Duration::from_mins(1)).await;
    let options = Options {
        timeout: Duration::from_millis(200),
        ..options(&root)
    };
    let error = Client::new(options).unwrap().get_me(&token()).await.unwrap_err();
    assert!(matches!(error, CallError::Ambiguous { .. }), "{error:?}");
}

#[tokio::test]
async fn a_tls_peer_that_says_nothing_was_never_written_to() {
    let root = server(b"", Duration::from_mins(1))
        .await
        .replace("http:", "https:");
    let options = Options {
        connect_timeout: Duration::from_millis(200),
        ..options(&root)
    };
    let error = Client::new(options.clone())
        .unwrap()
        .get_me(&token())
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Connect { .. }), "{error:?}");
    // The same when the whole call's time is up first.
    let options = Options {
        connect_timeout: Duration::from_secs(30),
        timeout: Duration::from_millis(200),
        ..options
    };
    let error = Client::new(options).unwrap().get_me(&token()).await.unwrap_err();
    assert!(matches!(error, CallError::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn answers_of_something_else() {
    let redirect = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    assert!(
        matches!(failure(redirect).await, CallError::BadAnswer { status: 302, .. }),
        "not followed"
    );
    let page = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<p/>";
    assert!(matches!(
        failure(page).await,
        CallError::BadAnswer { status: 200, .. }
    ));
    let huge = b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{";
    assert!(matches!(
        failure(huge).await,
        CallError::BadAnswer { status: 200, .. }
    ));
    let proxy = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\n\r\n<p/>";
    let error = failure(proxy).await;
    assert!(matches!(&error, CallError::Api { code: 502, description, .. } if description == "Bad Gateway"));
    let limiter = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(
        classify(&failure(limiter).await, "getMe"),
        Class::RetryAfter { secs: 7 }
    );
    let other = b"HTTP/1.1 200 OK\r\ncontent-length: 24\r\n\r\n{\"ok\":true,\"result\":[17]}";
    assert!(matches!(
        failure(&other[..other.len() - 1]).await,
        CallError::BadAnswer { .. }
    ));
}

#[tokio::test]
async fn connections_are_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut request = Vec::new();
                loop {
                    let mut buffer = [0; 4096];
                    match stream.read(&mut buffer).await {
                        Ok(1..) => request.extend_from_slice(&buffer),
                        _ => return,
                    }
                    // The parameters of these calls are an empty object.
                    if request.windows(2).any(|end| end == b"{}") {
                        request.clear();
                        let answer =
                            b"HTTP/1.1 200 OK\r\ncontent-length: 25\r\n\r\n{\"ok\":true,\"result\":true}";
                        stream.write_all(answer).await.unwrap();
                    }
                }
            });
        }
    });
    let client = Client::new(options(&root)).unwrap();
    for _ in 0..20 {
        client.clone().call_raw(&token(), "close", "").await.unwrap();
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_went_away_was_not_written_to() {
    let s = Scene::new().await;
    s.client.get_me(&s.token).await.unwrap();
    // The pool holds an idle connection: the next call finds out before it writes.
    s.sim.shutdown().await;
    let error = s.client.get_me(&s.token).await.unwrap_err();
    assert!(matches!(error, CallError::Connect { .. }), "{error:?}");
}
