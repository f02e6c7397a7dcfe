//! Runs bot code in worker processes, so that it can end nothing but its own sandbox.
//!
//! The engine's memory limit can end in a crash and its interrupt handler is blind inside native code, so the engine
//! never lives in the node. A [`Pool`] keeps workers (the same binary, re-executed, see [`worker`]) and calls revisions
//! in them over a socket pair:
//!
//! * `pool`: the handle; picks a worker for a revision.
//! * `slot`: one task per worker; queue, frames, which revisions are warm, what happens when the process is gone.
//! * `task`: what a slot is asked to do.
//! * `watchdog`: one thread that kills the process of a call that is over its budget.
//! * `keeper`: one thread that starts processes and buries them.
//! * `bytecode`: the second tier of the cache, behind what workers have loaded.
//! * `answer`: judges what bot code returned. `protocol`: the frames.
//!
//! **State.** A revision stays loaded and serves many chats. Everything that bot code can reach is frozen before it
//! runs, and `handle` and its module after; what is left is variables inside the module. The generator's filter
//! refuses code that writes to them after the module is evaluated, so only filtered artifacts may be called warm.
//! Everything else (`sandbox-run`, health probes) asks for [`CallOptions::fresh`], which gives the call an engine of
//! its own.
//!
//! **Blame.** A call that is running when its process ends is over (`cpu_limit` if the watchdog did it, else
//! `worker_crashed`); this module never repeats it. Calls that only waited in the same process go to the next one
//! and nobody hears of it. A revision that cost a process is served by a worker for suspects for a while, so that the
//! next time it can only hurt others like it.

mod answer;
mod bytecode;
mod keeper;
mod limits;
mod lru;
mod meters;
mod one_shot;
mod outcome;
mod pool;
mod process;
mod protocol;
mod slot;
mod task;
mod watchdog;
pub mod worker;

pub use bytecode::BytecodeStatus;
pub use limits::{Limits, MAX_INPUT_BYTES, MAX_JOBS, MAX_MESSAGE_BYTES, MAX_SOURCE_BYTES};
pub use one_shot::{OneShot, one_shot, wrap_body};
pub use outcome::{Finished, Outcome, Position, RanAt, ScriptError};
pub use pool::{CallOptions, Error, Pool, PoolOptions, Source, Status, seed};
pub use process::WorkerCommand;
pub use worker::{GLOBALS, Protections};
