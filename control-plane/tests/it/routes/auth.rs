use http::Method;
use serde_json::json;

use crate::support::{Client, EMAIL, PASSWORD, Server, Setup};

fn credentials(password: &str) -> serde_json::Value {
    json!({ "email": EMAIL, "password": password })
}

#[tokio::test]
async fn the_first_start_makes_one_owner_who_is_logged_in() {
    let server = Server::start().await;
    let mut client = server.nobody();
    let answer = client
        .post("/auth/setup", &credentials(PASSWORD))
        .await
        .expect(201);
    assert_eq!(answer.json()["user"]["email"], EMAIL);
    assert_eq!(answer.json()["projects"][0]["name"], "default");
    assert_eq!(answer.json()["projects"][0]["role"], "owner");
    client.keep(&answer);
    client.get("/auth/me").await.expect(200);
    let again = json!({ "email": "other@example.org", "password": PASSWORD });
    client
        .post("/auth/setup", &again)
        .await
        .refused(409, "already-set-up");
    assert!(
        !server
            .api
            .ensure_owner("other@example.org", PASSWORD)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn of_many_first_owners_one_is_made() {
    let server = Server::start().await;
    let mut racers = tokio::task::JoinSet::new();
    for n in 0..20 {
        let client = server.nobody();
        racers.spawn(async move {
            let body = json!({ "email": format!("{n}@example.org"), "password": PASSWORD });
            client.post("/auth/setup", &body).await.status.as_u16()
        });
    }
    let mut statuses = racers.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201);
    assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
}

#[tokio::test]
async fn an_account_that_cannot_be_one_is_told_field_by_field() {
    let server = Server::start().await;
    let answer = server
        .nobody()
        .post(
            "/auth/setup",
            &json!({ "email": "me", "password": "short", "role": "x" }),
        )
        .await;
    answer.refused(422, "validation-failed");
    let pointers: Vec<_> = answer.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(pointers, ["/email", "/password", "/role"]);
    assert!(server.api.ensure_owner(EMAIL, "short").await.is_err());
}

#[tokio::test]
async fn a_login_gives_a_new_cookie_and_ends_the_old_session() {
    let server = Server::start().await;
    let mut first = server.owner().await;
    let chosen = format!("botloom_session={}", "A".repeat(43));
    let fixed = Client {
        cookie: Some(chosen.clone()),
        ..server.nobody()
    };
    let answer = fixed
        .post("/auth/login", &credentials(PASSWORD))
        .await
        .expect(200);
    assert!(
        !answer.header("set-cookie").contains(&chosen),
        "the caller chose its own session"
    );
    fixed.get("/auth/me").await.refused(401, "unauthenticated");

    let before = first.clone();
    let again = first
        .post("/auth/login", &credentials(PASSWORD))
        .await
        .expect(200);
    first.keep(&again);
    first.get("/auth/me").await.expect(200);
    before.get("/auth/me").await.refused(401, "unauthenticated");

    let flags = again.header("set-cookie");
    assert!(
        flags.contains("HttpOnly") && flags.contains("SameSite=Lax") && flags.contains("Path=/"),
        "{flags}"
    );
}

#[tokio::test]
async fn who_i_am_and_my_csrf_token_are_told_again() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let me = owner.get("/auth/me").await.expect(200).json();
    assert_eq!(me["user"]["email"], EMAIL);
    assert_eq!(me["csrfToken"].as_str(), owner.csrf.as_deref());
}

#[tokio::test]
async fn logging_out_ends_the_session() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let answer = owner.post("/auth/logout", &json!({})).await.expect(204);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    owner.get("/auth/me").await.refused(401, "unauthenticated");
    owner
        .post("/auth/logout", &json!({}))
        .await
        .refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_look_the_same() {
    let server = Server::start().await;
    server.owner().await;
    let client = server.nobody();
    let wrong = client.post("/auth/login", &credentials("wrong password")).await;
    let body = json!({ "email": "nobody@example.org", "password": PASSWORD });
    let unknown = client.post("/auth/login", &body).await;
    wrong.refused(401, "invalid-credentials");
    let without_id = |answer: &crate::support::Answer| {
        let mut body = answer.json();
        body["instance"] = "".into();
        body
    };
    assert_eq!(without_id(&wrong), without_id(&unknown));
    let upper = json!({ "email": EMAIL.to_uppercase(), "password": PASSWORD });
    client.post("/auth/login", &upper).await.expect(200);
}

#[tokio::test]
async fn five_failed_logins_make_even_the_right_password_wait() {
    let server = Server::start().await;
    server.owner().await;
    let client = server.nobody();
    for _ in 0..5 {
        client
            .post("/auth/login", &credentials("wrong password"))
            .await
            .refused(401, "invalid-credentials");
    }
    let refused = client.post("/auth/login", &credentials(PASSWORD)).await;
    refused.refused(429, "too-many-attempts");
    assert_eq!(refused.header("retry-after"), "60");
    server.clock.advance(60_000);
    client
        .post("/auth/login", &credentials(PASSWORD))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_hundred_guesses_at_once_are_five_guesses() {
    let server = Server::start().await;
    server.owner().await;
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0..100 {
        let client = server.nobody();
        guesses.spawn(async move {
            client
                .post("/auth/login", &credentials(&format!("guess {n}")))
                .await
                .status
                .as_u16()
        });
    }
    let looked_at = guesses
        .join_all()
        .await
        .into_iter()
        .filter(|status| *status == 401)
        .count();
    assert_eq!(looked_at, 5);
}

#[tokio::test]
async fn sessions_end_idle_and_old() {
    let hour = 3_600_000;
    let server = Server::start().await;
    let owner = server.owner().await;
    server.clock.advance(11 * hour);
    owner.get("/auth/me").await.expect(200);
    server.clock.advance(11 * hour);
    owner.get("/auth/me").await.expect(200);
    server.clock.advance(12 * hour);
    owner.get("/auth/me").await.refused(401, "session-expired");

    let owner = server.owner().await;
    for _ in 0..16 {
        server.clock.advance(10 * hour);
        owner.get("/auth/me").await.expect(200);
    }
    server.clock.advance(8 * hour);
    owner.get("/auth/me").await.refused(401, "session-expired");
}

#[tokio::test]
async fn changes_need_the_csrf_token_of_the_same_session() {
    let server = Server::start().await;
    let (one, other) = (server.owner().await, server.owner().await);
    let body = json!({ "botId": "a-bot", "name": "A bot" });
    let without = Client {
        csrf: None,
        ..one.clone()
    };
    without.post("/bots", &body).await.refused(403, "csrf-invalid");
    let foreign = Client {
        csrf: other.csrf.clone(),
        ..one.clone()
    };
    foreign.post("/bots", &body).await.refused(403, "csrf-invalid");
    without.get("/bots").await.expect(200);
    one.post("/bots", &body).await.expect(201);
}

#[tokio::test]
async fn pages_of_other_origins_may_not_act() {
    let mut setup = Setup::default();
    setup.options.console_origin = Some("https://console.example".parse().unwrap());
    let server = Server::start_with(setup).await;
    let owner = server.owner().await;
    let body = json!({ "name": "x" });
    for evil in [
        "https://evil.example",
        "null",
        "https://console.example.evil.com",
        "http://console.example",
    ] {
        let answer = owner
            .json_with(Method::PATCH, "/bots/no-bot", &body, &[("origin", evil)])
            .await;
        answer.refused(403, "origin-forbidden");
        let login = owner
            .post_with("/auth/login", &credentials(PASSWORD), &[("origin", evil)])
            .await;
        login.refused(403, "origin-forbidden");
    }
    for own in [server.base.as_str(), "https://console.example"] {
        let answer = owner
            .json_with(Method::PATCH, "/bots/no-bot", &body, &[("origin", own)])
            .await;
        answer.refused(404, "not-found");
    }
}

#[tokio::test]
async fn behind_https_the_cookie_is_bound_to_host_and_scheme() {
    let mut setup = Setup::default();
    setup.options.public_url = Some("https://api.example".parse().unwrap());
    let server = Server::start_with(setup).await;
    server.owner().await;
    let client = server.nobody();
    let headers = [("host", "api.example"), ("origin", "https://api.example")];
    let answer = client
        .post_with("/auth/login", &credentials(PASSWORD), &headers)
        .await
        .expect(200);
    let cookie = answer.header("set-cookie").to_owned();
    assert!(
        cookie.starts_with("__Host-botloom=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    assert!(answer.header("strict-transport-security").contains("max-age="));
    let pair = cookie.split(';').next().unwrap();
    client
        .get_with("/auth/me", &[("host", "api.example"), ("cookie", pair)])
        .await
        .expect(200);
    let plain = pair.replace("__Host-botloom", "botloom_session");
    client
        .get_with("/auth/me", &[("host", "api.example"), ("cookie", &plain)])
        .await
        .refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_page_that_had_its_name_led_here_does_not_make_the_first_owner() {
    let server = Server::start().await;
    let client = server.nobody();
    let named = [
        ("host", "rebound.example:8080"),
        ("origin", "http://rebound.example:8080"),
    ];
    client
        .post_with("/auth/setup", &credentials(PASSWORD), &named)
        .await
        .refused(403, "origin-forbidden");
    let port = server.address.port();
    let host = format!("localhost:{port}");
    let local = [("host", host.as_str()), ("origin", &format!("http://{host}"))];
    client
        .post_with("/auth/setup", &credentials(PASSWORD), &local)
        .await
        .expect(201);
}

#[tokio::test]
async fn what_has_expired_is_forgotten() {
    let server = Server::start().await;
    let owner = server.owner().await;
    server.clock.advance(13 * 3_600_000);
    let stop = tokio_util::sync::CancellationToken::new();
    stop.cancel();
    server.api.run(stop).await;
    // Not "expired" any more: the session is not there at all.
    owner.get("/auth/me").await.refused(401, "unauthenticated");
}
