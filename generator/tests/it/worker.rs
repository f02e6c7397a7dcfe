//! The worker over the real embedded backends.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use botloom_backends::{Connected, DataDir, EmbeddedOptions, connect_embedded};
use botloom_core::event::BotEvent;
use botloom_core::model::{Project, RevJson, Task, TaskPayload, TaskStatus, User};
use botloom_core::ports::{ArtifactName, LaneLimits, NewBot, NewTask, NewVersion, Ports};
use botloom_core::testing::ManualClock;
use botloom_core::{BotId, ProjectId, RevHash, TaskId, TimestampMs, UserId};
use botloom_generator::worker::{self, Deps, Options};
use botloom_spec::accept;
use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const START: TimestampMs = TimestampMs(1_767_268_800_000);
const PROJECT: ProjectId = ProjectId(Uuid::from_u128(1));
const AUTHOR: UserId = UserId(Uuid::from_u128(2));
/// Set in the process that is to die at a fault point: the data folder.
const CHILD: &str = "BOTLOOM_TEST_WORKER_DATA";

struct World {
    connected: Connected,
    clock: Arc<ManualClock>,
}

impl World {
    async fn open(folder: &Path, now: TimestampMs) -> Self {
        let clock = Arc::new(ManualClock::new(now));
        let options = EmbeddedOptions {
            data_dir: DataDir::open(folder).unwrap(),
            clock: Arc::clone(&clock) as _,
            lane_limits: LaneLimits::default(),
        };
        Self {
            connected: connect_embedded(options).await.unwrap(),
            clock,
        }
    }

    /// A bot with one version of its spec, and its owner.
    async fn with_bot(folder: &Path) -> Self {
        let world = Self::open(folder, START).await;
        let catalog = &world.ports().catalog;
        let user = User {
            id: AUTHOR,
            email: "ada@example.org".to_owned(),
            password_hash: Some("x".to_owned()),
            created_at: START,
        };
        let project = Project {
            id: PROJECT,
            name: "home".to_owned(),
            created_at: START,
        };
        assert!(catalog.create_first_owner(&user, &project).await.unwrap());
        let new = NewBot {
            id: bot(),
            project: PROJECT,
            name: "Test".to_owned(),
            created_at: START,
        };
        assert!(catalog.create_bot(&new).await.unwrap());
        let spec = accept(crate::support::spec(
            json!([{"id": "main", "steps": [{"id": "r", "type": "reply", "text": "hi"}]}]),
            json!({}),
        ));
        let version = NewVersion {
            bot: bot(),
            spec_hash: spec.hash.parse().unwrap(),
            canonical: spec.canonical,
            warnings: "[]".to_owned(),
            author: Some(AUTHOR),
            created_at: START,
            edited: None,
            note: None,
            restores: None,
        };
        catalog.add_version(&version).await.unwrap();
        world
    }

    fn ports(&self) -> &Ports {
        &self.connected.ports
    }

    async fn enqueue(&self, id: u128, seed: u64, payload: impl FnOnce(&mut TaskPayload)) -> TaskId {
        let id = TaskId(Uuid::from_u128(id));
        let mut task = NewTask {
            id,
            project: PROJECT,
            bot: bot(),
            payload: TaskPayload::Generate {
                spec_version: 1,
                model: "compiler".to_owned(),
                seed,
                params: serde_json::Map::new(),
            },
            exclusive: None,
            author: Some(AUTHOR),
            created_at: self.ports().clock.now(),
        };
        payload(&mut task.payload);
        self.ports().tasks.enqueue(&task).await.unwrap();
        id
    }

    /// Runs workers until the tasks have ended, then stops them.
    async fn work(&self, workers: usize, tasks: &[TaskId]) -> Vec<Task> {
        let shutdown = CancellationToken::new();
        let options = Options {
            idle: Duration::from_millis(5),
            build_timeout: Duration::from_mins(1),
            ..Options::default()
        };
        let running: Vec<_> = (0..workers)
            .map(|_| tokio::spawn(worker::run(Deps::from(self.ports()), options, shutdown.clone())))
            .collect();
        let mut ended = Vec::new();
        for id in tasks {
            ended.push(loop {
                let task = self.ports().tasks.task(id).await.unwrap().unwrap();
                if matches!(task.status, TaskStatus::Succeeded | TaskStatus::Failed) {
                    break task;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            });
        }
        shutdown.cancel();
        for worker in running {
            worker.await.unwrap();
        }
        ended
    }

    async fn events(&self) -> Vec<BotEvent> {
        let page = self.ports().events.events_after(PROJECT, 0, 1000).await.unwrap();
        page.events.into_iter().map(|logged| logged.event).collect()
    }

    /// The passport of a revision whose three files are what the row says.
    async fn passport(&self, rev: &RevHash) -> RevJson {
        let row = self.ports().catalog.revision(rev).await.unwrap().unwrap();
        let get = |name, digest| self.ports().artifacts.get(&row.bot, rev, name, digest);
        let program = get(ArtifactName::BotJs, &row.digests.bot_js).await.unwrap();
        assert!(program.starts_with(b"// Bot test-bot"));
        get(ArtifactName::SpecJson, &row.digests.spec_json).await.unwrap();
        let passport = get(ArtifactName::RevJson, &row.digests.rev_json).await.unwrap();
        assert_eq!(passport, row.rev_json);
        serde_json::from_slice(&passport).unwrap()
    }
}

fn bot() -> BotId {
    BotId::new("test-bot").unwrap()
}

#[tokio::test]
async fn a_task_becomes_a_revision() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::with_bot(folder.path()).await;
    let id = world.enqueue(10, 7, |_| ()).await;
    let task = world.work(1, &[id]).await.remove(0);
    assert_eq!((task.status, &task.error), (TaskStatus::Succeeded, &None));
    let rev = task.rev_hash.unwrap();
    let passport = world.passport(&rev).await;
    assert_eq!(
        (passport.rev_hash, passport.spec_version, passport.build.seed),
        (rev, 1, 7)
    );
    assert_eq!(passport.author.as_deref(), Some("ada@example.org"));
    assert_eq!(passport.build.built_at, "2026-01-01T12:00:00.000Z");
    let events = world.events().await;
    assert_eq!(events.first(), Some(&BotEvent::GenerateStarted { task_id: id }));
    assert!(
        events
            .iter()
            .any(|event| matches!(event, BotEvent::GenerateProgress { .. }))
    );
    assert_eq!(
        events.last(),
        Some(&BotEvent::GenerateSucceeded {
            task_id: id,
            rev_hash: rev
        })
    );
}

#[tokio::test]
async fn the_same_build_is_the_same_revision_and_the_first_passport_stays() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::with_bot(folder.path()).await;
    let first = world.enqueue(10, 0, |_| ()).await;
    world.work(1, &[first]).await;
    world.clock.advance(60_000);
    let second = world.enqueue(11, 0, |_| ()).await;
    let third = world.enqueue(12, 1, |_| ()).await;
    let tasks = world.work(1, &[first, second, third]).await;
    assert_eq!(tasks[0].rev_hash, tasks[1].rev_hash);
    assert_ne!(tasks[0].rev_hash, tasks[2].rev_hash);
    assert_eq!(
        world.passport(&tasks[1].rev_hash.unwrap()).await.build.built_at,
        "2026-01-01T12:00:00.000Z"
    );
    assert_eq!(
        world.passport(&tasks[2].rev_hash.unwrap()).await.build.built_at,
        "2026-01-01T12:01:00.000Z"
    );
}

#[tokio::test]
async fn workers_at_the_same_time_agree() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::with_bot(folder.path()).await;
    let mut ids = Vec::new();
    for n in 0..12 {
        world.clock.advance(1);
        ids.push(world.enqueue(100 + u128::from(n), n % 2, |_| ()).await);
    }
    let tasks = world.work(3, &ids).await;
    for task in &tasks {
        assert_eq!(
            (task.status, task.rev_hash),
            (
                TaskStatus::Succeeded,
                tasks[task.id.0.as_u128() as usize % 2].rev_hash
            )
        );
        world.passport(&task.rev_hash.unwrap()).await;
    }
}

#[tokio::test]
async fn what_cannot_be_built_fails_with_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::with_bot(folder.path()).await;
    let model = world
        .enqueue(10, 0, |payload| {
            let TaskPayload::Generate { model, .. } = payload else {
                unreachable!()
            };
            "dreamer".clone_into(model);
        })
        .await;
    let version = world
        .enqueue(11, 0, |payload| {
            let TaskPayload::Generate { spec_version, .. } = payload else {
                unreachable!()
            };
            *spec_version = 99;
        })
        .await;
    let tasks = world.work(1, &[model, version]).await;
    let codes: Vec<_> = tasks
        .iter()
        .map(|task| task.error.as_ref().unwrap().code.as_str())
        .collect();
    assert_eq!(codes, ["unsupported-model", "not-found"]);
    let failed = world
        .events()
        .await
        .into_iter()
        .filter(|event| matches!(event, BotEvent::GenerateFailed { .. }));
    assert_eq!(failed.count(), 2);
}

#[tokio::test]
async fn a_stored_program_with_other_bytes_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::with_bot(folder.path()).await;
    let version = world.ports().catalog.version(&bot(), 1).await.unwrap().unwrap();
    let spec = accept(serde_json::from_str(&version.canonical).unwrap());
    let rev = botloom_generator::rev_hash(&spec, "compiler", 0);
    let other = Bytes::from_static(b"other");
    world
        .ports()
        .artifacts
        .put(&bot(), &rev, ArtifactName::BotJs, other)
        .await
        .unwrap();
    let id = world.enqueue(10, 0, |_| ()).await;
    let task = world.work(1, &[id]).await.remove(0);
    assert_eq!(task.error.unwrap().code, "artifact-conflict");
    assert_eq!(world.ports().catalog.revision(&rev).await.unwrap(), None);
}

/// The catalog comes from a backup, the artifacts are newer: what is built again is what was built then.
#[tokio::test]
async fn a_revision_whose_row_is_gone_is_taken_up_again() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lost = World::with_bot(before.path()).await;
    let id = lost.enqueue(10, 0, |_| ()).await;
    let rev = lost.work(1, &[id]).await.remove(0).rev_hash.unwrap();
    let passport = lost.passport(&rev).await;

    let restored = World::with_bot(after.path()).await;
    restored.clock.advance(60_000);
    for name in ArtifactName::ALL {
        let file = lost
            .ports()
            .artifacts
            .get_unchecked(&bot(), &rev, name)
            .await
            .unwrap();
        restored
            .ports()
            .artifacts
            .put(&bot(), &rev, name, file)
            .await
            .unwrap();
    }
    let id = restored.enqueue(11, 0, |_| ()).await;
    let task = restored.work(1, &[id]).await.remove(0);
    assert_eq!((task.status, task.rev_hash), (TaskStatus::Succeeded, Some(rev)));
    assert_eq!(restored.passport(&rev).await, passport);
}

#[tokio::test]
async fn a_stored_passport_of_something_else_is_not_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::with_bot(folder.path()).await;
    let version = world.ports().catalog.version(&bot(), 1).await.unwrap().unwrap();
    let spec = accept(serde_json::from_str(&version.canonical).unwrap());
    let rev = botloom_generator::rev_hash(&spec, "compiler", 0);
    let other = Bytes::from_static(b"{}");
    let artifacts = &world.ports().artifacts;
    artifacts
        .put(&bot(), &rev, ArtifactName::RevJson, other)
        .await
        .unwrap();
    let id = world.enqueue(10, 0, |_| ()).await;
    let task = world.work(1, &[id]).await.remove(0);
    assert_eq!(task.error.unwrap().code, "artifact-conflict");
}

/// The process that dies: a worker over the folder that the environment names. Without it there is nothing to do.
#[tokio::test]
async fn child_that_dies() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let world = World::open(Path::new(&folder), START).await;
    let id = TaskId(Uuid::from_u128(10));
    world.work(1, &[id]).await;
    panic!("the fault point was not reached");
}

#[tokio::test]
async fn a_worker_killed_anywhere_leaves_work_that_another_one_ends() {
    for point in [
        "generator.program-stored",
        "generator.row-stored",
        "generator.passport-stored",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let world = World::with_bot(folder.path()).await;
        let id = world.enqueue(10, 0, |_| ()).await;
        world.connected.close().await;
        let died = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "worker::child_that_dies", "--nocapture"])
            .env(CHILD, folder.path())
            .env("BOTLOOM_FAULT", point)
            .output()
            .unwrap();
        assert!(!died.status.success(), "{point}");
        assert!(
            !String::from_utf8_lossy(&died.stderr).contains("was not reached"),
            "{point}"
        );

        // A later task for the same revision comes first, then the one that was cut off.
        let world = World::open(folder.path(), START.plus(10_000)).await;
        assert_eq!(
            world.ports().tasks.task(&id).await.unwrap().unwrap().status,
            TaskStatus::Running,
            "{point}"
        );
        let later = world.enqueue(11, 0, |_| ()).await;
        let later = world.work(1, &[later]).await.remove(0);
        assert_eq!(later.status, TaskStatus::Succeeded, "{point}: {:?}", later.error);
        world.clock.advance(60_000);
        let cut_off = world.work(1, &[id]).await.remove(0);
        assert_eq!(
            (cut_off.status, cut_off.rev_hash),
            (TaskStatus::Succeeded, later.rev_hash),
            "{point}"
        );
        assert_eq!(cut_off.attempts, 2, "{point}");
        let passport = world.passport(&later.rev_hash.unwrap()).await;
        if point != "generator.program-stored" {
            // The build that died had its row stored, so its passport is the revision's.
            assert_eq!(passport.build.built_at, "2026-01-01T12:00:00.000Z", "{point}");
        }
    }
}
