//! A login belongs to one browser, once, for a while, and leads to this site.

use serde_json::{Value, json};

use super::{Place, allow, client, hostile, log_in, now_ms, options, page, real};
use crate::support::{Browser, Server, through};

const ADA: &str = "ada:ada@corp.example:true";

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_finished_once_in_the_browser_that_began_it() {
    let (server, _provider) = real(&json!({}), allow).await;
    let mut browser = Browser::new();
    let back = through(&mut browser, &server.base, "/", ADA).await;

    let foreign = Browser::new().open(&back).await;
    assert_eq!(page(&foreign, 400), "oidc-attempt-invalid");
    let mut another = Browser::new();
    through(&mut another, &server.base, "/", ADA).await;
    assert_eq!(page(&another.open(&back).await, 400), "oidc-attempt-invalid");
    let altered = back.replace("state=", "state=x");
    assert_eq!(page(&browser.open(&altered).await, 400), "oidc-attempt-invalid");
    // Programs are told in their own way.
    let path = back.strip_prefix(&server.base).unwrap();
    server
        .nobody()
        .get(path)
        .await
        .refused(400, "oidc-attempt-invalid");

    // Nothing of that used the login up.
    let replay = browser.clone();
    browser.open(&back).await.expect(303);
    assert_eq!(browser.cookie(&server.base, "botloom_login"), None);
    for mut browser in [replay, browser] {
        assert_eq!(page(&browser.open(&back).await, 400), "oidc-attempt-invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_has_ten_minutes() {
    let (server, provider) = hostile().await;
    let mut browser = Browser::new();
    let back = through(&mut browser, &server.base, "/", "").await;
    server.clock.advance(600_000);
    provider.plan(|plan| plan.now += 600);
    assert_eq!(page(&browser.open(&back).await, 400), "oidc-attempt-invalid");
    let back = through(&mut browser, &server.base, "/", "").await;
    server.clock.advance(599_999);
    provider.plan(|plan| plan.now += 600);
    browser.open(&back).await.expect(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_leads_to_this_site_alone() {
    let (server, _provider) = hostile().await;
    let mut browser = Browser::new();
    for bad in [
        "//evil.example",
        "https://evil.example",
        "/%5C%5Cevil.example",
        "%5C/evil.example",
        "/%09/evil.example",
        "/%0d%0aSet-Cookie:%20a=b",
        "javascript:alert(1)",
        "",
    ] {
        let start = format!("{}/auth/oidc/login?returnTo={bad}", server.base);
        let answer = browser.open(&start).await;
        assert_eq!(page(&answer, 400), "invalid-parameter", "{bad}");
    }
    let twice = format!("{}/auth/oidc/login?returnTo=/a&returnTo=/b", server.base);
    assert_eq!(page(&browser.open(&twice).await, 400), "invalid-parameter");
    for good in ["/console?bot=1%23x", "/@evil.example", "/"] {
        let back = through(&mut browser, &server.base, good, "").await;
        let answer = browser.open(&back).await.expect(303);
        assert!(answer.header("location").starts_with('/') && !answer.header("location").starts_with("//"));
    }
    let start = format!("{}/auth/oidc/login", server.base);
    let sent = browser.open(&start).await.expect(303);
    let back = browser.authenticate(sent.header("location"), "").await;
    assert_eq!(browser.open(&back).await.expect(303).header("location"), "/");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_elsewhere_is_where_a_login_leads() {
    let provider = crate::support::Hostile::start(now_ms() / 1000).await;
    let mut oidc = options(&provider.issuer);
    oidc.allowed_domains = vec!["corp.example".to_owned()];
    let place = Place::take().await;
    let server = place
        .start(oidc, |options| {
            options.console_origin = Some("https://console.example".parse().unwrap());
        })
        .await;
    let mut browser = Browser::new();
    let back = through(&mut browser, &server.base, "/bots", "").await;
    let answer = browser.open(&back).await.expect(303);
    assert_eq!(answer.header("location"), "https://console.example/bots");
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_of_a_login_are_for_this_site_and_not_for_scripts() {
    let (server, _provider) = hostile().await;
    let start = format!("{}/auth/oidc/login", server.base);
    let sent = Browser::new().open(&start).await.expect(303);
    let cookie = sent.header("set-cookie");
    assert!(
        cookie.starts_with("botloom_login=") && cookie.contains("HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let address = sent.header("location");
    for part in [
        "code_challenge_method=S256",
        "state=",
        "nonce=",
        "scope=openid+email+profile",
    ] {
        assert!(address.contains(part), "{address}");
    }
    assert!(!address.contains("canary"), "{address}");
    // What is stored does not finish a login.
    let secret = cookie.split(['=', ';']).nth(1).unwrap();
    assert!(!server.holds(secret), "the secret is in the database");
    assert!(!address.contains(secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_provider_is_told_and_nothing_else_of_it() {
    let (server, provider) = hostile().await;
    let mut browser = Browser::new();
    provider.plan(|plan| {
        plan.back = vec![
            ("code", ""),
            ("error", "access_denied<script>"),
            ("error_description", "canary"),
        ];
    });
    let answer = log_in(&mut browser, &server, "").await;
    assert_eq!(page(&answer, 403), "oidc-refused");
    assert!(answer.text().contains("access_deniedscript"), "{}", answer.text());

    provider.plan(|plan| plan.back = vec![("iss", "https://other.example")]);
    let answer = log_in(&mut browser, &server, "").await;
    assert_eq!(page(&answer, 403), "oidc-answer-invalid");
    provider.plan(|plan| plan.back = vec![("code", "")]);
    let answer = log_in(&mut browser, &server, "").await;
    assert_eq!(page(&answer, 400), "invalid-parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_is_told_and_left_alone_for_a_moment() {
    let (server, provider) = hostile().await;
    let start = format!("{}/auth/oidc/login", server.base);
    let mut browser = Browser::new();
    provider.plan(|plan| plan.down = true);
    for _ in 0..5 {
        let answer = browser.open(&start).await;
        assert_eq!(page(&answer, 503), "oidc-unavailable");
        assert_eq!(answer.header("retry-after"), "1");
    }
    provider.plan(|plan| {
        assert_eq!(plan.discoveries, 1);
        plan.down = false;
    });
    // The pause begins when the attempt has failed, which takes five seconds at most.
    server.clock.advance(7_000);
    let back = through(&mut browser, &server.base, "/", "").await;
    // It goes away between the two halves of a login.
    provider.plan(|plan| plan.down = true);
    assert_eq!(page(&browser.open(&back).await, 503), "oidc-unavailable");
    // What is known of it holds on for a day.
    server.clock.advance(2 * 3_600_000);
    browser.open(&start).await.expect(303);
    server.clock.advance(24 * 3_600_000);
    assert_eq!(page(&browser.open(&start).await, 503), "oidc-unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_with_another_name_is_not_the_one_of_the_settings() {
    let (server, provider) = hostile().await;
    let start = format!("{}/auth/oidc/login", server.base);
    provider.plan(|plan| plan.metadata = json!({ "issuer": "https://login.example.com" }));
    assert_eq!(page(&Browser::new().open(&start).await, 503), "oidc-unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_fetched_once_an_hour() {
    let (server, provider) = hostile().await;
    let mut browser = Browser::new();
    for _ in 0..3 {
        log_in(&mut browser, &server, "").await.expect(303);
    }
    provider.plan(|plan| assert_eq!(plan.discoveries, 1));
    server.clock.advance(3_600_000);
    provider.plan(|plan| plan.now += 3_600);
    log_in(&mut browser, &server, "").await.expect(303);
    provider.plan(|plan| assert_eq!(plan.discoveries, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_of_one_address_have_a_limit() {
    let (server, _provider) = hostile().await;
    let start = format!("{}/auth/oidc/login", server.base);
    let mut browser = Browser::new();
    let mut begun = 0;
    let answer = loop {
        let answer = browser.open(&start).await;
        if answer.status != 303 || begun > 1_000 {
            break answer;
        }
        begun += 1;
    };
    assert_eq!(page(&answer, 429), "rate-limited");
    assert!(begun >= 60, "{begun}");
    assert!(!answer.header("retry-after").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_there_is_none_to_log_in_at() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let told = server.nobody().get("/auth/oidc").await.expect(200).json();
    assert_eq!(
        told,
        json!({ "configured": false, "name": Value::Null, "passwordLogin": true })
    );
    for path in ["/auth/oidc/login", "/auth/oidc/callback?state=x&code=y"] {
        server
            .nobody()
            .get(path)
            .await
            .refused(404, "oidc-not-configured");
    }
    let linked = owner.post("/auth/oidc/link", &json!({})).await;
    linked.refused(404, "oidc-not-configured");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_node_finishes_a_login() {
    let (server, _provider) = hostile().await;
    let mut browser = Browser::new();
    let back = through(&mut browser, &server.base, "/", "").await;
    // As behind a proxy: the same browser and cookie, another node.
    let other = server.another_node().await;
    let secret = browser.cookie(&server.base, "botloom_login").unwrap();
    browser.set(&other, "botloom_login", &secret);
    let replay = browser.clone();
    browser
        .open(&back.replace(&server.base, &other))
        .await
        .expect(303);
    let session = browser.cookie(&other, "botloom_session").unwrap();
    browser.set(&server.base, "botloom_session", &session);
    client(&browser, &server).await;
    // And once on all of them.
    let mut browser = replay;
    assert_eq!(page(&browser.open(&back).await, 400), "oidc-attempt-invalid");
}
