//! Deployments over real storage: to their end, and to each end they can have.

use botloom_core::event::BotEvent;
use botloom_core::model::TaskStatus;
use botloom_core::ports::{ActiveRevision, AnalyticsQuery, SandboxError, SetRevision};
use botloom_core::{Clock as _, Epoch, SystemClock, TimestampMs};

use crate::support::Installation;

#[tokio::test]
async fn a_deployment_passes_every_stage_and_is_live() {
    let installation = Installation::new().await;
    let task = installation.ask(Epoch(0)).await;
    let row = installation.deployed(task).await;
    assert_eq!(
        (row.status, row.epoch),
        (TaskStatus::Succeeded, Some(Epoch(1))),
        "{row:?}"
    );
    assert_eq!(
        *installation.runtime.asked.lock().unwrap(),
        ["stage", "prewarm", "probe", "barrier"]
    );
    let live = ActiveRevision {
        epoch: Epoch(1),
        rev: installation.rev,
    };
    let ports = &installation.storage.ports;
    assert_eq!(ports.lanes.revision(&installation.bot).await.unwrap(), Some(live));
    let bot = ports.catalog.bot(&installation.bot).await.unwrap().unwrap();
    assert_eq!((bot.active_rev, bot.epoch), (Some(installation.rev), Epoch(1)));
    let events = ports
        .events
        .events_after(bot.project, 0, 100)
        .await
        .unwrap()
        .events;
    assert!(matches!(
        events.first().unwrap().event,
        BotEvent::DeployStarted { .. }
    ));
    assert!(
        events
            .iter()
            .any(|logged| matches!(logged.event, BotEvent::DeployFlipped { .. }))
    );
    let (from, to) = (TimestampMs(0), SystemClock.now().plus(1));
    let marks = ports
        .analytics
        .query(&installation.bot, from, to, &AnalyticsQuery::Deploys)
        .await
        .unwrap();
    let marks: Vec<_> = marks
        .iter()
        .map(|mark| (mark.key.clone(), mark.values[1]))
        .collect();
    assert_eq!(marks, [(installation.rev.to_string(), 1)]);
}

#[tokio::test]
async fn a_changed_file_never_goes_live() {
    let installation = Installation::new().await;
    let file = installation
        .dir
        .path()
        .join(format!("artifacts/bots/pizza-demo/{}/bot.js", installation.rev));
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    let mut permissions = std::fs::metadata(&file).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    std::fs::set_permissions(&file, permissions).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let row = installation.deployed(installation.ask(Epoch(0)).await).await;
    assert_eq!(row.error.unwrap().code, "artifact-corrupt");
    assert!(installation.runtime.asked.lock().unwrap().is_empty());
    assert_eq!(
        installation
            .storage
            .ports
            .lanes
            .revision(&installation.bot)
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn a_revision_that_fails_its_health_check_never_goes_live() {
    let installation = Installation::new().await;
    let outcome = SandboxError::Outcome {
        outcome: "cpu_limit".to_owned(),
        detail: "too long".to_owned(),
    };
    *installation.runtime.health.lock().unwrap() = Some(outcome);
    let row = installation.deployed(installation.ask(Epoch(0)).await).await;
    let error = row.error.unwrap();
    assert_eq!(error.code, "health-failed");
    assert!(error.detail.contains("cpu_limit"), "{}", error.detail);
    assert_eq!(
        installation
            .storage
            .ports
            .lanes
            .revision(&installation.bot)
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn who_comes_second_is_told_so() {
    let installation = Installation::new().await;
    let catalog = &installation.storage.ports.catalog;
    let task = installation.ask(Epoch(0)).await;
    catalog
        .activate(
            &installation.bot,
            Epoch(0),
            botloom_core::RevHash(botloom_core::Sha256Hash::of("other")),
        )
        .await
        .unwrap();
    let row = installation.deployed(task).await;
    assert_eq!(row.error.unwrap().code, "superseded");
}

#[tokio::test]
async fn lanes_ahead_of_a_restored_catalog_are_overtaken_by_the_next_deployment() {
    let installation = Installation::new().await;
    let ports = &installation.storage.ports;
    let ahead = ActiveRevision {
        epoch: Epoch(7),
        rev: botloom_core::RevHash(botloom_core::Sha256Hash::of("newer")),
    };
    assert_eq!(
        ports.lanes.set_revision(&installation.bot, ahead).await.unwrap(),
        SetRevision::Set
    );
    let row = installation.deployed(installation.ask(Epoch(0)).await).await;
    assert_eq!(row.error.unwrap().code, "superseded");
    let bot = ports.catalog.bot(&installation.bot).await.unwrap().unwrap();
    assert_eq!((bot.active_rev, bot.epoch), (None, Epoch(8)));
    let row = installation.deployed(installation.ask(bot.epoch).await).await;
    assert_eq!(
        (row.status, row.epoch),
        (TaskStatus::Succeeded, Some(Epoch(9))),
        "{row:?}"
    );
}

#[tokio::test]
async fn a_restored_catalog_is_the_truth_again() {
    let installation = Installation::new().await;
    let ports = &installation.storage.ports;
    installation.deployed(installation.ask(Epoch(0)).await).await;
    let ahead = ActiveRevision {
        epoch: Epoch(7),
        rev: botloom_core::RevHash(botloom_core::Sha256Hash::of("forgotten by the catalog")),
    };
    ports.lanes.set_revision(&installation.bot, ahead).await.unwrap();
    let put_right = botloom_deployer::reconcile::reconcile(&installation.deps())
        .await
        .unwrap();
    assert_eq!(put_right, 1);
    let live = ActiveRevision {
        epoch: Epoch(8),
        rev: installation.rev,
    };
    assert_eq!(ports.lanes.revision(&installation.bot).await.unwrap(), Some(live));
    let bot = ports.catalog.bot(&installation.bot).await.unwrap().unwrap();
    assert_eq!((bot.active_rev, bot.epoch), (Some(installation.rev), Epoch(8)));
}

#[tokio::test]
async fn a_bot_deleted_after_the_flip_does_not_hold_its_deployment_up() {
    let installation = Installation::new().await;
    let task = installation.ask(Epoch(0)).await;
    let catalog = &installation.storage.ports.catalog;
    // As a process that died right after the flip left it.
    let mut row = catalog.deployment(&task).await.unwrap().unwrap();
    catalog
        .activate(&installation.bot, Epoch(0), installation.rev)
        .await
        .unwrap();
    (row.status, row.stage, row.epoch) = (
        TaskStatus::Running,
        botloom_core::model::Stage::Invalidate,
        Some(Epoch(1)),
    );
    assert!(catalog.save_deployment(&row).await.unwrap());
    assert!(
        catalog
            .delete_bot(&installation.bot, SystemClock.now())
            .await
            .unwrap()
    );
    let row = installation.deployed(task).await;
    assert_eq!(row.status, TaskStatus::Succeeded);
}

#[tokio::test]
async fn a_bot_deleted_before_the_flip_ends_its_deployment() {
    let installation = Installation::new().await;
    let task = installation.ask(Epoch(0)).await;
    let catalog = &installation.storage.ports.catalog;
    assert!(
        catalog
            .delete_bot(&installation.bot, SystemClock.now())
            .await
            .unwrap()
    );
    let row = installation.deployed(task).await;
    assert_eq!(row.error.unwrap().code, "bot-deleted");
}
