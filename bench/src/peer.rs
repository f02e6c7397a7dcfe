//! The servers that are compared, each a process of its own.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use botloom_telegram::Token;
use botloom_telegram::simulator::{Event, Filter, Handle};
use serde_json::{Value, json};

use crate::client::{Api, text};
use crate::load::Target;

/// Who owns the server under test.
pub(crate) const EMAIL: &str = "bench@example.com";
/// Their password.
pub(crate) const PASSWORD: &str = "bench password";
/// The bot of the load.
pub(crate) const BOT: &str = "bench-bot";

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

    /// The server's address, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        let (url, _) = self.target.url.split_once("/wh/").unwrap_or_default();
        url
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

    let mut api = Api::new(&url, None);
    api.until("/readyz", |answer| answer.0 == 200).await?;
    api.log_in(EMAIL, PASSWORD).await?;
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
pub(crate) fn spec() -> Value {
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
