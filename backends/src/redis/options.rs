//! What a store on Redis can be told.

use std::fmt;
use std::time::Duration;

/// How update ids are remembered. Part of the installation: all nodes use the same, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DedupeMode {
    /// One key per update: 133 bytes each, expiring one by one.
    #[default]
    Keys,
    /// One bit per update in blocks of 1024 ids; a block is kept for the whole window after its last update. For
    /// installations above about 200 updates per second.
    Bitmap,
}

impl fmt::Display for DedupeMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys => "keys",
            Self::Bitmap => "bitmap",
        })
    }
}

/// Options of [`super::RedisLink::connect`].
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// How long one command may take, connecting included, before it counts as lost.
    pub response_timeout: Duration,
    /// Take a server that may forget what it acknowledged: without append-only file, or with eviction.
    pub allow_volatile: bool,
    /// How update ids are remembered; must be what the installation was made with.
    pub dedupe: DedupeMode,
    /// Logical shards, a power of two up to 16,384; must be what the installation was made with.
    pub shards: u16,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            response_timeout: Duration::from_millis(300),
            allow_volatile: false,
            dedupe: DedupeMode::default(),
            shards: 1024,
        }
    }
}
