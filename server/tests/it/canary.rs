//! Secrets that are easy to recognise live through a whole life of an installation, its mishaps included; afterwards none of
//! them is anywhere, in no spelling: not in the log at its most talkative, not in traces, metrics, answers, exports, files.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use botloom_telegram::simulator::{Action, Fault};
use serde_json::json;

use crate::support::api::{EMAIL, PASSWORD};
use crate::support::collector::Collector;
use crate::support::http::Http;
use crate::support::process::run;
use crate::support::specs;
use crate::support::stories::Storage;
use crate::support::stub::Stub;
use crate::support::world::World;

const BOT: &str = "canary-bot";
const NUMBER: i64 = 7_100_000_080;
const TOKEN: &str = "7100000080:AAcanary-bot-token-4f1c9d";
const MISTYPED: &str = "7100000080:AAcanary+mistyped token 77ab";
const GUESS: &str = "canary-wrong-password-33e0";
const HEADER: &str = "canary-header-secret-90d2";

/// Everything that was told or kept, by where.
struct Places(Vec<(String, Vec<u8>)>);

impl Places {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// Where a text is, in any spelling.
    fn holding(&self, text: &str, but: &[&str]) -> Vec<String> {
        let spellings = spellings(text);
        let holds = |bytes: &[u8]| {
            let found = |spelling: &String| {
                bytes
                    .windows(spelling.len())
                    .any(|part| part == spelling.as_bytes())
            };
            spellings.iter().any(found)
        };
        let places = self
            .0
            .iter()
            .filter(|(place, bytes)| !but.iter().any(|but| place.starts_with(but)) && holds(bytes));
        places.map(|(place, _)| place.clone()).collect()
    }
}

/// A text plainly, percent-encoded, in hexadecimal digits, and in Base64 wherever in something longer it stands.
fn spellings(text: &str) -> Vec<String> {
    let hex: String = text.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let escaped = json!(text).to_string();
    let mut all = vec![
        text.to_owned(),
        encoded.replace('+', "%20"),
        encoded,
        escaped.trim_matches('"').to_owned(),
        hex.to_uppercase(),
        hex,
    ];
    for skipped in 0..3 {
        let rest = &text.as_bytes()[skipped..];
        let whole = &rest[..rest.len() / 3 * 3];
        all.extend([STANDARD_NO_PAD.encode(whole), URL_SAFE_NO_PAD.encode(whole)]);
    }
    all
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// A bot that calls a host with a secret in a header.
fn calling() -> serde_json::Value {
    let mut spec = specs::chain(BOT, "");
    spec["flows"][1]["steps"] = json!([
        {"id": "ask", "type": "apiCall", "method": "POST", "url": "https://api.canary.example/path",
         "headers": {"X-Api-Key": HEADER}, "body": {"said": "{{context.args}}"}, "timeoutMs": 2_000,
         "map": {"last": "/v"}, "onError": {"goto": "tell"}},
        {"id": "tell", "type": "reply", "text": "told {{context.args}}"},
    ]);
    spec["security"]["allowDomains"] = json!(["api.canary.example"]);
    spec
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_told_or_kept_anywhere() {
    let collector = Collector::start().await;
    let (endpoint, stub) = (collector.endpoint(), Stub::start(&[(500, "{}")]).await);
    let hosts = format!("api.canary.example=http://{}", stub.address);
    let settings = [
        ("BOTLOOM_LOG", "trace"),
        ("BOTLOOM_DEV_HOSTS", hosts.as_str()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
    ];
    let mut world = World::start(Storage::Embedded, &settings).await;
    let mut places = Places(Vec::new());
    let api = world.api.clone();

    // A life: connected, deployed, used.
    let spec = calling();
    api.create_bot(&spec).await;
    api.go_live(&spec).await;
    api.connect(BOT, TOKEN, "webhook").await;
    let secret = world.secret(NUMBER);
    let person = world.person("Ada", "en");
    assert_eq!(world.ask(NUMBER, person, "/n 1", 1).await, ["told 1"]);
    assert!(!stub.asked().is_empty(), "the header was sent");
    let project = api.get("/projects").await.json()["items"][0]["projectId"]
        .as_str()
        .unwrap()
        .to_owned();
    let token = json!({ "name": "canary", "role": "owner" });
    let tokens = format!("/projects/{project}/tokens");
    let token = api.post(&tokens, &token).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let bearer = format!("Bearer {token}");
    let asked = Http::new()
        .send(
            "GET",
            &world.server.url("/bots"),
            &[("authorization", &bearer)],
            "",
        )
        .await
        .unwrap();
    assert_eq!(asked.status, 200);

    // Mishaps: workers that crash, Telegram that breaks off, updates that are none, requests that are refused.
    world.server.signal_workers("SEGV");
    world.telegram.add_fault(Fault {
        bot: Some(NUMBER),
        method: Some("sendMessage".to_owned()),
        chat: None,
        skip: 0,
        count: Some(2),
        executed: false,
        action: Action::Reset,
    });
    assert_eq!(world.ask(NUMBER, person, "/n 2", 1).await, ["told 2"]);
    let door = world.door(&format!("/wh/{BOT}"));
    let (wrong, right) = (format!("{}x", &secret[1..]), secret.clone());
    for (given, body) in [(&wrong, "{}"), (&right, "{\"update_id\":"), (&right, "[]")] {
        let headers = [("x-telegram-bot-api-secret-token", given.as_str())];
        let answer = Http::new().send("POST", &door, &headers, body).await.unwrap();
        places.add("an answer of the door", answer.body);
    }
    let json_type = [("content-type", "application/json")];
    let guess = json!({ "email": EMAIL, "password": GUESS }).to_string();
    let login = world.server.url("/auth/login");
    let refused = Http::new().send("POST", &login, &json_type, guess).await.unwrap();
    assert_eq!(refused.status, 401);
    places.add("an answer to a login", refused.body);
    let path = format!("/bots/{BOT}/token");
    for bad in [MISTYPED, "1:AAcanary"] {
        let body = json!({ "token": bad }).to_string();
        let answer = api.request("PUT", &path, &[], body).await.unwrap();
        assert!(answer.status.is_client_error(), "{answer:?}");
        places.add("an answer to a token", answer.body);
    }
    world.telegram.shutdown().await;
    let body = json!({ "token": TOKEN }).to_string();
    let away = api.request("PUT", &path, &[], body).await.unwrap();
    assert_eq!(away.json()["type"], "/problems/telegram-unavailable");
    places.add("an answer without Telegram", away.body);
    let gone = api.post(&format!("/bots/{BOT}/disconnect"), &json!({})).await;
    places.add("an answer to a disconnection", gone.body);

    // What is told.
    for path in [
        format!("/bots/{BOT}"),
        format!("/bots/{BOT}/dead-letters?direction=in"),
        format!("/deployments?botId={BOT}"),
        format!("/events?botId={BOT}&lastEventId=999"),
        "/bots".to_owned(),
        "/audit/export".to_owned(),
        "/auth/sessions".to_owned(),
        "/metrics".to_owned(),
        "/readyz".to_owned(),
        tokens,
    ] {
        let told = if path.starts_with("/events") {
            api.stream(&path, "resync", crate::support::world::PATIENCE)
                .await
                .into_bytes()
        } else {
            api.get(&path).await.body.to_vec()
        };
        places.add(format!("GET {path}"), told);
    }
    let settings = [
        ("BOTLOOM_OWNER_EMAIL", EMAIL),
        ("BOTLOOM_OWNER_PASSWORD", PASSWORD),
    ];
    let config = run(&["config"], &settings, &std::env::temp_dir(), "");
    assert_eq!(config.code, Some(0), "{config:?}");
    places.add("botloom config", config.out + &config.err);

    // What is kept, while it runs and after it has ended.
    for file in files(&world.server.data()) {
        places.add(
            format!("file {} of a running server", file.display()),
            std::fs::read(&file).unwrap(),
        );
    }
    world.stop().await;
    for file in files(&world.server.data()) {
        places.add(format!("file {}", file.display()), std::fs::read(&file).unwrap());
    }
    places.add("the log", world.logs());
    places.add("traces", collector.printed());

    // The search sees what is there.
    for place in ["the log", "traces", "GET /audit/export", "file"] {
        let seen = places.holding(BOT, &[]);
        assert!(
            seen.iter().any(|seen| seen.starts_with(place)),
            "nothing of the bot in {place}: {seen:?}"
        );
    }
    let session = api.cookie().split_once('=').unwrap().1.to_owned();
    let half = TOKEN.split_once(':').unwrap().1;
    let everywhere: [(&str, &str); 8] = [
        ("the bot's token", TOKEN),
        ("a half of the bot's token", half),
        ("a mistyped token", MISTYPED),
        ("the webhook's secret", &secret),
        ("the password", PASSWORD),
        ("a wrong password", GUESS),
        ("the session", &session),
        ("the API token", &token),
    ];
    for (what, text) in everywhere {
        assert_eq!(places.holding(text, &[]), Vec::<String>::new(), "{what}");
    }
    // A spec is kept and shown as its author wrote it, and so is the program that is made of it.
    assert_eq!(
        places.holding(HEADER, &["file"]),
        Vec::<String>::new(),
        "a header of a call"
    );
}
