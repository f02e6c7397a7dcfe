//! The handle to a set of workers: picks one for each call.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use botloom_core::{BotId, Coded, Kind, RevHash, Sha256Hash, TimestampMs};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::bytecode::{Bytecode, BytecodeStatus};
use super::keeper::Keeper;
use super::limits::{Limits, MAX_INPUT_BYTES, MAX_SOURCE_BYTES};
use super::meters::Meters;
use super::outcome::{Finished, Outcome, ScriptError};
use super::process::WorkerCommand;
use super::slot;
use super::task::{Done, Load, Task, Ticket, Work};
use super::watchdog::Watchdog;
use super::worker::Protections;

/// A worker whose request has been running for longer than this gets nothing that another could take.
const STUCK: Duration = Duration::from_millis(5);
/// So many calls may wait longer for the worker that has their revision warm than for another.
const PATIENCE: usize = 4;
/// How long a revision that cost a worker is served apart.
const SUSPICION: Duration = Duration::from_mins(10);
/// Revisions under suspicion at a time; beyond it the suspicion of all is lifted.
const MAX_SUSPECTS: usize = 10_000;

/// Settings of a pool.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// Workers that serve calls. One more serves revisions under suspicion. Default: one per core.
    pub workers: usize,
    /// Workers that stand by. Default 1.
    pub spares: usize,
    /// Wall time of one call. Default 50 ms.
    pub budget: Duration,
    /// Time beyond a budget after which the process is killed. Default 10 ms.
    pub grace: Duration,
    /// Wall time of compiling and evaluating a revision. Default 250 ms.
    pub load_budget: Duration,
    /// Revisions kept loaded, over all workers. Default 400.
    pub loaded: usize,
    /// Bytes of bytecode kept in the node for revisions that are loaded again, of at most 5,000 revisions; 0 keeps
    /// none. Default 256 MiB.
    pub bytecode_bytes: u64,
    /// Time after which a revision that nobody calls is unloaded. Default 15 min.
    pub idle: Duration,
    /// Calls that wait for one worker; further callers wait outside. Default 1,024.
    pub queue: usize,
    /// How to start a worker.
    pub command: WorkerCommand,
    /// What a worker may use.
    pub limits: Limits,
}

impl PoolOptions {
    /// Those of [`Default`] with this budget of a call. Loading a revision gets no less: who gives calls more time runs on a
    /// slow machine.
    #[must_use]
    pub fn with_budget(budget: Duration) -> Self {
        let defaults = Self::default();
        Self {
            budget,
            load_budget: defaults.load_budget.max(budget),
            ..defaults
        }
    }
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            spares: 1,
            budget: Duration::from_millis(50),
            grace: Duration::from_millis(10),
            load_budget: Duration::from_millis(250),
            loaded: 400,
            bytecode_bytes: 256 * 1024 * 1024,
            idle: Duration::from_mins(15),
            queue: 1_024,
            command: WorkerCommand::default(),
            limits: Limits::default(),
        }
    }
}

impl PoolOptions {
    pub(super) fn loaded_per_worker(&self) -> usize {
        self.loaded.div_ceil(self.workers.max(1))
    }

    pub(super) fn budget_of(&self, call: &CallOptions) -> Duration {
        call.budget.unwrap_or(self.budget)
    }
}

/// The text of a revision and its name. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Source {
    key: Sha256Hash,
    digest: Sha256Hash,
    text: Arc<str>,
}

impl Source {
    /// The `bot.js` of a revision.
    pub fn revision(rev: RevHash, text: impl Into<Arc<str>>) -> Self {
        Self {
            key: rev.0,
            ..Self::text(text)
        }
    }

    /// What the source is called by: its revision, or its digest.
    pub(crate) fn key(&self) -> &Sha256Hash {
        &self.key
    }

    /// A text without a revision, named by its digest.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let digest = Sha256Hash::of(text.as_bytes());
        Self {
            key: digest,
            digest,
            text,
        }
    }
}

/// What a call is given besides its input.
#[derive(Debug, Clone, Copy)]
pub struct CallOptions {
    /// Wall time, if not [`PoolOptions::budget`].
    pub budget: Option<Duration>,
    /// Seed of `Math.random`; see [`seed`].
    pub seed: u64,
    /// What `Date` says.
    pub now: TimestampMs,
    /// Use an engine of its own that nothing ran in and nothing will. Must be set for code that did not pass the
    /// generator's filter. Costs a load.
    pub fresh: bool,
}

/// The seed for `Math.random` during an update: the same for all calls of the update, on every machine.
pub fn seed(bot: &BotId, update_id: i64) -> u64 {
    let digest = Sha256Hash::of(format!("{bot} {update_id}"));
    u64::from_le_bytes(digest.0[..8].try_into().expect("a digest has 32 bytes"))
}

/// Why a call was not made. What became of a call that was made is an [`Outcome`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No thread or no first worker.
    #[error("the sandbox does not start: {0}")]
    Start(String),
    /// Workers do not start, or keep ending, at the moment.
    #[error("no sandbox worker is available")]
    Unavailable,
    /// The pool is going down.
    #[error("the sandbox is closed")]
    Closed,
    /// The input has more than [`MAX_INPUT_BYTES`].
    #[error("the input has {0} bytes, at most {MAX_INPUT_BYTES} are allowed")]
    InputTooLarge(usize),
}

impl Coded for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Start(_) => Kind::Internal,
            Self::Unavailable | Self::Closed => Kind::Unavailable,
            Self::InputTooLarge(_) => Kind::TooLarge,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Start(_) | Self::Unavailable | Self::Closed => "sandbox-unavailable",
            Self::InputTooLarge(_) => "sandbox-input-too-large",
        }
    }

    fn outside(&self) -> String {
        match self {
            Self::Start(_) => "Bot code cannot be run on this node.".to_owned(),
            Self::Unavailable | Self::Closed => "Bot code cannot be run at the moment.".to_owned(),
            Self::InputTooLarge(bytes) => {
                format!("The input for the bot has {bytes} bytes, at most {MAX_INPUT_BYTES} are allowed.")
            }
        }
    }
}

/// State of a pool, for `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Process ids of the workers that serve calls.
    pub workers: Vec<u32>,
    /// What holds in them.
    pub protections: Protections,
}

/// What slots share.
pub(super) struct Shared {
    pub(super) options: PoolOptions,
    pub(super) keeper: Arc<Keeper>,
    pub(super) watchdog: Watchdog,
    pub(super) meters: Arc<Meters>,
    pub(super) bytecode: Bytecode,
    start: Instant,
    status: watch::Sender<Status>,
    suspects: Mutex<HashMap<Sha256Hash, Instant>>,
    /// Size of `suspects`, to leave its lock alone while there are none.
    suspected: AtomicUsize,
}

impl Shared {
    /// Microseconds since the pool started; never 0.
    pub(super) fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_micros())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    /// The revision cost a worker.
    pub(super) fn suspect(&self, key: Sha256Hash) {
        let now = Instant::now();
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        suspects.retain(|_, since| now.saturating_duration_since(*since) < SUSPICION);
        if suspects.len() >= MAX_SUSPECTS {
            suspects.clear();
        }
        suspects.insert(key, now);
        self.suspected.store(suspects.len(), Ordering::Relaxed);
    }

    fn is_suspect(&self, key: &Sha256Hash) -> bool {
        self.suspected.load(Ordering::Relaxed) > 0 && {
            let suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
            suspects.get(key).is_some_and(|since| since.elapsed() < SUSPICION)
        }
    }

    pub(super) fn serving(&self, protections: Protections, pid: u32) {
        self.meters.workers.increment(1);
        self.status.send_modify(|status| {
            status.workers.push(pid);
            status.protections = protections;
        });
    }

    pub(super) fn gone(&self, pid: u32) {
        self.meters.workers.decrement(1);
        self.status
            .send_modify(|status| status.workers.retain(|worker| *worker != pid));
    }
}

/// Handle to a running pool. Cheap to clone; the workers end with the last one, or at shutdown.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
    slots: Arc<[Slot]>,
}

struct Slot {
    tasks: mpsc::Sender<Task>,
    load: Arc<Load>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Starts the workers and waits for the first. Must be called inside a tokio runtime.
    pub async fn start(options: PoolOptions, shutdown: CancellationToken) -> Result<Self, Error> {
        let start = |error: std::io::Error| Error::Start(error.to_string());
        let meters = Arc::new(Meters::new());
        let workers = options.workers.max(1) + 1;
        let stock = workers + options.spares;
        let keeper = Keeper::start(
            stock,
            options.command.clone(),
            options.limits,
            Arc::clone(&meters),
        )
        .map_err(start)?;
        let (status, mut changes) = watch::channel(Status {
            workers: Vec::new(),
            protections: Protections::default(),
        });
        let (bytecode, compiler) =
            Bytecode::new(options.bytecode_bytes, Arc::clone(&keeper), Arc::clone(&meters));
        if let Some(compiler) = compiler {
            tokio::spawn(compiler.run(shutdown.clone()));
        }
        let shared = Arc::new(Shared {
            options,
            keeper,
            bytecode,
            watchdog: Watchdog::start().map_err(start)?,
            meters,
            start: Instant::now(),
            status,
            suspects: Mutex::new(HashMap::new()),
            suspected: AtomicUsize::new(0),
        });
        let slots = (0..workers).map(|_| {
            let (tasks, todo) = mpsc::channel(shared.options.queue.max(1));
            let load = Arc::new(Load::default());
            tokio::spawn(slot::run(
                Arc::clone(&shared),
                Arc::clone(&load),
                todo,
                shutdown.clone(),
            ));
            Slot { tasks, load }
        });
        let pool = Self {
            slots: slots.collect(),
            shared: Arc::clone(&shared),
        };
        let first = changes.wait_for(|status| !status.workers.is_empty());
        let protections = tokio::select! {
            status = first => status.map(|status| status.protections).map_err(|_| Error::Closed)?,
            reason = shared.keeper.failure() => return Err(Error::Start(reason)),
        };
        let missing = protections.missing();
        if missing.is_empty() {
            tracing::info!(workers, "sandbox ready, all protections active");
        } else {
            tracing::warn!(
                workers,
                ?missing,
                "sandbox ready, but this system does not offer all protections"
            );
        }
        Ok(pool)
    }

    /// Calls `handle` of `source` with `input` (JSON) and waits for its end. Loads the revision where needed. A call
    /// that ended its worker is not repeated.
    pub async fn call(
        &self,
        source: &Source,
        input: String,
        options: CallOptions,
    ) -> Result<Finished, Error> {
        if input.len() > MAX_INPUT_BYTES {
            return Err(Error::InputTooLarge(input.len()));
        }
        if let Some(outcome) = too_long(source) {
            self.shared.meters.outcome(&outcome);
            return Ok(Finished {
                outcome,
                wall: Duration::ZERO,
                json: String::new(),
                at: None,
            });
        }
        match self
            .ask(self.route(&source.key), source, Work::Call { input, options })
            .await?
        {
            Done::Finished(finished) => Ok(finished),
            Done::Loaded => Err(Error::Closed),
        }
    }

    /// Loads `source` into `copies` workers (at least one, at most all), those that calls will find first. The outcome
    /// says why it cannot be loaded.
    pub async fn prewarm(&self, source: &Source, copies: usize) -> Result<Result<(), Outcome>, Error> {
        if let Some(outcome) = too_long(source) {
            return Ok(Err(outcome));
        }
        let workers = self.slots.len() - 1;
        let home = self.home(&source.key);
        for copy in 0..copies.clamp(1, workers) {
            let slot = &self.slots[(home + copy) % workers];
            if let Done::Finished(finished) = self.ask(slot, source, Work::Load).await? {
                return Ok(Err(finished.outcome));
            }
        }
        Ok(Ok(()))
    }

    /// Workers that serve calls, whether or not they are up.
    pub(crate) fn workers(&self) -> usize {
        self.slots.len() - 1
    }

    /// What the cache of bytecode holds and did.
    pub fn bytecode(&self) -> BytecodeStatus {
        self.shared.bytecode.status()
    }

    /// Which workers serve, and how well they are contained.
    pub fn status(&self) -> Status {
        self.shared.status.borrow().clone()
    }

    /// Sets the gauge of the workers' resident memory.
    pub(crate) fn measure_memory(&self) {
        let resident: u64 = self.status().workers.into_iter().filter_map(resident_bytes).sum();
        #[expect(clippy::cast_precision_loss, reason = "gauges are floating-point numbers")]
        self.shared.meters.memory_bytes.set(resident as f64);
    }

    async fn ask(&self, slot: &Slot, source: &Source, work: Work) -> Result<Done, Error> {
        let (reply, done) = oneshot::channel();
        let task = Task {
            key: source.key,
            source: Arc::clone(&source.text),
            digest: source.digest,
            work,
            reply,
            ticket: Ticket::new(&slot.load),
            bounces: 0,
            at: None,
        };
        slot.tasks.send(task).await.map_err(|_| Error::Closed)?;
        done.await.map_err(|_| Error::Closed)?
    }

    fn home(&self, key: &Sha256Hash) -> usize {
        let bytes = key.0[..4].try_into().expect("a digest has 32 bytes");
        u32::from_le_bytes(bytes) as usize % (self.slots.len() - 1)
    }

    /// The worker that has the revision warm, unless others would serve it sooner.
    fn route(&self, key: &Sha256Hash) -> &Slot {
        let workers = self.slots.len() - 1;
        if self.shared.is_suspect(key) {
            return &self.slots[workers];
        }
        let home = self.home(key);
        if self.slots[home].load.depth() == 0 {
            return &self.slots[home];
        }
        let now = self.shared.micros(Instant::now());
        let wait = |index: usize| {
            let load = &self.slots[index].load;
            let since = load.busy_since();
            let stuck = since > 0 && u128::from(now.saturating_sub(since)) > STUCK.as_micros();
            (stuck, load.depth())
        };
        // Neighbours in a fixed order, so that what overflows finds the same warm worker each time.
        let best = (1..workers)
            .map(|step| (home + step) % workers)
            .min_by_key(|index| wait(*index))
            .unwrap_or(home);
        let (here, there) = (wait(home), wait(best));
        let stay = here.0 == there.0 && here.1 <= there.1 + PATIENCE || !here.0 && there.0;
        &self.slots[if stay { home } else { best }]
    }
}

/// `VmRSS` of a process, as `proc_pid_status(5)` describes it. `None` once it has ended.
fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1_024)
}

fn too_long(source: &Source) -> Option<Outcome> {
    let bytes = source.text.len();
    (bytes > MAX_SOURCE_BYTES).then(|| {
        let message = format!("bot.js has {bytes} bytes, at most {MAX_SOURCE_BYTES} are allowed");
        Outcome::LoadFailed(ScriptError::new(&message, 0, 0))
    })
}
