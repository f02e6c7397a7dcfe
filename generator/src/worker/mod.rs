//! Takes tasks from `gen:tasks` and makes revisions of them.
//!
//! A worker may die anywhere. Everything it writes is either determined by the spec (`bot.js`, `spec.json`) or read back
//! from the revision's row (`rev.json`), and the row of the first build of a revision stays: whoever takes the task
//! next writes the same bytes again.

mod job;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use botloom_core::event::BotEvent;
use botloom_core::model::{TaskError, TaskKind};
use botloom_core::ports::{Artifacts, Catalog, EventLog, Ports, TaskLease, Tasks};
use botloom_core::time::SharedClock;
use botloom_core::trace::TARGET;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use job::{Fault, Job};

/// What the worker needs of the outside.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Versions and revisions.
    pub catalog: Arc<dyn Catalog>,
    /// Where files go.
    pub artifacts: Arc<dyn Artifacts>,
    /// Where work comes from.
    pub tasks: Arc<dyn Tasks>,
    /// Where people watch.
    pub events: Arc<dyn EventLog>,
    /// The clock.
    pub clock: SharedClock,
}

impl From<&Ports> for Deps {
    fn from(ports: &Ports) -> Self {
        Self {
            catalog: Arc::clone(&ports.catalog),
            artifacts: Arc::clone(&ports.artifacts),
            tasks: Arc::clone(&ports.tasks),
            events: Arc::clone(&ports.events),
            clock: Arc::clone(&ports.clock),
        }
    }
}

/// How the worker works.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Builds at the same time; each may take a processor.
    pub concurrency: usize,
    /// How long a task stays with a worker that is not heard of; renewed three times as often.
    pub lease: Duration,
    /// A task that was taken this often has killed its worker this often and is given up.
    pub max_attempts: u32,
    /// How long one build may take.
    pub build_timeout: Duration,
    /// How long to wait before a look without a nudge, and after a failure of a store.
    pub idle: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 1,
            lease: Duration::from_secs(10),
            max_attempts: 5,
            build_timeout: Duration::from_secs(2),
            idle: Duration::from_secs(1),
        }
    }
}

/// Takes and does tasks until `shutdown`, then waits for those under way.
pub async fn run(deps: Deps, options: Options, shutdown: CancellationToken) {
    let slots = Arc::new(Semaphore::new(options.concurrency.max(1)));
    let mut running = JoinSet::new();
    loop {
        let slot = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            slot = Arc::clone(&slots).acquire_owned() => slot,
        };
        let Ok(slot) = slot else { break };
        let now = deps.clock.now();
        match deps
            .tasks
            .lease(TaskKind::Generate, now, options.lease, options.max_attempts)
            .await
        {
            Ok(Some(lease)) => {
                let deps = deps.clone();
                running.spawn(async move {
                    let span = tracing::info_span!(
                        target: TARGET,
                        "generate",
                        otel.kind = "consumer",
                        botloom.bot = %lease.task.bot,
                        botloom.task = %lease.task.id,
                        botloom.attempt = lease.task.attempts,
                    );
                    work(&deps, options, &lease).instrument(span).await;
                    drop(slot);
                });
            }
            Ok(None) => idle(&deps, options, &shutdown).await,
            Err(error) => {
                tracing::warn!(?error, "cannot take generations");
                idle(&deps, options, &shutdown).await;
            }
        }
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
}

async fn idle(deps: &Deps, options: Options, shutdown: &CancellationToken) {
    tokio::select! {
        () = deps.tasks.due(TaskKind::Generate) => {}
        () = tokio::time::sleep(options.idle) => {}
        () = shutdown.cancelled() => {}
    }
}

/// Does one task under a lease that is renewed meanwhile, and ends the task with what came of it.
async fn work(deps: &Deps, options: Options, lease: &TaskLease) {
    let task = &lease.task;
    let job = Job {
        deps,
        options,
        lease,
        reached: AtomicU8::new(task.progress),
    };
    let started = Instant::now();
    let done = tokio::select! {
        done = job.run() => done,
        () = renewed_until_lost(&job) => {
            tracing::warn!(task = %task.id, "lease lost, somebody else has the task");
            return;
        }
    };
    let result = match &done {
        Ok(_) => "ok",
        Err(Fault::Final { .. }) => "failed",
        Err(Fault::Passing(_)) => "interrupted",
    };
    metrics::histogram!("botloom_generate_seconds", "result" => result).record(started.elapsed());
    let now = deps.clock.now();
    let result = match done {
        Ok(rev_hash) => {
            let event = BotEvent::GenerateSucceeded {
                task_id: task.id,
                rev_hash,
            };
            deps.tasks
                .finish(&task.id, lease.fence, Ok(Some(rev_hash)), now)
                .await
                .map(|kept| (kept, event))
        }
        Err(Fault::Final { code, detail }) => {
            tracing::info!(task = %task.id, code, detail, "generation failed");
            let event = BotEvent::GenerateFailed {
                task_id: task.id,
                reason: detail.clone(),
            };
            let error = TaskError {
                code: code.to_owned(),
                detail,
            };
            deps.tasks
                .finish(&task.id, lease.fence, Err(error), now)
                .await
                .map(|kept| (kept, event))
        }
        Err(Fault::Passing(error)) => {
            tracing::warn!(task = %task.id, ?error, "generation interrupted, trying again");
            let due = now.plus(i64::try_from(options.idle.as_millis()).unwrap_or(1_000));
            if let Err(error) = deps.tasks.give_back(&task.id, lease.fence, due).await {
                tracing::warn!(task = %task.id, ?error, "cannot give the task back, its lease will run out");
            }
            return;
        }
    };
    match result {
        Ok((true, event)) => job.tell(&event).await,
        Ok((false, _)) => tracing::warn!(task = %task.id, "lease lost, result dropped"),
        Err(error) => tracing::warn!(task = %task.id, ?error, "cannot end the task, its lease will run out"),
    }
}

/// Renews the lease; resolves when it is lost.
async fn renewed_until_lost(job: &Job<'_>) {
    let Job {
        deps,
        options,
        lease,
        reached,
    } = job;
    loop {
        tokio::time::sleep(options.lease / 3).await;
        let (now, progress) = (deps.clock.now(), reached.load(Ordering::Relaxed));
        let renewed = deps
            .tasks
            .heartbeat(&lease.task.id, lease.fence, progress, now, options.lease);
        // A store that is away says nothing about the lease.
        if !renewed.await.unwrap_or(true) {
            return;
        }
    }
}
