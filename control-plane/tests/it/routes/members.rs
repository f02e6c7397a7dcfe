use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::{Client, EMAIL, PASSWORD, Server};

const DAY: i64 = 24 * 3_600_000;

async fn project(client: &Client) -> String {
    let projects = client.get("/projects").await.expect(200).json();
    projects["items"][0]["projectId"].as_str().unwrap().to_owned()
}

async fn user_id(client: &Client) -> String {
    let me = client.get("/auth/me").await.expect(200).json();
    me["user"]["userId"].as_str().unwrap().to_owned()
}

/// An invitation; answers its secret and its id.
async fn invite(owner: &Client, role: &str) -> (String, String) {
    let path = format!("/projects/{}/invitations", project(owner).await);
    let made = owner
        .post(&path, &json!({ "role": role }))
        .await
        .expect(201)
        .json();
    let url = made["url"].as_str().unwrap();
    let secret = url.split_once("/console/invitation#").unwrap().1.to_owned();
    (secret, made["invitationId"].as_str().unwrap().to_owned())
}

fn account(secret: &str, email: &str) -> Value {
    json!({ "secret": secret, "email": email, "password": PASSWORD })
}

#[tokio::test]
async fn an_invitation_makes_an_account_that_is_logged_in() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let (secret, _) = invite(&owner, "editor").await;
    let mut guest = server.nobody();
    let seen = guest
        .post("/invitations/look-up", &json!({ "secret": secret }))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&seen["project"], &seen["role"]),
        (&json!("default"), &json!("editor"))
    );
    let answer = guest
        .post("/auth/register", &account(&secret, "Ada@example.org"))
        .await
        .expect(201);
    guest.keep(&answer);
    let me = guest.get("/auth/me").await.expect(200).json();
    assert_eq!(me["user"]["email"], "Ada@example.org");
    assert_eq!(me["projects"][0]["role"], "editor");
    server.login("ada@example.org").await;
    for path in ["/auth/register", "/invitations/look-up"] {
        let body = if path == "/auth/register" {
            account(&secret, "second@example.org")
        } else {
            json!({ "secret": secret })
        };
        guest.post(path, &body).await.refused(404, "invitation-invalid");
    }
    let members = owner
        .get(&format!("/projects/{}/members", project(&owner).await))
        .await
        .expect(200)
        .json();
    let listed: Vec<_> = members["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| {
            (
                member["email"].as_str().unwrap(),
                member["role"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(listed, [("Ada@example.org", "editor"), (EMAIL, "owner")]);
}

#[tokio::test]
async fn who_has_an_account_joins_with_it() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let stranger = server.stranger().await;
    let (secret, _) = invite(&owner, "viewer").await;
    let body = json!({ "secret": secret });
    server
        .nobody()
        .post("/invitations/accept", &body)
        .await
        .refused(401, "unauthenticated");
    owner
        .post("/invitations/accept", &body)
        .await
        .refused(409, "already-member");
    server
        .nobody()
        .post("/auth/register", &account(&secret, "STRANGER@example.org"))
        .await
        .refused(409, "email-taken");
    let joined = stranger
        .post("/invitations/accept", &body)
        .await
        .expect(200)
        .json();
    assert_eq!(joined["role"], "viewer");
    assert_eq!(project(&stranger).await, project(&owner).await);
    stranger
        .post("/invitations/accept", &body)
        .await
        .refused(404, "invitation-invalid");
}

#[tokio::test]
async fn an_invitation_ends_by_its_time_by_being_revoked_and_with_its_author() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let guest = server.nobody();
    let invitations = format!("/projects/{}/invitations", project(&owner).await);

    let (revoked, id) = invite(&owner, "viewer").await;
    let listed = owner.get(&invitations).await.expect(200);
    assert_eq!(listed.json()["items"][0]["invitationId"], id.as_str());
    assert!(!listed.text().contains(&revoked), "the secret is told once");
    owner.delete(&format!("{invitations}/{id}")).await.expect(204);
    owner
        .delete(&format!("{invitations}/{id}"))
        .await
        .refused(404, "not-found");
    let refused = |secret: String| {
        let guest = &guest;
        async move {
            let answer = guest
                .post("/auth/register", &account(&secret, "g@example.org"))
                .await;
            answer.refused(404, "invitation-invalid");
        }
    };
    refused(revoked).await;

    let second = server.member("owner").await;
    let (of_second, _) = invite(&second, "owner").await;
    let members = format!("/projects/{}/members", project(&owner).await);
    let path = format!("{members}/{}", user_id(&second).await);
    owner
        .json(Method::PATCH, &path, &json!({ "role": "editor" }))
        .await
        .expect(200);
    refused(of_second).await;

    let (late, _) = invite(&owner, "viewer").await;
    let (in_time, _) = invite(&owner, "viewer").await;
    server.clock.advance(7 * DAY - 1);
    guest
        .post("/auth/register", &account(&in_time, "in-time@example.org"))
        .await
        .expect(201);
    server.clock.advance(1);
    refused(late).await;
    refused("no-secret".to_owned()).await;
}

#[tokio::test]
async fn of_many_guests_with_one_link_one_joins() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let (secret, _) = invite(&owner, "viewer").await;
    let mut guests = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (client, secret) = (server.nobody(), secret.clone());
        guests.spawn(async move {
            let body = account(&secret, &format!("g{n}@example.org"));
            client.post("/auth/register", &body).await.status.as_u16()
        });
    }
    let mut statuses = guests.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201);
    assert!(statuses[1..].iter().all(|status| *status == 404), "{statuses:?}");
}

#[tokio::test]
async fn a_project_keeps_an_owner() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let members = format!("/projects/{}/members", project(&owner).await);
    let own = format!("{members}/{}", user_id(&owner).await);
    let demotion = json!({ "role": "viewer" });
    owner
        .json(Method::PATCH, &own, &demotion)
        .await
        .refused(409, "last-owner");
    owner.delete(&own).await.refused(409, "last-owner");
    let second = server.member("owner").await;
    owner.json(Method::PATCH, &own, &demotion).await.expect(200);
    // From the next request on the new role holds.
    owner
        .json(Method::PATCH, &own, &demotion)
        .await
        .refused(403, "forbidden");
    let own = format!("{members}/{}", user_id(&second).await);
    second.delete(&own).await.refused(409, "last-owner");
}

#[tokio::test]
async fn everybody_may_leave_and_only_owners_manage() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let (editor, viewer) = (server.member("editor").await, server.member("viewer").await);
    let members = format!("/projects/{}/members", project(&owner).await);
    let of = async |client: &Client| format!("{members}/{}", user_id(client).await);
    for client in [&editor, &viewer] {
        client.get(&members).await.expect(200);
        client.delete(&of(&owner).await).await.refused(403, "forbidden");
        client
            .json(Method::PATCH, &of(client).await, &json!({ "role": "owner" }))
            .await
            .refused(403, "forbidden");
    }
    let unknown = format!("{members}/{}", uuid());
    owner.delete(&unknown).await.refused(404, "not-found");
    owner
        .delete(&format!("{members}/no-uuid"))
        .await
        .refused(404, "not-found");
    let bad = owner
        .json(Method::PATCH, &of(&viewer).await, &json!({ "role": "god" }))
        .await;
    bad.refused(422, "validation-failed");
    viewer.delete(&of(&viewer).await).await.expect(204);
    viewer.get(&members).await.refused(404, "not-found");
}

fn uuid() -> String {
    botloom_core::ids::UserId::generate().to_string()
}

#[tokio::test]
async fn a_removed_member_loses_access_at_once_and_the_streams_within_seconds() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let viewer = server.member("viewer").await;
    viewer.get("/bots/a-bot").await.expect(200);
    let stream = viewer.open(Method::GET, "/events?botId=a-bot", &[], "").await;
    assert_eq!(stream.status(), 200);
    let path = format!(
        "/projects/{}/members/{}",
        project(&owner).await,
        user_id(&viewer).await
    );
    owner.delete(&path).await.expect(204);
    viewer.get("/bots/a-bot").await.refused(404, "not-found");
    viewer.get("/auth/me").await.expect(200);
    tokio::time::timeout(Duration::from_secs(5), stream.into_body().collect())
        .await
        .expect("the stream ends within 5 s")
        .unwrap();
}
