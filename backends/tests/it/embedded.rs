//! The composed backends over one data folder.

use std::sync::Arc;
use std::time::Duration;

use botloom_backends::{Connected, DataDir, DataDirError, EmbeddedOptions, connect_embedded};
use botloom_core::SystemClock;
use botloom_core::event::BotEvent;
use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ids::{BotId, ChatId, Epoch, Lane, ProjectId, TaskId};
use botloom_core::model::{TaskKind, TaskPayload};
use botloom_core::ports::{
    ActiveRevision, ArtifactName, DedupKey, Ingest, IngestOutcome, LaneLimits, NewTask, Notice,
};
use bytes::Bytes;

async fn connect(data_dir: DataDir) -> Connected {
    let options = EmbeddedOptions {
        data_dir,
        clock: Arc::new(SystemClock),
        lane_limits: LaneLimits::default(),
    };
    connect_embedded(options).await.unwrap()
}

#[tokio::test]
async fn what_every_port_was_given_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let (project, bot) = (ProjectId::generate(), BotId::new("a-bot").unwrap());
    let (rev, program) = (RevHash(Sha256Hash::of("rev")), Bytes::from_static(b"export {}"));
    let revision = ActiveRevision { epoch: Epoch(1), rev };
    let update = |clock: &dyn botloom_core::Clock| Ingest {
        lane: Lane {
            bot: bot.clone(),
            chat: ChatId::from(7),
        },
        dedup: DedupKey::Update(1),
        envelope: Bytes::from_static(b"{}"),
        accepted_at: clock.now(),
        trace: None,
        want_turn: false,
    };

    let connected = connect(DataDir::open(&path).unwrap()).await;
    let ports = connected.ports.clone();
    let mut notices = ports.bus.subscribe();
    let now = ports.clock.now();
    ports
        .events
        .append(project, &bot, now, &BotEvent::BotDisconnected {})
        .await
        .unwrap();
    assert_eq!(notices.recv().await.unwrap(), Notice::EventLogged { project });
    ports
        .artifacts
        .put(&bot, &rev, ArtifactName::BotJs, program.clone())
        .await
        .unwrap();
    ports.lanes.set_revision(&bot, revision).await.unwrap();
    ports.lanes.ingest(vec![update(&*ports.clock)]).await.unwrap();
    for (store, answer) in connected.health.check(Duration::from_secs(5)).await {
        answer.unwrap_or_else(|error| panic!("{store}: {error:?}"));
    }
    let refused = DataDir::open(&path).unwrap_err();
    assert!(matches!(refused, DataDirError::InUse { .. }), "{refused:?}");
    drop(ports);
    connected.close().await;

    let connected = connect(DataDir::open(&path).unwrap()).await;
    let ports = &connected.ports;
    assert_eq!(ports.events.events_after(project, 0, 10).await.unwrap().latest, 1);
    let stored = ports
        .artifacts
        .get(&bot, &rev, ArtifactName::BotJs, &Sha256Hash::of(&program))
        .await;
    assert_eq!(stored.unwrap(), program);
    assert_eq!(ports.lanes.revision(&bot).await.unwrap(), Some(revision));
    let again = ports.lanes.ingest(vec![update(&*ports.clock)]).await.unwrap();
    assert_eq!(again, [IngestOutcome::Duplicate]);
}

#[tokio::test]
async fn a_closed_database_is_not_healthy() {
    let dir = tempfile::tempdir().unwrap();
    let connected = connect(DataDir::open(dir.path()).unwrap()).await;
    let health = connected.health.clone();
    connected.close().await;
    let (name, catalog) = health.check(Duration::from_secs(5)).await.remove(0);
    assert_eq!(name, "catalog");
    catalog.unwrap_err();
}

#[tokio::test]
async fn a_task_whose_worker_died_with_the_process_is_taken_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let connected = connect(DataDir::open(&path).unwrap()).await;
    let now = connected.ports.clock.now();
    let task = NewTask {
        id: TaskId::generate(),
        project: ProjectId::generate(),
        bot: BotId::new("a-bot").unwrap(),
        payload: TaskPayload::Deploy {
            rev_hash: RevHash(Sha256Hash::of("rev")),
            strategy: "flip".to_owned(),
            prewarm: 1,
        },
        exclusive: None,
        author: None,
        created_at: now,
    };
    let hour = Duration::from_hours(1);
    connected.ports.tasks.enqueue(&task).await.unwrap();
    let tasks = &connected.ports.tasks;
    let held = tasks
        .lease(TaskKind::Deploy, now, hour, 9)
        .await
        .unwrap()
        .unwrap();
    connected.close().await;

    let connected = connect(DataDir::open(&path).unwrap()).await;
    let tasks = &connected.ports.tasks;
    let again = tasks
        .lease(TaskKind::Deploy, now, hour, 9)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(again.task.id, held.task.id);
    assert!(
        !tasks
            .finish(&held.task.id, held.fence, Ok(None), now)
            .await
            .unwrap()
    );
}
