//! The second tier of the cache: bytecode of revisions in the node's memory, for workers that have to load one again.
//! Reading it takes a small part of the time of compiling the source.
//!
//! It is made off the path of calls, after a revision was loaded from its source, by a worker process that is started
//! for this one source and ended after it. So the source of one bot has no way to the bytecode of another. Bytecode is
//! never written to a disk and never comes from one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use botloom_core::Sha256Hash;
use bytes::{Buf, BytesMut};
use moka::sync::Cache;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::keeper::{Keeper, Ready};
use super::meters::Meters;
use super::protocol::{self, Answer, MAX_BYTECODE, Request};

/// Most revisions that are kept, whatever their size.
const MOST: u64 = 5_000;
/// Sources that wait to be compiled; further ones are asked for again by their next load.
const WAITING: usize = 64;
/// How long a compiler may take, its start not included.
const WITHIN: Duration = Duration::from_secs(2);
/// Sources whose bytecode was of no use, remembered so that they are not compiled again.
const USELESS: u64 = 10_000;

/// What a pool's cache of bytecode holds and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BytecodeStatus {
    /// Revisions whose bytecode is kept.
    pub kept: u64,
    /// Loads that found bytecode.
    pub found: u64,
}

/// The cache, and the way to fill it.
pub(super) struct Bytecode {
    found: AtomicU64,
    kept: Cache<Sha256Hash, Arc<[u8]>>,
    useless: Cache<Sha256Hash, ()>,
    /// `None`: switched off.
    sources: Option<mpsc::Sender<(Sha256Hash, Arc<str>)>>,
}

/// What fills the cache.
pub(super) struct Compiler {
    kept: Cache<Sha256Hash, Arc<[u8]>>,
    useless: Cache<Sha256Hash, ()>,
    todo: mpsc::Receiver<(Sha256Hash, Arc<str>)>,
    keeper: Arc<Keeper>,
    meters: Arc<Meters>,
}

impl Bytecode {
    /// A cache of `capacity` bytes, and its compiler to be run. 0 bytes: no cache.
    pub(super) fn new(capacity: u64, keeper: Arc<Keeper>, meters: Arc<Meters>) -> (Self, Option<Compiler>) {
        let least = capacity / MOST;
        let weight = move |_: &Sha256Hash, bytes: &Arc<[u8]>| {
            u32::try_from(least.max(bytes.len() as u64)).unwrap_or(u32::MAX)
        };
        let kept = Cache::builder().weigher(weight).max_capacity(capacity).build();
        let useless = Cache::new(USELESS);
        if capacity == 0 {
            let cache = Self {
                found: AtomicU64::new(0),
                kept,
                useless,
                sources: None,
            };
            return (cache, None);
        }
        let (sources, todo) = mpsc::channel(WAITING);
        let compiler = Compiler {
            kept: kept.clone(),
            useless: useless.clone(),
            todo,
            keeper,
            meters,
        };
        let cache = Self {
            found: AtomicU64::new(0),
            kept,
            useless,
            sources: Some(sources),
        };
        (cache, Some(compiler))
    }

    /// The bytecode of a source, by the source's digest.
    pub(super) fn get(&self, source: &Sha256Hash) -> Option<Arc<[u8]>> {
        let found = self.kept.get(source);
        if found.is_some() {
            self.found.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    pub(super) fn status(&self) -> BytecodeStatus {
        self.kept.run_pending_tasks();
        BytecodeStatus {
            kept: self.kept.entry_count(),
            found: self.found.load(Ordering::Relaxed),
        }
    }

    /// A source was loaded and may be loaded again.
    pub(super) fn want(&self, digest: Sha256Hash, source: &Arc<str>) {
        if let Some(sources) = &self.sources
            && !self.kept.contains_key(&digest)
            && !self.useless.contains_key(&digest)
        {
            // With a full queue the next load asks again.
            let _ = sources.try_send((digest, Arc::clone(source)));
        }
    }

    /// The bytecode did not do what its source would have done, perhaps: the source is used from now on.
    pub(super) fn distrust(&self, digest: &Sha256Hash) {
        self.useless.insert(*digest, ());
        self.kept.invalidate(digest);
    }
}

impl Compiler {
    /// Compiles what is wanted until `shutdown` or until nobody can want anything any more.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let end = async {
            while let Some((digest, source)) = self.todo.recv().await {
                if self.kept.contains_key(&digest) || self.useless.contains_key(&digest) {
                    continue;
                }
                let Some((process, channel)) = self.keeper.take().await else {
                    return;
                };
                let compiled =
                    tokio::time::timeout(WITHIN, compile((Arc::clone(&process), channel), &source)).await;
                self.keeper.bury(process);
                if let Ok(Some(bytecode)) = compiled {
                    self.meters.compiled.increment(1);
                    self.kept.insert(digest, bytecode);
                } else {
                    tracing::debug!(source = %digest, "no bytecode was made, the source is used");
                    self.useless.insert(digest, ());
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = end => {}
        }
    }
}

/// One source in one process. `None`: there is no bytecode of it, or the process talks nonsense.
async fn compile((_, channel): Ready, source: &str) -> Option<Arc<[u8]>> {
    let mut channel = UnixStream::from_std(channel).ok()?;
    let mut request = Vec::with_capacity(source.len() + 16);
    Request::Compile { source }.write(&mut request);
    channel.write_all(&request).await.ok()?;
    let mut inbox = BytesMut::with_capacity(64 * 1024);
    loop {
        if let Some((kind, body, _)) = protocol::split(inbox.chunk(), MAX_BYTECODE + 16).ok()? {
            return match Answer::read(kind, body).ok()? {
                Answer::Compiled { bytecode } => Some(Arc::from(bytecode)),
                _ => None,
            };
        }
        if channel.read_buf(&mut inbox).await.ok()? == 0 {
            return None;
        }
    }
}
