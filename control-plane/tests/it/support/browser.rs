//! A browser, as far as a login needs one: cookies by host, redirects one by one, forms.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use url::Url;

use super::{Answer, Client};

/// Most redirects and forms of one login.
const STEPS: usize = 20;

#[derive(Clone)]
pub(crate) struct Browser {
    pool: Pool<HttpConnector, Full<Bytes>>,
    cookies: HashMap<String, BTreeMap<String, String>>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self {
            pool: Pool::builder(TokioExecutor::new()).build_http(),
            cookies: HashMap::new(),
        }
    }

    /// A browser that is logged in here as this client is.
    pub(crate) fn of(client: &Client) -> Self {
        let mut browser = Self::new();
        let (name, value) = client.cookie.as_ref().unwrap().split_once('=').unwrap();
        browser.set(&client.base, name, value);
        browser
    }

    pub(crate) fn set(&mut self, base: &str, name: &str, value: &str) {
        let host = Url::parse(base).unwrap().authority().to_owned();
        let jar = self.cookies.entry(host).or_default();
        jar.insert(name.to_owned(), value.to_owned());
    }

    /// Keeps the cookies of an answer that another client got here.
    pub(crate) fn keep(&mut self, url: &Url, answer: &Answer) {
        let jar = self.cookies.entry(url.authority().to_owned()).or_default();
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    pub(crate) fn cookie(&self, base: &str, name: &str) -> Option<String> {
        let host = Url::parse(base).unwrap().authority().to_owned();
        self.cookies.get(&host)?.get(name).cloned()
    }

    async fn send(&mut self, method: Method, url: &Url, body: String) -> Answer {
        let jar = self.cookies.entry(url.authority().to_owned()).or_default();
        let cookies: Vec<_> = jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(header::ACCEPT, "text/html,application/xhtml+xml")
            .header(header::USER_AGENT, "A browser/1.0")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let (head, body) = self.pool.request(request).await.unwrap().into_parts();
        let answer = Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.unwrap().to_bytes(),
        };
        self.keep(url, &answer);
        answer
    }

    /// Opens a page without following it.
    pub(crate) async fn open(&mut self, url: &str) -> Answer {
        self.send(Method::GET, &Url::parse(url).unwrap(), String::new())
            .await
    }

    /// Goes from a provider's page to the address at which it sends the browser back here, which is not opened. `login` is a
    /// subject, or what the certified provider is to tell of one first: `ada:ada@corp.example:true`, where `true` is verified.
    pub(crate) async fn authenticate(&mut self, start: &str, login: &str) -> String {
        let (subject, told) = login.split_once(':').unwrap_or((login, ""));
        if let Some((email, verified)) = told.split_once(':') {
            let people = format!("/test/people?sub={subject}&email={email}&verified={verified}");
            let url = Url::parse(start).unwrap().join(&people).unwrap();
            self.send(Method::POST, &url, String::new()).await.expect(204);
        }
        let (mut url, mut method, mut body) = (Url::parse(start).unwrap(), Method::GET, String::new());
        for _ in 0..STEPS {
            if url.path() == "/auth/oidc/callback" {
                return url.to_string();
            }
            let answer = self.send(method, &url, body).await;
            (method, body) = (Method::GET, String::new());
            if answer.status.is_redirection() {
                url = url.join(answer.header("location")).unwrap();
                continue;
            }
            let page = answer.expect(200).text();
            let action = between(&page, "action=\"", "\"").expect("a form");
            let prompt = between(&page, "name=\"prompt\" value=\"", "\"").expect("a prompt");
            url = url.join(action).unwrap();
            method = Method::POST;
            body = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("prompt", prompt)
                .append_pair("login", subject)
                .append_pair("password", "any")
                .finish();
        }
        panic!("the provider does not come to an end");
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?
        .1
        .split_once(after)
        .map(|(found, _)| found)
}
