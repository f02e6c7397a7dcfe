//! The client commands' side of the API: credentials, problems as words.

use std::fmt::Write as _;

use axum::body::Body;
use botloom_core::Secret;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use url::Url;

use crate::api_token;
use crate::cli::Login;
use crate::error::CommandError;
use crate::saved_session::{self, SavedSession};
use crate::terminal;

/// Largest answer that is read.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Answer {
    /// The answer, if its status is a success; else the problem in words.
    pub(crate) fn ok(self) -> Result<Value, CommandError> {
        if self.status.is_success() {
            Ok(self.body)
        } else {
            Err(CommandError::Api(problem(self.status, &self.body)))
        }
    }

    /// Whether it is the problem with this code.
    pub(crate) fn is_problem(&self, code: &str) -> bool {
        let kind = self.body["type"].as_str().unwrap_or_default();
        !self.status.is_success() && kind.rsplit('/').next() == Some(code)
    }
}

/// A session with a server.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>,
    server: Url,
    headers: HeaderMap,
}

impl Api {
    /// A connection without a login.
    pub(crate) fn new(server: &Url) -> Self {
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self {
            client,
            server: server.clone(),
            headers: HeaderMap::new(),
        }
    }

    /// Logs in, with an API token where there is one.
    pub(crate) async fn login(login: &Login) -> Result<Self, CommandError> {
        let mut api = Self::new(&login.server);
        if let Some(token) = api_token::find(login)? {
            api.keep("authorization", &format!("Bearer {}", token.expose()))?;
            return Ok(api);
        }
        if login.email.is_none()
            && let Some(session) = saved_session::find(&login.server)?
        {
            api.go_on_with(&session)?;
            return Ok(api);
        }
        let (session, _) = api.open_session(login).await?;
        api.go_on_with(&session)?;
        Ok(api)
    }

    /// Opens a session with e-mail and password; answers whose it is, too.
    pub(crate) async fn open_session(&self, login: &Login) -> Result<(SavedSession, String), CommandError> {
        let (email, password) = credentials(login)?;
        let body = json!({ "email": email, "password": password });
        let (answer, headers) = self.send(Method::POST, "/auth/login", Some(body)).await?;
        let body = answer.ok()?;
        let cookie = headers
            .get(header::SET_COOKIE)
            .and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie
            .and_then(|cookie| cookie.split(';').next())
            .unwrap_or_default();
        let session = SavedSession {
            cookie: Secret::new(cookie),
            csrf: Secret::new(body["csrfToken"].as_str().unwrap_or_default()),
        };
        let email = body["user"]["email"].as_str().unwrap_or_default().to_owned();
        Ok((session, email))
    }

    /// Acts with a session from now on.
    pub(crate) fn go_on_with(&mut self, session: &SavedSession) -> Result<(), CommandError> {
        self.keep("cookie", session.cookie.expose())?;
        self.keep("x-csrf-token", session.csrf.expose())
    }

    /// Writes an answer of any size as it comes.
    pub(crate) async fn download(
        &self,
        path: &str,
        to: &mut impl std::io::Write,
    ) -> Result<(), CommandError> {
        let mut body = match self.stream(path).await? {
            Ok(body) => body,
            Err(refused) => return refused.ok().map(drop),
        };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| CommandError::Api(format!("the answer broke off: {error}")))?;
            if let Some(piece) = frame.data_ref() {
                to.write_all(piece)
                    .map_err(|error| CommandError::Other(format!("what came cannot be written: {error}")))?;
            }
        }
        Ok(())
    }

    /// Opens an answer that is read as it comes; `Err`: the refusal.
    pub(crate) async fn stream(&self, path: &str) -> Result<Result<Body, Answer>, CommandError> {
        let answer = self.ask(Method::GET, path, Bytes::new(), None).await?;
        let (parts, body) = answer.into_parts();
        if parts.status.is_success() {
            return Ok(Ok(body));
        }
        let body = self.read(body).await?;
        let status = parts.status;
        Ok(Err(Answer { status, body }))
    }

    /// Sends a credential with every request.
    fn keep(&mut self, name: &'static str, text: &str) -> Result<(), CommandError> {
        let mut value = HeaderValue::from_str(text)
            .map_err(|_| CommandError::Api("the credentials are not usable".to_owned()))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, CommandError> {
        Ok(self.send(Method::GET, path, None).await?.0)
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Answer, CommandError> {
        Ok(self.send(Method::POST, path, Some(body)).await?.0)
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Result<Answer, CommandError> {
        Ok(self.send(Method::PUT, path, Some(body)).await?.0)
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Result<Answer, CommandError> {
        Ok(self.send(Method::PATCH, path, Some(body)).await?.0)
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Answer, CommandError> {
        Ok(self.send(Method::DELETE, path, None).await?.0)
    }

    /// Posts JSON text as it is.
    pub(crate) async fn post_text(&self, path: &str, text: Vec<u8>) -> Result<Answer, CommandError> {
        self.post_on(path, text, None).await
    }

    /// Posts JSON text, or nothing, on the condition that this is the latest version of the bot's spec.
    pub(crate) async fn post_on(
        &self,
        path: &str,
        text: Vec<u8>,
        version: Option<u64>,
    ) -> Result<Answer, CommandError> {
        let tag = version.map(|version| format!("\"specVersion-{version}\""));
        let condition = tag.as_deref().map(|tag| (header::IF_MATCH, tag));
        let sent = self.send_bytes(Method::POST, path, Bytes::from(text), condition);
        Ok(sent.await?.0)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(Answer, HeaderMap), CommandError> {
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        self.send_bytes(method, path, bytes, None).await
    }

    async fn send_bytes(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        condition: Option<(HeaderName, &str)>,
    ) -> Result<(Answer, HeaderMap), CommandError> {
        let (parts, body) = self.ask(method, path, body, condition).await?.into_parts();
        let answer = Answer {
            status: parts.status,
            body: self.read(body).await?,
        };
        Ok((answer, parts.headers))
    }

    /// A whole answer, as JSON where it is.
    async fn read(&self, body: Body) -> Result<Value, CommandError> {
        let bytes = Limited::new(body, MAX_ANSWER).collect().await;
        let bytes = bytes.map_err(|error| self.unreachable(&error))?.to_bytes();
        Ok(if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
        })
    }

    fn unreachable(&self, reason: &dyn std::fmt::Display) -> CommandError {
        CommandError::Api(format!(
            "cannot reach {}: {reason}; is `botloom serve` running there?",
            self.server
        ))
    }

    /// Sends a request; answers with the body unread.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        condition: Option<(HeaderName, &str)>,
    ) -> Result<Response<Body>, CommandError> {
        let url = format!("{}{path}", self.server.as_str().trim_end_matches('/'));
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::ACCEPT, "application/json");
        if let Some((name, value)) = condition {
            request = request.header(name, value);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let mut request = request
            .body(Full::new(body))
            .map_err(|error| CommandError::Api(error.to_string()))?;
        request.headers_mut().extend(self.headers.clone());
        let answer = self.client.request(request).await.map_err(|error| {
            let source = std::error::Error::source(&error);
            self.unreachable(&source.map_or_else(|| error.to_string(), ToString::to_string))
        })?;
        Ok(answer.map(Body::new))
    }
}

/// E-mail and password from arguments or environment, asked for on a terminal when they are missing.
pub(crate) fn credentials(login: &Login) -> Result<(String, String), CommandError> {
    let email = asked(login.email.as_deref(), "E-mail: ", "--email or BOTLOOM_EMAIL")?;
    let password = asked(login.password.as_deref(), "Password: ", "BOTLOOM_PASSWORD")?;
    Ok((email, password))
}

/// A text that was given, or is asked for on a terminal; `otherwise` says how to give it where there is none.
pub(crate) fn asked(given: Option<&str>, question: &str, otherwise: &str) -> Result<String, CommandError> {
    if let Some(text) = given {
        return Ok(text.to_owned());
    }
    if !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return Err(CommandError::Other(format!("give {otherwise}")));
    }
    terminal::prompt(question);
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|error| CommandError::Other(error.to_string()))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A problem document in words: title, detail, and each finding on a line of its own.
fn problem(status: StatusCode, body: &Value) -> String {
    let title = body["title"]
        .as_str()
        .unwrap_or_else(|| status.canonical_reason().unwrap_or("error"));
    let mut text = format!("{title} ({})", status.as_u16());
    if let Some(detail) = body["detail"].as_str() {
        let _ = write!(text, ": {detail}");
    }
    for error in body["errors"].as_array().into_iter().flatten() {
        let pointer = error["pointer"].as_str().unwrap_or_default();
        let message = error["message"]
            .as_str()
            .or_else(|| error["detail"].as_str())
            .unwrap_or_default();
        let _ = write!(text, "\n  {pointer}: {message}");
    }
    text
}
