use std::sync::atomic::Ordering;

use botloom_core::ids::TaskId;
use botloom_core::model::{TaskKind, TaskPayload};
use serde_json::json;

use crate::support::{Client, Server, spec};

async fn with_version(server: &Server) -> Client {
    let owner = server.with_bot().await;
    owner.post("/spec", &spec("a-bot", "Hello")).await.expect(201);
    owner
}

#[tokio::test]
async fn a_build_is_queued_and_can_be_watched() {
    let server = Server::start().await;
    let owner = with_version(&server).await;
    let body = json!({ "botId": "a-bot", "specVersion": 1, "seed": 7, "params": { "a": [1] } });
    let answer = owner.post("/generate", &body).await.expect(202);
    let id = answer.json()["taskId"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), format!("/tasks/{id}"));
    let task = owner.get(&format!("/tasks/{id}")).await.expect(200).json();
    assert_eq!(
        (&task["kind"], &task["status"], &task["progress"]),
        (&json!("generate"), &json!("queued"), &json!(0))
    );

    let id: TaskId = id.parse().unwrap();
    let row = server.ports.tasks.task(&id).await.unwrap().unwrap();
    let TaskPayload::Generate {
        spec_version,
        model,
        seed,
        params,
    } = row.payload
    else {
        panic!()
    };
    assert_eq!((spec_version, model.as_str(), seed), (1, "compiler", 7));
    assert_eq!(params["a"], json!([1]));

    // The worker's result shows.
    let lease = std::time::Duration::from_mins(1);
    let now = server.ports.clock.now();
    let leased = server
        .ports
        .tasks
        .lease(TaskKind::Generate, now, lease, 3)
        .await
        .unwrap()
        .unwrap();
    let rev = crate::support::revision(&server.ports, "a-bot", "1").await;
    assert!(
        server
            .ports
            .tasks
            .finish(&id, leased.fence, Ok(Some(rev)), now)
            .await
            .unwrap()
    );
    let task = owner.get(&format!("/tasks/{id}")).await.expect(200).json();
    assert_eq!(
        (&task["status"], &task["revHash"]),
        (&json!("succeeded"), &json!(rev.to_string()))
    );
}

#[tokio::test]
async fn builds_that_cannot_be_are_told_apart() {
    let server = Server::start().await;
    let owner = with_version(&server).await;
    let body =
        |version: u32, model: &str| json!({ "botId": "a-bot", "specVersion": version, "model": model });
    owner
        .post("/generate", &body(9, "compiler"))
        .await
        .refused(404, "not-found");
    owner
        .post("/generate", &body(1, "gpt"))
        .await
        .refused(400, "unsupported-model");
    owner
        .post("/generate", &json!({ "botId": "no-bot", "specVersion": 1 }))
        .await
        .refused(404, "not-found");
    owner
        .post("/generate", &json!({ "botId": "a-bot", "specVersion": 0 }))
        .await
        .refused(422, "validation-failed");
    owner
        .post("/generate", &json!({ "botId": "a-bot", "specVersion": 1.5 }))
        .await
        .refused(422, "validation-failed");
    server.rest.generators.store(0, Ordering::SeqCst);
    owner
        .post("/generate", &body(1, "compiler"))
        .await
        .refused(503, "no-generator");
    server.rest.generators.store(1, Ordering::SeqCst);
    owner.post("/generate", &body(1, "compiler")).await.expect(202);
    owner
        .post("/generate", &body(1, "compiler"))
        .await
        .refused(409, "generation-in-progress");
    server
        .member("viewer")
        .await
        .post("/generate", &body(1, "compiler"))
        .await
        .refused(403, "forbidden");
}

#[tokio::test]
async fn a_task_is_seen_by_those_who_see_its_bot() {
    let server = Server::start().await;
    let owner = with_version(&server).await;
    let answer = owner
        .post("/generate", &json!({ "botId": "a-bot", "specVersion": 1 }))
        .await
        .expect(202);
    let path = answer.header("location").to_owned();
    server.member("viewer").await.get(&path).await.expect(200);
    server.stranger().await.get(&path).await.refused(404, "not-found");
    owner
        .get(&format!("/tasks/{}", TaskId::generate()))
        .await
        .refused(404, "not-found");
    owner.get("/tasks/not-an-id").await.refused(404, "not-found");
}
