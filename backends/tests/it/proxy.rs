//! A network between a client and a server that can be made to fail.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the network does with connections, also with those that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// It carries them.
    Works,
    /// It ends them.
    Cut,
    /// It carries requests, and ends the connection when the answer comes.
    LosesAnswers,
}

/// Carries connections to a server for as long as it lives.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    network: Arc<watch::Sender<Network>>,
}

impl Proxy {
    /// In front of the server at `target`, `host:port`.
    pub(crate) async fn start(target: &str, network: Network) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let network = Arc::new(watch::Sender::new(network));
        let (target, state) = (target.to_owned(), network.subscribe());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target.clone(), state.clone()));
            }
        });
        Self { address, network }
    }

    /// Where clients connect to, `host:port`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Changes the network.
    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

async fn carry(client: TcpStream, target: String, mut state: watch::Receiver<Network>) {
    if *state.borrow() == Network::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
    let answers = state.clone();
    let back = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from_server.read(&mut buffer).await?;
            if read == 0 || *answers.borrow() != Network::Works {
                return Ok(());
            }
            to_client.write_all(&buffer[..read]).await?;
        }
    };
    let cut = state.wait_for(|network| *network == Network::Cut);
    let _: Result<(), std::io::Error> = tokio::select! {
        done = there => done,
        done = back => done,
        _ = cut => Ok(()),
    };
}
