//! One thread that looks at the deadlines of all workers. A timer per call would cost more than most calls.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use super::process::Process;

/// How late a kill can be.
const TICK: Duration = Duration::from_millis(5);
/// Without anything to watch for this long the thread sleeps until it is woken.
const IDLE: Duration = Duration::from_millis(200);
/// An answer that lies in the socket unread gives its worker this much more time, once and again, up to [`PATIENCE`]:
/// the node is busy, not the worker.
const REPRIEVE: Duration = Duration::from_millis(10);
/// A worker that sent half an answer does not live for ever.
const PATIENCE: Duration = Duration::from_secs(1);

/// Handle to the thread, which ends with the last handle.
#[derive(Clone)]
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Thread,
}

struct Shared {
    start: Instant,
    asleep: AtomicBool,
    watched: Mutex<Vec<Weak<Process>>>,
}

impl Watchdog {
    pub(super) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            start: Instant::now(),
            asleep: AtomicBool::new(false),
            watched: Mutex::new(Vec::new()),
        });
        let watching = Arc::downgrade(&shared);
        let thread: JoinHandle<()> = std::thread::Builder::new()
            .name("sandbox-watchdog".to_owned())
            .spawn(move || watch(&watching))?;
        Ok(Self {
            shared,
            thread: thread.thread().clone(),
        })
    }

    /// Watches `process` until it is dropped.
    pub(super) fn add(&self, process: &Arc<Process>) {
        let mut watched = self.shared.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|process| process.strong_count() > 0);
        watched.push(Arc::downgrade(process));
    }

    /// `process` must answer within `limit` from `now`; `None` means that it has nothing to do. Answers the deadline, 0
    /// without one.
    pub(super) fn expect(&self, process: &Process, now: Instant, limit: Option<Duration>) -> u64 {
        let deadline = limit.map_or(0, |limit| self.shared.micros(now + limit));
        process.arm(deadline);
        if deadline == 0 {
            return 0;
        }
        // Whoever stores the deadline and then sees the thread asleep wakes it; the thread looks at the deadlines once
        // more after it said that it sleeps. One of the two sees the other.
        if self.shared.asleep.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
        deadline
    }
}

impl Shared {
    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_micros())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    /// Kills what is late; returns when the next process will be, if any is busy.
    fn look(&self) -> Option<Duration> {
        let now = self.micros(Instant::now());
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next: Option<u64> = None;
        for process in watched.iter().filter_map(Weak::upgrade) {
            let deadline = process.deadline();
            let late = |by: Duration| u128::from(now.saturating_sub(deadline)) >= by.as_micros();
            if deadline == 0 || process.was_killed() {
                continue;
            }
            if now < deadline {
                next = Some(next.map_or(deadline, |next| next.min(deadline)));
            } else if process.has_answered() && !late(PATIENCE) {
                let later = now + u64::try_from(REPRIEVE.as_micros()).unwrap_or(0);
                next = Some(next.map_or(later, |next| next.min(later)));
            } else if process.deadline() == deadline {
                process.kill(deadline);
            }
        }
        next.map(|next| Duration::from_micros(next - now))
    }
}

fn watch(shared: &Weak<Shared>) {
    let mut idle_since = Instant::now();
    loop {
        let Some(shared) = shared.upgrade() else { return };
        let next = shared.look();
        if next.is_some() {
            idle_since = Instant::now();
        }
        let wait = if next.is_none() && idle_since.elapsed() >= IDLE {
            shared.asleep.store(true, Ordering::SeqCst);
            match shared.look() {
                // Also wakes by itself now and then, to notice that its pool is gone.
                None => Duration::from_secs(5),
                Some(next) => next.min(TICK),
            }
        } else {
            next.map_or(TICK, |next| next.min(TICK))
        };
        drop(shared);
        std::thread::park_timeout(wait);
    }
}
