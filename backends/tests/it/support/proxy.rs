//! A TCP proxy that cuts, stalls and redirects what goes through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// Connections are taken, and nothing goes through.
    Stalled,
    /// Connections are ended.
    Cut,
}

#[derive(Debug, Clone)]
struct State {
    mode: Mode,
    /// Where new connections lead.
    server: String,
    /// Connections with a lower number are stalled for ever.
    frozen_below: u64,
}

impl State {
    fn is_stalled(&self, connection: u64) -> bool {
        self.mode == Mode::Stalled || connection < self.frozen_below
    }
}

/// A proxy before one server, on a port of its own.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    connections: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A proxy before `server` (`host:port`) that lets everything through.
    pub(crate) async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new(State {
            mode: Mode::Open,
            server,
            frozen_below: 0,
        }));
        let connections = Arc::new(AtomicU64::new(0));
        let (states, numbers) = (Arc::clone(&state), Arc::clone(&connections));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                if states.borrow().mode != Mode::Cut {
                    tokio::spawn(connect(client, number, states.subscribe()));
                }
            }
        });
        Self {
            address,
            state,
            connections,
            accepting,
        }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn cut(&self) {
        self.set(Mode::Cut);
    }

    pub(crate) fn stall(&self) {
        self.set(Mode::Stalled);
    }

    pub(crate) fn open(&self) {
        self.set(Mode::Open);
    }

    fn set(&self, mode: Mode) {
        self.state.send_modify(|state| state.mode = mode);
    }

    /// Nothing goes through the connections of now any more; later ones work.
    pub(crate) fn freeze(&self) {
        let below = self.connections.load(Ordering::Relaxed);
        self.state.send_modify(|state| state.frozen_below = below);
    }

    /// Connections from now on lead to another server; those of before stay.
    pub(crate) fn lead_to(&self, server: String) {
        self.state.send_modify(|state| state.server = server);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn connect(client: TcpStream, number: u64, state: watch::Receiver<State>) {
    let server = state.borrow().server.clone();
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let mut until_cut = state.clone();
    tokio::select! {
        () = pass(client_in, server_out, number, state.clone()) => {}
        () = pass(server_in, client_out, number, state) => {}
        _ = until_cut.wait_for(|state| state.mode == Mode::Cut) => {}
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    number: u64,
    mut state: watch::Receiver<State>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let open = state.wait_for(|state| !state.is_stalled(number));
        if open.await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
