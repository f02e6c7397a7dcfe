//! Pausing a bot and letting it go on.

use botloom_core::ids::Lane;
use botloom_core::ports::{DedupKey, Ingest};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::{Client, Server};

async fn bot(client: &Client) -> Value {
    client.get("/bots/a-bot").await.expect(200).json()
}

async fn say(client: &Client, what: &str) -> Value {
    let path = format!("/bots/a-bot/{what}");
    client
        .send(http::Method::POST, &path, &[], "")
        .await
        .expect(200)
        .json()
}

#[tokio::test]
async fn a_pause_is_shown_with_what_waits() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    assert_eq!(bot(&owner).await["pausedAt"], Value::Null);
    let paused = say(&owner, "pause").await;
    assert!(paused["pausedAt"].is_string(), "{paused}");
    assert_eq!(bot(&owner).await["waitingUpdates"], 0);
    let before = owner.get("/bots/a-bot").await;
    let update = Ingest {
        lane: Lane {
            bot: "a-bot".parse().unwrap(),
            chat: 5.into(),
        },
        dedup: DedupKey::Update(1),
        envelope: Bytes::from_static(b"{}"),
        accepted_at: server.ports.clock.now(),
        trace: None,
        want_turn: false,
    };
    server.ports.lanes.ingest(vec![update]).await.unwrap();
    let known = [("if-none-match", before.header("etag"))];
    let after = owner.get_with("/bots/a-bot", &known).await.expect(200);
    assert_eq!(after.json()["waitingUpdates"], 1);

    // Again changes nothing, not even the beginning.
    server.clock.advance(1_000);
    assert_eq!(say(&owner, "pause").await["pausedAt"], paused["pausedAt"]);
    let list = owner.get("/bots").await.expect(200).json();
    assert_eq!(list["items"][0]["pausedAt"], paused["pausedAt"]);
    for _ in 0..2 {
        let resumed = say(&owner, "resume").await;
        assert_eq!(resumed["pausedAt"], Value::Null);
    }
    assert_eq!(bot(&owner).await.get("waitingUpdates"), None);
}

#[tokio::test]
async fn viewers_cannot_pause() {
    let server = Server::start().await;
    server.with_bot().await;
    let viewer = server.member("viewer").await;
    for path in ["/bots/a-bot/pause", "/bots/a-bot/resume"] {
        viewer.post(path, &json!({})).await.refused(403, "forbidden");
    }
}
