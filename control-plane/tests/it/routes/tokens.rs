use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::{Client, Server, spec};

const DAY: i64 = 24 * 3_600_000;

async fn project(client: &Client) -> String {
    let projects = client.get("/projects").await.expect(200).json();
    projects["items"][0]["projectId"].as_str().unwrap().to_owned()
}

/// A program with a new token of this person.
async fn program(person: &Client, body: &Value) -> (Client, Value) {
    let path = format!("/projects/{}/tokens", project(person).await);
    let made = person.post(&path, body).await.expect(201).json();
    (bearing(person, made["token"].as_str().unwrap()), made)
}

fn bearing(like: &Client, token: &str) -> Client {
    Client {
        bearer: Some(format!("Bearer {token}")),
        ..Client::new(&like.base)
    }
}

#[tokio::test]
async fn a_token_acts_for_its_person_without_cookie_and_csrf_token() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let (ci, made) = program(&owner, &json!({ "name": "CI", "role": "editor" })).await;
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("blm_") && token.len() == 47, "{token}");
    let answer = ci.post("/spec", &spec("a-bot", "Hello")).await.expect(201);
    assert_eq!(answer.header("set-cookie"), "");
    let me = ci.get("/auth/me").await.expect(200).json();
    assert_eq!(me["projects"][0]["role"], "editor");
    assert_eq!(me["csrfToken"], Value::Null);
    ci.delete("/bots/a-bot").await.refused(403, "forbidden");

    let tokens = format!("/projects/{}/tokens", project(&owner).await);
    let listed = owner.get(&tokens).await.expect(200);
    assert!(!listed.text().contains(token), "a token is told once");
    let row = &listed.json()["items"][0];
    assert_eq!((&row["name"], &row["role"]), (&json!("CI"), &json!("editor")));
    assert_eq!(row["lastUsedAt"], row["createdAt"], "the clock stands still");
}

#[tokio::test]
async fn a_token_may_at_most_what_its_person_may_now() {
    let server = Server::start().await;
    let first = server.with_bot().await;
    let owner = server.member("owner").await;
    let (ci, _) = program(&owner, &json!({ "name": "CI", "role": "editor" })).await;
    let me = owner.get("/auth/me").await.expect(200).json();
    let path = format!(
        "/projects/{}/members/{}",
        project(&owner).await,
        me["user"]["userId"].as_str().unwrap()
    );
    let rename = json!({ "name": "N" });
    ci.json(Method::PATCH, "/bots/a-bot", &rename).await.expect(200);
    first
        .json(Method::PATCH, &path, &json!({ "role": "viewer" }))
        .await
        .expect(200);
    ci.json(Method::PATCH, "/bots/a-bot", &rename)
        .await
        .refused(403, "forbidden");
    ci.get("/bots/a-bot").await.expect(200);
    first.delete(&path).await.expect(204);
    ci.get("/bots/a-bot").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_token_knows_no_project_but_its_own() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let other = server.other_project(&owner, "other-bot").await;
    let first = project(&owner).await;
    assert_ne!(first, other);
    let path = format!("/projects/{other}/tokens");
    let body = json!({ "name": "one", "role": "owner" });
    let made = owner.post(&path, &body).await.expect(201).json();
    let one = bearing(&owner, made["token"].as_str().unwrap());
    let bots = one.get("/bots").await.expect(200).json();
    assert_eq!(bots["items"].as_array().unwrap().len(), 1);
    assert_eq!(bots["items"][0]["botId"], "other-bot");
    one.get("/bots/a-bot").await.refused(404, "not-found");
    one.delete("/bots/a-bot").await.refused(404, "not-found");
    one.get(&format!("/projects/{first}/members"))
        .await
        .refused(404, "not-found");
    one.delete("/bots/other-bot").await.expect(204);
    let elsewhere = format!("/projects/{first}/tokens/{}", made["tokenId"].as_str().unwrap());
    owner.delete(&elsewhere).await.refused(404, "not-found");
}

#[tokio::test]
async fn tokens_end_by_being_revoked_and_by_their_time() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let (ci, made) = program(&owner, &json!({ "name": "CI", "role": "viewer", "days": 1 })).await;
    let (late, _) = program(&owner, &json!({ "name": "late", "role": "viewer", "days": 1 })).await;
    let stream = ci.open(Method::GET, "/events?botId=a-bot", &[], "").await;
    assert_eq!(stream.status(), 200);
    let tokens = format!("/projects/{}/tokens", project(&owner).await);
    let path = format!("{tokens}/{}", made["tokenId"].as_str().unwrap());
    ci.get("/bots/a-bot").await.expect(200);
    owner.delete(&path).await.expect(204);
    ci.get("/bots/a-bot").await.refused(401, "unauthenticated");
    tokio::time::timeout(Duration::from_secs(5), stream.into_body().collect())
        .await
        .expect("the stream ends within 5 s")
        .unwrap();

    server.clock.advance(DAY - 1);
    late.get("/bots/a-bot").await.expect(200);
    server.clock.advance(1);
    late.get("/bots/a-bot").await.refused(401, "token-expired");
}

#[tokio::test]
async fn a_persons_own_affairs_are_not_a_tokens() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let (ci, made) = program(&owner, &json!({ "name": "CI", "role": "owner" })).await;
    let tokens = format!("/projects/{}/tokens", project(&owner).await);
    let own = format!("{tokens}/{}", made["tokenId"].as_str().unwrap());
    ci.get(&tokens).await.refused(403, "session-required");
    ci.post(&tokens, &json!({ "name": "x", "role": "viewer" }))
        .await
        .refused(403, "session-required");
    ci.delete(&own).await.refused(403, "session-required");
    ci.post("/auth/logout", &json!({}))
        .await
        .refused(403, "session-required");
    for (method, path) in [
        (Method::GET, "/auth/sessions"),
        (Method::DELETE, "/auth/sessions"),
        (Method::POST, "/auth/password"),
    ] {
        ci.json(
            method,
            path,
            &json!({ "oldPassword": "x", "newPassword": "long enough" }),
        )
        .await
        .refused(403, "session-required");
    }
    ci.post("/invitations/accept", &json!({ "secret": "x" }))
        .await
        .refused(403, "session-required");
}

#[tokio::test]
async fn a_program_cannot_take_its_person_out() {
    let server = Server::start().await;
    server.owner().await;
    let owner = server.member("owner").await;
    let (ci, _) = program(&owner, &json!({ "name": "CI", "role": "viewer" })).await;
    let me = owner.get("/auth/me").await.expect(200).json();
    let path = format!(
        "/projects/{}/members/{}",
        project(&owner).await,
        me["user"]["userId"].as_str().unwrap()
    );
    ci.delete(&path).await.refused(403, "session-required");
    owner.delete(&path).await.expect(204);
}

#[tokio::test]
async fn what_is_no_token_is_nobody_even_with_a_session() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let unknown = format!("Bearer blm_{}", "A".repeat(43));
    for bad in ["Bearer blm_short", "Bearer", "bearer x y", &unknown] {
        owner
            .get_with("/bots", &[("authorization", bad)])
            .await
            .refused(401, "unauthenticated");
    }
    // A proxy in front has its own scheme.
    owner
        .get_with("/bots", &[("authorization", "Basic dXNlcjpwYXNz")])
        .await
        .expect(200);
}

#[tokio::test]
async fn an_idempotency_key_of_a_person_is_not_that_of_a_token() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let key = [("idempotency-key", "k-1")];
    let body = spec("a-bot", "Hello");
    owner.post_with("/spec", &body, &key).await.expect(201);
    let (viewer, _) = program(&owner, &json!({ "name": "reads", "role": "viewer" })).await;
    viewer
        .post_with("/spec", &body, &key)
        .await
        .refused(403, "forbidden");
    let (editor, _) = program(&owner, &json!({ "name": "writes", "role": "editor" })).await;
    for replayed in ["", "true"] {
        let answer = editor.post_with("/spec", &body, &key).await.expect(200);
        assert_eq!(answer.header("idempotent-replayed"), replayed);
    }
}
