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
