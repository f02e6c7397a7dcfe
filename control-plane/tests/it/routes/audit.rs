use std::time::Duration;

use botloom_telegram::simulator::{Action, Fault};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Client, EMAIL, PASSWORD, Server, Setup, revision, spec};

async fn project(client: &Client) -> String {
    let projects = client.get("/projects").await.expect(200).json();
    projects["items"][0]["projectId"].as_str().unwrap().to_owned()
}

async fn entries(client: &Client, query: &str) -> Vec<Value> {
    let listed = client.get(&format!("/audit?{query}")).await.expect(200).json();
    listed["items"].as_array().unwrap().clone()
}

fn verbs(entries: &[Value]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| entry["verb"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn who_did_what_to_what_from_where_is_noted() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let project = project(&owner).await;
    let rename = json!({ "name": "Another" });
    let answer = owner
        .json(Method::PATCH, "/bots/a-bot", &rename)
        .await
        .expect(200);
    let listed = entries(&owner, &format!("projectId={project}")).await;
    assert_eq!(verbs(&listed), ["bot.renamed", "bot.created", "owner.created"]);
    let me = owner.get("/auth/me").await.expect(200).json();
    let renamed = &listed[0];
    assert_eq!(
        (
            &renamed["actor"]["kind"],
            &renamed["actor"]["email"],
            &renamed["actor"]["userId"]
        ),
        (&json!("user"), &json!(EMAIL), &me["user"]["userId"])
    );
    assert_eq!(renamed["object"], json!({ "kind": "bot", "id": "a-bot" }));
    assert_eq!(
        (&renamed["before"], &renamed["after"]),
        (&json!("A bot"), &json!("Another"))
    );
    assert_eq!(renamed["requestId"], answer.header("x-request-id"));
    assert_eq!(
        (&renamed["address"], &renamed["projectId"]),
        (&json!("127.0.0.1"), &json!(project))
    );
    assert_eq!(listed[2]["actor"]["kind"], "system");
    // What is not done is not noted.
    owner
        .json(Method::PATCH, "/bots/no-bot", &rename)
        .await
        .refused(404, "not-found");
    assert_eq!(entries(&owner, &format!("projectId={project}")).await, listed);
}

#[tokio::test]
async fn versions_and_deployments_are_noted_with_their_hashes() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let mut hashes = Vec::new();
    for text in ["one", "two", "two"] {
        let posted = owner.post("/spec", &spec("a-bot", text)).await.json();
        hashes.push(posted["specHash"].as_str().unwrap().to_owned());
    }
    let posted = entries(&owner, "verb=spec.posted").await;
    let told: Vec<_> = posted
        .iter()
        .map(|entry| (entry["before"].as_str(), entry["after"].as_str()))
        .collect();
    let [first, second, _] = hashes.as_slice() else {
        panic!("three posts")
    };
    let (first, second) = (Some(first.as_str()), Some(second.as_str()));
    assert_eq!(told, [(first, second), (None, first)]);
    let rev = revision(&server.ports, "a-bot", "1").await.to_string();
    let body = json!({ "botId": "a-bot", "revHash": rev });
    for _ in 0..2 {
        let key = [("idempotency-key", "deploy-1")];
        owner.post_with("/deploy", &body, &key).await.expect(202);
    }
    let started = entries(&owner, "verb=deployment.started").await;
    assert_eq!(started.len(), 1, "{started:?}");
    assert_eq!(
        (&started[0]["before"], &started[0]["after"]),
        (&Value::Null, &json!(rev))
    );
}

#[tokio::test]
async fn programs_are_told_from_their_persons() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let tokens = format!("/projects/{}/tokens", project(&owner).await);
    let made = owner
        .post(&tokens, &json!({ "name": "CI", "role": "owner" }))
        .await
        .expect(201)
        .json();
    let ci = Client {
        bearer: Some(format!("Bearer {}", made["token"].as_str().unwrap())),
        ..server.nobody()
    };
    ci.delete("/bots/a-bot").await.expect(204);
    let deleted = &entries(&owner, "verb=bot.deleted").await[0];
    assert_eq!(
        (
            &deleted["actor"]["kind"],
            &deleted["actor"]["email"],
            &deleted["actor"]["tokenId"]
        ),
        (&json!("token"), &json!(EMAIL), &made["tokenId"])
    );
    // A program reads its project's log, not its person's affairs.
    for reader in [&ci, &owner] {
        assert_eq!(
            verbs(&entries(reader, "verb=token.created").await),
            ["token.created"]
        );
    }
    let change = json!({ "oldPassword": PASSWORD, "newPassword": "another password" });
    owner.post("/auth/password", &change).await.expect(204);
    assert_eq!(verbs(&entries(&ci, "verb=password.changed").await), [""; 0]);
    assert_eq!(
        verbs(&entries(&owner, "verb=password.changed").await),
        ["password.changed"]
    );
}

#[tokio::test]
async fn owners_see_their_projects_and_everybody_their_own_affairs() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let path = format!("projectId={}", project(&owner).await);
    for role in ["editor", "viewer"] {
        let member = server.member(role).await;
        member
            .get(&format!("/audit?{path}"))
            .await
            .refused(403, "forbidden");
        assert_eq!(verbs(&entries(&member, "").await), ["session.opened"], "{role}");
    }
    let stranger = server.stranger().await;
    for path in ["/audit", "/audit/export"] {
        stranger
            .get(&format!("{path}?projectId={}", project(&owner).await))
            .await
            .refused(404, "not-found");
    }
    stranger
        .get("/audit?projectId=nonsense")
        .await
        .refused(404, "not-found");
    let own = entries(&owner, "").await;
    assert_eq!(verbs(&own), ["bot.created", "session.opened", "owner.created"]);
}

#[tokio::test]
async fn the_log_is_filtered_paged_and_exported() {
    let mut setup = Setup::default();
    setup.options.limits.user_burst = 1_000;
    setup.options.limits.address_burst = 1_000;
    let server = Server::start_with(setup).await;
    let owner = server.with_bot().await;
    let start = server.ports.clock.now().to_rfc3339();
    server.clock.advance(1_000);
    for n in 0..250 {
        server.clock.advance(1);
        let name = json!({ "name": format!("N{n}") });
        owner.json(Method::PATCH, "/bots/a-bot", &name).await.expect(200);
    }
    let mut paged = Vec::new();
    let mut next = String::new();
    loop {
        let page = owner
            .get(&format!("/audit?verb=bot.renamed&limit=100{next}"))
            .await
            .expect(200)
            .json();
        paged.extend(page["items"].as_array().unwrap().clone());
        match page["nextCursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(paged.len(), 250);
    assert_eq!(
        (&paged[0]["after"], &paged[249]["after"]),
        (&json!("N249"), &json!("N0"))
    );
    let export = owner.get("/audit/export?verb=bot.renamed").await.expect(200);
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    let exported: Vec<Value> = export
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(exported, paged);

    let after = |query: &str| format!("objectKind=bot&objectId=a-bot&{query}");
    let of = |at: &str| at.replace(':', "%3A");
    assert_eq!(
        entries(&owner, &after(&format!("until={}", of(&start)))).await,
        [] as [Value; 0]
    );
    let late = paged[9]["at"].as_str().unwrap();
    assert_eq!(
        entries(&owner, &after(&format!("since={}", of(late)))).await,
        paged[..10]
    );
    for bad in ["since=yesterday", "userId=me", "verb=", "limit=0"] {
        let refused = owner.get(&format!("/audit?{bad}")).await;
        refused.refused(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn no_secret_is_noted() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let telegram = "7100000001:AA-canary-token";
    owner
        .json(Method::PUT, "/bots/a-bot/token", &json!({ "token": telegram }))
        .await;
    let path = format!("/projects/{}/invitations", project(&owner).await);
    let invitation = owner
        .post(&path, &json!({ "role": "viewer" }))
        .await
        .expect(201)
        .json();
    let secret = invitation["url"]
        .as_str()
        .unwrap()
        .split_once('#')
        .unwrap()
        .1
        .to_owned();
    let tokens = format!("/projects/{}/tokens", project(&owner).await);
    let token = owner
        .post(&tokens, &json!({ "name": "CI", "role": "owner" }))
        .await
        .expect(201)
        .json();
    let change = json!({ "oldPassword": PASSWORD, "newPassword": "canary password" });
    owner.post("/auth/password", &change).await.expect(204);
    let log = owner.get("/audit/export").await.expect(200).text();
    for verb in ["invitation.created", "token.created", "password.changed"] {
        assert!(log.contains(verb), "{verb} in {log}");
    }
    let cookie = owner.cookie.clone().unwrap();
    let secrets = [
        telegram,
        &secret,
        token["token"].as_str().unwrap(),
        PASSWORD,
        "canary",
        "argon2",
        cookie.split_once('=').unwrap().1,
        owner.csrf.as_deref().unwrap(),
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[tokio::test]
async fn what_a_caller_hung_up_on_is_done_and_noted() {
    let server = Server::start_with(Setup::patient()).await;
    let owner = server.with_bot().await;
    server.telegram.add_fault(Fault {
        bot: None,
        method: Some("getMe".into()),
        chat: None,
        skip: 0,
        count: Some(1),
        executed: false,
        action: Action::Hold,
    });
    let body = json!({ "token": "7100000009:AA-token" });
    tokio::select! {
        _ = owner.json(Method::PUT, "/bots/a-bot/token", &body) => panic!("it was answered"),
        () = async {
            while !server.telegram.faults().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        } => {}
    }
    server.telegram.clear_faults();
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while entries(&owner, "verb=bot.token-set").await.is_empty() {
        assert!(tokio::time::Instant::now() < end, "it is not in the audit log");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
