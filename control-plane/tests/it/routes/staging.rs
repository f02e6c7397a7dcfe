//! A staging bot and its production bot: one spec, two bots.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Client, Server, live, spec};

/// The owner with the bots `shop` and `shop-staging`, linked.
async fn linked(server: &Server) -> Client {
    let owner = server.owner().await;
    for id in ["shop", "shop-staging"] {
        let bot = json!({ "botId": id, "name": "Shop" });
        owner.post("/bots", &bot).await.expect(201);
    }
    let staged = link(&owner, "shop-staging", "shop").await.expect(200).json();
    assert_eq!(staged["stagingOf"], "shop");
    owner
}

async fn link(client: &Client, staging: &str, production: &str) -> crate::support::Answer {
    let path = format!("/bots/{staging}/staging-of");
    client
        .json(Method::PUT, &path, &json!({ "botId": production }))
        .await
}

async fn promote(client: &Client, body: Value) -> crate::support::Answer {
    client.post("/bots/shop-staging/promote", &body).await
}

async fn content(client: &Client, bot: &str, version: u64) -> Value {
    client
        .get(&format!("/spec/{version}?botId={bot}"))
        .await
        .expect(200)
        .json()
}

#[tokio::test]
async fn what_is_live_on_staging_becomes_the_same_version_of_production() {
    let server = Server::start().await;
    let owner = linked(&server).await;
    promote(&owner, json!({}))
        .await
        .refused(409, "nothing-to-promote");
    for text in ["tried out", "not yet"] {
        owner.post("/spec", &spec("shop-staging", text)).await.expect(201);
    }
    live(&server.ports, "shop-staging", 1).await;
    owner.post("/spec", &spec("shop", "of old")).await.expect(201);

    let answer = promote(&owner, json!({})).await.expect(202);
    let promoted = answer.json();
    assert_eq!(
        (
            &promoted["botId"],
            &promoted["version"],
            &promoted["fromVersion"],
            &promoted["created"]
        ),
        (&json!("shop"), &json!(2), &json!(1), &json!(true))
    );
    let task = owner.get(answer.header("location")).await.expect(200).json();
    assert_eq!(
        (&task["taskId"], &task["kind"]),
        (&promoted["taskId"], &json!("generate"))
    );
    let mut expected = content(&owner, "shop-staging", 1).await;
    expected["meta"]["botId"] = json!("shop");
    assert_eq!(
        content(&owner, "shop", 2).await,
        expected,
        "meta.botId alone differs"
    );
    let versions = owner.get("/spec?botId=shop").await.expect(200).json();
    assert_eq!(
        versions["items"][0]["note"],
        "Promoted from shop-staging, version 1"
    );

    // The same content is the same version, and the build that is under way is the one.
    let again = promote(&owner, json!({ "version": 1 })).await.expect(202).json();
    assert_eq!((&again["version"], &again["created"]), (&json!(2), &json!(false)));
    assert_eq!(again["taskId"], promoted["taskId"]);
    let next = promote(&owner, json!({ "version": 2, "note": "by hand" }))
        .await
        .expect(202)
        .json();
    assert_eq!((&next["version"], &next["fromVersion"]), (&json!(3), &json!(2)));
    promote(&owner, json!({ "version": 9 }))
        .await
        .refused(404, "not-found");

    let log = owner.get("/audit?objectId=shop").await.expect(200).json();
    let verbs: Vec<_> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["verb"].as_str().unwrap())
        .collect();
    assert_eq!(verbs.iter().filter(|verb| **verb == "spec.promoted").count(), 3);
    assert_eq!(verbs.iter().filter(|verb| **verb == "spec.posted").count(), 3);
    // A post still names its bot by itself.
    let posted = owner
        .post("/spec", &spec("shop-staging", "more"))
        .await
        .expect(201)
        .json();
    assert_eq!(posted["botId"], "shop-staging");
}

#[tokio::test]
async fn a_staging_bot_tells_how_far_production_is() {
    let server = Server::start().await;
    let owner = linked(&server).await;
    let production = async || owner.get("/bots/shop-staging").await.expect(200).json()["production"].clone();
    let nothing = json!({ "stagingVersion": null, "version": null, "behind": false });
    assert_eq!(production().await, nothing);
    owner
        .post("/spec", &spec("shop-staging", "one"))
        .await
        .expect(201);
    live(&server.ports, "shop-staging", 1).await;
    let ahead = json!({ "stagingVersion": 1, "version": null, "behind": true });
    assert_eq!(production().await, ahead);

    promote(&owner, json!({})).await.expect(202);
    let before = owner.get("/bots/shop-staging").await.expect(200);
    live(&server.ports, "shop", 1).await;
    let seen = [("if-none-match", before.header("etag"))];
    let after = owner
        .get_with("/bots/shop-staging", &seen)
        .await
        .expect(200)
        .json();
    let same = json!({ "stagingVersion": 1, "version": 1, "behind": false });
    assert_eq!(after["production"], same);
    let promotion = owner.get("/bots/shop-staging/promotion").await.expect(200).json();
    assert_eq!(
        (&promotion["behind"], &promotion["changes"]),
        (&json!(false), &json!([]))
    );

    owner
        .post("/spec", &spec("shop-staging", "two"))
        .await
        .expect(201);
    assert_eq!(production().await, same, "saved is not tried out");
    live(&server.ports, "shop-staging", 2).await;
    let promotion = owner.get("/bots/shop-staging/promotion").await.expect(200).json();
    assert_eq!(
        (
            &promotion["productionBotId"],
            &promotion["stagingVersion"],
            &promotion["productionVersion"]
        ),
        (&json!("shop"), &json!(2), &json!(1))
    );
    assert_eq!(promotion["behind"], true);
    assert_eq!(promotion["changes"].as_array().unwrap().len(), 1, "{promotion}");
    assert_eq!(promotion["patch"].as_array().unwrap().len(), 1, "{promotion}");
    let shop = owner.get("/bots/shop").await.expect(200).json();
    assert_eq!((&shop["stagingOf"], shop.get("production")), (&Value::Null, None));
}

#[tokio::test]
async fn a_link_stays_inside_a_project_and_goes_one_way() {
    let server = Server::start().await;
    let owner = linked(&server).await;
    server.other_project(&owner, "foreign-shop").await;
    link(&owner, "shop", "shop-staging")
        .await
        .refused(409, "staging-invalid");
    link(&owner, "shop", "shop").await.refused(409, "staging-invalid");
    link(&owner, "shop", "foreign-shop")
        .await
        .refused(409, "staging-invalid");
    link(&owner, "shop", "no-bot").await.refused(404, "not-found");
    link(&owner, "shop-staging", "shop").await.expect(200);
    let log = owner.get("/audit?verb=bot.staging-set").await.expect(200).json();
    assert_eq!(
        log["items"].as_array().unwrap().len(),
        1,
        "what changes nothing is not noted"
    );

    let off = owner
        .delete("/bots/shop-staging/staging-of")
        .await
        .expect(200)
        .json();
    assert_eq!(off["stagingOf"], Value::Null);
    promote(&owner, json!({})).await.refused(409, "no-staging-bot");
    owner
        .get("/bots/shop-staging/promotion")
        .await
        .refused(409, "no-staging-bot");
    link(&owner, "shop-staging", "shop").await.expect(200);
    owner.delete("/bots/shop").await.expect(204);
    let alone = owner.get("/bots/shop-staging").await.expect(200).json();
    assert_eq!(alone["stagingOf"], Value::Null);
}

#[tokio::test]
async fn a_key_promotes_once() {
    let server = Server::start().await;
    let owner = linked(&server).await;
    owner
        .post("/spec", &spec("shop-staging", "one"))
        .await
        .expect(201);
    let key = [("idempotency-key", "k-1")];
    let body = json!({ "version": 1 });
    let path = "/bots/shop-staging/promote";
    let first = owner.post_with(path, &body, &key).await.expect(202);
    let again = owner.post_with(path, &body, &key).await.expect(202);
    assert_eq!(
        (again.header("idempotent-replayed"), &again.body),
        ("true", &first.body)
    );
    owner
        .post_with(path, &json!({ "version": 2 }), &key)
        .await
        .refused(422, "idempotency-key-reused");
}
