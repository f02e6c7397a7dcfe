//! A bot as one archive.

use std::collections::BTreeMap;
use std::process::Command;

use botloom_core::ids::{BotId, ChatId, Lane};
use botloom_core::ports::{Commit, DedupKey, Ingest, IngestOutcome, NewDeadLetter, NextTurn, StateChange};
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::{Server, live, revision, spec};

const TOKEN: &str = "7100000001:AA-secret-token";

/// Gives a chat a document, as the runtime does.
async fn remember(server: &Server, chat: i64, document: String) {
    let lane = Lane {
        bot: BotId::new("a-bot").unwrap(),
        chat: ChatId::from(chat),
    };
    let update = Ingest {
        lane,
        dedup: DedupKey::Update(chat),
        envelope: "{}".into(),
        accepted_at: server.ports.clock.now(),
        trace: None,
        want_turn: true,
    };
    let lanes = &server.ports.lanes;
    let Ok([IngestOutcome::Granted(turn)]) = <[_; 1]>::try_from(lanes.ingest(vec![update]).await.unwrap())
    else {
        panic!("the chat is free");
    };
    let commit = Commit {
        lease: turn.lease,
        revision: turn.revision,
        updates: 1,
        state: StateChange::Put {
            document: document.into(),
            ttl_ms: None,
        },
        messages: Vec::new(),
        want_out: false,
        next: NextTurn::Release,
        charge: 0,
    };
    lanes.commit(vec![commit]).await.unwrap();
}

/// The files of an archive, as `tar` reads them.
fn unpacked(archive: &[u8]) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.tar");
    std::fs::write(&path, archive).unwrap();
    let to = folder.path().join("files");
    std::fs::create_dir(&to).unwrap();
    let tar = Command::new("tar")
        .arg("-xf")
        .arg(&path)
        .arg("-C")
        .arg(&to)
        .output()
        .unwrap();
    assert!(tar.status.success(), "{tar:?}");
    let mut files = BTreeMap::new();
    let mut folders = vec![to.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&to).unwrap().display().to_string();
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

fn read(files: &BTreeMap<String, String>, name: &str) -> Value {
    serde_json::from_str(&files[name]).unwrap()
}

#[tokio::test]
async fn an_export_has_everything_but_the_secrets() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    owner
        .json(Method::PUT, "/bots/a-bot/token", &json!({ "token": TOKEN }))
        .await
        .expect(200);
    for text in ["one", "two"] {
        owner
            .post("/spec?note=noted", &spec("a-bot", text))
            .await
            .expect(201);
    }
    owner
        .post("/spec/1/restore?botId=a-bot", &json!({}))
        .await
        .expect(201);
    let rev = live(&server.ports, "a-bot", 1).await;
    let other = revision(&server.ports, "a-bot", "another").await;
    owner
        .post(
            "/deploy",
            &json!({ "botId": "a-bot", "revHash": rev.to_string() }),
        )
        .await
        .expect(202);
    for chat in 1..=120 {
        remember(&server, chat, format!("{{\"v\":{{\"n\":{chat}}}}}")).await;
    }
    let letter = NewDeadLetter {
        bot: BotId::new("a-bot").unwrap(),
        chat: Some(ChatId::from(5)),
        reason: "overflow".into(),
        detail: "Too many.".into(),
        body: "{\"update_id\":1}".into(),
        at: server.ports.clock.now(),
    };
    server.ports.dead_letters.set_aside(letter).await.unwrap();

    let answer = owner.get("/bots/a-bot/export").await.expect(200);
    assert_eq!(answer.header("content-type"), "application/x-tar");
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"a-bot.tar\""
    );
    for secret in [TOKEN, "AA-secret-token"] {
        assert!(!answer.text().contains(secret));
    }
    let files = unpacked(&answer.body);
    assert_eq!(read(&files, "manifest.json")["botId"], "a-bot");
    let bot = read(&files, "bot.json");
    assert_eq!(
        (&bot["activeRevHash"], &bot["epoch"]),
        (&json!(rev.to_string()), &json!(1))
    );
    assert_eq!(bot["telegram"]["id"], 7_100_000_001_i64);
    let restored = read(&files, "versions/000003.json");
    assert_eq!(
        (&restored["restoredFrom"], &restored["version"]),
        (&json!(1), &json!(3))
    );
    let stored = owner.get("/spec/2?botId=a-bot").await.expect(200);
    let second = read(&files, "versions/000002.json");
    assert_eq!(
        (&second["spec"], &second["note"]),
        (&stored.json(), &json!("noted"))
    );
    assert!(
        files["versions/000002.json"].contains(&stored.text()),
        "byte by byte"
    );
    for rev in [rev, other] {
        assert!(files[&format!("revisions/{rev}/bot.js")].contains("export function handle"));
        assert_eq!(
            read(&files, &format!("revisions/{rev}/rev.json"))["revHash"],
            rev.to_string()
        );
    }
    let deployment: Value = serde_json::from_str(files["deployments/000001.ndjson"].trim()).unwrap();
    assert_eq!(deployment["toRev"], rev.to_string());
    let letter: Value = serde_json::from_str(files["dead-letters/in/000001.ndjson"].trim()).unwrap();
    assert_eq!(
        (&letter["body"]["update_id"], &letter["chat"]),
        (&json!(1), &json!("5"))
    );
    let chats = files.iter().filter(|(name, _)| name.starts_with("chats/"));
    let mut known = BTreeMap::new();
    for line in chats.flat_map(|(_, text)| text.lines()) {
        let line: Value = serde_json::from_str(line).unwrap();
        known.insert(
            line["chat"].as_str().unwrap().parse::<i64>().unwrap(),
            line["state"]["v"]["n"].clone(),
        );
    }
    let expected: BTreeMap<i64, Value> = (1..=120).map(|chat| (chat, json!(chat))).collect();
    assert_eq!(known, expected);
    let end = read(&files, "end.json");
    assert_eq!(
        (end["files"].as_u64(), &end["missing"]),
        (Some(files.len() as u64 - 1), &json!([]))
    );
    let log = owner.get("/audit?verb=bot.exported").await.expect(200).json();
    assert_eq!(log["items"][0]["requestId"], answer.header("x-request-id"));
}

#[tokio::test]
async fn an_empty_bot_is_exported_and_a_stranger_gets_nothing() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let files = unpacked(&owner.get("/bots/a-bot/export").await.expect(200).body);
    assert_eq!(
        files.keys().collect::<Vec<_>>(),
        ["bot.json", "end.json", "manifest.json"]
    );
    server
        .member("editor")
        .await
        .get("/bots/a-bot/export")
        .await
        .refused(403, "forbidden");
    owner.get("/bots/no-bot/export").await.refused(404, "not-found");
}

#[tokio::test]
async fn a_slow_reader_holds_a_place_until_it_hangs_up() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let large = "x".repeat(60_000);
    for chat in 1..=200 {
        remember(&server, chat, format!("{{\"v\":\"{large}\"}}")).await;
    }
    let open = || owner.open(Method::GET, "/bots/a-bot/export", &[], "");
    let (first, _second) = (open().await, open().await);
    let refused = owner.get("/bots/a-bot/export").await;
    refused.refused(429, "too-many-streams");
    assert_eq!(refused.header("retry-after"), "5");
    let mut body = first.into_body();
    assert!(body.frame().await.unwrap().is_ok(), "it had begun");
    drop(body);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while open().await.status() != 200 {
        assert!(tokio::time::Instant::now() < deadline, "a place is free again");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
