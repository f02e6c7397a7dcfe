use botloom_core::TimestampMs;
use botloom_core::ids::{BotId, ChatId};
use botloom_core::ports::NewDeadLetter;
use serde_json::json;

use crate::support::Server;

async fn set_aside(server: &Server, chat: Option<i64>, body: &str) -> String {
    let letter = NewDeadLetter {
        bot: BotId::new("a-bot").unwrap(),
        chat: chat.map(ChatId::from),
        reason: "overflow".into(),
        detail: "The chat has too many updates.".into(),
        body: body.to_owned().into(),
        at: TimestampMs(1_790_000_000_000),
    };
    server.ports.dead_letters.set_aside(letter).await.unwrap()
}

#[tokio::test]
async fn what_was_set_aside_is_listed_read_replayed_and_discarded() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let update =
        r#"{"update_id":1,"message":{"message_id":1,"date":1,"chat":{"id":5,"type":"private"},"text":"x"}}"#;
    let good = set_aside(&server, Some(5), update).await;
    let malformed = set_aside(&server, None, "not an update").await;

    let list = owner
        .get("/bots/a-bot/dead-letters?direction=in")
        .await
        .expect(200)
        .json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert_eq!(list["items"][0].get("body"), None);
    let out = owner
        .get("/bots/a-bot/dead-letters?direction=out")
        .await
        .expect(200)
        .json();
    assert_eq!(out["items"], json!([]));
    let one = owner
        .get(&format!("/bots/a-bot/dead-letters/{malformed}"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&one["body"], &one["reason"]),
        (&json!("not an update"), &json!("overflow"))
    );

    let at = |id: &str, what: &str| format!("/bots/a-bot/dead-letters/{id}{what}");
    owner
        .post(&at(&malformed, "/replay"), &json!({}))
        .await
        .refused(409, "not-replayable");
    owner.post(&at(&good, "/replay"), &json!({})).await.expect(204);
    assert_eq!(server.ports.lanes.stats().await.unwrap().updates, 1);
    owner
        .post(&at(&good, "/replay"), &json!({}))
        .await
        .refused(404, "not-found");
    owner.delete(&at(&malformed, "")).await.expect(204);
    owner.delete(&at(&malformed, "")).await.refused(404, "not-found");
}

#[tokio::test]
async fn viewers_look_and_editors_act() {
    let server = Server::start().await;
    server.with_bot().await;
    let id = set_aside(&server, Some(5), "{}").await;
    let path = format!("/bots/a-bot/dead-letters/{id}");
    let viewer = server.member("viewer").await;
    viewer.get(&path).await.expect(200);
    viewer.delete(&path).await.refused(403, "forbidden");
    viewer
        .get("/bots/a-bot/dead-letters")
        .await
        .refused(400, "invalid-parameter");
    viewer
        .get("/bots/a-bot/dead-letters?direction=up")
        .await
        .refused(400, "invalid-parameter");
    server.stranger().await.get(&path).await.refused(404, "not-found");
    server.member("editor").await.delete(&path).await.expect(204);
}
