//! The socket: connections, and which part of the simulator answers what.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use http::Response;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::handle::Handle;
use super::options::Options;
use super::params::MAX_BODY;
use super::reply::{self, Cut, Refusal};
use super::world::Shared;
use super::{api, control};

/// Makes simulators.
#[derive(Debug, Clone, Copy)]
pub struct Simulator;

/// The simulator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("cannot listen on {0}: {1}")]
    Listen(std::net::SocketAddr, std::io::Error),
    /// An option makes no sense.
    #[error("{0}")]
    Options(&'static str),
}

impl Simulator {
    /// Opens the socket and answers until the last [`Handle`] is gone or one of them shuts it down.
    pub async fn start(options: Options) -> Result<Handle, StartError> {
        if !(options.time_scale.is_finite() && options.time_scale > 0.0) {
            return Err(StartError::Options("time_scale must be a number above 0"));
        }
        let address = options.listen;
        let listen = |error| StartError::Listen(address, error);
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let shared = Arc::new(Shared::new(options));
        shared.tasks.spawn(accept(Arc::clone(&shared), listener));
        Ok(Handle::new(shared, address))
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let router = Router::new()
        .nest("/sim", control::router())
        .fallback(call)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Arc::clone(&shared));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.shutdown.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                shared
                    .tasks
                    .spawn(connection(Arc::clone(&shared), stream, router.clone()));
            }
            // Out of descriptors: the others need time to close.
            Err(error) => {
                tracing::warn!(%error, "the simulator cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream, router: Router) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move {
            let Ok(response) = router.oneshot(request.map(Body::new)).await;
            if response.extensions().get::<Cut>().is_some() {
                // An error here closes the connection without an answer.
                return Err(std::io::Error::other("cut on command"));
            }
            Ok(response)
        }
    });
    let serving = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // Whatever ends a connection is its peer's affair, or wanted.
        _ = serving => {}
        () = shared.shutdown.cancelled() => {}
    }
}

/// `/bot<token>/<method>` and `/file/bot<token>/<path>`, with `/test` behind the token for Telegram's test servers.
async fn call(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response<Body>, Infallible> {
    // Clients may escape the token's colon.
    let path = request.uri().path().replace("%3A", ":").replace("%3a", ":");
    if let Some((token, path)) = path
        .strip_prefix("/file/bot")
        .and_then(|rest| rest.split_once('/'))
    {
        return Ok(api::download(
            &shared,
            token,
            path.strip_prefix("test/").unwrap_or(path),
        ));
    }
    let Some((token, method)) = path.strip_prefix("/bot").and_then(|rest| rest.split_once('/')) else {
        return Ok(reply::http(&Err(Refusal::new(404, "Not Found"))));
    };
    let method = method.strip_prefix("test/").unwrap_or(method);
    Ok(api::serve(&shared, token, method, request).await)
}
