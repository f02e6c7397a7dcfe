//! One connection to addresses that were checked.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::Service;

/// Connects to its own addresses, whatever the URI says. TLS around it still verifies the URI's name.
#[derive(Debug, Clone)]
pub(super) struct Pinned {
    pub(super) addresses: Arc<[SocketAddr]>,
}

impl Service<Uri> for Pinned {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<TcpStream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let addresses = Arc::clone(&self.addresses);
        Box::pin(async move {
            let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for address in addresses.iter() {
                match TcpStream::connect(address).await {
                    Ok(stream) if stream.peer_addr()? == *address => {
                        stream.set_nodelay(true)?;
                        return Ok(TokioIo::new(stream));
                    }
                    Ok(_) => return Err(io::Error::from(io::ErrorKind::PermissionDenied)),
                    Err(error) => last = error,
                }
            }
            Err(last)
        })
    }
}
