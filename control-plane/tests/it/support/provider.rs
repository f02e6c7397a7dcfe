//! A certified OpenID provider in a process of its own (scripts/services/oidc).

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use super::Browser;

pub(crate) const CLIENT_ID: &str = "botloom";
pub(crate) const CLIENT_SECRET: &str = "canary-client-secret";

/// A running provider. It ends with this value.
pub(crate) struct RealProvider {
    pub(crate) issuer: String,
    _process: Child,
    _input: ChildStdin,
}

impl RealProvider {
    /// A provider that sends people back to this API. `more` goes over the usual configuration.
    pub(crate) async fn start(base: &str, more: &Value) -> Self {
        let program = std::env::var_os("BOTLOOM_TEST_OIDC_PROVIDER").expect(
            "BOTLOOM_TEST_OIDC_PROVIDER must name an OpenID provider: run the tests with `make test` or scripts/services/with",
        );
        let mut config = json!({
            "claimsInIdToken": true,
            "clients": [{
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "redirect_uris": [format!("{base}/auth/oidc/callback")],
            }],
        });
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        let mut process = Command::new("node")
            .arg(program)
            .arg(config.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = loop {
            let line = lines.next_line().await.unwrap().expect("the provider starts");
            if line.starts_with("http://") {
                break line;
            }
        };
        // What it prints later must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            issuer,
            _input: process.stdin.take().unwrap(),
            _process: process,
        }
    }

    /// Other keys from now on; everybody is logged out of the provider.
    pub(crate) async fn rotate(&self) {
        let answer = super::Client::new(&self.issuer)
            .send(http::Method::POST, "/test/rotate", &[], "")
            .await;
        answer.expect(204);
    }
}

/// Begins a login here and goes through the provider; answers the address that leads back, unopened.
pub(crate) async fn through(browser: &mut Browser, base: &str, return_to: &str, login: &str) -> String {
    let start = format!("{base}/auth/oidc/login?returnTo={return_to}");
    let sent = browser.open(&start).await.expect(303);
    browser.authenticate(sent.header("location"), login).await
}
