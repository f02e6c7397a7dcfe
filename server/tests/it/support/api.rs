//! A client of the API with the owner's session.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use super::http::{Answer, Http};
use super::process::Server;

pub(crate) const EMAIL: &str = "owner@example.com";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Logged in as the owner.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: Http,
    base: String,
    cookie: String,
    csrf: String,
}

impl Api {
    /// Creates the owner of a new server and logs in.
    pub(crate) async fn set_up(server: &Server) -> Self {
        let http = Http::new();
        let account = json!({ "email": EMAIL, "password": PASSWORD }).to_string();
        let json_type = [("content-type", "application/json")];
        let made = http
            .send("POST", &server.url("/auth/setup"), &json_type, account)
            .await
            .unwrap();
        assert!(made.status.is_success(), "{made:?}");
        Self::log_in(server).await
    }

    /// Logs in.
    pub(crate) async fn log_in(server: &Server) -> Self {
        Self::log_in_from(Http::new(), &server.url("")).await
    }

    /// Logs in with a client of one's own, at a server or what stands before it.
    pub(crate) async fn log_in_from(http: Http, base: &str) -> Self {
        let account = json!({ "email": EMAIL, "password": PASSWORD }).to_string();
        let headers = [("content-type", "application/json")];
        let answer = http
            .send("POST", &format!("{base}/auth/login"), &headers, account)
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        Self::logged_in(http, base, &answer)
    }

    /// A new person with this role in the first project of the session's user.
    pub(crate) async fn invite(&self, server: &Server, email: &str, role: &str) -> Self {
        let projects = self.get("/projects").await.json();
        let project = projects["items"][0]["projectId"].as_str().unwrap();
        let path = format!("/projects/{project}/invitations");
        let invited = self.post(&path, &json!({ "role": role })).await.json();
        let (_, secret) = invited["url"].as_str().unwrap().split_once('#').unwrap();
        let account = json!({ "secret": secret, "email": email, "password": PASSWORD }).to_string();
        let (http, headers) = (Http::new(), [("content-type", "application/json")]);
        let answer = http
            .send("POST", &server.url("/auth/register"), &headers, account)
            .await
            .unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        Self::logged_in(http, &server.url(""), &answer)
    }

    fn logged_in(http: Http, base: &str, answer: &Answer) -> Self {
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let csrf = answer.json()["csrfToken"].as_str().unwrap().to_owned();
        Self {
            http,
            base: base.to_owned(),
            cookie,
            csrf,
        }
    }

    /// A request whose refusal (429) is what is wanted.
    pub(crate) async fn post_once(&self, path: &str, body: &Value) -> Answer {
        let headers = [
            ("cookie", self.cookie.as_str()),
            ("x-csrf-token", self.csrf.as_str()),
            ("content-type", "application/json"),
        ];
        let url = format!("{}{path}", self.base);
        self.http
            .send("POST", &url, &headers, body.to_string())
            .await
            .unwrap()
    }

    /// The same session at another node.
    pub(crate) fn at(&self, server: &Server) -> Self {
        Self {
            base: server.url(""),
            ..self.clone()
        }
    }

    /// Any request with more headers.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, String> {
        let mut all = vec![
            ("cookie", self.cookie.as_str()),
            ("x-csrf-token", self.csrf.as_str()),
            ("content-type", "application/json"),
        ];
        all.extend_from_slice(headers);
        let (url, body) = (format!("{}{path}", self.base), body.into());
        loop {
            let answer = self.http.send(method, &url, &all, body.clone()).await?;
            if answer.status != 429 {
                return Ok(answer);
            }
            // The stories ask more often than people do; the limit itself is tested elsewhere.
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], "").await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, &[], body.to_string()).await.unwrap()
    }

    /// The session's cookie, `name=id`.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Makes a bot with the spec's id.
    pub(crate) async fn create_bot(&self, spec: &Value) -> String {
        let bot = spec["meta"]["botId"].as_str().unwrap().to_owned();
        let made = self
            .post("/bots", &json!({ "botId": bot, "name": spec["meta"]["name"] }))
            .await;
        assert_eq!(made.status, 201, "{made:?}");
        bot
    }

    /// Gives a bot a token and connects it.
    pub(crate) async fn connect(&self, bot: &str, token: &str, ingress: &str) {
        let path = format!("/bots/{bot}/token");
        let body = json!({ "token": token }).to_string();
        let stored = self.request("PUT", &path, &[], body).await.unwrap();
        assert!(stored.status.is_success(), "{stored:?}");
        let connected = self
            .post(&format!("/bots/{bot}/connect"), &json!({ "ingress": ingress }))
            .await;
        assert_eq!(connected.status, 200, "{connected:?}");
    }

    /// Stores a spec and builds it; answers the revision.
    pub(crate) async fn build(&self, spec: &Value) -> String {
        let stored = self.post("/spec", spec).await;
        assert!(stored.status.is_success(), "{stored:?}");
        let stored = stored.json();
        let body = json!({ "botId": stored["botId"], "specVersion": stored["version"] });
        let task = self.post("/generate", &body).await;
        assert_eq!(task.status, 202, "{task:?}");
        let task = task.json()["taskId"].as_str().unwrap().to_owned();
        let ended = self.ended(&format!("/tasks/{task}")).await;
        assert_eq!(ended["status"], "succeeded", "{ended}");
        ended["revHash"].as_str().unwrap().to_owned()
    }

    /// Deploys a revision and waits for the end; answers the deployment.
    pub(crate) async fn deploy(&self, bot: &str, revision: &str) -> Value {
        let task = self.start_deploy(bot, revision).await;
        self.ended(&format!("/deployments/{task}")).await
    }

    /// Starts a deployment; answers its task.
    pub(crate) async fn start_deploy(&self, bot: &str, revision: &str) -> String {
        let body = json!({ "botId": bot, "revHash": revision, "strategy": "flip" });
        let task = self.post("/deploy", &body).await;
        assert_eq!(task.status, 202, "{task:?}");
        task.json()["taskId"].as_str().unwrap().to_owned()
    }

    /// Spec to live bot.
    pub(crate) async fn go_live(&self, spec: &Value) -> String {
        let revision = self.build(spec).await;
        let deployed = self
            .deploy(spec["meta"]["botId"].as_str().unwrap(), &revision)
            .await;
        assert_eq!(deployed["status"], "succeeded", "{deployed}");
        revision
    }

    /// Waits until a task or deployment has ended.
    pub(crate) async fn ended(&self, path: &str) -> Value {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            // The server may be restarting.
            if let Ok(answer) = self.request("GET", path, &[], "").await {
                let body = answer.json();
                if matches!(body["status"].as_str(), Some("succeeded" | "failed")) {
                    return body;
                }
            }
            assert!(Instant::now() < deadline, "{path} does not end");
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }
}

impl Api {
    /// Reads a stream until a text was seen.
    pub(crate) async fn stream(&self, path: &str, until: &str, patience: Duration) -> String {
        let (url, cookie) = (format!("{}{path}", self.base), self.cookie.clone());
        let headers = [("cookie", cookie.as_str())];
        let read = self.http.read_until(&url, &headers, until);
        tokio::time::timeout(patience, read)
            .await
            .expect("the stream says it in time")
    }
}
