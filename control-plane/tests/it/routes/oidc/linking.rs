//! Linking an identity with an account that has a password.

use serde_json::json;

use super::{after, client, log_in, noted, page, real};
use crate::support::{Browser, Client, Server};

/// Asks for a link; answers the address at the provider. The browser keeps the cookie.
async fn ask(browser: &mut Browser, server: &Server, person: &Client) -> String {
    let body = json!({ "returnTo": "/console/account" });
    let begun = person.post("/auth/oidc/link", &body).await.expect(200);
    browser.keep(&server.base.parse().unwrap(), &begun);
    begun.json()["authorizationUrl"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_is_linked_by_whoever_is_logged_in() {
    let (server, provider) = real(&json!({}), |_| {}).await;
    let owner = server.owner().await;
    let mut browser = Browser::of(&owner);
    let url = ask(&mut browser, &server, &owner).await;
    let back = browser
        .authenticate(&url, "boss:boss@elsewhere.example:true")
        .await;
    let answer = browser.open(&back).await.expect(303);
    assert_eq!(answer.header("location"), "/console/account");
    owner.get("/auth/me").await.expect(200);
    assert_eq!(noted(&owner).await[0], after("identity.linked", &provider.issuer));
    let links = owner.get("/auth/oidc/link").await.expect(200).json();
    assert_eq!(links["identities"][0]["subject"], "boss");
    assert_eq!(links["identities"][0]["email"], "boss@elsewhere.example");

    let mut elsewhere = Browser::new();
    log_in(&mut elsewhere, &server, "boss").await.expect(303);
    let logged_in = client(&elsewhere, &server).await;
    let me = |client: Client| async move { client.get("/auth/me").await.json()["user"].clone() };
    assert_eq!(me(logged_in.clone()).await, me(owner.clone()).await);

    // Another account cannot have it, and this one no second.
    let stranger = server.stranger().await;
    let mut theirs = Browser::of(&stranger);
    let url = ask(&mut theirs, &server, &stranger).await;
    let back = theirs.authenticate(&url, "boss").await;
    assert_eq!(page(&theirs.open(&back).await, 409), "identity-taken");
    let mut browser = Browser::of(&owner);
    let url = ask(&mut browser, &server, &owner).await;
    let back = browser.authenticate(&url, "second").await;
    assert_eq!(page(&browser.open(&back).await, 409), "identity-taken");

    owner.delete("/auth/oidc/link").await.expect(204);
    let gone = log_in(&mut Browser::new(), &server, "boss").await;
    assert_eq!(page(&gone, 403), "oidc-not-linked");
    logged_in.get("/auth/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_somebody_prepared_is_finished_by_nobody_else() {
    let (server, _provider) = real(&json!({}), |_| {}).await;
    let owner = server.owner().await;
    let stranger = server.stranger().await;
    // The stranger's link, with the stranger's cookie of it, in the owner's browser: another session.
    let mut browser = Browser::of(&owner);
    let url = ask(&mut browser, &server, &stranger).await;
    let back = browser.authenticate(&url, "boss").await;
    assert_eq!(page(&browser.open(&back).await, 400), "oidc-attempt-invalid");
    for person in [&owner, &stranger] {
        let links = person.get("/auth/oidc/link").await.expect(200).json();
        assert_eq!(links["identities"], json!([]));
    }
    // Nor after the session has ended.
    let mut browser = Browser::of(&stranger);
    let url = ask(&mut browser, &server, &stranger).await;
    let back = browser.authenticate(&url, "boss").await;
    stranger.post("/auth/logout", &json!({})).await.expect(204);
    assert_eq!(page(&browser.open(&back).await, 400), "oidc-attempt-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_browser_links_nothing_later() {
    let (server, _provider) = real(&json!({}), |_| {}).await;
    let owner = server.owner().await;
    let foreign = owner
        .post_with("/auth/oidc/link", &json!({}), &[("x-csrf-token", "")])
        .await;
    foreign.refused(403, "csrf-invalid");
    let outside = json!({ "returnTo": "//evil.example" });
    owner
        .post("/auth/oidc/link", &outside)
        .await
        .refused(422, "validation-failed");
    server.clock.advance(600_000);
    let late = owner.post("/auth/oidc/link", &json!({})).await;
    late.refused(403, "fresh-login-required");
}
