//! Tasks spread over processes: workers that die, results that come late, a Redis that forgets or is away.

use std::sync::Arc;
use std::time::Duration;

use botloom_backends::{Database, RedisBus, RedisTasks};
use botloom_core::ids::{BotId, ProjectId, TaskId};
use botloom_core::model::{NodeId, TaskError, TaskKind, TaskPayload, TaskStatus};
use botloom_core::ports::{EnqueueOutcome, NewTask, TaskLease, Tasks as _};
use botloom_core::{Clock as _, SystemClock, TimestampMs};
use redis::cmd;
use tempfile::TempDir;

use crate::support::proxy::Proxy;
use crate::support::test_redis::TestRedis;
use crate::support::{PATIENCE, eventually};

/// Short, because tests wait for its end.
const LEASE: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_mins(1);
const TRIES: u32 = 3;

/// An installation; every process is made with [`Installation::process`].
struct Installation {
    redis: TestRedis,
    db: Database,
    _dir: TempDir,
}

impl Installation {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open_sqlite(&dir.path().join("control.db"))
            .await
            .unwrap();
        Self {
            redis: TestRedis::single().await,
            db,
            _dir: dir,
        }
    }

    async fn process(&self) -> RedisTasks {
        self.process_by(&self.redis).await
    }

    async fn process_by(&self, redis: &TestRedis) -> RedisTasks {
        let link = redis.link().await;
        let bus = Arc::new(RedisBus::start(&link).await);
        RedisTasks::new(&link, &self.db, &bus, NodeId::generate())
    }

    /// Entries in the stream, and those of them in workers' hands.
    async fn entries(&self) -> (u64, u64) {
        let mut redis = self.redis.by_hand().await;
        let length: u64 = cmd("XLEN")
            .arg("gen:tasks")
            .query_async(&mut redis)
            .await
            .unwrap();
        let pending: redis::streams::StreamPendingReply = cmd("XPENDING")
            .arg("gen:tasks")
            .arg("workers")
            .query_async(&mut redis)
            .await
            .unwrap();
        (length, pending.count() as u64)
    }
}

fn now() -> TimestampMs {
    SystemClock.now()
}

fn generate() -> NewTask {
    NewTask {
        id: TaskId::generate(),
        project: ProjectId::generate(),
        bot: BotId::new("a-bot").unwrap(),
        payload: TaskPayload::Generate {
            spec_version: 3,
            model: "compiler".to_owned(),
            seed: u64::MAX,
            params: serde_json::Map::new(),
        },
        exclusive: None,
        author: None,
        created_at: now(),
    }
}

async fn lease(tasks: &RedisTasks, lease: Duration) -> Option<TaskLease> {
    tasks
        .lease(TaskKind::Generate, now(), lease, TRIES)
        .await
        .unwrap()
}

async fn finish(tasks: &RedisTasks, lease: &TaskLease) -> bool {
    tasks
        .finish(&lease.task.id, lease.fence, Ok(None), now())
        .await
        .unwrap()
}

/// Takes a task as soon as one is due.
async fn take(tasks: &RedisTasks) -> TaskLease {
    let mut taken = None;
    let mut left = PATIENCE;
    while taken.is_none() {
        taken = lease(tasks, LEASE).await;
        if taken.is_none() {
            left = left
                .checked_sub(Duration::from_millis(50))
                .expect("a task becomes due");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    taken.unwrap()
}

#[tokio::test]
async fn an_entry_carries_the_whole_task_and_goes_with_it() {
    let installation = Installation::new().await;
    let tasks = installation.process().await;
    // The first look makes the group and takes a look at the rows.
    assert_eq!(lease(&tasks, LONG).await, None);
    let new = generate();
    tasks.enqueue(&new).await.unwrap();
    assert_eq!(installation.entries().await, (1, 0));
    let mut redis = installation.redis.by_hand().await;
    let entries: redis::streams::StreamRangeReply = cmd("XRANGE")
        .arg("gen:tasks")
        .arg("-")
        .arg("+")
        .query_async(&mut redis)
        .await
        .unwrap();
    let text: String = entries.ids[0].get("task").unwrap();
    let task: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        task,
        serde_json::json!({
            "taskId": new.id, "botId": "a-bot", "kind": "generate", "specVersion": 3, "model": "compiler",
            "seed": u64::MAX, "params": {},
        })
    );
    let taken = lease(&tasks, LONG).await.unwrap();
    assert_eq!(
        installation.entries().await,
        (1, 1),
        "it stays until the task ends"
    );
    assert!(finish(&tasks, &taken).await);
    assert_eq!(installation.entries().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_task_is_taken_by_one_process() {
    let installation = Installation::new().await;
    let mut all = Vec::new();
    let first = installation.process().await;
    for _ in 0..40 {
        let new = generate();
        first.enqueue(&new).await.unwrap();
        all.push(new.id);
    }
    let mut workers = Vec::new();
    for tasks in [first, installation.process().await, installation.process().await] {
        workers.push(tokio::spawn(async move {
            let mut done = Vec::new();
            while let Some(taken) = lease(&tasks, LONG).await {
                assert!(finish(&tasks, &taken).await);
                done.push(taken.task.id);
            }
            done
        }));
    }
    let mut done = Vec::new();
    for worker in workers {
        done.extend(worker.await.unwrap());
    }
    done.sort();
    all.sort();
    assert_eq!(done, all);
    assert_eq!(installation.entries().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_in_one_process_wakes_the_others() {
    let installation = Installation::new().await;
    let (here, there) = (installation.process().await, installation.process().await);
    assert_eq!(lease(&there, LONG).await, None);
    let waiting = tokio::spawn(async move {
        there.due(TaskKind::Generate).await;
        there
    });
    let new = generate();
    here.enqueue(&new).await.unwrap();
    let there = tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("it is woken")
        .unwrap();
    assert_eq!(lease(&there, LONG).await.unwrap().task.id, new.id);
}

#[tokio::test]
async fn a_dead_workers_task_goes_to_another_and_its_result_is_dropped() {
    let installation = Installation::new().await;
    let (dead, alive) = (installation.process().await, installation.process().await);
    let new = generate();
    dead.enqueue(&new).await.unwrap();
    let lost = take(&dead).await;
    let held = take(&alive).await;
    assert_eq!((held.task.id, held.task.attempts), (new.id, 2));
    assert!(!finish(&dead, &lost).await, "a zombie's result");
    assert!(
        !dead
            .heartbeat(&new.id, lost.fence, 99, now(), LEASE)
            .await
            .unwrap()
    );
    assert!(finish(&alive, &held).await);
    eventually("nothing is left in the stream", || async {
        lease(&alive, LEASE).await;
        installation.entries().await == (0, 0)
    })
    .await;
}

#[tokio::test]
async fn who_is_heard_of_keeps_its_task_and_its_entry() {
    // Far longer than a look takes, also on a busy machine.
    const HEARD: Duration = Duration::from_secs(6);
    let installation = Installation::new().await;
    let (slow, other) = (installation.process().await, installation.process().await);
    // The looks at the rows that come with the first lease are over.
    assert_eq!(lease(&slow, HEARD).await, None);
    assert_eq!(lease(&other, HEARD).await, None);
    slow.enqueue(&generate()).await.unwrap();
    let held = lease(&slow, HEARD).await.unwrap();
    for _ in 0..3 {
        tokio::time::sleep(HEARD / 2).await;
        let (id, fence) = (&held.task.id, held.fence);
        assert!(slow.heartbeat(id, fence, 50, now(), HEARD).await.unwrap());
        assert_eq!(lease(&other, HEARD).await, None);
        assert_eq!(
            installation.entries().await,
            (1, 1),
            "the entry was not taken over"
        );
    }
    assert!(finish(&slow, &held).await);
}

#[tokio::test]
async fn a_task_that_kills_its_workers_is_poisoned() {
    let installation = Installation::new().await;
    let new = generate();
    installation.process().await.enqueue(&new).await.unwrap();
    for attempt in 1..=TRIES {
        let dying = installation.process().await;
        assert_eq!(take(&dying).await.task.attempts, attempt);
    }
    let alive = installation.process().await;
    eventually("the task is set aside", || async {
        assert_eq!(lease(&alive, LEASE).await, None);
        alive.task(&new.id).await.unwrap().unwrap().status == TaskStatus::Failed
    })
    .await;
    let error = alive.task(&new.id).await.unwrap().unwrap().error;
    assert_eq!(error.map(|error| error.code).as_deref(), Some("poisoned"));
    eventually("nothing is left in the stream", || async {
        lease(&alive, LEASE).await;
        installation.entries().await == (0, 0)
    })
    .await;
}

#[tokio::test]
async fn what_a_flushed_redis_forgot_is_found_by_its_row() {
    let installation = Installation::new().await;
    let tasks = installation.process().await;
    assert_eq!(lease(&tasks, LONG).await, None);
    let new = generate();
    tasks.enqueue(&new).await.unwrap();
    let mut redis = installation.redis.by_hand().await;
    let () = cmd("FLUSHDB").query_async(&mut redis).await.unwrap();
    let taken = lease(&tasks, LONG).await.unwrap();
    assert_eq!(taken.task.id, new.id);
    assert!(finish(&tasks, &taken).await);
    // The stream works again.
    tasks.enqueue(&generate()).await.unwrap();
    let taken = lease(&tasks, LONG).await.unwrap();
    assert_eq!(installation.entries().await, (1, 1));
    assert!(finish(&tasks, &taken).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_tasks_are_queued_taken_and_ended() {
    let installation = Installation::new().await;
    let proxy = Proxy::before(installation.redis.address()).await;
    let tasks = installation
        .process_by(&installation.redis.through(proxy.address()))
        .await;
    proxy.cut();
    let (done, given_back) = (generate(), generate());
    for new in [&done, &given_back] {
        assert_eq!(tasks.enqueue(new).await.unwrap(), EnqueueOutcome::Queued);
    }
    let first = lease(&tasks, LONG).await.unwrap();
    assert!(
        tasks
            .heartbeat(&first.task.id, first.fence, 10, now(), LONG)
            .await
            .unwrap()
    );
    assert!(finish(&tasks, &first).await);
    let second = lease(&tasks, LONG).await.unwrap();
    assert!(
        tasks
            .give_back(&second.task.id, second.fence, now())
            .await
            .unwrap()
    );
    proxy.open();
    let other = installation.process().await;
    let again = lease(&other, LONG).await.unwrap();
    assert_eq!((again.task.id, again.task.attempts), (given_back.id, 1));
    let failure = TaskError {
        code: "invalid-spec".to_owned(),
        detail: "In words.".to_owned(),
    };
    assert!(
        other
            .finish(&given_back.id, again.fence, Err(failure), now())
            .await
            .unwrap()
    );
    eventually("the first process uses the stream again", || async {
        let new = generate();
        tasks.enqueue(&new).await.unwrap();
        let taken = lease(&tasks, LONG).await.unwrap();
        let spread = installation.entries().await == (1, 1);
        assert!(finish(&tasks, &taken).await);
        spread
    })
    .await;
}
