//! Suite of the task queues. Each case gets empty queues.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::CaseResult;
use super::cases::{T0, cases, race};
use crate::hash::{RevHash, Sha256Hash};
use crate::ids::{BotId, ProjectId, TaskId, UserId};
use crate::model::{Task, TaskError, TaskKind, TaskPayload, TaskStatus};
use crate::ports::{EnqueueOutcome, NewTask, Tasks};
use crate::time::TimestampMs;

/// What the suite is run against.
pub type Subject = Arc<dyn Tasks>;

cases!(($) tasks_conformance, tasks, Subject, [
    tasks_are_read_as_they_were_queued,
    the_same_id_is_the_same_task,
    an_exclusive_task_keeps_others_out_until_it_ends,
    of_concurrent_exclusive_tasks_one_is_queued,
    queues_are_taken_oldest_first_and_apart,
    concurrent_workers_take_each_task_once,
    a_lease_that_ran_out_is_taken_over_with_a_higher_fence,
    a_heartbeat_keeps_the_lease,
    results_of_a_lost_lease_are_dropped,
    a_task_ends_once,
    failures_are_kept,
    a_task_taken_too_often_is_poisoned,
    a_poisoned_task_holds_nobody_up,
    a_task_given_back_waits_until_it_is_due,
    queueing_again_shows_a_waiting_task,
    queueing_again_leaves_a_held_task_alone,
    queueing_wakes_who_waits,
]);

const LEASE: Duration = Duration::from_mins(1);
const LEASE_MS: i64 = 60_000;
const TRIES: u32 = 3;

fn generate(age: i64) -> NewTask {
    NewTask {
        id: TaskId::generate(),
        project: ProjectId::generate(),
        bot: BotId::new("a-bot").expect("a valid id"),
        payload: TaskPayload::Generate {
            spec_version: 3,
            model: "compiler".to_owned(),
            seed: u64::MAX,
            params: serde_json::Map::from_iter([("tone".to_owned(), "dry".into())]),
        },
        exclusive: None,
        author: Some(UserId::generate()),
        created_at: T0.plus(-age),
    }
}

fn deploy(age: i64) -> NewTask {
    NewTask {
        payload: TaskPayload::Deploy {
            rev_hash: rev(),
            strategy: "flip".to_owned(),
            prewarm: 1,
        },
        ..generate(age)
    }
}

fn rev() -> RevHash {
    RevHash(Sha256Hash::of("rev"))
}

fn failure(code: &str) -> TaskError {
    TaskError {
        code: code.to_owned(),
        detail: "In words.".to_owned(),
    }
}

/// Queues a generation and takes it at `T0`; answers its id and fence.
async fn taken(tasks: &Subject) -> Result<(TaskId, i64), Box<dyn std::error::Error + Send + Sync>> {
    let new = generate(0);
    assert_eq!(tasks.enqueue(&new).await?, EnqueueOutcome::Queued);
    let lease = tasks
        .lease(TaskKind::Generate, T0, LEASE, TRIES)
        .await?
        .ok_or("due")?;
    assert_eq!(lease.task.id, new.id);
    Ok((new.id, lease.fence))
}

async fn lease_id(
    tasks: &Subject,
    kind: TaskKind,
    at: TimestampMs,
) -> Result<Option<TaskId>, crate::ports::StoreError> {
    let lease = tasks.lease(kind, at, LEASE, TRIES).await?;
    Ok(lease.map(|lease| lease.task.id))
}

async fn tasks_are_read_as_they_were_queued(tasks: Subject) -> CaseResult {
    for new in [generate(5), deploy(5)] {
        assert_eq!(tasks.enqueue(&new).await?, EnqueueOutcome::Queued);
        let queued = Task {
            id: new.id,
            project: new.project,
            bot: new.bot,
            payload: new.payload,
            status: TaskStatus::Queued,
            progress: 0,
            rev_hash: None,
            error: None,
            author: new.author,
            attempts: 0,
            created_at: new.created_at,
            updated_at: new.created_at,
        };
        assert_eq!(tasks.task(&new.id).await?.as_ref(), Some(&queued));
        let lease = tasks
            .lease(queued.payload.kind(), T0, LEASE, TRIES)
            .await?
            .ok_or("due")?;
        let running = Task {
            status: TaskStatus::Running,
            attempts: 1,
            updated_at: T0,
            ..queued
        };
        assert_eq!(lease.task, running);
        assert_eq!(tasks.task(&new.id).await?, Some(running));
    }
    assert_eq!(tasks.task(&TaskId::generate()).await?, None);
    Ok(())
}

async fn the_same_id_is_the_same_task(tasks: Subject) -> CaseResult {
    let new = generate(0);
    let answers = race(20, |_| {
        let (tasks, new) = (Arc::clone(&tasks), new.clone());
        async move { tasks.enqueue(&new).await }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let queued = answers
        .iter()
        .filter(|answer| **answer == EnqueueOutcome::Queued)
        .count();
    let existing = answers
        .iter()
        .filter(|answer| **answer == EnqueueOutcome::Existing)
        .count();
    assert_eq!((queued, existing), (1, 19));
    assert_eq!(lease_id(&tasks, TaskKind::Generate, T0).await?, Some(new.id));
    assert_eq!(lease_id(&tasks, TaskKind::Generate, T0).await?, None);
    Ok(())
}

fn exclusive(text: &str) -> NewTask {
    NewTask {
        exclusive: Some(text.to_owned()),
        ..generate(0)
    }
}

async fn an_exclusive_task_keeps_others_out_until_it_ends(tasks: Subject) -> CaseResult {
    let first = exclusive("gen:a-bot:1");
    assert_eq!(tasks.enqueue(&first).await?, EnqueueOutcome::Queued);
    assert_eq!(tasks.enqueue(&first).await?, EnqueueOutcome::Existing, "itself");
    let second = exclusive("gen:a-bot:1");
    assert_eq!(
        tasks.enqueue(&second).await?,
        EnqueueOutcome::Busy(first.id),
        "while queued"
    );
    assert_eq!(
        tasks.enqueue(&exclusive("gen:a-bot:2")).await?,
        EnqueueOutcome::Queued
    );
    assert_eq!(tasks.enqueue(&generate(0)).await?, EnqueueOutcome::Queued);
    let lease = tasks
        .lease(TaskKind::Generate, T0, LEASE, TRIES)
        .await?
        .ok_or("due")?;
    assert_eq!(lease.task.id, first.id);
    assert_eq!(
        tasks.enqueue(&second).await?,
        EnqueueOutcome::Busy(first.id),
        "while running"
    );
    assert!(
        tasks
            .finish(&first.id, lease.fence, Err(failure("broken")), T0)
            .await?
    );
    assert_eq!(tasks.enqueue(&second).await?, EnqueueOutcome::Queued);
    assert_eq!(
        tasks.enqueue(&first).await?,
        EnqueueOutcome::Existing,
        "ended, and the same task still"
    );
    Ok(())
}

async fn of_concurrent_exclusive_tasks_one_is_queued(tasks: Subject) -> CaseResult {
    let all: Vec<_> = (0..50).map(|_| exclusive("gen:a-bot:1")).collect();
    let answers = race(all.len(), |n| {
        let (tasks, new) = (Arc::clone(&tasks), all[n].clone());
        async move { (new.id, tasks.enqueue(&new).await) }
    })
    .await;
    let mut queued = Vec::new();
    let mut named = Vec::new();
    for (id, answer) in answers {
        match answer? {
            EnqueueOutcome::Queued => queued.push(id),
            EnqueueOutcome::Busy(other) => named.push(other),
            EnqueueOutcome::Existing => panic!("all ids are different"),
        }
    }
    assert_eq!((queued.len(), named.len()), (1, 49));
    assert!(named.iter().all(|id| *id == queued[0]));
    Ok(())
}

async fn queues_are_taken_oldest_first_and_apart(tasks: Subject) -> CaseResult {
    let (young, old, oldest, other) = (generate(1), generate(2), generate(3), deploy(9));
    for new in [&oldest, &other, &old, &young] {
        tasks.enqueue(new).await?;
    }
    for expected in [Some(oldest.id), Some(old.id), Some(young.id), None] {
        assert_eq!(lease_id(&tasks, TaskKind::Generate, T0).await?, expected);
    }
    assert_eq!(lease_id(&tasks, TaskKind::Deploy, T0).await?, Some(other.id));
    assert_eq!(lease_id(&tasks, TaskKind::Deploy, T0).await?, None);
    Ok(())
}

async fn concurrent_workers_take_each_task_once(tasks: Subject) -> CaseResult {
    for age in 0..30 {
        tasks.enqueue(&generate(age)).await?;
    }
    let answers = race(8, |_| {
        let tasks = Arc::clone(&tasks);
        async move {
            let mut mine = Vec::new();
            while let Some(id) = lease_id(&tasks, TaskKind::Generate, T0).await? {
                mine.push(id);
            }
            Ok::<_, crate::ports::StoreError>(mine)
        }
    })
    .await;
    let mut times = BTreeMap::new();
    for answer in answers {
        for id in answer? {
            *times.entry(id).or_insert(0) += 1;
        }
    }
    assert_eq!(times.len(), 30);
    assert!(times.values().all(|taken| *taken == 1), "{times:?}");
    Ok(())
}

async fn a_lease_that_ran_out_is_taken_over_with_a_higher_fence(tasks: Subject) -> CaseResult {
    let (id, fence) = taken(&tasks).await?;
    assert_eq!(
        lease_id(&tasks, TaskKind::Generate, T0.plus(LEASE_MS - 1)).await?,
        None
    );
    let again = tasks
        .lease(TaskKind::Generate, T0.plus(LEASE_MS), LEASE, TRIES)
        .await?
        .ok_or("due")?;
    assert_eq!((again.task.id, again.task.attempts), (id, 2));
    assert!(again.fence > fence);
    Ok(())
}

async fn a_heartbeat_keeps_the_lease(tasks: Subject) -> CaseResult {
    let (id, fence) = taken(&tasks).await?;
    assert!(
        tasks
            .heartbeat(&id, fence, 40, T0.plus(LEASE_MS - 1), LEASE)
            .await?
    );
    assert_eq!(
        lease_id(&tasks, TaskKind::Generate, T0.plus(2 * LEASE_MS - 2)).await?,
        None
    );
    let task = tasks.task(&id).await?.ok_or("stored")?;
    assert_eq!(
        (task.progress, task.attempts, task.updated_at),
        (40, 1, T0.plus(LEASE_MS - 1))
    );
    assert_eq!(
        lease_id(&tasks, TaskKind::Generate, T0.plus(2 * LEASE_MS - 1)).await?,
        Some(id)
    );
    Ok(())
}

async fn results_of_a_lost_lease_are_dropped(tasks: Subject) -> CaseResult {
    let (id, lost) = taken(&tasks).await?;
    let later = T0.plus(LEASE_MS);
    let held = tasks
        .lease(TaskKind::Generate, later, LEASE, TRIES)
        .await?
        .ok_or("due")?;
    assert!(!tasks.heartbeat(&id, lost, 99, later, LEASE).await?);
    assert!(!tasks.finish(&id, lost, Err(failure("zombie")), later).await?);
    assert!(
        !tasks.finish(&id, held.fence + 1, Ok(None), later).await?,
        "a fence nobody was given"
    );
    assert!(!tasks.give_back(&id, lost, later).await?);
    let task = tasks.task(&id).await?.ok_or("stored")?;
    assert_eq!(task, held.task, "nothing was changed");
    assert!(tasks.finish(&id, held.fence, Ok(Some(rev())), later).await?);
    assert!(!tasks.finish(&id, lost, Err(failure("zombie")), later).await?);
    let task = tasks.task(&id).await?.ok_or("stored")?;
    assert_eq!(
        (task.status, task.rev_hash, task.error),
        (TaskStatus::Succeeded, Some(rev()), None)
    );
    Ok(())
}

async fn a_task_ends_once(tasks: Subject) -> CaseResult {
    let (id, fence) = taken(&tasks).await?;
    assert!(tasks.finish(&id, fence, Ok(Some(rev())), T0.plus(7)).await?);
    assert!(!tasks.finish(&id, fence, Err(failure("late")), T0.plus(8)).await?);
    assert!(!tasks.heartbeat(&id, fence, 1, T0.plus(8), LEASE).await?);
    assert!(!tasks.give_back(&id, fence, T0).await?);
    let task = tasks.task(&id).await?.ok_or("stored")?;
    assert_eq!(
        (task.status, task.progress, task.rev_hash),
        (TaskStatus::Succeeded, 100, Some(rev()))
    );
    assert_eq!(task.updated_at, T0.plus(7));
    assert_eq!(
        lease_id(&tasks, TaskKind::Generate, T0.plus(10 * LEASE_MS)).await?,
        None
    );
    Ok(())
}

async fn failures_are_kept(tasks: Subject) -> CaseResult {
    let (id, fence) = taken(&tasks).await?;
    assert!(tasks.finish(&id, fence, Err(failure("invalid-spec")), T0).await?);
    let task = tasks.task(&id).await?.ok_or("stored")?;
    assert_eq!(
        (task.status, task.error),
        (TaskStatus::Failed, Some(failure("invalid-spec")))
    );
    assert_eq!(task.rev_hash, None);
    Ok(())
}

async fn a_task_taken_too_often_is_poisoned(tasks: Subject) -> CaseResult {
    let new = exclusive("gen:a-bot:1");
    tasks.enqueue(&new).await?;
    let mut now = T0;
    let mut last_fence = 0;
    for attempt in 1..=TRIES {
        let lease = tasks
            .lease(TaskKind::Generate, now, LEASE, TRIES)
            .await?
            .ok_or("due")?;
        assert_eq!(lease.task.attempts, attempt);
        last_fence = lease.fence;
        now = now.plus(LEASE_MS);
    }
    assert_eq!(lease_id(&tasks, TaskKind::Generate, now).await?, None);
    let task = tasks.task(&new.id).await?.ok_or("stored")?;
    assert_eq!((task.status, task.attempts), (TaskStatus::Failed, TRIES));
    assert_eq!(task.error.ok_or("says why")?.code, "poisoned");
    assert!(
        !tasks.finish(&new.id, last_fence, Ok(None), now).await?,
        "too late"
    );
    assert_eq!(
        tasks.enqueue(&exclusive("gen:a-bot:1")).await?,
        EnqueueOutcome::Queued,
        "it has ended"
    );
    Ok(())
}

async fn a_poisoned_task_holds_nobody_up(tasks: Subject) -> CaseResult {
    let (poison, good) = (generate(9), generate(1));
    tasks.enqueue(&poison).await?;
    assert_eq!(lease_id(&tasks, TaskKind::Generate, T0).await?, Some(poison.id));
    tasks.enqueue(&good).await?;
    let lease = tasks
        .lease(TaskKind::Generate, T0.plus(LEASE_MS), LEASE, 1)
        .await?
        .ok_or("due")?;
    assert_eq!(lease.task.id, good.id);
    assert_eq!(
        tasks.task(&poison.id).await?.ok_or("stored")?.status,
        TaskStatus::Failed
    );
    Ok(())
}

async fn a_task_given_back_waits_until_it_is_due(tasks: Subject) -> CaseResult {
    let (id, fence) = taken(&tasks).await?;
    assert!(tasks.give_back(&id, fence, T0.plus(500)).await?);
    assert_eq!(tasks.task(&id).await?.ok_or("stored")?.status, TaskStatus::Queued);
    assert!(
        !tasks.finish(&id, fence, Ok(None), T0).await?,
        "it was given back"
    );
    assert!(!tasks.heartbeat(&id, fence, 1, T0, LEASE).await?);
    assert_eq!(lease_id(&tasks, TaskKind::Generate, T0.plus(499)).await?, None);
    let again = tasks
        .lease(TaskKind::Generate, T0.plus(500), LEASE, TRIES)
        .await?
        .ok_or("due")?;
    assert_eq!(
        (again.task.id, again.task.attempts),
        (id, 1),
        "giving back is no attempt"
    );
    assert!(again.fence > fence);
    Ok(())
}

async fn queueing_again_shows_a_waiting_task(tasks: Subject) -> CaseResult {
    let new = generate(0);
    tasks.enqueue(&new).await?;
    let lease = tasks
        .lease(TaskKind::Generate, T0, LEASE, TRIES)
        .await?
        .ok_or("due")?;
    assert!(tasks.give_back(&new.id, lease.fence, T0.plus(3_600_000)).await?);
    assert_eq!(lease_id(&tasks, TaskKind::Generate, T0.plus(1)).await?, None);
    assert_eq!(tasks.enqueue(&new).await?, EnqueueOutcome::Existing);
    assert_eq!(
        lease_id(&tasks, TaskKind::Generate, T0.plus(1)).await?,
        Some(new.id)
    );
    Ok(())
}

async fn queueing_again_leaves_a_held_task_alone(tasks: Subject) -> CaseResult {
    let new = generate(0);
    tasks.enqueue(&new).await?;
    let lease = tasks
        .lease(TaskKind::Generate, T0, LEASE, TRIES)
        .await?
        .ok_or("due")?;
    assert_eq!(tasks.enqueue(&new).await?, EnqueueOutcome::Existing);
    assert_eq!(lease_id(&tasks, TaskKind::Generate, T0.plus(1)).await?, None);
    assert!(tasks.finish(&new.id, lease.fence, Ok(None), T0.plus(2)).await?);
    Ok(())
}

async fn queueing_wakes_who_waits(tasks: Subject) -> CaseResult {
    let worker = {
        let tasks = Arc::clone(&tasks);
        tokio::spawn(async move {
            loop {
                if let Some(id) = lease_id(&tasks, TaskKind::Deploy, T0).await? {
                    return Ok::<_, crate::ports::StoreError>(id);
                }
                tasks.due(TaskKind::Deploy).await;
            }
        })
    };
    tasks.enqueue(&generate(0)).await?;
    let new = deploy(0);
    tasks.enqueue(&new).await?;
    assert_eq!(worker.await??, new.id);
    Ok(())
}
