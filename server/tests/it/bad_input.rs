//! Bad input: a clear, typed answer each, nothing lost, nothing leaked.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::http::{Answer, Http};
use crate::support::process::{Server, free_port, run};
use crate::support::specs;
use crate::support::stories::{Storage, stories};
use crate::support::world::{PATIENCE, World};

stories!(
    the_door_tells_strangers_nothing_and_loses_nothing_of_telegram,
    a_spec_with_forty_mistakes_is_told_all_of_them,
    a_lost_update_of_a_spec_is_refused
);

const TOKEN: &str = "7100000060:AA-canary-token";

/// Posts to the webhook.
async fn post(world: &World, secret: Option<&str>, body: impl Into<bytes::Bytes>) -> Answer {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(secret.map(|secret| ("x-telegram-bot-api-secret-token", secret)));
    Http::new()
        .send("POST", &world.door("/wh/careful-bot"), &headers, body)
        .await
        .unwrap()
}

/// Posts until it is taken, as Telegram does. Answers how often the door refused: what it could not store in time may be
/// stored all the same.
async fn taken(world: &World, secret: &str, body: &str) -> usize {
    let taken = tokio::time::timeout(PATIENCE, async {
        let mut refused = 0;
        loop {
            let answer = post(world, Some(secret), body.to_owned()).await;
            if !matches!(answer.status.as_u16(), 429 | 503) {
                assert_eq!(
                    (answer.status.as_u16(), answer.body.len()),
                    (200, 0),
                    "{body:.40}"
                );
                return refused;
            }
            refused += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    taken.await.expect("it is taken in the end")
}

async fn letters(world: &World) -> Vec<Value> {
    let answer = world
        .api
        .get("/bots/careful-bot/dead-letters?direction=in")
        .await
        .json();
    answer["items"].as_array().unwrap().clone()
}

async fn the_door_tells_strangers_nothing_and_loses_nothing_of_telegram(storage: Storage) {
    let world = World::start(storage, &[]).await;
    let spec = specs::chain("careful-bot", "");
    world.api.create_bot(&spec).await;
    world.api.go_live(&spec).await;
    world.api.connect("careful-bot", TOKEN, "webhook").await;
    let bot = world.telegram.bot(&botloom_telegram::Token::new(TOKEN).unwrap());
    let secret = world.secret(bot);
    let good = json!({"update_id": 1, "message": {"message_id": 1, "date": 1, "text": "/n 1",
        "from": {"id": 5, "is_bot": false, "first_name": "A"}, "chat": {"id": 5, "type": "private"}}});

    // Strangers.
    for wrong in [None, Some("x"), Some(&secret[1..])] {
        let answer = post(&world, wrong, good.to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (401, 0), "{wrong:?}");
    }
    let unknown = Http::new()
        .send("POST", &world.door("/wh/no-such-bot"), &[], "{}")
        .await
        .unwrap();
    assert_eq!(unknown.status, 404);
    assert_eq!(letters(&world).await, Vec::<Value>::new());

    // Telegram, with what nobody can read: acknowledged and set aside, or it would come again for a day.
    let large = format!(
        r#"{{"update_id":2,"message":{{"text":"{}"}}}}"#,
        "x".repeat(2 * 1024 * 1024)
    );
    let mut refused = 0;
    for body in [
        "{\"update_id\":",
        "[]",
        "{}",
        "{\"update_id\":\"7\"}",
        large.as_str(),
    ] {
        refused += taken(&world, &secret, body).await;
    }
    let set_aside = letters(&world).await;
    let expected = 5..=5 + refused;
    assert!(expected.contains(&set_aside.len()), "{}", set_aside.len());
    for letter in &set_aside {
        assert_eq!(letter["reason"], "malformed", "{letter}");
        assert!(letter.to_string().len() < 200_000);
    }

    // A kind that nobody knows yet is no mistake, and a good update after all this is answered.
    let unknown_kind = json!({"update_id": 3, "hologram": {"chat": {"id": 5}}}).to_string();
    taken(&world, &secret, &unknown_kind).await;
    taken(&world, &secret, &good.to_string()).await;
    let seen = world
        .telegram
        .wait_messages(bot, 5, 0, 1, PATIENCE)
        .await
        .unwrap();
    assert_eq!(crate::support::world::text_of(&seen[0]), "->1");
    assert_eq!(letters(&world).await.len(), set_aside.len());

    // Nothing of the token, anywhere.
    let row = world.api.get("/bots/careful-bot").await;
    let metrics = world.api.get("/metrics").await;
    let places = [
        String::from_utf8_lossy(&row.body).into_owned(),
        String::from_utf8_lossy(&metrics.body).into_owned(),
        world.logs(),
    ];
    for place in places {
        assert!(!place.contains("canary") && !place.contains(&secret), "{place}");
    }
    for file in ["control.db", "control.db-wal", "runtime.db", "runtime.db-wal"] {
        let bytes = std::fs::read(world.server.data().join(file)).unwrap_or_default();
        let leaked = bytes.windows(6).any(|window| window == b"canary");
        assert!(!leaked, "{file} holds the token");
    }
}

async fn a_spec_with_forty_mistakes_is_told_all_of_them(storage: Storage) {
    let world = World::start(storage, &[]).await;
    world.api.create_bot(&specs::chain("careful-bot", "")).await;
    let mut spec = specs::chain("careful-bot", "");
    let steps: Vec<Value> = (0..40)
        .map(|at| json!({"id": format!("s{at}"), "type": "goto", "flow": format!("nowhere-{at}")}))
        .collect();
    spec["flows"][0]["steps"] = json!(steps);
    let answer = world.api.post("/spec", &spec).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["type"], "/problems/invalid-spec");
    let errors: Vec<&Value> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["severity"] == "error")
        .collect();
    assert_eq!(errors.len(), 40, "{problem}");
    for (at, error) in errors.iter().enumerate() {
        assert_eq!(error["code"], "unknown-flow");
        assert!(
            error["pointer"].as_str().unwrap().starts_with("/flows/0/steps/"),
            "{error}"
        );
        assert!(
            error["message"].as_str().unwrap().contains("nowhere-"),
            "{at}: {error}"
        );
    }
    assert_eq!(world.api.get("/spec/latest?botId=careful-bot").await.status, 404);
}

async fn a_lost_update_of_a_spec_is_refused(storage: Storage) {
    let world = World::start(storage, &[]).await;
    world.api.create_bot(&specs::chain("careful-bot", "")).await;
    let post = async |mark: &str, headers: &[(&str, &str)]| {
        let body = specs::chain("careful-bot", mark).to_string();
        world.api.request("POST", "/spec", headers, body).await.unwrap()
    };
    assert_eq!(post("1", &[]).await.status, 201);
    assert_eq!(post("2", &[("if-match", "\"specVersion-1\"")]).await.status, 201);
    let late = post("3", &[("if-match", "\"specVersion-1\"")]).await;
    assert_eq!(
        (late.status.as_u16(), late.json()["type"].clone()),
        (412, json!("/problems/precondition-failed"))
    );
    assert_eq!(late.header("etag"), "\"specVersion-2\"");
    let latest = world.api.get("/spec/latest?botId=careful-bot").await;
    assert_eq!(latest.header("etag"), "\"specVersion-2\"");
}

#[tokio::test]
async fn a_second_server_on_the_same_data_folder_refuses_to_start() {
    let server = Server::start(&[]).await;
    let listen = format!("127.0.0.1:{}", free_port());
    let data = server.data().display().to_string();
    let ran = run(
        &["serve", "--listen", &listen, "--data-dir", &data],
        &[],
        &std::env::temp_dir(),
        "",
    );
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("another process"), "{}", ran.err);
    let http = Http::new();
    assert_eq!(
        http.send("GET", &server.url("/healthz"), &[], "")
            .await
            .unwrap()
            .status,
        200
    );
}

#[test]
fn an_unknown_setting_stops_the_start_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(&["serve"], &[("BOTLOOM_LISTN", "127.0.0.1:1")], dir.path(), "");
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("BOTLOOM_LISTN") && ran.err.contains("BOTLOOM_LISTEN"),
        "{}",
        ran.err
    );
    let ran = run(&["serve"], &[("REDIS_URL", "redis://127.0.0.1")], dir.path(), "");
    assert!(
        ran.err
            .starts_with("botloom: DATABASE_URL: is missing: REDIS_URL is set"),
        "{}",
        ran.err
    );
    assert!(!dir.path().join("data").exists(), "nothing was made");
}
