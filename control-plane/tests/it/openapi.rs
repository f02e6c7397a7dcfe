//! The document is what the handlers say, and every route in it asks who is there.

use botloom_control_plane::openapi_json;
use botloom_core::ids::TaskId;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Client, Server, revision, spec};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn the_committed_document_is_the_present_one() {
    if std::env::var_os("BOTLOOM_REGEN").is_some() {
        std::fs::write(FILE, openapi_json()).unwrap();
    }
    let committed = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        committed == openapi_json(),
        "control-plane/openapi.json is old; run the tests with BOTLOOM_REGEN=1"
    );
}

fn operations() -> Vec<(Method, String, Value)> {
    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            all.push((method, path.clone(), operation.clone()));
        }
    }
    all
}

#[test]
fn operations_have_names_words_and_references_that_lead_somewhere() {
    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
    let mut names = std::collections::HashSet::new();
    for (method, path, operation) in operations() {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(
            names.insert(name),
            "{method} {path} has the name of another operation"
        );
        assert!(operation["summary"].is_string(), "{method} {path} has no words");
        assert_eq!(
            operation["responses"]["default"]["$ref"],
            "#/components/responses/Problem"
        );
    }
    let text = document.to_string();
    for reference in text
        .split("\"$ref\":\"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
    {
        assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
    }
}

/// A request that is right for the owner, with everything it refers to in place.
struct Sample {
    path: String,
    body: Option<Value>,
    /// Status for nobody, for somebody who is a member of nothing, for the owner.
    expected: [u16; 3],
}

/// One request per route. A route that is not here fails the test.
fn sample(method: &Method, path: &str, world: &World, letter: &str) -> Option<Sample> {
    let World {
        rev,
        task,
        deployment,
    } = world;
    let request = |path: String, body: Option<Value>, expected| Some(Sample { path, body, expected });
    let read = |path: String| request(path, None, [401, 404, 200]);
    let by_bot = |path: &str| format!("{path}?botId=a-bot");
    let bot = "a-bot";
    match (method.as_str(), path) {
        ("POST", "/auth/setup") => {
            let body = json!({ "email": "late@example.org", "password": "long enough" });
            request(path.into(), Some(body), [409, 409, 409])
        }
        ("POST", "/auth/login") => {
            let body = json!({ "email": "unknown@example.org", "password": "x" });
            request(path.into(), Some(body), [401, 401, 401])
        }
        ("POST", "/auth/logout") => request(path.into(), None, [401, 204, 204]),
        ("GET", "/auth/me" | "/projects" | "/bots") => request(path.into(), None, [401, 200, 200]),
        ("POST", "/bots") => request(
            path.into(),
            Some(json!({ "botId": "new-bot", "name": "New" })),
            [401, 409, 201],
        ),
        ("GET", "/bots/{botId}") => read(format!("/bots/{bot}")),
        ("PATCH", "/bots/{botId}") => request(
            format!("/bots/{bot}"),
            Some(json!({ "name": "N" })),
            [401, 404, 200],
        ),
        ("DELETE", "/bots/{botId}") => request(format!("/bots/{bot}"), None, [401, 404, 204]),
        ("PUT", "/bots/{botId}/token") => request(
            format!("/bots/{bot}/token"),
            Some(json!({ "token": "7100000001:AA-token" })),
            [401, 404, 200],
        ),
        ("POST", "/bots/{botId}/connect") => request(
            format!("/bots/{bot}/connect"),
            Some(json!({ "ingress": "polling" })),
            [401, 404, 409],
        ),
        ("POST", "/bots/{botId}/pause") => request(format!("/bots/{bot}/pause"), None, [401, 404, 200]),
        ("POST", "/bots/{botId}/resume") => request(format!("/bots/{bot}/resume"), None, [401, 404, 200]),
        ("POST", "/bots/{botId}/disconnect") => {
            request(format!("/bots/{bot}/disconnect"), None, [401, 404, 200])
        }
        ("GET", "/bots/{botId}/dead-letters") => read(format!("/bots/{bot}/dead-letters?direction=in")),
        ("GET", "/bots/{botId}/dead-letters/{id}") => read(format!("/bots/{bot}/dead-letters/{letter}")),
        ("DELETE", "/bots/{botId}/dead-letters/{id}") => request(
            format!("/bots/{bot}/dead-letters/{letter}"),
            None,
            [401, 404, 204],
        ),
        ("POST", "/bots/{botId}/dead-letters/{id}/replay") => request(
            format!("/bots/{bot}/dead-letters/{letter}/replay"),
            None,
            [401, 404, 204],
        ),
        ("POST", "/spec") => request(path.into(), Some(spec(bot, "Another")), [401, 404, 201]),
        // This node runs no bots.
        ("POST", "/simulate") => {
            let body = json!({ "spec": spec(bot, "x"), "script": [{ "send": "/start" }] });
            request(path.into(), Some(body), [401, 503, 503])
        }
        ("POST", "/spec/validate") => request(path.into(), Some(spec(bot, "x")), [401, 200, 200]),
        ("GET", "/spec" | "/spec/latest" | "/revisions" | "/deployments" | "/events") => read(by_bot(path)),
        ("GET", "/spec/{version}") => read(by_bot("/spec/1")),
        ("PATCH", "/spec/{version}") => {
            request(by_bot("/spec/1"), Some(json!({ "note": "n" })), [401, 404, 200])
        }
        ("POST", "/spec/{version}/restore") => request(by_bot("/spec/1/restore"), None, [401, 404, 201]),
        ("GET", "/spec/diff") => read(format!("/spec/diff?botId={bot}&from=1&to=1")),
        ("POST", "/generate") => request(
            path.into(),
            Some(json!({ "botId": bot, "specVersion": 2 })),
            [401, 404, 202],
        ),
        ("GET", "/tasks/{taskId}") => read(format!("/tasks/{task}")),
        ("GET", "/revisions/{revHash}") => read(format!("/revisions/{rev}")),
        ("GET", "/revisions/{revHash}/artifacts/{name}") => {
            read(format!("/revisions/{rev}/artifacts/bot.js"))
        }
        ("POST", "/deploy") => request(
            path.into(),
            Some(json!({ "botId": bot, "revHash": rev })),
            [401, 404, 409],
        ),
        ("POST", "/rollback") => request(path.into(), Some(json!({ "botId": bot })), [401, 404, 409]),
        ("GET", "/deployments/{taskId}") => read(format!("/deployments/{deployment}")),
        ("GET", "/healthz" | "/readyz" | "/metrics" | "/openapi.json") => {
            request(path.into(), None, [200, 200, 200])
        }
        _ => None,
    }
}

struct World {
    rev: String,
    task: TaskId,
    deployment: String,
}

async fn world(server: &Server, owner: &Client) -> World {
    for text in ["one", "two"] {
        owner.post("/spec", &spec("a-bot", text)).await.expect(201);
    }
    let rev = revision(&server.ports, "a-bot", "1").await.to_string();
    let task = owner
        .post("/generate", &json!({ "botId": "a-bot", "specVersion": 1 }))
        .await
        .expect(202)
        .json();
    let deployment = owner
        .post("/deploy", &json!({ "botId": "a-bot", "revHash": rev }))
        .await
        .expect(202)
        .json();
    World {
        rev,
        task: task["taskId"].as_str().unwrap().parse().unwrap(),
        deployment: deployment["taskId"].as_str().unwrap().to_owned(),
    }
}

#[tokio::test]
async fn every_route_asks_who_is_there() {
    let mut checked = 0;
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let nobody = server.nobody();
    let world = world(&server, &owner).await;
    let mut operations = operations();
    // What takes things away comes last.
    operations.sort_by_key(|(method, path, _)| {
        (
            path == "/auth/logout",
            method == Method::DELETE && path == "/bots/{botId}",
        )
    });
    let stranger = server.stranger().await;
    for (method, path, operation) in operations {
        let letter = set_aside(&server).await;
        let sample = sample(&method, &path, &world, &letter)
            .unwrap_or_else(|| panic!("no sample for {method} {path}"));
        let public = operation["security"] == json!([{}]);
        assert_eq!(
            public,
            sample.expected[0] != 401 || path == "/auth/login",
            "{method} {path} in the document"
        );
        for (who, client, expected) in [
            ("nobody", &nobody, sample.expected[0]),
            ("a stranger", &stranger, sample.expected[1]),
            ("the owner", &owner, sample.expected[2]),
        ] {
            let headers: &[(&str, &str)] = if sample.body.is_some() {
                &[("content-type", "application/json")]
            } else {
                &[]
            };
            let body = sample.body.as_ref().map(Value::to_string).unwrap_or_default();
            // Only the head: an event stream has no end.
            let response = client.open(method.clone(), &sample.path, headers, body).await;
            assert_eq!(response.status().as_u16(), expected, "{who}: {method} {path}");
            checked += 1;
        }
    }
    assert!(checked > 90, "only {checked} requests were made");
}

/// A dead letter of its own for every route: the one before may have taken the last.
async fn set_aside(server: &Server) -> String {
    let letter = botloom_core::ports::NewDeadLetter {
        bot: "a-bot".parse().unwrap(),
        chat: Some(5.into()),
        reason: "overflow".into(),
        detail: "Too many.".into(),
        body: "{}".into(),
        at: server.ports.clock.now(),
    };
    server.ports.dead_letters.set_aside(letter).await.unwrap()
}
