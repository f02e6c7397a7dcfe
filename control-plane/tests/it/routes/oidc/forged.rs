//! Tokens that must not log anybody in.

use serde_json::{Value, json};

use super::{allow, client, hostile, log_in, page, real};
use crate::support::{Browser, Signing};

const ADA: &str = "ada:ada@corp.example:true";

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_ours_for_this_login_and_fresh_logs_nobody_in() {
    let (server, provider) = hostile().await;
    let now = super::now_ms() / 1000;
    let forgeries: [(&str, Value); 14] = [
        ("another audience", json!({ "aud": "other" })),
        ("a second audience", json!({ "aud": ["botloom", "other"] })),
        ("no audience", json!({ "aud": [] })),
        ("another issuer", json!({ "iss": "https://login.example.com" })),
        ("another party", json!({ "azp": "other" })),
        ("expired", json!({ "exp": now - 120 })),
        ("no end", json!({ "exp": null })),
        ("from the future", json!({ "iat": now + 3_600 })),
        ("another nonce", json!({ "nonce": "x" })),
        ("no nonce", json!({ "nonce": null })),
        ("no subject", json!({ "sub": null })),
        ("an empty subject", json!({ "sub": "" })),
        ("an endless subject", json!({ "sub": "x".repeat(256) })),
        ("an end that is none", json!({ "exp": "tomorrow" })),
    ];
    for (what, claims) in forgeries {
        provider.plan(|plan| plan.claims = claims);
        let mut browser = Browser::new();
        let answer = log_in(&mut browser, &server, "").await;
        let slug = page(&answer, answer.status.as_u16());
        assert!(
            ["oidc-answer-invalid", "oidc-unavailable"].contains(&&*slug),
            "{what}: {slug}"
        );
        assert_eq!(browser.cookie(&server.base, "botloom_session"), None, "{what}");
    }
    // Within a minute clocks may differ; our own name as the party is right.
    for claims in [
        json!({ "exp": now - 30 }),
        json!({ "iat": now + 30 }),
        json!({ "azp": "botloom" }),
    ] {
        provider.plan(|plan| plan.claims = claims);
        log_in(&mut Browser::new(), &server, "").await.expect(303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_provider_alone_can_sign_is_accepted() {
    let (server, provider) = hostile().await;
    for signing in [
        Signing::None,
        Signing::PublicKeyAsSecret,
        Signing::ClientSecret,
        Signing::ForeignKey,
    ] {
        provider.plan(|plan| plan.signing = signing);
        let mut browser = Browser::new();
        let answer = log_in(&mut browser, &server, "").await;
        assert_eq!(page(&answer, 403), "oidc-answer-invalid", "{signing:?}");
        assert_eq!(
            browser.cookie(&server.base, "botloom_session"),
            None,
            "{signing:?}"
        );
    }
    for signing in [Signing::Es256, Signing::EdDsa] {
        provider.plan(|plan| plan.signing = signing);
        log_in(&mut Browser::new(), &server, "").await.expect(303);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_keys_of_the_provider_are_found() {
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let (server, provider) = real(&json!({ "algorithm": algorithm }), allow).await;
        log_in(&mut Browser::new(), &server, ADA).await.expect(303);
        provider.rotate().await;
        // Not at any price: keys are asked for every 10 s at most.
        let early = log_in(&mut Browser::new(), &server, ADA).await;
        assert_eq!(page(&early, 403), "oidc-answer-invalid", "{algorithm}");
        server.clock.advance(10_000);
        let mut browser = Browser::new();
        log_in(&mut browser, &server, ADA).await.expect(303);
        client(&browser, &server).await;
    }
}
