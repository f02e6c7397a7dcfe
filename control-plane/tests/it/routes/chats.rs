use botloom_core::event::BotEvent;
use botloom_core::ids::BotId;
use botloom_core::ports::{AckOut, AfterAck};
use serde_json::{Value, json};

use crate::support::{Client, Server, spec, stuck_chat};

/// `a-bot` with a spec that declares what its chat remembers, and the chat 5 that is stuck.
async fn with_stuck_chat(server: &Server, policy: &str) -> Client {
    let owner = server.with_bot().await;
    let mut spec = spec("a-bot", "one");
    spec["meta"]["pii_policy"] = json!(policy);
    spec["state"]["keys"] =
        json!({ "size": { "type": "number" }, "phone": { "type": "string", "pii": true } });
    owner.post("/spec", &spec).await.expect(201);
    stuck_chat(&server.ports, "a-bot", 5).await;
    owner
}

const CHAT: &str = "/bots/a-bot/chats/5";

/// Keys and values that somebody is shown.
async fn remembered(client: &Client) -> Value {
    let chat = client.get(CHAT).await.expect(200).json();
    let state = chat["state"].as_array().unwrap();
    let shown = state.iter().map(|key| {
        let name = key["key"].as_str().unwrap().to_owned();
        assert_eq!(key["hidden"], json!(key.get("value").is_none()));
        (name, key.get("value").cloned().unwrap_or(json!("hidden")))
    });
    Value::Object(shown.collect())
}

#[tokio::test]
async fn a_stuck_chat_is_found_looked_at_and_helped() {
    let server = Server::start().await;
    let owner = with_stuck_chat(&server, "mask").await;
    let list = owner.get("/bots/a-bot/chats").await.expect(200).json();
    let found = &list["items"][0];
    assert_eq!(found["chatId"], "5");
    assert_eq!(found["updates"]["waiting"], 2);
    assert_eq!(found["updates"]["place"], "retrying");
    assert_eq!(found["updates"]["attempts"], 1);
    assert_eq!(found["messages"]["place"], "outgoing");
    assert_eq!(found["messages"]["method"], "sendMessage");
    let by_place = |place: &str| format!("/bots/a-bot/chats?place={place}");
    let retrying = owner.get(&by_place("retrying")).await.expect(200).json();
    assert_eq!(retrying["items"].as_array().unwrap().len(), 1);
    let queued = owner.get(&by_place("queued")).await.expect(200).json();
    assert_eq!(queued["items"], json!([]));
    owner
        .get(&by_place("stuck"))
        .await
        .refused(400, "invalid-parameter");

    let chat = owner.get(CHAT).await.expect(200).json();
    assert_eq!(
        chat["waitsAt"],
        json!({ "flow": "order", "step": "address", "failures": 0 })
    );
    assert_eq!(chat["updates"], found["updates"]);
    let quiet = owner.get("/bots/a-bot/chats/6").await.expect(200).json();
    assert_eq!(
        (&quiet["updates"], &quiet["stateBytes"]),
        (&Value::Null, &json!(0))
    );

    let unblock = format!("{CHAT}/unblock");
    for (body, pointer) in [
        (json!({}), "/update"),
        (json!({ "update": "again" }), "/update"),
        (json!({ "update": "retry", "all": true }), "/all"),
    ] {
        let answer = owner.post(&unblock, &body).await;
        answer.refused(422, "validation-failed");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    let retried = owner
        .post(&unblock, &json!({ "update": "retry", "message": "retry" }))
        .await;
    let retried = retried.expect(200).json();
    assert_eq!(retried["update"]["outcome"], "retried");
    assert_eq!(retried["message"]["outcome"], "not-blocked");
    let aside = owner
        .post(&unblock, &json!({ "update": "set-aside" }))
        .await
        .expect(200);
    let aside = aside.json();
    assert_eq!(
        (&aside["update"]["outcome"], &aside["message"]),
        (&json!("set-aside"), &Value::Null)
    );
    let letter = aside["update"]["deadLetterId"].as_str().unwrap();
    let bot = server.ports.catalog.bot(&"a-bot".parse().unwrap()).await.unwrap();
    let project = bot.unwrap().project;
    let log = server.ports.events.events_after(project, 0, 100).await.unwrap();
    let told = log.events.iter().any(|event| {
        matches!(&event.event, BotEvent::DeadLettered { direction, id, reason }
            if direction == "in" && id == letter && reason == "by-hand")
    });
    assert!(told, "{log:?}");
    let letter = owner
        .get(&format!("/bots/a-bot/dead-letters/{letter}"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&letter["reason"], &letter["chatId"]),
        (&json!("by-hand"), &json!("5"))
    );
    // What comes up next has not failed.
    let again = owner
        .post(&unblock, &json!({ "update": "set-aside" }))
        .await
        .expect(200)
        .json();
    assert_eq!(again["update"]["outcome"], "not-blocked");
    let chat = owner.get(CHAT).await.expect(200).json();
    assert_eq!(
        (&chat["updates"]["waiting"], &chat["updates"]["place"]),
        (&json!(1), &json!("queued"))
    );
}

#[tokio::test]
async fn a_flood_wait_is_told_and_kept() {
    let server = Server::start().await;
    let owner = with_stuck_chat(&server, "mask").await;
    let (mut turns, _) = server.ports.outbox.claim_out(1).await.unwrap();
    let ack = AckOut {
        lease: turns.remove(0).lease,
        sent: 0,
        dead: None,
        dead_all: false,
        after: AfterAck::FloodWait {
            until: server.ports.clock.now().plus(30_000),
        },
    };
    server.ports.outbox.ack_out(vec![ack]).await.unwrap();
    let held = owner.get("/bots/a-bot/chats?place=held").await.expect(200).json();
    let messages = &held["items"][0]["messages"];
    assert_eq!(messages["because"], "limits");
    let body = json!({ "message": "set-aside" });
    let freed = owner
        .post(&format!("{CHAT}/unblock"), &body)
        .await
        .expect(200)
        .json();
    assert_eq!(freed["message"]["outcome"], "not-before");
    assert_eq!(freed["message"]["notBefore"], messages["until"]);
}

#[tokio::test]
async fn personal_values_are_shown_to_editors_as_the_spec_says() {
    for (policy, editor, viewer) in [
        (
            "keep",
            json!({ "size": 40, "phone": "+49", "old": 1 }),
            json!({ "size": "hidden", "phone": "hidden", "old": "hidden" }),
        ),
        (
            "mask",
            json!({ "size": 40, "phone": "hidden", "old": "hidden" }),
            json!({ "size": "hidden", "phone": "hidden", "old": "hidden" }),
        ),
        ("drop", json!({ "size": 40 }), json!({ "size": "hidden" })),
    ] {
        let server = Server::start().await;
        with_stuck_chat(&server, policy).await;
        assert_eq!(
            remembered(&server.member("editor").await).await,
            editor,
            "{policy}"
        );
        assert_eq!(
            remembered(&server.member("viewer").await).await,
            viewer,
            "{policy}"
        );
    }
}

#[tokio::test]
async fn a_chat_forgets_when_it_is_told_to() {
    let server = Server::start().await;
    let owner = with_stuck_chat(&server, "keep").await;
    let state = format!("{CHAT}/state");
    server
        .member("viewer")
        .await
        .delete(&state)
        .await
        .refused(403, "forbidden");
    let gone = owner.delete(&state).await.expect(204);
    owner.delete(&state).await.expect(204);
    assert_eq!(remembered(&owner).await, json!({}));
    let lane = botloom_core::Lane {
        bot: BotId::new("a-bot").unwrap(),
        chat: 5.into(),
    };
    assert_eq!(server.ports.lanes.state(&lane).await.unwrap(), None);
    assert!(server.is_noted(gone.header("x-request-id")));
    server.stranger().await.get(CHAT).await.refused(404, "not-found");
}
