//! One worker and its queue. The task of a slot owns the channel; when the process is gone it goes on with the next
//! one, and calls that only waited never notice.
//!
//! Several requests are on their way at a time, so that the worker does not idle while the node reads an answer; the
//! first of them is the one that runs. The watchdog's deadline is always that of the first.
//!
//! Longer than most files: the states of one process and all ways between them are one machine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use botloom_core::Sha256Hash;
use bytes::{Buf, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::answer;
use super::keeper::Ready;
use super::lru::Lru;
use super::outcome::{Outcome, RanAt, ScriptError};
use super::pool::{Error, Shared};
use super::process::Process;
use super::protocol::{self, Answer, DROPPED, MAX_ANSWER, RETIRING, Request, Tag};
use super::task::{Done, Load, Task, Work};

/// Requests on their way to a worker at a time.
const WINDOW: usize = 8;
/// A worker that cannot be replaced for this long fails what waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often at least idle revisions are looked for and the worker is asked whether it is there.
const SWEEP: Duration = Duration::from_secs(30);
/// Time for an answer to `Ping`, and for freeing a full heap.
const CHORE: Duration = Duration::from_secs(1);

/// Serves `tasks` until they end or `shutdown`.
pub(super) async fn run(
    shared: Arc<Shared>,
    load: Arc<Load>,
    mut tasks: mpsc::Receiver<Task>,
    shutdown: CancellationToken,
) {
    let mut backlog = VecDeque::new();
    let mut next_handle = 1;
    loop {
        let taken = tokio::select! {
            () = shutdown.cancelled() => break,
            taken = tokio::time::timeout(PATIENCE, shared.keeper.take()) => taken,
        };
        let ready = match taken {
            Ok(Some(ready)) => ready,
            Ok(None) => break,
            Err(_) => {
                let waiting = std::iter::from_fn(|| backlog.pop_front().or_else(|| tasks.try_recv().ok()));
                waiting.for_each(|task: Task| task.reply(Err(Error::Unavailable)));
                continue;
            }
        };
        let process = Arc::clone(&ready.0);
        let Ok(mut worker) = Worker::new(&shared, &load, ready, next_handle) else {
            continue;
        };
        let end = worker.serve(&mut tasks, &mut backlog, &shutdown).await;
        next_handle = worker.next_handle;
        worker.close(end, &mut backlog);
        shared.keeper.bury(process);
        if matches!(end, End::Closed) {
            break;
        }
    }
    tasks.close();
    let rest = std::iter::from_fn(|| backlog.pop_front().or_else(|| tasks.try_recv().ok()));
    rest.for_each(|task| task.reply(Err(Error::Closed)));
}

/// Why a worker is not used any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is gone, or talks nonsense.
    Lost,
    /// It asked to be replaced; nobody's fault is open.
    Retired,
    /// The pool goes down.
    Closed,
}

/// What a revision is loaded from.
enum From {
    /// Its source; with its digest if it is worth compiling.
    Source(Option<(Sha256Hash, Arc<str>)>),
    /// The bytecode of the source with this digest.
    Bytecode(Sha256Hash),
}

/// A request that the worker has not answered.
enum Pending {
    Load {
        key: Sha256Hash,
        handle: u64,
        task: Option<Task>,
        from: From,
    },
    Call {
        task: Task,
        handle: u64,
    },
    /// A call that is answered already, because its load failed.
    Answered,
    Freed,
    Pong,
}

struct Worker<'a> {
    shared: &'a Shared,
    load: &'a Load,
    process: Arc<Process>,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    inbox: BytesMut,
    outbox: Vec<u8>,
    in_flight: VecDeque<Pending>,
    /// Since when the first in flight runs.
    since: Instant,
    /// By when the watchdog expects its answer.
    deadline: u64,
    loaded: Lru,
    next_handle: u64,
}

impl<'a> Worker<'a> {
    fn new(
        shared: &'a Shared,
        load: &'a Load,
        (process, channel): Ready,
        next_handle: u64,
    ) -> std::io::Result<Self> {
        let (reader, writer) = UnixStream::from_std(channel)?.into_split();
        shared.watchdog.add(&process);
        shared.serving(process.protections, process.pid);
        Ok(Self {
            shared,
            load,
            process,
            reader,
            writer,
            inbox: BytesMut::with_capacity(16 * 1024),
            outbox: Vec::with_capacity(16 * 1024),
            in_flight: VecDeque::with_capacity(2 * WINDOW),
            since: Instant::now(),
            deadline: 0,
            loaded: Lru::new(shared.options.loaded_per_worker()),
            next_handle,
        })
    }

    async fn serve(
        &mut self,
        tasks: &mut mpsc::Receiver<Task>,
        backlog: &mut VecDeque<Task>,
        shutdown: &CancellationToken,
    ) -> End {
        let period = SWEEP.min(self.shared.options.idle).max(Duration::from_millis(10));
        let mut sweep = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut open = true;
        loop {
            while self.in_flight.len() < WINDOW {
                let Some(task) = backlog.pop_front().or_else(|| tasks.try_recv().ok()) else {
                    break;
                };
                self.send(task);
            }
            if self.flush().is_err() {
                return End::Lost;
            }
            if !open && self.in_flight.is_empty() {
                return End::Closed;
            }
            self.inbox.reserve(4 * 1024);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return End::Closed,
                () = self.process.killed() => return End::Lost,
                read = self.reader.read_buf(&mut self.inbox) => match read {
                    Ok(1..) => {
                        if let Err(end) = self.answers(backlog) {
                            return end;
                        }
                    }
                    Ok(0) | Err(_) => return End::Lost,
                },
                ready = self.writer.writable(), if !self.outbox.is_empty() => if ready.is_err() {
                    return End::Lost;
                },
                task = tasks.recv(), if open && self.in_flight.len() < WINDOW => match task {
                    Some(task) => self.send(task),
                    None => open = false,
                },
                _ = sweep.tick() => self.sweep(),
            }
        }
    }

    /// Queues the frames of `task`.
    fn send(&mut self, mut task: Task) {
        if task.reply.is_closed() {
            return;
        }
        let now = Instant::now();
        let fresh = matches!(&task.work, Work::Call { options, .. } if options.fresh);
        let warm = if fresh {
            None
        } else {
            self.loaded.touch(&task.key, now)
        };
        task.at = Some(RanAt {
            pid: self.process.pid,
            warm: warm.is_some(),
        });
        let handle = if let Some(handle) = warm {
            self.shared.meters.hits.increment(1);
            handle
        } else {
            if !fresh {
                self.shared.meters.misses.increment(1);
            }
            self.send_load(&task, fresh, now)
        };
        match &task.work {
            Work::Load if warm.is_some() => task.reply(Ok(Done::Loaded)),
            Work::Load => {
                if let Some(Pending::Load { task: waiting, .. }) = self.in_flight.back_mut() {
                    *waiting = Some(task);
                }
            }
            Work::Call { input, options } => {
                Request::Call {
                    handle,
                    budget_ms: millis(self.shared.options.budget_of(options)),
                    seed: options.seed,
                    now_ms: options.now.0,
                    discard: fresh,
                    input,
                }
                .write(&mut self.outbox);
                self.push(Pending::Call { task, handle });
            }
        }
    }

    fn send_load(&mut self, task: &Task, fresh: bool, now: Instant) -> u64 {
        let handle = self.next_handle;
        self.next_handle += 1;
        if !fresh {
            self.shared.meters.loaded.increment(1);
            if let Some(evicted) = self.loaded.insert(task.key, handle, now) {
                self.unload(&[evicted]);
            }
        }
        let budget_ms = millis(self.shared.options.load_budget);
        let bytecode = if fresh {
            None
        } else {
            let kept = self.shared.bytecode.get(&task.digest);
            self.shared.meters.looked_for_bytecode(kept.is_some());
            kept
        };
        let from = if let Some(bytecode) = bytecode {
            Request::LoadBytecode {
                handle,
                budget_ms,
                bytecode: &bytecode,
            }
            .write(&mut self.outbox);
            From::Bytecode(task.digest)
        } else {
            Request::Load {
                handle,
                budget_ms,
                source: &task.source,
            }
            .write(&mut self.outbox);
            From::Source((!fresh).then(|| (task.digest, Arc::clone(&task.source))))
        };
        self.push(Pending::Load {
            key: task.key,
            handle,
            task: None,
            from,
        });
        handle
    }

    fn distrust(&self, from: &From) {
        if let From::Bytecode(digest) = from {
            self.shared.bytecode.distrust(digest);
        }
    }

    fn unload(&mut self, handles: &[u64]) {
        for &handle in handles {
            Request::Unload { handle }.write(&mut self.outbox);
            self.shared.meters.evictions.increment(1);
            self.shared.meters.loaded.decrement(1);
        }
    }

    fn forget(&mut self, key: &Sha256Hash, handle: u64) {
        let before = self.loaded.len();
        self.loaded.forget(key, handle);
        if self.loaded.len() < before {
            self.shared.meters.loaded.decrement(1);
        }
    }

    fn sweep(&mut self) {
        let idle = self.loaded.expire(self.shared.options.idle, Instant::now());
        self.unload(&idle);
        if self.in_flight.is_empty() {
            Request::Ping.write(&mut self.outbox);
            self.push(Pending::Pong);
        }
    }

    fn push(&mut self, pending: Pending) {
        self.in_flight.push_back(pending);
        if self.in_flight.len() == 1 {
            self.watch();
        }
    }

    /// The first in flight begins to run: its time counts from now.
    fn watch(&mut self) {
        self.since = Instant::now();
        let options = &self.shared.options;
        let limit = self.in_flight.front().map(|first| match first {
            Pending::Load { .. } => options.load_budget + options.grace,
            Pending::Call {
                task:
                    Task {
                        work: Work::Call { options: call, .. },
                        ..
                    },
                ..
            } => options.budget_of(call) + options.grace,
            Pending::Call { .. } | Pending::Answered | Pending::Freed | Pending::Pong => CHORE,
        });
        self.deadline = self.shared.watchdog.expect(&self.process, self.since, limit);
        let busy_since = if limit.is_some() {
            self.shared.micros(self.since)
        } else {
            0
        };
        self.load.set_busy_since(busy_since);
    }

    /// Writes what the socket takes.
    fn flush(&mut self) -> std::io::Result<()> {
        while !self.outbox.is_empty() {
            match self.writer.try_write(&self.outbox) {
                Ok(written) if written == self.outbox.len() => self.outbox.clear(),
                Ok(written) => drop(self.outbox.drain(..written)),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes all complete answers out of the inbox.
    fn answers(&mut self, backlog: &mut VecDeque<Task>) -> Result<(), End> {
        loop {
            let inbox = std::mem::take(&mut self.inbox);
            let taken = match protocol::split(&inbox, MAX_ANSWER) {
                Ok(Some((kind, body, used))) => Answer::read(kind, body)
                    .map_err(|_| End::Lost)
                    .and_then(|answer| self.answer(&answer, backlog))
                    .map(|()| used),
                Ok(None) => {
                    self.inbox = inbox;
                    return Ok(());
                }
                Err(_) => Err(End::Lost),
            };
            self.inbox = inbox;
            self.inbox.advance(taken?);
        }
    }

    fn answer(&mut self, answer: &Answer<'_>, backlog: &mut VecDeque<Task>) -> Result<(), End> {
        let wall = self.since.elapsed();
        let meters = &self.shared.meters;
        let pending = self.in_flight.pop_front().ok_or(End::Lost)?;
        let mut end = Ok(());
        match (pending, answer) {
            (Pending::Load { task, from, .. }, Answer::Loaded { heap_bytes }) => {
                if let From::Source(Some((digest, source))) = from {
                    self.shared.bytecode.want(digest, &source);
                }
                meters.loads.increment(1);
                meters.load_seconds.record(wall.as_secs_f64());
                meters.heap_bytes.record(f64::from(*heap_bytes));
                if let Some(task) = task {
                    task.reply(Ok(Done::Loaded));
                }
            }
            (
                Pending::Load {
                    key,
                    handle,
                    task,
                    from,
                },
                Answer::LoadFailed(failure),
            ) => {
                self.forget(&key, handle);
                self.distrust(&from);
                let error = ScriptError::new(failure.message, failure.line, failure.column);
                self.fail_calls(handle, task, || Outcome::LoadFailed(error.clone()), wall);
            }
            (
                Pending::Call { task, handle },
                Answer::Done {
                    tag,
                    flags,
                    failure,
                    text,
                },
            ) => {
                meters.call_seconds.record(wall.as_secs_f64());
                let outcome = outcome(*tag, *failure, text);
                if flags & RETIRING != 0 {
                    meters.retirements.increment(1);
                    self.shared.suspect(task.key);
                    end = Err(End::Retired);
                } else if flags & DROPPED != 0 {
                    self.forget(&task.key, handle);
                    self.in_flight.push_front(Pending::Freed);
                }
                task.finish(&self.shared.meters, outcome, wall, (*text).to_owned());
            }
            // It was dropped after a call that went wrong; load it again.
            (Pending::Call { task, .. }, Answer::NotLoaded) => {
                backlog.extend(task.again());
            }
            (Pending::Answered, Answer::NotLoaded)
            | (Pending::Freed, Answer::Freed)
            | (Pending::Pong, Answer::Pong) => {}
            (pending, _) => {
                self.in_flight.push_front(pending);
                return Err(End::Lost);
            }
        }
        self.watch();
        end
    }

    /// Ends `task` and all calls on their way that were to use `handle`.
    fn fail_calls(&mut self, handle: u64, task: Option<Task>, outcome: impl Fn() -> Outcome, wall: Duration) {
        let meters = &self.shared.meters;
        if let Some(task) = task {
            task.finish(meters, outcome(), wall, String::new());
        }
        for pending in &mut self.in_flight {
            if matches!(pending, Pending::Call { handle: of, .. } if *of == handle) {
                let Pending::Call { task, .. } = std::mem::replace(pending, Pending::Answered) else {
                    continue;
                };
                task.finish(meters, outcome(), wall, String::new());
            }
        }
    }

    /// Settles what was in flight: the first is to blame for a lost worker, unless the kill was meant for one that has
    /// answered meanwhile; the others go to the next one.
    fn close(mut self, end: End, backlog: &mut VecDeque<Task>) {
        self.shared.watchdog.expect(&self.process, Instant::now(), None);
        self.load.set_busy_since(0);
        let meters = &self.shared.meters;
        meters
            .loaded
            .decrement(f64::from(u32::try_from(self.loaded.len()).unwrap_or(0)));
        self.loaded.clear();
        self.shared.gone(self.process.pid);
        if end == End::Lost {
            let killed = self.process.was_killed();
            if killed { &meters.kills } else { &meters.crashes }.increment(1);
            tracing::warn!(pid = self.process.pid, killed, "sandbox worker lost");
            let wall = self.since.elapsed();
            let blamed = !killed || self.process.was_killed_for(self.deadline);
            match blamed.then(|| self.in_flight.pop_front()).flatten() {
                Some(Pending::Call { task, .. }) => {
                    self.shared.suspect(task.key);
                    let outcome = if killed {
                        Outcome::CpuLimit
                    } else {
                        Outcome::WorkerCrashed
                    };
                    task.finish(meters, outcome, wall, String::new());
                }
                Some(Pending::Load {
                    key,
                    handle,
                    task,
                    from,
                }) => {
                    self.shared.suspect(key);
                    self.distrust(&from);
                    let late = || ScriptError::new("the module takes too long to evaluate", 0, 0);
                    let outcome = || {
                        if killed {
                            Outcome::LoadFailed(late())
                        } else {
                            Outcome::WorkerCrashed
                        }
                    };
                    self.fail_calls(handle, task, outcome, wall);
                }
                Some(Pending::Answered | Pending::Freed | Pending::Pong) | None => {}
            }
        }
        for pending in self.in_flight.drain(..).rev() {
            if let Pending::Call { task, .. } | Pending::Load { task: Some(task), .. } = pending
                && let Some(task) = task.again()
            {
                backlog.push_front(task);
            }
        }
    }
}

fn outcome(tag: Tag, failure: protocol::Failure<'_>, text: &str) -> Outcome {
    match tag {
        Tag::Ok => answer::judge(text),
        Tag::ScriptError => {
            Outcome::ScriptError(ScriptError::new(failure.message, failure.line, failure.column))
        }
        Tag::CpuLimit => Outcome::CpuLimit,
        Tag::MemoryLimit => Outcome::MemoryLimit,
        Tag::StackLimit => Outcome::StackLimit,
        Tag::OutputLimit => Outcome::OutputLimit(failure.message.to_owned()),
        Tag::JobLimit => Outcome::JobLimit,
        Tag::BadResult => Outcome::BadResult(failure.message.to_owned()),
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
