//! The token is in no error, no debug text and no log, whatever fails.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use botloom_telegram::simulator::{Action, Fault, Options as SimOptions, Simulator};
use botloom_telegram::{Client, Options, Token, Upload};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use url::Url;

const SECRET: &str = "AAcanary-canary_canary";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn client(root: &str) -> Client {
    let timeout = Duration::from_millis(300);
    let api_root = Url::parse(root).unwrap();
    Client::new(Options {
        api_root,
        timeout,
        connect_timeout: timeout,
        ..Options::default()
    })
    .unwrap()
}

#[tokio::test]
async fn nowhere() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing_subscriber::util::SubscriberInitExt::set_default(subscriber);

    let token = Token::new(format!("7100000001:{SECRET}")).unwrap();
    let sim = Simulator::start(SimOptions::default()).await.unwrap();
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    // Reads nothing, and answers every connection with the path it was asked for: the worst peer there is.
    let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let echo_address = echo.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = echo.accept().await {
            let body = format!(
                r#"{{"ok":false,"error_code":400,"description":"no /bot7100000001:{SECRET}/getMe"}}"#
            );
            let head = format!(
                "HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes()).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });

    let fault = |action| Fault {
        bot: None,
        method: Some("getMe".into()),
        chat: None,
        skip: 0,
        count: Some(1),
        executed: false,
        action,
    };
    sim.add_fault(fault(Action::Reset));
    sim.add_fault(fault(Action::Hang { ms: 2000 }));
    let mut errors = Vec::new();
    for root in [
        sim.url().to_string(),
        sim.url().to_string(),
        format!("http://{free}"),
        format!("https://{}", sim.addr()),
        format!("https://{free}/prefix"),
        "http://no-such-host.invalid".into(),
        format!("http://{echo_address}"),
    ] {
        let client = client(&root);
        let outcome = client.get_me(&token).await;
        let error = outcome.expect_err(&root);
        errors.push(format!("{error} {error:?} {client:?} {token} {token:?}"));
    }
    let other = client(sim.url().as_str());
    for error in [
        other.call_raw(&token, "sendMessage", "{").await.unwrap_err(),
        other.call_raw(&token, "get/Me", "{}").await.unwrap_err(),
        other
            .call::<_, Vec<u8>>(&token, "getMe", &json!({}))
            .await
            .unwrap_err(),
        other
            .upload(&token, "sendPhoto", &Upload::default())
            .await
            .unwrap_err(),
        other.download(&token, "photos/none.jpg", 10).await.unwrap_err(),
        other.download(&token, "../x", 10).await.unwrap_err(),
    ] {
        errors.push(format!("{error} {error:?}"));
    }
    drop(guard);
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(!log.contains(SECRET), "{log}");
    assert_eq!(errors.len(), 13);
    for text in &errors {
        assert!(!text.contains(SECRET), "{text}");
    }
}
