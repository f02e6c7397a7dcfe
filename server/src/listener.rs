//! Serves HTTP/1 and HTTP/2 to peers that may be slow, silent or hostile.
//!
//! Below the API's own limits, which begin with a request: so many connections, so long for the first request, so much for
//! its head, so long without anybody who reads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::proxies::Callers;

/// Longest wait for the head of a connection's first request.
const FIRST_HEAD: Duration = Duration::from_secs(10);
/// Longest wait for the head of a further one, idle time included. Longer than proxies keep idle connections (nginx: 60 s),
/// so that a request never meets a connection that is being closed.
const NEXT_HEAD: Duration = Duration::from_secs(75);
/// Largest head of a request, and most of an answer that waits for its reader, bytes.
const BUFFER: usize = 64 * 1024;
/// Requests at a time of one HTTP/2 connection.
const STREAMS: u32 = 100;
/// HTTP/2 peers are asked whether they are there after this time without a word, and given [`UNREAD`] to answer.
const ASK_AFTER: Duration = Duration::from_secs(30);
/// A connection ends when its peer has taken nothing of what was sent for this time.
const UNREAD: Duration = Duration::from_secs(30);
/// File descriptors that are kept for everything but connections.
const RESERVED: u64 = 256;
/// Wait after a connection could not be accepted, for want of file descriptors for instance.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves until `stop`, then lets the requests that are being answered end. Every request carries whom it counts for as its
/// `ConnectInfo`, so nobody further inside has to know of proxies.
pub(crate) async fn serve(listener: TcpListener, router: Router, callers: Callers, stop: CancellationToken) {
    let callers = Arc::new(callers);
    let places = Arc::new(Semaphore::new(places()));
    let connections = TaskTracker::new();
    loop {
        let accepted = async {
            // More connections wait in the kernel; no place is ever refused.
            let place = places.clone().acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        match stop.run_until_cancelled(accepted).await.flatten() {
            None => break,
            Some((place, Ok((stream, peer)))) => {
                let connection = Connection {
                    peer,
                    router: router.clone(),
                    callers: Arc::clone(&callers),
                    stop: stop.clone(),
                    _place: place,
                };
                connections.spawn(connection.run(stream));
            }
            Some((_, Err(error))) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Connections at a time: what the system allows this process to open, once it has been asked for all of that.
fn places() -> usize {
    let limits = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limits.maximum,
        ..limits
    };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let open = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let places = usize::try_from(open.saturating_sub(RESERVED)).unwrap_or(usize::MAX);
    places.clamp(1, Semaphore::MAX_PERMITS)
}

struct Connection {
    peer: SocketAddr,
    router: Router,
    callers: Arc<Callers>,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        let unread = u32::try_from(UNREAD.as_millis()).unwrap_or(u32::MAX);
        // Events are small and must not wait for each other. Without these options it works all the same.
        stream.set_nodelay(true).ok();
        rustix::net::sockopt::set_tcp_user_timeout(&stream, unread).ok();

        let first = CancellationToken::new();
        let service = service_fn(|mut request: http::Request<Incoming>| {
            first.cancel();
            let caller = self.callers.of(self.peer, request.headers());
            request.extensions_mut().insert(ConnectInfo(caller));
            self.router.clone().oneshot(request.map(Body::new))
        });
        let builder = builder();
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut late =
            std::pin::pin!(async { tokio::time::timeout(FIRST_HEAD, first.cancelled()).await.is_err() });
        let (mut waiting, mut stopping) = (true, false);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::trace!(error, "a connection ended early");
                    }
                    return;
                }
                late = late.as_mut(), if waiting => {
                    if late {
                        return;
                    }
                    waiting = false;
                }
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(NEXT_HEAD)
        .max_buf_size(BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(ASK_AFTER)
        .keep_alive_timeout(UNREAD)
        .max_concurrent_streams(STREAMS)
        .max_send_buf_size(BUFFER);
    builder
}
