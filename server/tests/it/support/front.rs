//! An HTTP proxy in front of a server, as nginx or HAProxy would be: it tells behind it by whom it was asked.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::http::connector;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How a proxy adds to `X-Forwarded-For`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adds {
    /// At the end of the one line that it makes of all (nginx).
    ToTheLine,
    /// As a line of its own (HAProxy).
    ALine,
}

/// A running proxy; dropping it closes its door.
#[derive(Debug)]
pub(crate) struct Front {
    url: String,
    _serving: AbortOnDropHandle<()>,
}

impl Front {
    /// Opens a door before `behind`, the beginning of a URL, which it asks from the address `from` of this machine.
    pub(crate) async fn start(from: Ipv4Addr, adds: Adds, behind: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = Client::builder(TokioExecutor::new()).build::<_, Body>(connector(from));
        let behind = behind.to_owned();
        let pass = move |ConnectInfo(caller): ConnectInfo<SocketAddr>, mut request: Request| {
            let client = client.clone();
            let path = request.uri().path_and_query().unwrap().as_str();
            *request.uri_mut() = format!("{behind}{path}").parse::<Uri>().unwrap();
            tell(&mut request, adds, caller);
            async move {
                let answer = client.request(request).await;
                answer
                    .map(|answer| answer.map(Body::new))
                    .map_err(|_| StatusCode::BAD_GATEWAY)
            }
        };
        let service = Router::new()
            .fallback(pass)
            .into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        Self {
            url,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    /// An address behind the door.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

fn tell(request: &mut Request, adds: Adds, caller: SocketAddr) {
    let caller = caller.ip().to_string();
    let headers = request.headers_mut();
    if adds == Adds::ALine {
        headers.append(FORWARDED_FOR, caller.parse().unwrap());
        return;
    }
    let lines = headers.get_all(&FORWARDED_FOR).iter().map(HeaderValue::as_bytes);
    let line = lines
        .chain([caller.as_bytes()])
        .collect::<Vec<_>>()
        .join(&b", "[..]);
    headers.insert(FORWARDED_FOR, HeaderValue::from_bytes(&line).unwrap());
}
