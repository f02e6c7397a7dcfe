//! Who gets an account, and which.

use botloom_core::model::Role;
use serde_json::json;

use super::{after, allow, client, hostile, log_in, noted, page, real};
use crate::support::{Browser, Client, EMAIL, PASSWORD, Server, through};

async fn project(client: &Client) -> String {
    let projects = client.get("/projects").await.expect(200).json();
    projects["items"][0]["projectId"].as_str().unwrap().to_owned()
}

async fn invite(owner: &Client) -> String {
    let path = format!("/projects/{}/invitations", project(owner).await);
    let made = owner.post(&path, &json!({ "role": "editor" })).await.expect(201);
    let url = made.json()["url"].as_str().unwrap().to_owned();
    url.split_once('#').unwrap().1.to_owned()
}

/// Uses an invitation by a login; answers the page that the browser ends at.
async fn join(browser: &mut Browser, server: &Server, secret: &str, login: &str) -> crate::support::Answer {
    let body = json!({ "secret": secret, "returnTo": "/console/joined" });
    let begun = server
        .nobody()
        .post("/auth/oidc/register", &body)
        .await
        .expect(200);
    browser.keep(&server.base.parse().unwrap(), &begun);
    let url = begun.json()["authorizationUrl"].as_str().unwrap().to_owned();
    let back = browser.authenticate(&url, login).await;
    browser.open(&back).await
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_of_an_allowed_domain_gets_an_account_and_comes_back_to_it() {
    let (server, provider) = real(&json!({}), |options| {
        allow(options);
        options.oidc.as_mut().unwrap().join = Some(("default".into(), Role::Viewer));
    })
    .await;
    let owner = server.owner().await;
    let told = server.nobody().get("/auth/oidc").await.expect(200).json();
    assert_eq!(
        told,
        json!({ "configured": true, "name": "Corp", "passwordLogin": true })
    );

    let mut browser = Browser::new();
    let answer = log_in(&mut browser, &server, "ada:Ada@Corp.example:true")
        .await
        .expect(303);
    assert_eq!(answer.header("location"), "/console");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    let ada = client(&browser, &server).await;
    let me = ada.get("/auth/me").await.expect(200).json();
    assert_eq!(me["user"]["email"], "Ada@Corp.example");
    assert_eq!(me["projects"][0]["name"], "default");
    assert_eq!(me["projects"][0]["role"], "viewer");
    let sessions = ada.get("/auth/sessions").await.expect(200).json();
    assert_eq!(sessions["items"][0]["agent"], "A browser/1.0");
    assert_eq!(sessions["items"][0]["current"], true);
    assert_eq!(noted(&ada).await, [after("session.opened", "oidc")]);
    let seen = noted(&owner).await;
    let of_owner = after("session.opened", "password");
    for entry in [
        after("member.joined", "viewer"),
        after("identity.linked", &provider.issuer),
        of_owner,
    ] {
        assert!(seen.contains(&entry), "{entry:?} in {seen:?}");
    }

    // Whatever address the provider tells later: it is the same person.
    let mut second = Browser::new();
    log_in(&mut second, &server, "ada:other@elsewhere.example:false")
        .await
        .expect(303);
    let again = client(&second, &server)
        .await
        .get("/auth/me")
        .await
        .expect(200)
        .json();
    assert_eq!(again["user"], me["user"]);
    // A login takes the place of the session that came along.
    let before = client(&second, &server).await;
    log_in(&mut second, &server, "ada").await.expect(303);
    before.get("/auth/me").await.refused(401, "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_an_account_without_a_rule_or_an_unverified_one_by_a_rule() {
    let (server, _provider) = real(&json!({}), allow).await;
    server.owner().await;
    for (login, slug) in [
        ("bob:bob@elsewhere.example:true", "oidc-not-linked"),
        ("bob:bob@corp.example.evil.example:true", "oidc-not-linked"),
        ("bob:bob@corp.example:false", "oidc-email-unusable"),
        ("eve", "oidc-not-linked"),
    ] {
        let mut browser = Browser::new();
        let answer = log_in(&mut browser, &server, login).await;
        assert_eq!(page(&answer, 403), slug, "{login}");
        assert_eq!(browser.cookie(&server.base, "botloom_session"), None);
    }
    // Nothing of it made an account.
    let mut browser = Browser::new();
    log_in(&mut browser, &server, "bob:bob@corp.example:true")
        .await
        .expect(303);
    let bob = client(&browser, &server).await;
    assert_eq!(bob.get("/auth/me").await.json()["projects"], json!([]));
    assert_eq!(noted(&bob).await.last().unwrap().0, "user.created");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_takes_no_account_over() {
    let (server, _provider) = real(&json!({}), allow).await;
    let owner = server.owner().await;
    // Also with an address that the provider vouches for, of a domain that is allowed.
    server.row("victim@corp.example", Some("editor")).await;
    let mut browser = Browser::new();
    let taken = log_in(&mut browser, &server, "thief:Victim@corp.example:true").await;
    assert_eq!(page(&taken, 409), "email-taken");
    let login = format!("thief:{EMAIL}:true");
    let unknown = log_in(&mut Browser::new(), &server, &login).await;
    assert_eq!(page(&unknown, 403), "oidc-not-linked");
    let secret = invite(&owner).await;
    let by_invitation = join(&mut Browser::new(), &server, &secret, &login).await;
    assert_eq!(page(&by_invitation, 409), "email-taken");
    owner.get("/auth/me").await.expect(200);
    let links = owner.get("/auth/oidc/link").await.expect(200).json();
    assert_eq!(links, json!({ "hasPassword": true, "identities": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_needs_no_address_and_no_userinfo() {
    let (server, provider) = hostile().await;
    let nowhere = format!("{}/nowhere", provider.issuer);
    provider.plan(|plan| plan.metadata = json!({ "userinfo_endpoint": nowhere }));
    log_in(&mut Browser::new(), &server, "").await.expect(303);
    let without = json!({ "email": null, "email_verified": null });
    provider.plan(|plan| plan.claims = without.clone());
    log_in(&mut Browser::new(), &server, "").await.expect(303);
    provider.plan(|plan| plan.claims["sub"] = json!("bob"));
    let newcomer = log_in(&mut Browser::new(), &server, "").await;
    assert_eq!(page(&newcomer, 403), "oidc-not-linked");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_brings_somebody_in_whose_address_nobody_vouches_for() {
    let (server, _provider) = real(&json!({ "claimsInIdToken": false }), |_| {}).await;
    let owner = server.owner().await;
    let secret = invite(&owner).await;
    let mut browser = Browser::new();
    let none = join(&mut browser, &server, &secret, "eve").await;
    assert_eq!(page(&none, 403), "oidc-email-unusable");
    let answer = join(&mut Browser::new(), &server, &secret, "ada:ada@x.example:false")
        .await
        .expect(303);
    assert_eq!(answer.header("location"), "/console/joined");

    let mut browser = Browser::new();
    log_in(&mut browser, &server, "ada").await.expect(303);
    let ada = client(&browser, &server).await;
    let me = ada.get("/auth/me").await.expect(200).json();
    assert_eq!(me["user"]["email"], "ada@x.example", "as UserInfo told it");
    assert_eq!(me["projects"][0]["role"], "editor");
    let used = json!({ "secret": secret });
    let again = server.nobody().post("/auth/oidc/register", &used).await;
    again.refused(404, "invitation-invalid");

    // Somebody with an identity joins with the account that they have.
    let stranger = server.foreign_owner().await;
    let elsewhere = invite(&stranger).await;
    join(&mut browser, &server, &elsewhere, "ada").await.expect(303);
    let me = client(&browser, &server).await.get("/auth/me").await.json();
    assert_eq!(me["projects"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_a_password_gets_its_first_while_the_login_is_fresh() {
    let (server, _provider) = real(&json!({}), allow).await;
    server.owner().await;
    let mut browser = Browser::new();
    log_in(&mut browser, &server, "ada:ada@corp.example:true")
        .await
        .expect(303);
    let ada = client(&browser, &server).await;
    let by_password = json!({ "email": "ada@corp.example", "password": PASSWORD });
    let guessed = server.nobody().post("/auth/login", &by_password).await;
    guessed.refused(401, "invalid-credentials");
    let unlinked = ada.delete("/auth/oidc/link").await;
    unlinked.refused(409, "password-not-set");
    let change = json!({ "oldPassword": PASSWORD, "newPassword": PASSWORD });
    ada.post("/auth/password", &change)
        .await
        .refused(409, "password-not-set");

    let first = json!({ "newPassword": PASSWORD });
    server.clock.advance(600_000);
    ada.post("/auth/password", &first)
        .await
        .refused(403, "fresh-login-required");
    log_in(&mut browser, &server, "ada").await.expect(303);
    let ada = client(&browser, &server).await;
    ada.post("/auth/password", &first).await.expect(204);
    ada.post("/auth/password", &first)
        .await
        .refused(422, "wrong-password");
    server.login("ada@corp.example").await;

    ada.delete("/auth/oidc/link").await.expect(204);
    ada.delete("/auth/oidc/link").await.refused(404, "not-found");
    assert_eq!(noted(&ada).await[0].0, "identity.unlinked");
    let gone = log_in(&mut Browser::new(), &server, "ada:ada@corp.example:true").await;
    assert_eq!(page(&gone, 409), "email-taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_can_be_switched_off() {
    let (server, _provider) = real(&json!({}), |options| {
        allow(options);
        options.password_login = false;
    })
    .await;
    server.row("someone@example.org", None).await;
    let told = server.nobody().get("/auth/oidc").await.expect(200).json();
    assert_eq!(told["passwordLogin"], false);
    let right = json!({ "email": EMAIL, "password": PASSWORD });
    let refused = server.nobody().post("/auth/login", &right).await;
    refused.refused(403, "password-login-off");
    let body = json!({ "secret": "x", "email": "a@b.example", "password": PASSWORD });
    let refused = server.nobody().post("/auth/register", &body).await;
    refused.refused(403, "password-login-off");

    let mut browser = Browser::new();
    log_in(&mut browser, &server, "ada:ada@corp.example:true")
        .await
        .expect(303);
    let ada = client(&browser, &server).await;
    ada.post("/auth/password", &json!({ "newPassword": PASSWORD }))
        .await
        .expect(204);
    let unlinked = ada.delete("/auth/oidc/link").await;
    unlinked.refused(403, "password-login-off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_is_not_there_admits_nobody() {
    let (server, _provider) = real(&json!({}), |options| {
        allow(options);
        options.oidc.as_mut().unwrap().join = Some(("nowhere".into(), Role::Viewer));
    })
    .await;
    server.owner().await;
    let mut browser = Browser::new();
    let back = through(&mut browser, &server.base, "/", "ada:ada@corp.example:true").await;
    assert_eq!(page(&browser.open(&back).await, 403), "oidc-not-linked");
}
