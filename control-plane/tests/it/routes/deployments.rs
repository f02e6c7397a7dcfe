use std::sync::atomic::Ordering;

use botloom_core::hash::RevHash;
use botloom_core::ids::{BotId, Epoch, TaskId};
use botloom_core::model::{Stage, TaskPayload, TaskStatus};
use serde_json::{Value, json};

use crate::support::{Client, Server, revision};

/// What the deployer does, in short: ends the deployment with a flip.
async fn finish(server: &Server, task: &str, flipped: bool) {
    let id: TaskId = task.parse().unwrap();
    let mut row = server.ports.catalog.deployment(&id).await.unwrap().unwrap();
    if flipped {
        let epoch = server
            .ports
            .catalog
            .activate(&row.bot, row.seen_epoch, row.to_rev)
            .await
            .unwrap()
            .unwrap();
        row.epoch = Some(epoch);
        row.stage = Stage::Invalidate;
    }
    row.status = if flipped {
        TaskStatus::Succeeded
    } else {
        TaskStatus::Failed
    };
    assert!(server.ports.catalog.save_deployment(&row).await.unwrap());
}

async fn deploy(client: &Client, rev: &RevHash) -> String {
    let answer = client
        .post(
            "/deploy",
            &json!({ "botId": "a-bot", "revHash": rev.to_string() }),
        )
        .await
        .expect(202);
    let id = answer.json()["taskId"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), format!("/deployments/{id}"));
    id
}

#[tokio::test]
async fn a_deployment_is_queued_and_shown() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let rev = revision(&server.ports, "a-bot", "1").await;
    let body = json!({
        "botId": "a-bot", "revHash": rev.to_string(), "strategy": "flip", "prewarm": { "minSandboxes": 3 },
    });
    let id = owner.post("/deploy", &body).await.expect(202).json()["taskId"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = owner.get(&format!("/deployments/{id}")).await.expect(200).json();
    let expected = [
        ("status", json!("queued")),
        ("stage", json!("preflight")),
        ("stages", json!([])),
        ("fromRev", Value::Null),
        ("toRev", json!(rev.to_string())),
        ("epoch", Value::Null),
        ("rollback", json!(false)),
    ];
    for (key, value) in expected {
        assert_eq!(shown[key], value, "{key}");
    }
    let task = server
        .ports
        .tasks
        .task(&id.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    let payload = TaskPayload::Deploy {
        rev_hash: rev,
        strategy: "flip".into(),
        prewarm: 3,
    };
    assert_eq!(task.payload, payload);
    owner
        .post("/deploy", &body)
        .await
        .refused(409, "deployment-in-progress");
    finish(&server, &id, true).await;
    let bot = owner.get("/bots/a-bot").await.json();
    assert_eq!(
        (&bot["activeRevHash"], &bot["epoch"]),
        (&json!(rev.to_string()), &json!(1))
    );
    owner.post("/deploy", &body).await.expect(202);
    let list = owner.get("/deployments?botId=a-bot").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn of_many_deployments_at_once_one_is_taken() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let rev = revision(&server.ports, "a-bot", "1").await;
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let owner = owner.clone();
        racers.spawn(async move {
            owner
                .post(
                    "/deploy",
                    &json!({ "botId": "a-bot", "revHash": rev.to_string() }),
                )
                .await
                .status
                .as_u16()
        });
    }
    let mut statuses = racers.join_all().await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1], statuses[19]), (202, 409, 409));
}

#[tokio::test]
async fn deployments_that_cannot_be_are_told_apart() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    owner
        .post("/bots", &json!({ "botId": "b-bot", "name": "B" }))
        .await
        .expect(201);
    let (own, foreign) = (
        revision(&server.ports, "a-bot", "1").await,
        revision(&server.ports, "b-bot", "1").await,
    );
    let body = |rev: &str| json!({ "botId": "a-bot", "revHash": rev });
    owner
        .post("/deploy", &body(&foreign.to_string()))
        .await
        .refused(404, "not-found");
    owner
        .post("/deploy", &body(&"0".repeat(64)))
        .await
        .refused(404, "not-found");
    owner
        .post("/deploy", &body("short"))
        .await
        .refused(422, "validation-failed");
    let canary =
        json!({ "botId": "a-bot", "revHash": own.to_string(), "strategy": "canary", "prewarm": { "x": 1 } });
    let refused = owner.post("/deploy", &canary).await;
    refused.refused(422, "validation-failed");
    let pointers: Vec<_> = refused.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(pointers, ["/strategy", "/prewarm/minSandboxes", "/prewarm/x"]);
    server.rest.nodes.store(0, Ordering::SeqCst);
    owner
        .post("/deploy", &body(&own.to_string()))
        .await
        .refused(503, "no-runtime-node");
    server.rest.nodes.store(1, Ordering::SeqCst);
    server
        .member("viewer")
        .await
        .post("/deploy", &body(&own.to_string()))
        .await
        .refused(403, "forbidden");
    server
        .stranger()
        .await
        .post("/deploy", &body(&own.to_string()))
        .await
        .refused(404, "not-found");
}

#[tokio::test]
async fn a_rollback_goes_to_the_revision_before_or_to_the_one_named() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let first = revision(&server.ports, "a-bot", "1").await;
    let second = revision(&server.ports, "a-bot", "2").await;
    let back = json!({ "botId": "a-bot" });
    owner
        .post("/rollback", &back)
        .await
        .refused(409, "no-previous-revision");
    let task = deploy(&owner, &first).await;
    finish(&server, &task, true).await;
    owner
        .post("/rollback", &back)
        .await
        .refused(409, "no-previous-revision");
    let task = deploy(&owner, &second).await;
    finish(&server, &task, true).await;

    let task = owner.post("/rollback", &back).await.expect(202).json()["taskId"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = owner
        .get(&format!("/deployments/{task}"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&shown["toRev"], &shown["rollback"]),
        (&json!(first.to_string()), &json!(true))
    );
    assert_eq!(shown["fromRev"], second.to_string());
    finish(&server, &task, true).await;
    let id: BotId = "a-bot".parse().unwrap();
    assert_eq!(
        server.ports.catalog.bot(&id).await.unwrap().unwrap().epoch,
        Epoch(3)
    );

    let named = json!({ "botId": "a-bot", "revHash": second.to_string() });
    let task = owner.post("/rollback", &named).await.expect(202).json()["taskId"]
        .as_str()
        .unwrap()
        .to_owned();
    finish(&server, &task, false).await;
    let unknown = json!({ "botId": "a-bot", "revHash": "0".repeat(64) });
    owner.post("/rollback", &unknown).await.refused(404, "not-found");
}

#[tokio::test]
async fn a_deployment_is_seen_by_those_who_see_its_bot() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let rev = revision(&server.ports, "a-bot", "1").await;
    let task = deploy(&owner, &rev).await;
    server
        .member("viewer")
        .await
        .get(&format!("/deployments/{task}"))
        .await
        .expect(200);
    server
        .stranger()
        .await
        .get(&format!("/deployments/{task}"))
        .await
        .refused(404, "not-found");
    owner
        .get(&format!("/deployments/{}", TaskId::generate()))
        .await
        .refused(404, "not-found");
}
