use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::{Answer, Client, EMAIL, PASSWORD, Server};

async fn sessions(client: &Client) -> Vec<Value> {
    let listed = client.get("/auth/sessions").await.expect(200).json();
    listed["items"].as_array().unwrap().clone()
}

/// Logs in with these cookies and this password.
async fn login(server: &Server, cookie: &str, password: &str) -> Answer {
    let headers = [("cookie", cookie), ("user-agent", "A browser/1.0")];
    let body = json!({ "email": EMAIL, "password": password });
    server.nobody().post_with("/auth/login", &body, &headers).await
}

/// The cookie by which a browser is known from now on.
fn device(answer: &Answer) -> Option<String> {
    let cookies = answer.headers.get_all("set-cookie").iter();
    let cookies = cookies.map(|cookie| cookie.to_str().unwrap());
    let cookie = cookies.filter(|cookie| cookie.starts_with("botloom_device="));
    cookie
        .map(|cookie| cookie.split(';').next().unwrap().to_owned())
        .next()
}

#[tokio::test]
async fn a_person_sees_and_ends_their_own_sessions() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let other = server.login(EMAIL).await;
    let answer = login(&server, "", PASSWORD).await.expect(200);
    let mut browser = server.nobody();
    browser.keep(&answer);
    let stranger = server.stranger().await;

    let listed = sessions(&owner).await;
    assert_eq!(listed.len(), 3, "{listed:?}");
    let current: Vec<_> = listed.iter().filter(|one| one["current"] == true).collect();
    assert_eq!(current.len(), 1);
    let seen = listed.iter().find(|one| one["agent"] == "A browser/1.0").unwrap();
    assert_eq!(seen["address"], "127.0.0.1");
    assert!(seen["createdAt"].is_string() && seen["seenAt"].is_string());

    let path = format!("/auth/sessions/{}", seen["sessionId"].as_str().unwrap());
    stranger.delete(&path).await.refused(404, "not-found");
    browser.get("/auth/me").await.expect(200);
    let stream = browser.open(Method::GET, "/events?botId=a-bot", &[], "").await;
    assert_eq!(stream.status(), 200);
    owner.delete(&path).await.expect(204);
    browser.get("/auth/me").await.refused(401, "unauthenticated");
    tokio::time::timeout(Duration::from_secs(5), stream.into_body().collect())
        .await
        .expect("the stream ends within 5 s")
        .unwrap();
    owner.delete(&path).await.refused(404, "not-found");
    owner
        .delete("/auth/sessions/nonsense")
        .await
        .refused(404, "not-found");

    let ended = owner.delete("/auth/sessions").await.expect(200).json();
    assert_eq!(ended["ended"], 1);
    other.get("/auth/me").await.refused(401, "unauthenticated");
    owner.get("/auth/me").await.expect(200);
    stranger.get("/auth/me").await.expect(200);
}

#[tokio::test]
async fn a_new_password_needs_the_old_one_and_ends_the_other_sessions() {
    let server = Server::start().await;
    let (owner, other) = (server.owner().await, server.owner().await);
    let change = |old: &str, new: &str| {
        let body = json!({ "oldPassword": old, "newPassword": new });
        let owner = owner.clone();
        async move { owner.post("/auth/password", &body).await }
    };
    change("not it", "a new long password")
        .await
        .refused(422, "wrong-password");
    change(PASSWORD, "short").await.refused(422, "validation-failed");
    other.get("/auth/me").await.expect(200);
    change(PASSWORD, "a new long password").await.expect(204);
    other.get("/auth/me").await.refused(401, "unauthenticated");
    owner.get("/auth/me").await.expect(200);
    login(&server, "", PASSWORD)
        .await
        .refused(401, "invalid-credentials");
    login(&server, "", "a new long password").await.expect(200);
}

#[tokio::test]
async fn old_passwords_are_not_guessed_in_an_open_browser() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let guess = json!({ "oldPassword": "not it", "newPassword": "a new long password" });
    for _ in 0..5 {
        owner
            .post("/auth/password", &guess)
            .await
            .refused(422, "wrong-password");
    }
    let right = json!({ "oldPassword": PASSWORD, "newPassword": "a new long password" });
    let refused = owner.post("/auth/password", &right).await;
    refused.refused(429, "too-many-attempts");
    assert_eq!(refused.header("retry-after"), "60");
    // The person at another place is not kept out by it.
    server
        .login(EMAIL)
        .await
        .post("/auth/password", &right)
        .await
        .expect(204);
}

#[tokio::test]
async fn strangers_who_guess_do_not_keep_a_known_browser_out() {
    let server = Server::start().await;
    server.owner().await;
    let known = device(&login(&server, "", PASSWORD).await.expect(200)).unwrap();
    for _ in 0..5 {
        login(&server, "", "a guess")
            .await
            .refused(401, "invalid-credentials");
    }
    login(&server, "", PASSWORD)
        .await
        .refused(429, "too-many-attempts");
    let answer = login(&server, &known, PASSWORD).await.expect(200);
    assert_eq!(device(&answer), None, "it is known already");

    // Who has the cookie guesses no faster than others.
    for _ in 0..5 {
        login(&server, &known, "a guess")
            .await
            .refused(401, "invalid-credentials");
    }
    login(&server, &known, PASSWORD)
        .await
        .refused(429, "too-many-attempts");
    // Nor does a cookie that nobody gave out, or that of another account.
    let forged = format!("botloom_device={}", "A".repeat(120));
    login(&server, &forged, PASSWORD)
        .await
        .refused(429, "too-many-attempts");
}

#[tokio::test]
async fn a_known_browser_is_forgotten_with_the_password() {
    const NEW: &str = "a new long password";
    let server = Server::start().await;
    let owner = server.owner().await;
    let known = device(&login(&server, "", PASSWORD).await.expect(200)).unwrap();
    let change = json!({ "oldPassword": PASSWORD, "newPassword": NEW });
    let changed = owner.post("/auth/password", &change).await.expect(204);
    let mine = device(&changed).expect("the browser that changed it is known");
    for _ in 0..5 {
        login(&server, "", "a guess")
            .await
            .refused(401, "invalid-credentials");
    }
    login(&server, &known, NEW)
        .await
        .refused(429, "too-many-attempts");
    let answer = login(&server, &mine, NEW).await.expect(200);
    assert_eq!(device(&answer), None, "it is known already");
}

#[tokio::test]
async fn a_new_password_ends_api_tokens_where_it_is_wanted() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let projects = owner.get("/projects").await.expect(200).json();
    let project = projects["items"][0]["projectId"].as_str().unwrap();
    let path = format!("/projects/{project}/tokens");
    let body = json!({ "name": "CI", "role": "viewer" });
    let made = owner.post(&path, &body).await.expect(201).json();
    let ci = Client {
        bearer: Some(format!("Bearer {}", made["token"].as_str().unwrap())),
        ..server.nobody()
    };
    let change = |old: &str, new: &str, revoke: Value| {
        let body = json!({ "oldPassword": old, "newPassword": new, "revokeTokens": revoke });
        let owner = owner.clone();
        async move { owner.post("/auth/password", &body).await }
    };
    change(PASSWORD, "a new long password", json!("yes"))
        .await
        .refused(422, "validation-failed");
    change(PASSWORD, "a new long password", json!(false))
        .await
        .expect(204);
    ci.get("/bots").await.expect(200);
    let changed = change("a new long password", "a newer password", json!(true))
        .await
        .expect(204);
    ci.get("/bots").await.refused(401, "unauthenticated");
    let log = owner.get("/audit?verb=token.revoked").await.expect(200).json();
    assert_eq!(log["items"][0]["object"]["id"], made["tokenId"]);
    assert_eq!(log["items"][0]["requestId"], changed.header("x-request-id"));
    assert_eq!(log["items"][0]["projectId"], project);
}
