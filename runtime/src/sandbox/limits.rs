//! The numbers that contain bot code. Those that an operator may change are fields of [`Limits`] and
//! [`PoolOptions`](super::PoolOptions); the rest are constants, because changing them would change what a bot may do.

/// Longest source of one revision, bytes.
pub const MAX_SOURCE_BYTES: usize = 512 * 1024;
/// Longest input of one call, bytes of JSON: a state, an update and an API answer with room to spare.
pub const MAX_INPUT_BYTES: usize = 512 * 1024;
/// Longest text of a failure that leaves a worker, bytes.
pub const MAX_MESSAGE_BYTES: usize = 2 * 1024;
/// Promise jobs that one call may run.
pub const MAX_JOBS: u32 = 1_000;

/// What one worker process and the engines in it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Heap of one revision's engine, bytes. Default 16 MiB.
    pub heap_bytes: u32,
    /// JavaScript stack of one call, bytes. Default 256 KiB, on a thread that has 4 MiB.
    pub stack_bytes: u32,
    /// Address space of a worker process, bytes. Default 512 MiB: the binary, its thread stacks and about 300 small
    /// revisions, or 25 full heaps.
    pub address_space_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            heap_bytes: 16 * 1024 * 1024,
            stack_bytes: 256 * 1024,
            address_space_bytes: 512 * 1024 * 1024,
        }
    }
}
