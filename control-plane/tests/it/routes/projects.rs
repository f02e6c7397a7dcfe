//! Projects: seen, made, renamed, deleted.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Client, Server, Setup};

async fn create(client: &Client, name: &str) -> Value {
    let made = client.post("/projects", &json!({ "name": name })).await;
    made.expect(201).json()
}

async fn rename(client: &Client, id: &str, name: &str) -> crate::support::Answer {
    let path = format!("/projects/{id}");
    client.json(Method::PATCH, &path, &json!({ "name": name })).await
}

async fn verbs(client: &Client, query: &str) -> Vec<String> {
    let log = client.get(&format!("/audit?{query}")).await.expect(200).json();
    let entries = log["items"].as_array().unwrap().iter();
    entries
        .map(|entry| entry["verb"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn everybody_sees_their_own_projects() {
    let server = Server::start().await;
    let owner = server.owner().await.get("/projects").await.expect(200).json();
    assert_eq!(owner["items"][0]["name"], "default");
    assert_eq!(owner["items"][0]["role"], "owner");
    assert_eq!(owner["items"].as_array().unwrap().len(), 1);
    let viewer = server
        .member("viewer")
        .await
        .get("/projects")
        .await
        .expect(200)
        .json();
    assert_eq!(viewer["items"][0]["role"], "viewer");
    let stranger = server.stranger().await.get("/projects").await.expect(200).json();
    assert_eq!(stranger["items"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn whoever_makes_a_project_owns_it_and_nobody_else_sees_it() {
    let server = Server::start().await;
    let (owner, stranger) = (server.owner().await, server.stranger().await);
    let made = create(&stranger, "Pizza & Co").await;
    assert_eq!(
        (&made["name"], &made["role"]),
        (&json!("Pizza & Co"), &json!("owner"))
    );
    let id = made["projectId"].as_str().unwrap();
    let members = format!("/projects/{id}/members");
    stranger.get(&members).await.expect(200);
    owner.get(&members).await.refused(404, "not-found");
    assert_eq!(
        verbs(&stranger, &format!("projectId={id}")).await,
        ["project.created"]
    );
    let again = owner.post("/projects", &json!({ "name": "Pizza & Co" })).await;
    again.refused(409, "project-exists");
    for bad in ["", " x", "x\n", id, &"x".repeat(65)] {
        let refused = owner.post("/projects", &json!({ "name": bad })).await;
        refused.refused(422, "validation-failed");
    }
}

#[tokio::test]
async fn nobody_owns_any_number_of_projects() {
    let mut setup = Setup::default();
    setup.options.limits.projects_per_user = 3;
    let server = Server::start_with(setup).await;
    let owner = server.owner().await;
    let second = create(&owner, "second").await;
    create(&owner, "third").await;
    let refused = owner.post("/projects", &json!({ "name": "fourth" })).await;
    refused.refused(409, "too-many-projects");
    assert!(refused.json()["detail"].as_str().unwrap().contains('3'));
    let path = format!("/projects/{}", second["projectId"].as_str().unwrap());
    owner.delete(&path).await.expect(204);
    create(&owner, "fourth").await;
}

#[tokio::test]
async fn a_project_gets_another_name() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let id = create(&owner, "second").await["projectId"]
        .as_str()
        .unwrap()
        .to_owned();
    rename(&owner, &id, "default")
        .await
        .refused(409, "project-exists");
    let renamed = rename(&owner, &id, "shop").await.expect(200).json();
    assert_eq!(
        (&renamed["name"], &renamed["role"]),
        (&json!("shop"), &json!("owner"))
    );
    let query = format!("projectId={id}&verb=project.renamed");
    let log = owner.get(&format!("/audit?{query}")).await.json();
    assert_eq!(
        (&log["items"][0]["before"], &log["items"][0]["after"]),
        (&json!("second"), &json!("shop"))
    );
    create(&owner, "second").await;
}

#[tokio::test]
async fn a_project_goes_once_its_bots_are_gone_and_its_name_is_free() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let id = create(&owner, "shop").await["projectId"]
        .as_str()
        .unwrap()
        .to_owned();
    let bot = json!({ "botId": "shop-bot", "name": "B", "projectId": id });
    owner.post("/bots", &bot).await.expect(201);
    let tokens = format!("/projects/{id}/tokens");
    let token = owner
        .post(&tokens, &json!({ "name": "CI", "role": "owner" }))
        .await;
    let token = token.expect(201).json()["token"].as_str().unwrap().to_owned();
    let ci = Client {
        bearer: Some(format!("Bearer {token}")),
        ..server.nobody()
    };
    let path = format!("/projects/{id}");
    owner.delete(&path).await.refused(409, "project-not-empty");
    ci.get("/bots/shop-bot").await.expect(200);
    owner.delete("/bots/shop-bot").await.expect(204);
    owner.delete(&path).await.expect(204);
    owner.delete(&path).await.refused(404, "not-found");
    ci.get("/bots").await.refused(401, "unauthenticated");
    let mine = owner.get("/projects").await.expect(200).json();
    assert_eq!(mine["items"].as_array().unwrap().len(), 1);
    let told = owner.get("/audit?verb=project.deleted").await.expect(200).json();
    assert_eq!(
        (&told["items"][0]["before"], &told["items"][0]["object"]["id"]),
        (&json!("shop"), &json!(id))
    );
    create(&owner, "shop").await;
    let late = json!({ "botId": "late-bot", "name": "B", "projectId": id });
    owner.post("/bots", &late).await.refused(404, "not-found");
}
