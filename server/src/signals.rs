//! The signals that end a command: an interruption (Ctrl-C), a request to stop, a terminal that closes.
//!
//! Until a command has something to put back, the signals do what they do by themselves.

use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

/// What becomes of them.
static STATE: Mutex<State> = Mutex::new(State::Untouched);
/// That they are caught.
static CATCHING: Notify = Notify::const_new();

/// What becomes of signals.
#[derive(Debug)]
enum State {
    /// What they do by themselves.
    Untouched,
    /// They are caught, and nobody waits yet.
    Caught(Signals),
    /// Somebody waits for them.
    Awaited,
}

/// A stream of each.
#[derive(Debug)]
struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hangup: Option<Signal>,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let ignored = ignored();
        // `nohup` and shells that start something in the background mean it: what they have ignored ends nothing.
        let unless_ignored = |kind: SignalKind| {
            let bit = kind.as_raw_value() - 1;
            ((ignored >> bit) & 1 == 0).then(|| signal(kind)).transpose()
        };
        Ok(Self {
            interrupt: unless_ignored(SignalKind::interrupt())?,
            terminate: unless_ignored(SignalKind::terminate())?,
            hangup: unless_ignored(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            () = received(&mut self.interrupt) => SignalKind::interrupt(),
            () = received(&mut self.terminate) => SignalKind::terminate(),
            () = received(&mut self.hangup) => SignalKind::hangup(),
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// The signals that this process ignores, a bit for each, as proc(5) tells them; none where that is not known.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}

/// From now on signals end nothing by themselves: whoever waits with [`caught`] is told. Needs the runtime.
pub(crate) fn catch() -> io::Result<()> {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(*state, State::Untouched) {
        *state = State::Caught(Signals::new()?);
        CATCHING.notify_one();
    }
    Ok(())
}

/// Waits for the first signal after [`catch`]. One at a time may wait.
pub(crate) async fn caught() -> SignalKind {
    CATCHING.notified().await;
    let state = std::mem::replace(
        &mut *STATE.lock().unwrap_or_else(PoisonError::into_inner),
        State::Awaited,
    );
    match state {
        State::Caught(mut signals) => signals.next().await,
        State::Untouched | State::Awaited => std::future::pending().await,
    }
}

/// An interruption from this call on, also before somebody waits for it: somebody insists.
pub(crate) fn interrupted() -> impl Future<Output = ()> {
    let mut interrupt = signal(SignalKind::interrupt()).ok();
    async move { received(&mut interrupt).await }
}
