//! A caller with a cookie and a CSRF token.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The slug of a failure, after everything that holds for every failure was checked.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text()
        );
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["instance"], self.header("x-request-id"));
        for key in ["title", "detail"] {
            assert!(
                body[key].as_str().is_some_and(|text| !text.is_empty()),
                "{key} in {body}"
            );
        }
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert_eq!(self.header("cache-control"), "no-store");
        for inside in ["sqlx", "SELECT", "panicked", "src/", ".rs", "Error {"] {
            assert!(
                !self.text().contains(inside),
                "{inside} is told outside: {}",
                self.text()
            );
        }
        body["type"]
            .as_str()
            .unwrap()
            .strip_prefix("/problems/")
            .unwrap()
            .to_owned()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, slug: &str) {
        assert_eq!(
            (self.status.as_u16(), self.problem().as_str()),
            (status, slug),
            "{}",
            self.text()
        );
    }
}

/// A caller.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) pool: Pool<HttpConnector, Full<Bytes>>,
    pub(crate) base: String,
    pub(crate) cookie: Option<String>,
    pub(crate) csrf: Option<String>,
    /// `Authorization` of a program.
    pub(crate) bearer: Option<String>,
}

impl Client {
    /// Somebody who is not logged in.
    pub(crate) fn new(base: &str) -> Self {
        let pool = Pool::builder(TokioExecutor::new()).build_http();
        Self {
            pool,
            base: base.to_owned(),
            cookie: None,
            csrf: None,
            bearer: None,
        }
    }

    /// Sends anything and gives the answer's head with its body unread.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> http::Response<Incoming> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        let own = [
            ("cookie", &self.cookie),
            ("x-csrf-token", &self.csrf),
            ("authorization", &self.bearer),
        ];
        for (name, value) in own
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)))
        {
            if !headers.iter().any(|(given, _)| *given == name) {
                request = request.header(name, value);
            }
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        self.pool
            .request(request.body(Full::new(body.into())).unwrap())
            .await
            .unwrap()
    }

    /// Sends anything. A header that is given replaces the client's own; an empty one leaves it out.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let (head, body) = self.open(method, path, headers, body).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], "").await
    }

    pub(crate) async fn json(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.json_with(method, path, body, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::POST, path, body).await
    }

    pub(crate) async fn json_with(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send(method, path, &all, body.to_string()).await
    }

    pub(crate) async fn post_with(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.json_with(Method::POST, path, body, headers).await
    }

    /// Keeps the session of an answer to a login.
    pub(crate) fn keep(&mut self, answer: &Answer) {
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        self.cookie = Some(cookie);
        self.csrf = Some(answer.json()["csrfToken"].as_str().unwrap().to_owned());
    }
}
