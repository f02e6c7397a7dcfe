//! A client of the API: setting up the server under test, and the people of the mixed load.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// Longest wait for an answer: longer than the server lets a request take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A caller of the API: nobody, a person with a session, or a program with a token.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: Client<HttpConnector, Full<Bytes>>,
    url: String,
    cookie: String,
    csrf: String,
    token: String,
}

impl Api {
    /// Nobody, who calls from this address of the machine.
    pub(crate) fn new(url: &str, from: Option<IpAddr>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_local_address(from);
        connector.set_nodelay(true);
        Self {
            http: Client::builder(TokioExecutor::new()).build(connector),
            url: url.to_owned(),
            cookie: String::new(),
            csrf: String::new(),
            token: String::new(),
        }
    }

    /// The session's cookie, as it is sent.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// A program with this token, over the same connections.
    pub(crate) fn with_token(&self, token: String) -> Self {
        Self {
            token,
            ..self.as_nobody()
        }
    }

    /// Nobody, over the same connections.
    pub(crate) fn as_nobody(&self) -> Self {
        Self {
            cookie: String::new(),
            csrf: String::new(),
            token: String::new(),
            ..self.clone()
        }
    }

    /// Status, body and the new cookie, if any.
    pub(crate) async fn exchange(
        &self,
        method: &str,
        path: &str,
        body: Bytes,
    ) -> Result<(u16, Bytes, String), String> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", "application/json");
        if !self.cookie.is_empty() {
            request = request
                .header("cookie", &self.cookie)
                .header("x-csrf-token", &self.csrf);
        }
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        let exchange = async {
            let answer = self
                .http
                .request(request)
                .await
                .map_err(|error| error.to_string())?;
            let status = answer.status().as_u16();
            let cookie = answer
                .headers()
                .get("set-cookie")
                .and_then(|cookie| cookie.to_str().ok());
            let cookie = cookie
                .and_then(|cookie| cookie.split(';').next())
                .unwrap_or_default()
                .to_owned();
            let body = answer
                .into_body()
                .collect()
                .await
                .map_err(|error| error.to_string())?
                .to_bytes();
            Ok((status, body, cookie))
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(exchanged) => exchanged,
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }

    async fn request(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value, String), String> {
        let body = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        };
        let (status, body, cookie) = self.exchange(method, path, body).await?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok((status, body, cookie))
    }

    /// The body of an answer of success.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Value) -> Result<Value, String> {
        let (status, answer, _) = self.request(method, path, &body).await?;
        if (200..300).contains(&status) {
            Ok(answer)
        } else {
            Err(format!("{method} {path}: {status} {answer}"))
        }
    }

    /// Becomes this account's person.
    pub(crate) async fn log_in(&mut self, email: &str, password: &str) -> Result<(), String> {
        let account = json!({ "email": email, "password": password });
        self.enter("/auth/login", &account).await
    }

    /// Becomes the person of a new account.
    pub(crate) async fn register(
        &mut self,
        invitation: &str,
        email: &str,
        password: &str,
    ) -> Result<(), String> {
        let account = json!({ "secret": invitation, "email": email, "password": password });
        self.enter("/auth/register", &account).await
    }

    async fn enter(&mut self, path: &str, account: &Value) -> Result<(), String> {
        let (status, answer, cookie) = self.request("POST", path, account).await?;
        if !(200..300).contains(&status) {
            return Err(format!("{path}: {status} {answer}"));
        }
        self.cookie = cookie;
        self.csrf = text(&answer, "csrfToken");
        Ok(())
    }

    /// Asks until the answer is as it should be, for at most 30 s.
    pub(crate) async fn until(
        &self,
        path: &str,
        done: impl Fn(&(u16, Value, String)) -> bool,
    ) -> Result<Value, String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match self.request("GET", path, &Value::Null).await {
                Ok(answer) if done(&answer) => return Ok(answer.1),
                _ if Instant::now() > deadline => return Err(format!("{path} does not get there")),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Waits for the good end of a task.
    pub(crate) async fn ended(&self, path: &str) -> Result<Value, String> {
        let end = |answer: &(u16, Value, String)| {
            matches!(answer.1["status"].as_str(), Some("succeeded" | "failed"))
        };
        let ended = self.until(path, end).await?;
        if ended["status"] == "succeeded" {
            Ok(ended)
        } else {
            Err(format!("{path}: {ended}"))
        }
    }
}

/// A text of an answer; empty where there is none.
pub(crate) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}
