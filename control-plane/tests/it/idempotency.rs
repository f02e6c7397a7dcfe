//! The same request twice has one effect and one answer.

use std::sync::atomic::Ordering;

use botloom_core::hash::Sha256Hash;
use botloom_core::ports::{IdempotencyClaim, IdempotencyKey, PageRequest};
use http::Method;
use serde_json::json;

use crate::support::{PATIENCE, Server, Setup, revision, spec};

#[tokio::test]
async fn a_hundred_posts_with_one_key_have_one_effect() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let owner = owner.clone();
        posts.spawn(async move {
            let answer = owner
                .post_with("/spec", &spec("a-bot", "Hello"), &[("idempotency-key", "k-1")])
                .await;
            (
                answer.status.as_u16(),
                answer.header("idempotent-replayed").to_owned(),
                answer.body,
            )
        });
    }
    let answers = posts.join_all().await;
    let first = answers
        .iter()
        .filter(|(_, replayed, _)| replayed.is_empty())
        .count();
    assert_eq!(first, 1, "one request did the work");
    let same = |(status, _, body): &_| (*status, body) == (201, &answers[0].2);
    assert!(answers.iter().all(same), "{answers:?}");
    let bot = "a-bot".parse().unwrap();
    let versions = server
        .ports
        .catalog
        .versions(&bot, &PageRequest::default())
        .await
        .unwrap();
    assert_eq!(versions.items.len(), 1);
}

#[tokio::test]
async fn the_first_answer_is_given_again_with_its_headers() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let key = [("idempotency-key", "k-1")];
    let first = owner
        .post_with("/spec", &spec("a-bot", "Hello"), &key)
        .await
        .expect(201);
    owner.post("/spec", &spec("a-bot", "Other")).await.expect(201);
    // Spelled otherwise, it is the same body.
    let text = spec("a-bot", "Hello")
        .to_string()
        .replace("\"schema_ver\":1", "\"schema_ver\" : 1.0");
    let headers = [("content-type", "application/json"), key[0]];
    let again = owner
        .send(Method::POST, "/spec", &headers, text)
        .await
        .expect(201);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.body, first.body);
    for name in ["etag", "location", "content-type"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    owner
        .post_with("/spec", &spec("a-bot", "Another"), &key)
        .await
        .refused(422, "idempotency-key-reused");
}

#[tokio::test]
async fn refusals_are_given_again_and_failures_of_ours_are_not() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let key = [("idempotency-key", "k-1")];
    let body = json!({ "botId": "a-bot", "specVersion": 1 });
    let first = owner.post_with("/generate", &body, &key).await;
    first.refused(404, "not-found");
    owner.post("/spec", &spec("a-bot", "Hello")).await.expect(201);
    let again = owner.post_with("/generate", &body, &key).await;
    again.refused(404, "not-found");
    assert_eq!(again.header("idempotent-replayed"), "true");

    let key = [("idempotency-key", "k-2")];
    server.rest.generators.store(0, Ordering::SeqCst);
    owner
        .post_with("/generate", &body, &key)
        .await
        .refused(503, "no-generator");
    server.rest.generators.store(1, Ordering::SeqCst);
    owner.post_with("/generate", &body, &key).await.expect(202);
}

#[tokio::test]
async fn those_who_wait_try_themselves_when_the_first_fails_for_a_reason_of_ours() {
    let mut setup = Setup::patient();
    setup.options.limits.key_wait = PATIENCE;
    let server = Server::start_with(setup).await;
    let owner = server.with_bot().await;
    owner.post("/spec", &spec("a-bot", "Hello")).await.expect(201);
    server.rest.generators.store(0, Ordering::SeqCst);
    let post = async |owner: crate::support::Client| {
        let body = json!({ "botId": "a-bot", "specVersion": 1 });
        owner
            .post_with("/generate", &body, &[("idempotency-key", "k-1")])
            .await
    };
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..20 {
        posts.spawn(post(owner.clone()));
    }
    for answer in posts.join_all().await {
        answer.refused(503, "no-generator");
    }
    server.rest.generators.store(1, Ordering::SeqCst);
    post(owner).await.expect(202);
}

#[tokio::test]
async fn keys_belong_to_a_user_and_a_route() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let key = [("idempotency-key", "k-1")];
    owner
        .post_with("/spec", &spec("a-bot", "Hello"), &key)
        .await
        .expect(201);
    let editor = server.member("editor").await;
    editor
        .post_with("/spec", &spec("a-bot", "Other"), &key)
        .await
        .expect(201);
    owner
        .post_with("/generate", &json!({ "botId": "a-bot", "specVersion": 1 }), &key)
        .await
        .expect(202);
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_refused() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let long = "x".repeat(256);
    for bad in [long.as_str(), "\u{e4}", "a\tb"] {
        let answer = owner
            .post_with("/spec", &spec("a-bot", "Hello"), &[("idempotency-key", bad)])
            .await;
        answer.refused(400, "idempotency-key-invalid");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    owner
        .post_with("/spec", &spec("a-bot", "Hello"), &twice)
        .await
        .refused(400, "idempotency-key-invalid");
}

/// Claims a key as a server does that dies right after.
async fn claim_and_die(
    server: &Server,
    email: &str,
    route: &str,
    body: &serde_json::Value,
) -> IdempotencyKey {
    let user = server
        .ports
        .catalog
        .user_by_email(email)
        .await
        .unwrap()
        .unwrap()
        .id;
    let key = IdempotencyKey {
        user,
        route: route.into(),
        key: "k-1".into(),
    };
    let fingerprint = Sha256Hash::of(botloom_spec::json::canonical(body));
    let now = server.ports.clock.now();
    let claim = server
        .ports
        .catalog
        .claim_key(&key, &fingerprint, now, 30_000)
        .await
        .unwrap();
    assert_eq!(claim, IdempotencyClaim::Claimed);
    key
}

#[tokio::test]
async fn a_key_whose_holder_died_is_taken_over() {
    let mut setup = Setup::default();
    setup.options.limits.key_wait = std::time::Duration::from_millis(300);
    let server = Server::start_with(setup).await;
    let owner = server.with_bot().await;
    let key = [("idempotency-key", "k-1")];
    let body = spec("a-bot", "Hello");
    claim_and_die(&server, crate::support::EMAIL, "POST /spec", &body).await;
    let waiting = owner.post_with("/spec", &body, &key).await;
    waiting.refused(409, "idempotency-in-progress");
    assert_eq!(waiting.header("retry-after"), "1");
    server.clock.advance(30_001);
    owner.post_with("/spec", &body, &key).await.expect(201);
}

#[tokio::test]
async fn a_second_try_meets_the_task_of_the_first() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let rev = revision(&server.ports, "a-bot", "1").await;
    let key = [("idempotency-key", "k-1")];
    let body = json!({ "botId": "a-bot", "revHash": rev.to_string() });
    let first = owner.post_with("/deploy", &body, &key).await.expect(202).json();
    // The server died after the effect and before the answer was kept.
    let user = server
        .ports
        .catalog
        .user_by_email(crate::support::EMAIL)
        .await
        .unwrap()
        .unwrap()
        .id;
    let stored = IdempotencyKey {
        user,
        route: "POST /deploy".into(),
        key: "k-1".into(),
    };
    assert_eq!(
        server
            .ports
            .catalog
            .expire_keys(server.ports.clock.now().plus(1))
            .await
            .unwrap(),
        1
    );
    let second = owner.post_with("/deploy", &body, &key).await.expect(202).json();
    assert_eq!(first, second, "{stored:?}");
    let bot = "a-bot".parse().unwrap();
    let all = server
        .ports
        .catalog
        .deployments(&bot, &PageRequest::default())
        .await
        .unwrap();
    assert_eq!(all.items.len(), 1);
}

#[tokio::test]
async fn a_second_try_of_an_edit_is_not_a_lost_update() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    owner.post("/spec", &spec("a-bot", "one")).await.expect(201);
    let headers = [("idempotency-key", "k-1"), ("if-match", "\"specVersion-1\"")];
    owner
        .post_with("/spec", &spec("a-bot", "two"), &headers)
        .await
        .expect(201);
    server
        .ports
        .catalog
        .expire_keys(server.ports.clock.now().plus(1))
        .await
        .unwrap();
    let again = owner
        .post_with("/spec", &spec("a-bot", "two"), &headers)
        .await
        .expect(201);
    assert_eq!(again.json()["version"], 2);
}

#[tokio::test]
async fn an_answer_is_given_again_to_those_alone_who_still_may_ask() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let editor = server.member("editor").await;
    owner.post("/spec", &spec("a-bot", "one")).await.expect(201);
    owner.post("/spec", &spec("a-bot", "two")).await.expect(201);
    let rev = revision(&server.ports, "a-bot", "1").await.to_string();
    let key = [("idempotency-key", "k-1")];
    let requests = [
        ("/spec", spec("a-bot", "three"), 201),
        ("/spec/1/restore?botId=a-bot", json!(null), 201),
        ("/generate", json!({ "botId": "a-bot", "specVersion": 1 }), 202),
        ("/deploy", json!({ "botId": "a-bot", "revHash": rev }), 202),
        ("/rollback", json!({ "botId": "a-bot" }), 409),
    ];
    for (path, body, status) in &requests {
        let first = editor.post_with(path, body, &key).await.expect(*status);
        let again = editor.post_with(path, body, &key).await.expect(*status);
        assert_eq!(again.header("idempotent-replayed"), "true", "{path}");
        // A problem names the request that it answers.
        assert!(*status == 409 || again.body == first.body, "{path}");
    }
    let projects = owner.get("/projects").await.expect(200).json();
    let project = projects["items"][0]["projectId"].as_str().unwrap();
    let me = editor.get("/auth/me").await.expect(200).json();
    let member = format!(
        "/projects/{project}/members/{}",
        me["user"]["userId"].as_str().unwrap()
    );
    owner
        .json(Method::PATCH, &member, &json!({ "role": "viewer" }))
        .await
        .expect(200);
    for (path, body, _) in &requests {
        editor.post_with(path, body, &key).await.refused(403, "forbidden");
    }
    owner.delete(&member).await.expect(204);
    for (path, body, _) in &requests {
        editor.post_with(path, body, &key).await.refused(404, "not-found");
    }
}
