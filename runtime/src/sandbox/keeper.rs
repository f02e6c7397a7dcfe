//! One thread that starts worker processes ahead of need and buries those that are gone. Both block, so neither may
//! happen on the threads that serve calls.

use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use super::limits::Limits;
use super::meters::Meters;
use super::process::{Process, WorkerCommand};

/// Pause after the first failed start; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A process that is ready, with the node's end of its channel.
pub(super) type Ready = (Arc<Process>, UnixStream);

enum Job {
    Start,
    Bury(Arc<Process>),
}

/// Handle to the thread. Every process that is taken is replaced; the thread ends, and with it all its processes, with
/// the last handle.
pub(super) struct Keeper {
    jobs: Sender<Job>,
    ready: tokio::sync::Mutex<UnboundedReceiver<Ready>>,
    /// Why the last start failed, if it did.
    failure: watch::Receiver<Option<String>>,
}

impl Keeper {
    /// Starts the thread, which starts `stock` processes at once.
    pub(super) fn start(
        stock: usize,
        command: WorkerCommand,
        limits: Limits,
        meters: Arc<Meters>,
    ) -> std::io::Result<Arc<Self>> {
        let (jobs, todo) = channel();
        let (done, ready) = unbounded_channel();
        let (failed, failure) = watch::channel(None);
        for _ in 0..stock {
            // The receiver is a line above.
            let _ = jobs.send(Job::Start);
        }
        let keeper = Arc::new(Self {
            jobs,
            ready: tokio::sync::Mutex::new(ready),
            failure,
        });
        let alive = Arc::downgrade(&keeper);
        std::thread::Builder::new()
            .name("sandbox-keeper".to_owned())
            .spawn(move || keep(&todo, &done, &failed, &command, &limits, &meters, &alive))?;
        Ok(keeper)
    }

    /// The next ready process, in the order of asking. `None` when the thread is gone.
    pub(super) async fn take(&self) -> Option<Ready> {
        let process = self.ready.lock().await.recv().await?;
        let _ = self.jobs.send(Job::Start);
        Some(process)
    }

    /// Waits for a start that fails, and tells why.
    pub(super) async fn failure(&self) -> String {
        match self.failure.clone().wait_for(Option::is_some).await {
            Ok(failure) => failure.clone().unwrap_or_default(),
            Err(_) => "the thread that starts workers is gone".to_owned(),
        }
    }

    /// Ends and buries `process`.
    pub(super) fn bury(&self, process: Arc<Process>) {
        let _ = self.jobs.send(Job::Bury(process));
    }
}

fn keep(
    todo: &Receiver<Job>,
    done: &UnboundedSender<Ready>,
    failed: &watch::Sender<Option<String>>,
    command: &WorkerCommand,
    limits: &Limits,
    meters: &Meters,
    alive: &Weak<Keeper>,
) {
    while let Ok(job) = todo.recv() {
        match job {
            Job::Bury(process) => drop(process),
            Job::Start => {
                let mut pause = FIRST_PAUSE;
                while alive.strong_count() > 0 {
                    match Process::start(command, limits) {
                        Ok((process, channel)) => {
                            meters.worker_starts.increment(1);
                            // Nobody takes it if the pool is going down; dropping it ends it.
                            let _ = done.send((Arc::new(process), channel));
                            break;
                        }
                        Err(error) => {
                            tracing::error!(%error, program = %command.program.display(), "sandbox worker does not start");
                            failed.send_replace(Some(error.to_string()));
                            std::thread::sleep(pause);
                            pause = (pause * 2).min(LONGEST_PAUSE);
                        }
                    }
                }
            }
        }
    }
}
