//! What a simulation is refused for. Conversations themselves need a node that runs bots: see the tests of `server`.

use serde_json::json;

use crate::support::{Server, spec};

#[tokio::test]
async fn a_simulation_is_asked_for_properly() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    owner.post("/spec", &spec("a-bot", "one")).await.expect(201);
    let (fine, hello) = (spec("a-bot", "one"), json!([{ "send": "/start" }]));
    let too_many: Vec<_> = (0..201).map(|_| json!({ "send": "x" })).collect();
    for (body, pointer) in [
        (json!({ "script": hello }), "/spec"),
        (
            json!({ "spec": fine, "botId": "a-bot", "version": 1, "script": hello }),
            "/spec",
        ),
        (json!({ "botId": "a-bot", "script": hello }), "/spec"),
        (json!({ "spec": fine }), "/script"),
        (json!({ "spec": fine, "script": hello, "begins": 0 }), "/begins"),
        (
            json!({ "spec": fine, "script": hello, "begins": "2100-01-02T00:00:00Z" }),
            "/begins",
        ),
        (json!({ "spec": fine, "script": too_many }), "/script"),
        (
            json!({ "spec": fine, "script": [{ "send": "x" }, { "send": "" }] }),
            "/script/1",
        ),
        (
            json!({ "spec": fine, "script": [{ "send": "x", "wait": 1 }] }),
            "/script/0",
        ),
        (
            json!({ "spec": fine, "script": [{ "wait": 1_000_000_000 }] }),
            "/script/0",
        ),
        (json!({ "spec": fine, "script": [{ "expect": [] }] }), "/script/0"),
        (
            json!({ "spec": fine, "script": [{ "send": "x", "say": 1 }] }),
            "/script/0",
        ),
    ] {
        let answer = owner.post("/simulate", &body).await;
        answer.refused(422, "validation-failed");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    let mut bad = fine.clone();
    bad["commands"][0]["flow"] = json!("nowhere");
    let answer = owner
        .post("/simulate", &json!({ "spec": bad, "script": hello }))
        .await;
    answer.refused(400, "invalid-spec");
    assert_eq!(answer.json()["errors"][0]["pointer"], "/commands/0/flow");

    let version = |bot: &str, version: u32| json!({ "botId": bot, "version": version, "script": hello });
    owner
        .post("/simulate", &version("a-bot", 9))
        .await
        .refused(404, "not-found");
    owner
        .post("/simulate", &version("b-bot", 1))
        .await
        .refused(404, "not-found");
    let stranger = server.stranger().await;
    stranger
        .post("/simulate", &version("a-bot", 1))
        .await
        .refused(404, "not-found");
    // Everything is in order, but this node runs no bots.
    owner
        .post("/simulate", &version("a-bot", 1))
        .await
        .refused(503, "no-runtime-node");
}

#[tokio::test]
async fn real_calls_are_for_editors() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    owner.post("/spec", &spec("a-bot", "one")).await.expect(201);
    let hello = json!([{ "send": "/start" }]);
    let stored = json!({ "botId": "a-bot", "version": 1, "script": hello, "http": "live" });
    let posted = json!({ "spec": spec("a-bot", "two"), "script": hello, "http": "live" });
    let new = json!({ "spec": spec("new-bot", "one"), "script": hello, "http": "live" });
    let viewer = server.member("viewer").await;
    viewer.post("/simulate", &stored).await.refused(403, "forbidden");
    let mut mocked = stored.clone();
    mocked["http"] = json!("prepared");
    viewer
        .post("/simulate", &mocked)
        .await
        .refused(503, "no-runtime-node");
    // Who may is told that this node runs no bots.
    let editor = server.member("editor").await;
    for body in [&stored, &posted, &new] {
        editor
            .post("/simulate", body)
            .await
            .refused(503, "no-runtime-node");
    }
    for body in [&posted, &new] {
        viewer.post("/simulate", body).await.refused(403, "forbidden");
    }
    let stranger = server.stranger().await;
    stranger
        .post("/simulate", &posted)
        .await
        .refused(404, "not-found");
    stranger.post("/simulate", &new).await.refused(403, "forbidden");
    let mut odd = stored.clone();
    odd["http"] = json!("maybe");
    owner
        .post("/simulate", &odd)
        .await
        .refused(422, "validation-failed");
}
