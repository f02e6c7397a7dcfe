use botloom_core::TimestampMs;
use botloom_core::ids::{BotId, ChatId};
use botloom_core::ports::NewDeadLetter;
use serde_json::json;

use crate::support::Server;

async fn set_aside(server: &Server, chat: Option<i64>, body: &str) -> String {
    set_aside_at(server, TimestampMs(1_790_000_000_000), chat, body).await
}

async fn set_aside_at(server: &Server, at: TimestampMs, chat: Option<i64>, body: &str) -> String {
    let letter = NewDeadLetter {
        bot: BotId::new("a-bot").unwrap(),
        chat: chat.map(ChatId::from),
        reason: "overflow".into(),
        detail: "The chat has too many updates.".into(),
        body: body.to_owned().into(),
        at,
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

/// Outcomes by id, in order.
fn outcomes(answer: &serde_json::Value) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let results = answer["results"].as_array().unwrap().iter();
    results
        .map(|result| (text(&result["id"]), text(&result["outcome"])))
        .collect()
}

fn each(list: &[(&String, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(id, outcome)| ((*id).clone(), (*outcome).to_owned()))
        .collect()
}

#[tokio::test]
async fn many_are_replayed_in_order_and_once() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let mut ids = Vec::new();
    for (chat, body) in [
        (Some(5), "1"),
        (None, "2"),
        (Some(5), "3"),
        (Some(6), "4"),
        (Some(5), "5"),
    ] {
        ids.push(set_aside(&server, chat, body).await);
    }
    let list = owner
        .get("/bots/a-bot/dead-letters?direction=in&chatId=5")
        .await
        .expect(200)
        .json();
    let listed: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect();
    assert_eq!(listed, [&ids[4], &ids[2], &ids[0]]);
    let none = owner
        .get("/bots/a-bot/dead-letters?direction=in&reason=expired")
        .await
        .expect(200)
        .json();
    assert_eq!(none["items"], json!([]));

    // By a filter, some at a time: those of the chat come back as they went.
    let replay = "/bots/a-bot/dead-letters/replay";
    let mut body = json!({ "direction": "in", "chatId": "5", "limit": 2 });
    let first = owner.post(replay, &body).await.expect(200).json();
    assert_eq!(
        outcomes(&first),
        each(&[(&ids[0], "replayed"), (&ids[2], "replayed")])
    );
    assert_eq!(first["left"], 1);
    body["cursor"] = first["nextCursor"].clone();
    let second = owner.post(replay, &body).await.expect(200).json();
    assert_eq!(outcomes(&second), each(&[(&ids[4], "replayed")]));
    assert_eq!(
        (&second["left"], &second["nextCursor"]),
        (&json!(0), &json!(null))
    );
    let turns = server.ports.lanes.claim(10).await.unwrap().turns;
    let bodies: Vec<_> = turns[0]
        .updates
        .iter()
        .map(|update| update.envelope.clone())
        .collect();
    assert_eq!(bodies, ["1", "3", "5"]);

    // By ids; what is gone is told, and so is what has no chat.
    let body = json!({ "ids": [ids[3], ids[0], ids[1], "999999"] });
    let answer = owner.post(replay, &body).await.expect(200).json();
    let missing = "999999".to_owned();
    let told = [
        (&ids[3], "replayed"),
        (&ids[0], "not-found"),
        (&ids[1], "not-replayable"),
        (&missing, "not-found"),
    ];
    assert_eq!(outcomes(&answer), each(&told));
    assert_eq!(answer["left"], 1, "the one that has no chat");
    let again = owner.post(replay, &body).await.expect(200).json();
    assert_eq!(outcomes(&again)[0].1, "not-found", "nothing is replayed twice");
    assert_eq!(server.ports.lanes.stats().await.unwrap().updates, 4);
}

#[tokio::test]
async fn a_full_chat_keeps_the_order_of_what_does_not_fit() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let lane = botloom_core::Lane {
        bot: BotId::new("a-bot").unwrap(),
        chat: 5.into(),
    };
    let waiting = (0..499).map(|id| botloom_core::ports::Ingest {
        lane: lane.clone(),
        dedup: botloom_core::ports::DedupKey::Update(id),
        envelope: "{}".into(),
        accepted_at: server.ports.clock.now(),
        trace: None,
        want_turn: false,
    });
    server.ports.lanes.ingest(waiting.collect()).await.unwrap();
    let mut ids = Vec::new();
    for (chat, body) in [(5, "1"), (5, "2"), (6, "3"), (5, "4")] {
        ids.push(set_aside(&server, Some(chat), body).await);
    }
    let body = json!({ "direction": "in" });
    let answer = owner
        .post("/bots/a-bot/dead-letters/replay", &body)
        .await
        .expect(200)
        .json();
    let told = [
        (&ids[0], "replayed"),
        (&ids[1], "chat-full"),
        (&ids[2], "replayed"),
        (&ids[3], "chat-full"),
    ];
    assert_eq!(outcomes(&answer), each(&told));
    assert_eq!(answer["left"], 2);

    // The chat may have room again until somebody goes on: what is behind the first that stays must not overtake it.
    for body in ["5", "6"] {
        ids.push(set_aside(&server, Some(5), body).await);
    }
    let body = json!({ "direction": "in", "limit": 2 });
    let answer = owner
        .post("/bots/a-bot/dead-letters/replay", &body)
        .await
        .expect(200)
        .json();
    assert_eq!(
        outcomes(&answer),
        each(&[(&ids[1], "chat-full"), (&ids[3], "chat-full")])
    );
    assert_eq!(
        (&answer["left"], &answer["nextCursor"]),
        (&json!(4), &json!(null))
    );
}

#[tokio::test]
async fn what_fails_again_is_not_met_again() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let mut ids = Vec::new();
    for chat in [5, 6, 7] {
        ids.push(set_aside(&server, Some(chat), "{}").await);
    }
    let replay = "/bots/a-bot/dead-letters/replay";
    let mut body = json!({ "direction": "in", "limit": 2 });
    let first = owner.post(replay, &body).await.expect(200).json();
    assert_eq!(outcomes(&first).len(), 2);
    // The first one fails as it did before.
    server.clock.advance(600);
    let now = server.ports.clock.now();
    let again = set_aside_at(&server, now, Some(5), "{}").await;
    body["cursor"] = first["nextCursor"].clone();
    let second = owner.post(replay, &body).await.expect(200).json();
    assert_eq!(outcomes(&second), each(&[(&ids[2], "replayed")]));
    assert_eq!(
        (&second["left"], &second["nextCursor"]),
        (&json!(1), &json!(null))
    );
    body["cursor"] = json!("made up");
    let nowhere = owner.post(replay, &body).await.expect(200).json();
    assert_eq!((outcomes(&nowhere), &nowhere["left"]), (Vec::new(), &json!(1)));
    // Who begins anew means it.
    body["cursor"] = json!(null);
    let anew = owner.post(replay, &body).await.expect(200).json();
    assert_eq!(outcomes(&anew), each(&[(&again, "replayed")]));
}

#[tokio::test]
async fn many_are_discarded_and_noted_once() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let (a, b) = (
        set_aside(&server, Some(5), "1").await,
        set_aside(&server, None, "2").await,
    );
    let discard = "/bots/a-bot/dead-letters/discard";
    for (body, pointer) in [
        (json!({}), "/ids"),
        (json!({ "ids": [a], "direction": "in" }), "/ids"),
        (json!({ "ids": [] }), "/ids"),
        (json!({ "ids": [1] }), "/ids"),
        (json!({ "reason": "overflow" }), "/direction"),
        (json!({ "direction": "in", "limit": 201 }), "/limit"),
    ] {
        let answer = owner.post(discard, &body).await;
        answer.refused(422, "validation-failed");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    let viewer = server.member("viewer").await;
    viewer
        .post(discard, &json!({ "ids": [a] }))
        .await
        .refused(403, "forbidden");
    let body = json!({ "direction": "in", "reason": "overflow" });
    let answer = owner.post(discard, &body).await.expect(200);
    assert_eq!(
        outcomes(&answer.json()),
        each(&[(&a, "discarded"), (&b, "discarded")])
    );
    assert_eq!(answer.json()["left"], 0);
    let log = owner
        .get("/audit?verb=dead-letters.discarded")
        .await
        .expect(200)
        .json();
    let entries = log["items"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["after"], format!("2: {a} to {b}"));
    // Nothing was done, and nothing is noted.
    let nothing = owner.post(discard, &body).await.expect(200);
    assert_eq!(outcomes(&nothing.json()), []);
    assert!(!server.is_noted(nothing.header("x-request-id")));
}
