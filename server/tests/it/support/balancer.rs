//! What stands before several nodes: new connections go to them in turn, past those that do not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// A running balancer; dropping it closes its door.
#[derive(Debug)]
pub(crate) struct Balancer {
    url: String,
    _accepting: AbortOnDropHandle<()>,
}

impl Balancer {
    /// Opens a door at a free port. `ports` are those of the nodes on this machine.
    pub(crate) async fn start(ports: Vec<u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (ports, turn) = (Arc::new(ports), Arc::new(AtomicUsize::new(0)));
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else {
                    continue;
                };
                let (ports, first) = (Arc::clone(&ports), turn.fetch_add(1, Ordering::Relaxed));
                tokio::spawn(async move { pass(client, &ports, first).await });
            }
        });
        Self {
            url,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// An address behind the door.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

async fn pass(mut client: TcpStream, ports: &[u16], first: usize) {
    for step in 0..ports.len() {
        let port = ports[(first + step) % ports.len()];
        if let Ok(mut node) = TcpStream::connect(("127.0.0.1", port)).await {
            // Either side may end it, as connections do.
            let _ = copy_bidirectional(&mut client, &mut node).await;
            return;
        }
    }
}
