//! Logins at an identity provider: a certified one for what is to work, and a hostile one for what is not.

mod accounts;
mod attempts;
mod forged;
mod linking;

use std::time::{SystemTime, UNIX_EPOCH};

use botloom_control_plane::{Authorities, OidcOptions, Options};
use botloom_core::TimestampMs;
use botloom_core::secret::Secret;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    Answer, Browser, CLIENT_ID, CLIENT_SECRET, Client, Hostile, RealProvider, Server, Setup, through,
};

/// The clock of this machine, which the provider reads too.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn options(issuer: &str) -> OidcOptions {
    OidcOptions {
        issuer: issuer.to_owned(),
        authorities: Authorities::public(),
        client_id: CLIENT_ID.to_owned(),
        client_secret: Secret::new(CLIENT_SECRET),
        scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
        name: "Corp".to_owned(),
        allowed_domains: Vec::new(),
        join: None,
    }
}

/// An API that nothing is known of but its address yet.
struct Place {
    listener: TcpListener,
    base: String,
}

impl Place {
    async fn take() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, base }
    }

    async fn start(self, oidc: OidcOptions, change: impl FnOnce(&mut Options)) -> Server {
        let mut setup = Setup {
            listener: Some(self.listener),
            now: TimestampMs(now_ms()),
            ..Setup::default()
        };
        setup.options.public_url = Some(self.base.parse().unwrap());
        setup.options.oidc = Some(oidc);
        change(&mut setup.options);
        Server::start_with(setup).await
    }
}

/// An API at the certified provider.
async fn real(provider: &Value, change: impl FnOnce(&mut Options)) -> (Server, RealProvider) {
    let place = Place::take().await;
    let provider = RealProvider::start(&place.base, provider).await;
    let server = place.start(options(&provider.issuer), change).await;
    (server, provider)
}

/// An API at the hostile provider, where everybody of `corp.example` gets an account.
async fn hostile() -> (Server, Hostile) {
    let provider = Hostile::start(now_ms() / 1000).await;
    let mut oidc = options(&provider.issuer);
    oidc.allowed_domains = vec!["corp.example".to_owned()];
    let server = Place::take().await.start(oidc, |_| {}).await;
    (server, provider)
}

fn allow(options: &mut Options) {
    let oidc = options.oidc.as_mut().unwrap();
    oidc.allowed_domains = vec!["corp.example".to_owned()];
}

/// Logs in as this person; answers what the API said when the browser came back.
async fn log_in(browser: &mut Browser, server: &Server, login: &str) -> Answer {
    let back = through(browser, &server.base, "/console", login).await;
    browser.open(&back).await
}

/// The slug of a failure that was shown as a page.
#[track_caller]
fn page(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(answer.header("cache-control"), "no-store");
    let text = answer.text();
    for canary in ["canary", "a-code"] {
        assert!(!text.contains(canary), "{text}");
    }
    let (_, rest) = text.split_once("/problems/").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// The browser's session, as a client of the API.
async fn client(browser: &Browser, server: &Server) -> Client {
    let mut client = server.nobody();
    let value = browser
        .cookie(&server.base, "botloom_session")
        .expect("a session");
    client.cookie = Some(format!("botloom_session={value}"));
    let me = client.get("/auth/me").await.expect(200).json();
    client.csrf = Some(me["csrfToken"].as_str().unwrap().to_owned());
    client
}

/// Entries of the audit log that a person may see, newest first: what was done and `after`.
async fn noted(client: &Client) -> Vec<(String, Value)> {
    let log = client.get("/audit").await.expect(200).json();
    let items = log["items"].as_array().unwrap();
    items
        .iter()
        .map(|entry| (entry["verb"].as_str().unwrap().to_owned(), entry["after"].clone()))
        .collect()
}

fn after(verb: &str, after: &str) -> (String, Value) {
    (verb.to_owned(), json!(after))
}
