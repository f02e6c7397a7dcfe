//! Notes, the way back, and what is told of versions.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Client, Server, spec};

/// The owner with a bot of two versions, `one` and `two`.
async fn with_two_versions(server: &Server) -> Client {
    let owner = server.with_bot().await;
    for text in ["one", "two"] {
        owner.post("/spec", &spec("a-bot", text)).await.expect(201);
    }
    owner
}

async fn listed(owner: &Client) -> Vec<Value> {
    let list = owner.get("/spec?botId=a-bot").await.expect(200).json();
    list["items"].as_array().unwrap().clone()
}

async fn latest_text(owner: &Client) -> Value {
    let latest = owner.get("/spec/latest?botId=a-bot").await.expect(200).json();
    latest["flows"][0]["steps"][0]["text"].clone()
}

const RESTORE: &str = "/spec/1/restore?botId=a-bot";

#[tokio::test]
async fn an_old_version_comes_back_as_a_new_one() {
    let server = Server::start().await;
    let owner = with_two_versions(&server).await;
    let note = "&note=two%20was%20a%20mistake";
    let restored = owner
        .send(Method::POST, &format!("{RESTORE}{note}"), &[], "")
        .await
        .expect(201);
    assert_eq!(restored.header("etag"), "\"specVersion-3\"");
    assert_eq!(restored.header("location"), "/spec/3?botId=a-bot");
    assert_eq!(latest_text(&owner).await, "one");
    let versions = listed(&owner).await;
    assert_eq!(versions.len(), 3);
    assert_eq!(versions[0]["restoredFrom"], 1);
    assert_eq!(versions[0]["note"], "two was a mistake");
    assert_eq!(versions[0]["specHash"], versions[2]["specHash"]);

    // What is the latest content already makes no version, whether it is restored or posted.
    let again = owner
        .send(Method::POST, RESTORE, &[], "")
        .await
        .expect(200)
        .json();
    assert_eq!(again["version"], 3);
    let posted = owner
        .post("/spec", &spec("a-bot", "one"))
        .await
        .expect(200)
        .json();
    assert_eq!(posted["version"], 3);
    // A post of older content finds the version that has it, as ever.
    let posted = owner
        .post("/spec", &spec("a-bot", "two"))
        .await
        .expect(200)
        .json();
    assert_eq!(posted["version"], 2);
    assert_eq!(listed(&owner).await.len(), 3);
}

#[tokio::test]
async fn a_restore_does_not_undo_what_its_author_has_not_seen() {
    let server = Server::start().await;
    let owner = with_two_versions(&server).await;
    let stale = owner
        .send(Method::POST, RESTORE, &[("if-match", "\"specVersion-1\"")], "")
        .await;
    stale.refused(412, "precondition-failed");
    assert_eq!(stale.header("etag"), "\"specVersion-2\"");
    assert_eq!(latest_text(&owner).await, "two");
    let seen = [("if-match", "\"specVersion-2\"")];
    owner.send(Method::POST, RESTORE, &seen, "").await.expect(201);
}

#[tokio::test]
async fn a_restore_with_a_key_happens_once() {
    let server = Server::start().await;
    let owner = with_two_versions(&server).await;
    let key = [("idempotency-key", "back")];
    let first = owner.send(Method::POST, RESTORE, &key, "").await.expect(201);
    owner.post("/spec", &spec("a-bot", "four")).await.expect(201);
    let second = owner.send(Method::POST, RESTORE, &key, "").await.expect(201);
    assert_eq!(
        (second.header("idempotent-replayed"), &second.body),
        ("true", &first.body)
    );
    assert_eq!(latest_text(&owner).await, "four");
    let other = "/spec/2/restore?botId=a-bot";
    owner
        .send(Method::POST, other, &key, "")
        .await
        .refused(422, "idempotency-key-reused");
}

#[tokio::test]
async fn only_what_is_there_is_restored() {
    let server = Server::start().await;
    let owner = with_two_versions(&server).await;
    for path in [
        "/spec/9/restore?botId=a-bot",
        "/spec/0/restore?botId=a-bot",
        "/spec/1/restore?botId=b-bot",
    ] {
        owner
            .send(Method::POST, path, &[], "")
            .await
            .refused(404, "not-found");
    }
    owner
        .send(Method::POST, "/spec/1/restore", &[], "")
        .await
        .refused(400, "invalid-parameter");
    let viewer = server.member("viewer").await;
    viewer
        .send(Method::POST, RESTORE, &[], "")
        .await
        .refused(403, "forbidden");
}

#[tokio::test]
async fn versions_are_noted() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let noted = "/spec?note=F%C3%BCr+Weihnachten";
    owner.post(noted, &spec("a-bot", "one")).await.expect(201);
    assert_eq!(listed(&owner).await[0]["note"], "Für Weihnachten");
    // The content is there already; what is said in passing changes nothing.
    owner
        .post("/spec?note=other", &spec("a-bot", "one"))
        .await
        .expect(200);
    assert_eq!(listed(&owner).await[0]["note"], "Für Weihnachten");

    let path = "/spec/1?botId=a-bot";
    let before = owner.get(path).await.expect(200);
    let patched = owner
        .json(Method::PATCH, path, &json!({ "note": "Sold out" }))
        .await
        .expect(200);
    assert_eq!(patched.json()["note"], "Sold out");
    let after = owner.get(path).await.expect(200);
    assert_eq!(
        (after.header("etag"), &after.body),
        (before.header("etag"), &before.body)
    );
    let cleared = owner
        .json(Method::PATCH, path, &json!({ "note": "" }))
        .await
        .expect(200);
    assert_eq!(cleared.json()["note"], Value::Null);

    let longest = json!({ "note": "ü".repeat(1000) });
    owner.json(Method::PATCH, path, &longest).await.expect(200);
    for wrong in [
        json!({ "note": "x".repeat(1001) }),
        json!({}),
        json!({ "note": 1 }),
    ] {
        owner
            .json(Method::PATCH, path, &wrong)
            .await
            .refused(422, "validation-failed");
    }
    for wrong in ["%00".to_owned(), "x".repeat(1001)] {
        owner
            .post(&format!("/spec?note={wrong}"), &spec("a-bot", "two"))
            .await
            .refused(400, "invalid-parameter");
    }
    owner
        .json(Method::PATCH, "/spec/2?botId=a-bot", &json!({ "note": "n" }))
        .await
        .refused(404, "not-found");
    let viewer = server.member("viewer").await;
    viewer
        .json(Method::PATCH, path, &json!({ "note": "n" }))
        .await
        .refused(403, "forbidden");
}
