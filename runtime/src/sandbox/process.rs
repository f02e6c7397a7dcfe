//! One worker process, as the node holds it.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::RecvFlags;
use tokio::sync::Notify;

use super::limits::Limits;
use super::protocol::{self, Answer, HEADER, Malformed, Request};
use super::worker::Protections;

/// A worker that has not said hello by then is broken.
const HELLO: Duration = Duration::from_secs(10);

/// How to start a worker. The program must call [`worker::main`](super::worker::main) and use nothing of its
/// environment, which is empty.
#[derive(Debug, Clone)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl Default for WorkerCommand {
    /// This very program, `sandbox-worker`, also when its file was replaced meanwhile.
    fn default() -> Self {
        Self {
            program: PathBuf::from("/proc/self/exe"),
            args: vec!["sandbox-worker".into()],
        }
    }
}

/// A process that said hello, with the node's end of its channel.
pub(super) struct Process {
    child: Mutex<Child>,
    /// For the watchdog, to see whether an answer lies in the socket unread.
    peek: UnixStream,
    pub(super) protections: Protections,
    pub(super) pid: u32,
    /// When the request that runs now is overdue, in microseconds of the watchdog's clock; 0 is never.
    deadline: AtomicU64,
    /// The deadline that the process was killed for; 0 as long as it was not.
    missed: AtomicU64,
    /// Tells the slot of the kill, which need not wait until the kernel has taken the process apart.
    kill: Notify,
}

impl Process {
    /// Starts a worker and waits for its hello. Blocks. The thread that calls it must outlive the process, which the
    /// kernel ends together with it.
    pub(super) fn start(command: &WorkerCommand, limits: &Limits) -> io::Result<(Self, UnixStream)> {
        let (mut ours, theirs) = UnixStream::pair()?;
        let child = Command::new(&command.program)
            .args(&command.args)
            .arg0("botloom-sandbox")
            .env_clear()
            .current_dir("/")
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut process = Self {
            pid: child.id(),
            child: Mutex::new(child),
            peek: ours.try_clone()?,
            protections: Protections::default(),
            deadline: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            kill: Notify::new(),
        };
        let mut start = Vec::new();
        Request::Start(*limits).write(&mut start);
        ours.set_read_timeout(Some(HELLO))?;
        ours.write_all(&start)?;
        process.protections = hello(&mut ours).map_err(io::Error::other)??;
        ours.set_read_timeout(None)?;
        ours.set_nonblocking(true)?;
        Ok((process, ours))
    }

    pub(super) fn arm(&self, deadline_micros: u64) {
        self.deadline.store(deadline_micros, Ordering::Release);
    }

    pub(super) fn deadline(&self) -> u64 {
        self.deadline.load(Ordering::Acquire)
    }

    /// Bytes from the worker wait to be read: it did answer, the node was slow.
    pub(super) fn has_answered(&self) -> bool {
        rustix::net::recv(&self.peek, &mut [0_u8], RecvFlags::PEEK | RecvFlags::DONTWAIT)
            .is_ok_and(|(_, read)| read > 0)
    }

    /// Ends the process for having missed `deadline`, which is not 0.
    pub(super) fn kill(&self, deadline: u64) {
        self.missed.store(deadline, Ordering::Release);
        // Fails only if the process has ended, which is what is wanted.
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).kill();
        self.kill.notify_one();
    }

    /// Waits for [`kill`](Self::kill).
    pub(super) async fn killed(&self) {
        self.kill.notified().await;
    }

    pub(super) fn was_killed(&self) -> bool {
        self.missed.load(Ordering::Acquire) != 0
    }

    /// Whether it was killed for `deadline`. The answer that was waited for may come between the watchdog's last look and
    /// the kill; then the kill meets whoever runs next, who is not to blame.
    pub(super) fn was_killed_for(&self, deadline: u64) -> bool {
        deadline != 0 && self.missed.load(Ordering::Acquire) == deadline
    }
}

impl Drop for Process {
    /// Ends and buries the process; blocks for the moment that takes.
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn hello(channel: &mut UnixStream) -> Result<io::Result<Protections>, Malformed> {
    let mut frame = [0; HEADER + 5];
    if let Err(error) = channel.read_exact(&mut frame) {
        return Ok(Err(error));
    }
    let (kind, body, _) = protocol::split(&frame, frame.len())?.ok_or(Malformed("not a hello"))?;
    match Answer::read(kind, body)? {
        Answer::Hello {
            version: protocol::VERSION,
            protections,
        } => Ok(Ok(Protections::from_bits(protections))),
        _ => Err(Malformed("not a hello")),
    }
}
