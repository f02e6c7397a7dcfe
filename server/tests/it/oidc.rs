//! The settings of an identity provider, and what the log tells of logins there.

use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::authority::Authority;
use crate::support::http::Http;
use crate::support::process::{Server, free_port, run};

/// A certified provider, which ends with the process that is answered, and its issuer. It has certificate and key where
/// they are given, and no TLS else.
async fn provider(base: &str, tls: Option<(String, String)>) -> (tokio::process::Child, String) {
    let program = std::env::var_os("BOTLOOM_TEST_OIDC_PROVIDER").expect(
        "BOTLOOM_TEST_OIDC_PROVIDER must name an OpenID provider: run the tests with `make test` or scripts/services/with",
    );
    let redirect = format!("{base}/auth/oidc/callback");
    let client =
        json!({ "client_id": "botloom", "client_secret": "canary-secret", "redirect_uris": [redirect] });
    let tls = tls.map(|(cert, key)| json!({ "cert": cert, "key": key }));
    let mut process = tokio::process::Command::new("node")
        .arg(program)
        .arg(json!({ "clients": [client], "tls": tls }).to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let issuer = lines.next_line().await.unwrap().expect("the provider starts");
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (process, issuer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_leaves_no_secret_in_the_log_whatever_its_level() {
    let port = free_port();
    let base = format!("http://127.0.0.1:{port}");
    let (_provider, issuer) = provider(&base, None).await;
    let env = [
        ("BOTLOOM_PUBLIC_URL", base.as_str()),
        ("BOTLOOM_OIDC_ISSUER", issuer.as_str()),
        ("BOTLOOM_OIDC_CLIENT_ID", "botloom"),
        ("BOTLOOM_OIDC_CLIENT_SECRET", "canary-secret"),
        ("BOTLOOM_OIDC_NAME", "Corp"),
        ("BOTLOOM_LOG", "trace"),
    ];
    let mut server = Server::new(port, &env);
    server.spawn(&[]);
    server.ready().await;
    let http = Http::new();
    let get = |path: String, cookie: String| {
        let (http, url) = (&http, server.url(&path));
        async move { http.send("GET", &url, &[("cookie", &cookie)], "").await.unwrap() }
    };
    let told = get("/auth/oidc".to_owned(), String::new()).await.json();
    assert_eq!(
        told,
        json!({ "configured": true, "name": "Corp", "passwordLogin": true })
    );

    let sent = get("/auth/oidc/login".to_owned(), String::new()).await;
    assert_eq!(sent.status, 303);
    let cookie = sent.header("set-cookie").split(';').next().unwrap().to_owned();
    let there = url::Url::parse(sent.header("location")).unwrap();
    assert!(there.as_str().starts_with(&issuer), "{there}");
    let of = |name: &str| {
        let pair = there.query_pairs().find(|(key, _)| key == name);
        pair.unwrap().1.into_owned()
    };
    let (state, nonce) = (of("state"), of("nonce"));
    // A code that the provider did not give out: it is asked, and says no.
    let path = format!("/auth/oidc/callback?code=canary-code&state={state}");
    let back = get(path, cookie.clone()).await;
    assert_eq!(back.status, 403);
    assert_eq!(back.json()["type"], "/problems/oidc-refused");

    let log = server.log_text();
    assert!(log.contains("/auth/oidc/callback"), "the request is logged");
    let secret = cookie.split('=').nth(1).unwrap();
    for canary in ["canary-secret", "canary-code", &state, &nonce, secret] {
        assert!(!log.contains(canary), "{canary} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_of_a_private_authority_is_believed_where_that_is_named() {
    let port = free_port();
    let base = format!("http://127.0.0.1:{port}");
    let (authority, other) = (Authority::new(), Authority::new());
    let (_provider, issuer) = provider(&base, Some(authority.issue())).await;
    assert!(issuer.starts_with("https://"), "{issuer}");
    let env = [
        ("BOTLOOM_PUBLIC_URL", base.as_str()),
        ("BOTLOOM_OIDC_ISSUER", issuer.as_str()),
        ("BOTLOOM_OIDC_CLIENT_ID", "botloom"),
        ("BOTLOOM_OIDC_CLIENT_SECRET", "canary-secret"),
    ];
    let mut server = Server::new(port, &env);
    let http = Http::new();
    for file in [None, Some(other.certificate()), Some(authority.certificate())] {
        let named = file
            .as_ref()
            .map(|file| ("BOTLOOM_OIDC_CA_FILE", file.to_str().unwrap()));
        server.kill();
        let before = server.log_text().len();
        server.spawn(named.as_slice());
        server.ready().await;
        let sent = http.send("GET", &server.url("/auth/oidc/login"), &[], "").await;
        let sent = sent.unwrap();
        if file != Some(authority.certificate()) {
            assert_eq!(sent.status, 503, "{file:?}: {sent:?}");
            let log = server.log_text().split_off(before);
            assert!(log.contains("invalid peer certificate"), "{log}");
            continue;
        }
        assert_eq!(sent.status, 303, "{}", server.log_text());
        assert!(sent.header("location").starts_with(&issuer), "{sent:?}");
        // The provider is asked for a token by TLS as well, and says no to a code that it did not give out.
        let cookie = sent.header("set-cookie").split(';').next().unwrap().to_owned();
        let there = url::Url::parse(sent.header("location")).unwrap();
        let state = there.query_pairs().find(|(key, _)| key == "state").unwrap().1;
        let path = format!("/auth/oidc/callback?code=a-code&state={state}");
        let back = http
            .send("GET", &server.url(&path), &[("cookie", &cookie)], "")
            .await;
        assert_eq!(back.unwrap().json()["type"], "/problems/oidc-refused");
    }
}

#[test]
fn a_server_at_which_nobody_could_log_in_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |env: &[(&str, &str)], key: &str| {
        let ran = run(&["serve"], env, dir.path(), "");
        assert_ne!(ran.code, Some(0));
        assert!(ran.err.contains(key), "{}", ran.err);
        assert!(!ran.err.contains("canary"), "{}", ran.err);
    };
    refused(&[("BOTLOOM_PASSWORD_LOGIN", "off")], "BOTLOOM_PASSWORD_LOGIN");
    refused(
        &[
            ("BOTLOOM_OIDC_ISSUER", "https://login.example.com"),
            ("BOTLOOM_OIDC_CLIENT_SECRET", "canary"),
            ("BOTLOOM_PUBLIC_URL", "https://bots.example.com"),
        ],
        "BOTLOOM_OIDC_CLIENT_ID",
    );
}
