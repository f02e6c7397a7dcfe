//! The servers that are compared, each a process of its own.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use botloom_telegram::Token;
use botloom_telegram::simulator::{Event, Filter, Handle};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::load::Target;

const EMAIL: &str = "bench@example.com";
const PASSWORD: &str = "bench password";
const BOT: &str = "bench-bot";

/// A server that takes updates.
#[derive(Debug)]
pub(crate) struct Peer {
    pub name: &'static str,
    pub bot: i64,
    pub target: Target,
    child: Child,
    _data: Option<tempfile::TempDir>,
}

impl Peer {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener
        .local_addr()
        .map(|address| address.port())
        .map_err(|error| error.to_string())
}

/// The bare handler.
pub(crate) async fn bare(telegram: &Handle, token: &str) -> Result<Peer, String> {
    let port = free_port()?;
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let child = Command::new(this)
        .args(["bare", "--listen", &format!("127.0.0.1:{port}")])
        .args(["--api-root", telegram.url().as_str(), "--token", token])
        .spawn()
        .map_err(|error| error.to_string())?;
    let bot = telegram.bot(&Token::new(token).map_err(|error| error.to_string())?);
    let target = Target {
        url: format!("http://127.0.0.1:{port}/wh/{BOT}"),
        secret: "none".to_owned(),
    };
    let peer = Peer {
        name: "bare",
        bot,
        target,
        child,
        _data: None,
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        if Instant::now() > deadline {
            return Err("the bare handler does not start".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(peer)
}

/// Botloom with the bench bot live and its webhook set. `settings` say where it keeps its things.
pub(crate) async fn botloom(
    name: &'static str,
    binary: &Path,
    telegram: &Handle,
    token: &str,
    settings: &[(&str, String)],
) -> Result<Peer, String> {
    let port = free_port()?;
    let data = tempfile::tempdir().map_err(|error| error.to_string())?;
    let url = format!("http://127.0.0.1:{port}");
    let child = Command::new(binary)
        .arg("serve")
        .current_dir(data.path())
        .env("BOTLOOM_LISTEN", format!("127.0.0.1:{port}"))
        .env("BOTLOOM_DATA_DIR", data.path().join("data"))
        .env("BOTLOOM_PUBLIC_URL", &url)
        .env("BOTLOOM_TELEGRAM_API_ROOT", telegram.url().as_str())
        .env("BOTLOOM_OWNER_EMAIL", EMAIL)
        .env("BOTLOOM_OWNER_PASSWORD", PASSWORD)
        .env("BOTLOOM_LOG", "warn")
        .envs(
            ["BOT_PER_S", "BULK_PER_S", "CHAT_PER_S", "GROUP_PER_MIN"]
                .map(|name| (format!("BOTLOOM_SEND_{name}"), "0")),
        )
        .envs(settings.iter().cloned())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    let bot = telegram.bot(&Token::new(token).map_err(|error| error.to_string())?);
    let target = Target {
        url: format!("{url}/wh/{BOT}"),
        secret: String::new(),
    };
    let mut peer = Peer {
        name,
        bot,
        target,
        child,
        _data: Some(data),
    };

    let mut api = Api {
        http: Client::builder(TokioExecutor::new()).build_http(),
        url,
        cookie: String::new(),
        csrf: String::new(),
    };
    api.until("/readyz", |answer| answer.0 == 200).await?;
    api.log_in().await?;
    api.send("POST", "/bots", json!({ "botId": BOT, "name": "Bench" }))
        .await?;
    let version = api.send("POST", "/spec", spec()).await?;
    let task = api
        .send(
            "POST",
            "/generate",
            json!({ "botId": BOT, "specVersion": version["version"] }),
        )
        .await?;
    let built = api.ended(&format!("/tasks/{}", text(&task, "taskId"))).await?;
    let task = api
        .send(
            "POST",
            "/deploy",
            json!({ "botId": BOT, "revHash": built["revHash"], "strategy": "flip" }),
        )
        .await?;
    api.ended(&format!("/deployments/{}", text(&task, "taskId")))
        .await?;
    api.send("PUT", &format!("/bots/{BOT}/token"), json!({ "token": token }))
        .await?;
    api.send(
        "POST",
        &format!("/bots/{BOT}/connect"),
        json!({ "ingress": "webhook" }),
    )
    .await?;
    let filter = Filter {
        bot: Some(bot),
        method: Some("setWebhook".to_owned()),
        ..Filter::default()
    };
    let set = telegram.journal(&filter);
    let Some(Event::Call { params, .. }) = set.last().map(|entry| &entry.event) else {
        return Err("the webhook was not set".to_owned());
    };
    params["secret_token"]
        .as_str()
        .unwrap_or_default()
        .clone_into(&mut peer.target.secret);
    Ok(peer)
}

/// The bot of the load: one reply with a value of the chat, one value written.
fn spec() -> Value {
    json!({
        "meta": {"botId": BOT, "name": "Bench", "schema_ver": 1, "locales": ["en"], "defaultLocale": "en"},
        "commands": [
            {"command": "/start", "flow": "count"}, {"command": "/help", "flow": "count"}, {"command": "/n", "flow": "count"},
        ],
        "intents": [],
        "flows": [{"id": "count", "steps": [
            {"id": "tell", "type": "reply", "text": "{{state.last}}->{{context.args}}"},
            {"id": "keep", "type": "save", "key": "last", "value": "{{context.args}}"},
        ]}],
        "state": {"keys": {"last": {"type": "string"}}},
        "localization": {"en": {}},
        "telemetry": {"events": []},
        "security": {"allowDomains": [], "maxApiResponseKB": 64},
    })
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

struct Api {
    http: Client<HttpConnector, Full<Bytes>>,
    url: String,
    cookie: String,
    csrf: String,
}

impl Api {
    async fn request(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value, String), String> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .header("cookie", &self.cookie)
            .header("x-csrf-token", &self.csrf)
            .body(Full::new(if body.is_null() {
                Bytes::new()
            } else {
                Bytes::from(body.to_string())
            }))
            .map_err(|error| error.to_string())?;
        let answer = self
            .http
            .request(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let cookie = answer
            .headers()
            .get("set-cookie")
            .and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie
            .and_then(|cookie| cookie.split(';').next())
            .unwrap_or_default()
            .to_owned();
        let bytes = answer
            .into_body()
            .collect()
            .await
            .map_err(|error| error.to_string())?
            .to_bytes();
        Ok((
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            cookie,
        ))
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Result<Value, String> {
        let (status, answer, _) = self.request(method, path, &body).await?;
        if (200..300).contains(&status) {
            Ok(answer)
        } else {
            Err(format!("{method} {path}: {status} {answer}"))
        }
    }

    async fn log_in(&mut self) -> Result<(), String> {
        let account = json!({ "email": EMAIL, "password": PASSWORD });
        let (status, answer, cookie) = self.request("POST", "/auth/login", &account).await?;
        if status != 200 {
            return Err(format!("login: {status} {answer}"));
        }
        self.cookie = cookie;
        self.csrf = text(&answer, "csrfToken");
        Ok(())
    }

    async fn until(&self, path: &str, done: impl Fn(&(u16, Value, String)) -> bool) -> Result<Value, String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match self.request("GET", path, &Value::Null).await {
                Ok(answer) if done(&answer) => return Ok(answer.1),
                _ if Instant::now() > deadline => return Err(format!("{path} does not get there")),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn ended(&self, path: &str) -> Result<Value, String> {
        let end = |answer: &(u16, Value, String)| {
            matches!(answer.1["status"].as_str(), Some("succeeded" | "failed"))
        };
        let ended = self.until(path, end).await?;
        if ended["status"] == "succeeded" {
            Ok(ended)
        } else {
            Err(format!("{path}: {ended}"))
        }
    }
}
