//! The S3 server that tests and `make run-services` talk to: objects in a folder, signatures checked.
//!
//! Protocol, signatures and storage are those of the crates `s3s` and `s3s-fs`. `s3s-fs` answers a put with
//! `If-None-Match: *` in two steps, look and then write, so that several writers at once can all be told that they were
//! first. S3 promises one winner, and the artifact store relies on it: here a changing request has the folder to itself.

use std::env;
use std::error::Error;
use std::io;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::RwLock;

const USAGE: &str =
    "usage: botloom-s3-server ADDRESS:PORT FOLDER, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY set";

/// The object store, shared by readers and exclusive to one writer.
struct Store {
    s3: S3Service,
    turn: RwLock<()>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (Some(address), Some(folder)) = (env::args().nth(1), env::args().nth(2)) else {
        return Err(USAGE.into());
    };
    let key = env::var("AWS_ACCESS_KEY_ID").map_err(|_| USAGE)?;
    let secret = env::var("AWS_SECRET_ACCESS_KEY").map_err(|_| USAGE)?;

    let files = s3s_fs::FileSystem::new(&folder).map_err(|error| format!("{folder}: {error:?}"))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(key, secret));
    let store = Arc::new(Store {
        s3: builder.build(),
        turn: RwLock::new(()),
    });

    let listener = TcpListener::bind(&address).await?;
    tokio::select! {
        ended = accept(listener, store) => Ok(ended?),
        () = terminated() => Ok(()),
    }
}

async fn accept(listener: TcpListener, store: Arc<Store>) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(serve(socket, Arc::clone(&store)));
    }
}

async fn serve(socket: TcpStream, store: Arc<Store>) {
    let answer = service_fn(|request: Request<Incoming>| {
        let store = Arc::clone(&store);
        async move {
            if matches!(*request.method(), Method::GET | Method::HEAD) {
                let _shared = store.turn.read().await;
                Service::call(&store.s3, request).await
            } else {
                let _alone = store.turn.write().await;
                Service::call(&store.s3, request).await
            }
        }
    });
    // A client that goes away ends its own connection, nothing else.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(socket), answer)
        .await;
}

/// Resolves at SIGTERM, or never when the signal cannot be listened for.
async fn terminated() {
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}
