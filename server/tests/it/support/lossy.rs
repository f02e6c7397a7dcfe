//! A proxy before Redis that loses a part of the messages which are published, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::proxy::{authority, through};

/// A running proxy; dropping it closes its door.
#[derive(Debug)]
pub(crate) struct Lossy {
    lost: Arc<AtomicU64>,
    _accepting: AbortOnDropHandle<()>,
}

impl Lossy {
    /// Starts a proxy before the Redis of a URL that loses so many percent of the messages, each connection by a seed of
    /// its own that follows from `seed`; answers it and the URL that leads through it.
    pub(crate) async fn before(url: &str, percent: u32, seed: u64) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (target, lost) = (authority(url), Arc::new(AtomicU64::new(0)));
        let counter = Arc::clone(&lost);
        let accepting = tokio::spawn(async move {
            for connection in 0.. {
                let Ok((client, _)) = listener.accept().await else {
                    continue;
                };
                let Ok(server) = TcpStream::connect(&target).await else {
                    continue;
                };
                let random = StdRng::seed_from_u64(seed + connection);
                tokio::spawn(pass(client, server, percent, random, Arc::clone(&counter)));
            }
        });
        let lossy = Self {
            lost,
            _accepting: AbortOnDropHandle::new(accepting),
        };
        (lossy, through(url, port))
    }

    /// Messages that were lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

async fn pass(client: TcpStream, server: TcpStream, percent: u32, random: StdRng, lost: Arc<AtomicU64>) {
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        () = answers(from_server, to_client, percent, random, &lost) => {}
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    percent: u32,
    mut random: StdRng,
    lost: &AtomicU64,
) {
    let mut waiting = Vec::new();
    loop {
        if !matches!(from.read_buf(&mut waiting).await, Ok(1..)) {
            return;
        }
        let (mut done, mut kept) = (0, Vec::new());
        while let Some(length) = length(&waiting[done..]) {
            let frame = &waiting[done..done + length];
            if is_message(frame) && random.random_range(0..100) < percent {
                lost.fetch_add(1, Ordering::Relaxed);
            } else {
                kept.extend_from_slice(frame);
            }
            done += length;
        }
        waiting.drain(..done);
        if to.write_all(&kept).await.is_err() {
            return;
        }
    }
}

/// Bytes of the first answer of the protocol RESP (versions 2 and 3), `None` while it is not whole.
fn length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let number = || std::str::from_utf8(&bytes[1..head - 2]).ok()?.parse::<i64>().ok();
    let parts = match bytes[0] {
        b'$' | b'=' | b'!' => {
            let body = usize::try_from(number()?).map_or(0, |body| body + 2);
            return (bytes.len() >= head + body).then_some(head + body);
        }
        b'*' | b'~' | b'>' => number()?,
        b'%' | b'|' => number()? * 2,
        _ => 0,
    };
    (0..parts).try_fold(head, |at, _| Some(at + length(&bytes[at..])?))
}

/// Whether an answer hands out something that was published.
fn is_message(frame: &[u8]) -> bool {
    const KINDS: [&[u8]; 3] = [b"$7\r\nmessage\r\n", b"$8\r\nsmessage\r\n", b"$8\r\npmessage\r\n"];
    matches!(frame[0], b'*' | b'>') && KINDS.iter().any(|kind| frame[4..].starts_with(kind))
}
