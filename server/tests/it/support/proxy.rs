//! A TCP proxy before a service whose behaviour a story changes while it runs.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::process::free_port;

/// What happens to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Everything goes through.
    Pass,
    /// Nobody listens, and connections end.
    Refuse,
    /// Connections are taken and stay open; nothing goes through, in neither direction, until the mode changes.
    Stall,
    /// Requests go through, answers are thrown away.
    Mute,
}

/// A running proxy; dropping it closes it and its connections.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    mode: watch::Sender<Mode>,
    _accepting: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Starts a proxy before the host and port of a URL; answers it and the URL that leads through it.
    pub(crate) async fn before(url: &str) -> (Self, String) {
        let proxy = Self::start(authority(url)).await;
        let through = through(url, proxy.port);
        (proxy, through)
    }

    async fn start(target: String) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let (mode, watched) = watch::channel(Mode::Pass);
        let accepting = tokio::spawn(accept(listener, target, watched));
        Self {
            port,
            mode,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// Changes what happens, to the connections that are open as well.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

/// `host:port` of a URL.
pub(crate) fn authority(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
}

/// The same URL with another port on this machine.
pub(crate) fn through(url: &str, port: u16) -> String {
    let mut url = url::Url::parse(url).unwrap();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(port)).unwrap();
    url.to_string()
}

async fn accept(mut listener: TcpListener, target: String, mut mode: watch::Receiver<Mode>) {
    let address = listener.local_addr().unwrap();
    loop {
        if *mode.borrow_and_update() == Mode::Refuse {
            drop(listener);
            if mode.wait_for(|mode| *mode != Mode::Refuse).await.is_err() {
                return;
            }
            listener = TcpListener::bind(address).await.unwrap();
        }
        tokio::select! {
            changed = mode.changed() => if changed.is_err() { return },
            client = listener.accept() => if let Ok((client, _)) = client {
                tokio::spawn(connection(client, target.clone(), mode.clone()));
            },
        }
    }
}

async fn connection(client: TcpStream, target: String, mut mode: watch::Receiver<Mode>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (requests, answers) = (mode.clone(), mode.clone());
    tokio::select! {
        () = pump(from_client, to_server, requests, Mode::Pass) => {}
        () = pump(from_server, to_client, answers, Mode::Mute) => {}
        // Also when the proxy is gone.
        _ = mode.wait_for(|mode| *mode == Mode::Refuse) => {}
    }
}

/// Forwards until either side ends; what was read in mode `dropped` is thrown away, if that is not `Pass`.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    dropped: Mode,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let Ok(now) = mode.wait_for(|mode| *mode != Mode::Stall).await.map(|now| *now) else {
            return;
        };
        let kept = now == Mode::Pass || now != dropped;
        if kept && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
