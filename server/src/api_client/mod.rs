//! The client commands' side of the API: who asks, and what is answered.

mod credential;
mod own_sessions;
mod problems;
mod transport;

use axum::body::Body;
use botloom_core::Secret;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::api_token;
use crate::cli::Login;
use crate::error::CommandError;
use crate::saved_session::{self, SavedSession};
use credential::Credential;
pub(crate) use credential::{asked, credentials, new_credentials, new_password, password};
pub(crate) use own_sessions::ended_after;
use transport::{IDEMPOTENCY_KEY, Outgoing, Patience, Transport};

/// Largest answer that is read.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// What was asked, and by whom: what a problem is put into words with.
#[derive(Debug)]
struct Asked {
    path: String,
    credential: Credential,
}

impl Asked {
    /// The bot that the address names; a word for it where it names none.
    fn bot(&self) -> &str {
        let named = self.path.strip_prefix("/bots/");
        let named = named.and_then(|rest| rest.split(['/', '?']).next());
        named.filter(|bot| !bot.is_empty()).unwrap_or("BOT")
    }
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub body: Value,
    asked: Asked,
}

impl Answer {
    /// The answer, if its status is a success; else the problem in words.
    pub(crate) fn ok(self) -> Result<Value, CommandError> {
        if self.status.is_success() {
            Ok(self.body)
        } else {
            let words = problems::words(self.status, &self.body, &self.asked);
            Err(CommandError::Api(words))
        }
    }

    /// Whether it is the problem with this code.
    pub(crate) fn is_problem(&self, code: &str) -> bool {
        let kind = self.body["type"].as_str().unwrap_or_default();
        !self.status.is_success() && kind.rsplit('/').next() == Some(code)
    }
}

/// A session with a server.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    transport: Transport,
    server: Url,
    headers: HeaderMap,
    credential: Credential,
}

impl Api {
    /// A connection without a login.
    pub(crate) fn new(server: &Url) -> Self {
        Self {
            transport: Transport::new(server, Patience::WORK),
            server: server.clone(),
            headers: HeaderMap::new(),
            credential: Credential::Nobody,
        }
    }

    /// The same, for a question whose answer is of use only now: nothing is waited out or sent again.
    pub(crate) fn hastily(&self) -> Self {
        Self {
            transport: self.transport.with(Patience::QUESTION),
            ..self.clone()
        }
    }

    /// The same, for the last request of a command: what the server asks to wait for is waited for, and not for long.
    fn at_the_end(&self) -> Self {
        Self {
            transport: self.transport.with(Patience::END),
            ..self.clone()
        }
    }

    /// Logs in, with an API token where there is one. A session that this opens ends with the command.
    pub(crate) async fn login(login: &Login) -> Result<Self, CommandError> {
        let mut api = Self::new(&login.server);
        if let Some((token, place)) = api_token::find(login)? {
            api.keep("authorization", &format!("Bearer {}", token.expose()))?;
            api.credential = Credential::Token(place);
            return Ok(api);
        }
        if login.email.is_none()
            && let Some(session) = saved_session::find(&login.server)?
        {
            api.go_on_with(&session)?;
            api.credential = Credential::Kept;
            return Ok(api);
        }
        let (email, password) = credentials(login).await?;
        let opened = own_sessions::open(async move {
            let (session, email) = api.exchange(&email, &password).await?;
            api.go_on_with(&session)?;
            api.credential = Credential::Account(email);
            Ok((api, ()))
        });
        Ok(opened.await?.0)
    }

    /// Makes an account; answers what the server says of it. The session that it gives ends with the command.
    pub(crate) async fn sign_up(&self, path: &str, account: Value) -> Result<Value, CommandError> {
        let (mut api, path) = (self.clone(), path.to_owned());
        let opened = own_sessions::open(async move {
            let (answer, headers) = api.send(Method::POST, &path, Some(account)).await?;
            let body = answer.ok()?;
            api.go_on_with(&session(&headers, &body))?;
            Ok((api, body))
        });
        Ok(opened.await?.1)
    }

    /// Opens a session with e-mail and password; answers whose it is, too.
    pub(crate) async fn open_session(&self, login: &Login) -> Result<(SavedSession, String), CommandError> {
        let (email, password) = credentials(login).await?;
        self.exchange(&email, &password).await
    }

    /// The session that e-mail and password give, and whose it is.
    async fn exchange(&self, email: &str, password: &str) -> Result<(SavedSession, String), CommandError> {
        let body = json!({ "email": email, "password": password });
        let (answer, headers) = self.send(Method::POST, "/auth/login", Some(body)).await?;
        let body = answer.ok()?;
        let session = session(&headers, &body);
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
        while let Some(piece) = self.transport.piece(&mut body).await? {
            to.write_all(&piece)
                .map_err(|error| CommandError::Other(format!("what came cannot be written: {error}")))?;
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
        Ok(Err(self.answer(path, parts.status, body).await?))
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
        self.post_if(path, text, None).await
    }

    /// Posts JSON text, or nothing, on the condition that this is the latest version of the bot's spec; `None`: that it
    /// has none.
    pub(crate) async fn post_on(
        &self,
        path: &str,
        text: Vec<u8>,
        version: Option<u64>,
    ) -> Result<Answer, CommandError> {
        let tag = version.map(|version| format!("\"specVersion-{version}\""));
        let condition = match &tag {
            Some(tag) => (header::IF_MATCH, tag.as_str()),
            None => (header::IF_NONE_MATCH, "*"),
        };
        self.post_if(path, text, Some(condition)).await
    }

    async fn post_if(
        &self,
        path: &str,
        text: Vec<u8>,
        condition: Option<(HeaderName, &str)>,
    ) -> Result<Answer, CommandError> {
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
        let answer = self.answer(path, parts.status, body).await?;
        Ok((answer, parts.headers))
    }

    /// A whole answer, as JSON where it is.
    async fn answer(&self, path: &str, status: StatusCode, mut body: Body) -> Result<Answer, CommandError> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.transport.piece(&mut body).await? {
            if bytes.len() + piece.len() > MAX_ANSWER {
                let words = format!("{} answered more than {MAX_ANSWER} bytes", self.server);
                return Err(CommandError::Api(words));
            }
            bytes.extend_from_slice(&piece);
        }
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
        };
        let asked = Asked {
            path: path.to_owned(),
            credential: self.credential.clone(),
        };
        Ok(Answer { status, body, asked })
    }

    /// Sends a request; answers with the body unread.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        condition: Option<(HeaderName, &str)>,
    ) -> Result<Response<Body>, CommandError> {
        let mut headers = self.headers.clone();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if method == Method::POST && takes_key(path) {
            headers.insert(IDEMPOTENCY_KEY, value(&Uuid::new_v4().to_string())?);
        }
        if let Some((name, text)) = condition {
            headers.insert(name, value(text)?);
        }
        let url = format!("{}{path}", self.server.as_str().trim_end_matches('/'));
        let outgoing = Outgoing {
            is_repeatable: method.is_safe()
                || headers.contains_key(&IDEMPOTENCY_KEY)
                || path == own_sessions::LOGOUT,
            method,
            url,
            headers,
            body,
        };
        self.transport.send(&outgoing).await
    }
}

fn value(text: &str) -> Result<HeaderValue, CommandError> {
    HeaderValue::from_str(text).map_err(|error| CommandError::Api(error.to_string()))
}

/// Whether posts to an address take an `Idempotency-Key`.
fn takes_key(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    matches!(
        parts.as_slice(),
        ["spec" | "generate" | "deploy" | "rollback"] | ["spec", _, "restore"] | ["bots", _, "promote"]
    )
}

/// The session that an answer gives.
fn session(headers: &HeaderMap, body: &Value) -> SavedSession {
    let cookie = headers
        .get(header::SET_COOKIE)
        .and_then(|cookie| cookie.to_str().ok());
    let cookie = cookie
        .and_then(|cookie| cookie.split(';').next())
        .unwrap_or_default();
    SavedSession {
        cookie: Secret::new(cookie),
        csrf: Secret::new(body["csrfToken"].as_str().unwrap_or_default()),
    }
}
