//! The worker process: reads requests from standard input (one end of a socket pair), answers on the same socket,
//! ends when it closes.

mod bytecode;
mod engine;
mod fault;
mod fds;
mod harden;
mod prelude;
mod seccomp;

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::net::RecvFlags;

use self::engine::{Blank, Code, Loaded};
use self::fault::Fault;
pub use self::harden::Protections;
pub use self::prelude::GLOBALS;
use super::limits::Limits;
use super::protocol::{self, Answer, DROPPED, Failure, MAX_REQUEST, RETIRING, Request, Tag};

/// Stack of the thread that runs bot code; the engine itself stops at [`Limits::stack_bytes`], native code it calls
/// goes a little deeper.
const THREAD_STACK: usize = 4 * 1024 * 1024;

/// The whole life of a worker process. Standard input must be the channel; arguments and environment are not read.
pub fn main() -> ExitCode {
    run(|_| ())
}

/// As [`main`], with a look at the process after it gave up its rights and before it says hello.
#[doc(hidden)]
pub fn run(look: fn(Protections)) -> ExitCode {
    let held = harden::before_threads();
    let engine = std::thread::Builder::new()
        .name("engine".to_owned())
        .stack_size(THREAD_STACK);
    let Ok(engine) = engine.spawn(move || serve(held, look)) else {
        return ExitCode::FAILURE;
    };
    match engine.join() {
        Ok(Some(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// `None` if the channel broke or made no sense.
fn serve(held: Protections, look: fn(Protections)) -> Option<()> {
    let mut channel = Channel {
        inbox: Vec::with_capacity(64 * 1024),
        start: 0,
        outbox: Vec::with_capacity(16 * 1024),
    };
    let used = channel.wait()?;
    let Request::Start(limits) = channel.front(used)? else {
        return None;
    };
    channel.start += used;
    let protections = harden::confine(&limits, held);
    look(protections);
    let mut worker = Worker {
        blank: Blank::new(&limits).ok(),
        loaded: HashMap::new(),
        limits,
    };
    channel.answer(&Answer::Hello {
        version: protocol::VERSION,
        protections: protections.bits(),
    })?;
    while let Some(used) = channel.wait() {
        let Channel { inbox, start, outbox } = &mut channel;
        let (kind, body, _) = protocol::split(&inbox[*start..], MAX_REQUEST).ok()??;
        let end = worker.serve(Request::read(kind, body).ok()?, outbox);
        *start += used;
        channel.flush()?;
        match end {
            End::Next => {}
            End::Free(loaded) => {
                drop(loaded);
                channel.answer(&Answer::Freed)?;
            }
            End::Retire => {
                // Walking a broken heap to free it could crash; the kernel frees it without looking.
                std::mem::forget(worker);
                return Some(());
            }
        }
        if channel.is_idle() {
            worker.prepare();
        }
    }
    // The channel closed: nobody waits for the heaps to be freed one by one.
    std::mem::forget(worker);
    Some(())
}

/// What is left to do after an answer.
enum End {
    Next,
    Free(Box<Loaded>),
    Retire,
}

struct Worker {
    /// Ready for the next load.
    blank: Option<Blank>,
    loaded: HashMap<u64, Box<Loaded>>,
    limits: Limits,
}

impl Worker {
    fn serve(&mut self, request: Request<'_>, out: &mut Vec<u8>) -> End {
        match request {
            Request::Load {
                handle,
                budget_ms,
                source,
            } => self.load(handle, budget_ms, Code::Source(source), out),
            Request::LoadBytecode {
                handle,
                budget_ms,
                bytecode,
            } => self.load(handle, budget_ms, Code::Bytecode(bytecode), out),
            Request::Compile { source } => {
                match bytecode::compile(source, &self.limits) {
                    Ok(bytecode) => Answer::Compiled { bytecode: &bytecode }.write(out),
                    Err(fault) => Answer::LoadFailed(fault.failure()).write(out),
                }
                // What it parsed is in this process: nothing of another bot must follow.
                End::Retire
            }
            Request::Call {
                handle,
                budget_ms,
                seed,
                now_ms,
                discard,
                input,
            } => {
                let deadline = Instant::now() + Duration::from_millis(budget_ms.into());
                let Some(loaded) = self.loaded.get(&handle) else {
                    Answer::NotLoaded.write(out);
                    return End::Next;
                };
                let ended = loaded.call(input, deadline, seed, now_ms);
                let poisoned = ended.result.as_ref().is_err_and(|fault| fault.poisoned);
                let keep = ended.reusable && !discard && !poisoned;
                let flags = if poisoned {
                    RETIRING
                } else if keep {
                    0
                } else {
                    DROPPED
                };
                let (tag, failure, text) = match &ended.result {
                    Ok(text) => (Tag::Ok, Failure::default(), text.as_str()),
                    Err(fault) => (fault.tag, fault.failure(), ""),
                };
                Answer::Done {
                    tag,
                    flags,
                    failure,
                    text,
                }
                .write(out);
                if poisoned {
                    return End::Retire;
                }
                let gone = if keep { None } else { self.loaded.remove(&handle) };
                gone.map_or(End::Next, End::Free)
            }
            Request::Unload { handle } => {
                self.loaded.remove(&handle);
                End::Next
            }
            Request::Ping => {
                Answer::Pong.write(out);
                End::Next
            }
            // Only the first frame starts a worker.
            Request::Start(_) => End::Retire,
        }
    }

    fn load(&mut self, handle: u64, budget_ms: u32, code: Code<'_>, out: &mut Vec<u8>) -> End {
        self.prepare();
        let deadline = Instant::now() + Duration::from_millis(budget_ms.into());
        let loaded = match self.blank.take() {
            Some(blank) => blank.load(code, deadline),
            None => Err(fault::out_of_memory()),
        };
        match loaded {
            Ok(loaded) => {
                Answer::Loaded {
                    heap_bytes: loaded.heap(),
                }
                .write(out);
                self.loaded.insert(handle, Box::new(loaded));
                End::Next
            }
            Err(fault) => {
                let told = match fault.tag {
                    Tag::CpuLimit => Fault::script("the module takes too long to evaluate"),
                    Tag::MemoryLimit => Fault::script("the module needs more memory than a bot may use"),
                    Tag::StackLimit => Fault::script("the module is nested or recurses too deeply"),
                    Tag::JobLimit => Fault::script("the module runs too many promise jobs"),
                    _ => fault.clone(),
                };
                Answer::LoadFailed(told.failure()).write(out);
                if fault.poisoned { End::Retire } else { End::Next }
            }
        }
    }

    fn prepare(&mut self) {
        if self.blank.is_none() {
            self.blank = Blank::new(&self.limits).ok();
        }
    }
}

/// The socket, with what was read but not yet served.
struct Channel {
    inbox: Vec<u8>,
    start: usize,
    outbox: Vec<u8>,
}

impl Channel {
    /// Waits for a whole frame; returns its length. `None` when the channel closed or broke.
    fn wait(&mut self) -> Option<usize> {
        loop {
            if let Some((_, _, used)) = protocol::split(&self.inbox[self.start..], MAX_REQUEST).ok()? {
                return Some(used);
            }
            self.inbox.drain(..self.start);
            self.start = 0;
            let len = self.inbox.len();
            self.inbox.resize(len + 64 * 1024, 0);
            let read = loop {
                match rustix::io::read(std::io::stdin(), &mut self.inbox[len..]) {
                    Err(rustix::io::Errno::INTR) => {}
                    other => break other.ok()?,
                }
            };
            self.inbox.truncate(len + read);
            if read == 0 {
                return None;
            }
        }
    }

    fn front(&self, used: usize) -> Option<Request<'_>> {
        let (kind, body, _) =
            protocol::split(&self.inbox[self.start..self.start + used], MAX_REQUEST).ok()??;
        Request::read(kind, body).ok()
    }

    fn answer(&mut self, answer: &Answer<'_>) -> Option<()> {
        answer.write(&mut self.outbox);
        self.flush()
    }

    fn flush(&mut self) -> Option<()> {
        let mut rest = self.outbox.as_slice();
        while !rest.is_empty() {
            match rustix::io::write(std::io::stdin(), rest) {
                Ok(written) => rest = &rest[written..],
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        self.outbox.clear();
        Some(())
    }

    /// Nothing waits to be served.
    fn is_idle(&self) -> bool {
        let nothing = |_| true;
        self.start == self.inbox.len()
            && rustix::net::recv(
                std::io::stdin(),
                &mut [0_u8],
                RecvFlags::PEEK | RecvFlags::DONTWAIT,
            )
            .is_err_and(nothing)
    }
}
