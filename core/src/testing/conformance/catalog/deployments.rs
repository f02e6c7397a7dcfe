//! Deployments.

use std::sync::Arc;

use super::{Subject, a_bot, add_bot, pages, rev};
use crate::hash::RevHash;
use crate::ids::{BotId, Epoch, TaskId, UserId};
use crate::model::{DeployError, Deployment, Stage, StageRecord, TaskStatus};
use crate::ports::{NewDeploymentOutcome, StoreError};
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};

cases!(($) deployments_conformance, catalog::deployments, Subject, [
    deployments_are_read_as_they_were_stored,
    one_of_a_bot_is_under_way,
    of_concurrent_ones_one_is_stored,
    the_same_task_is_the_same_deployment,
    a_deployment_needs_a_bot,
    saving_compares_the_version,
    of_concurrent_saves_one_is_stored,
    unfinished_ones_are_listed_oldest_first,
    watched_ones_are_listed_by_the_end_of_their_watch,
    the_previous_revision_follows_flips_and_rollbacks,
    lists_are_newest_first_and_come_in_pages,
    foreign_cursors_list_nothing,
]);

fn deployment(bot: &BotId, to: &str) -> Deployment {
    Deployment {
        task: TaskId::generate(),
        bot: bot.clone(),
        status: TaskStatus::Queued,
        stage: Stage::Preflight,
        stages: Vec::new(),
        from_rev: None,
        to_rev: rev(to),
        seen_epoch: Epoch(0),
        epoch: None,
        rollback: false,
        min_sandboxes: 0,
        error: None,
        watch_until: None,
        reason: None,
        author: None,
        created_at: T0,
        updated_at: T0,
        version: 1,
    }
}

async fn deployments_are_read_as_they_were_stored(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let full = Deployment {
        status: TaskStatus::Failed,
        stage: Stage::Flip,
        stages: vec![
            StageRecord {
                name: Stage::Preflight,
                started_at: T0,
                finished_at: Some(T0.plus(3)),
                detail: Some("3 files, \"whole\"".to_owned()),
            },
            StageRecord {
                name: Stage::Flip,
                started_at: T0.plus(3),
                finished_at: None,
                detail: None,
            },
        ],
        from_rev: Some(rev("old")),
        seen_epoch: Epoch(7),
        epoch: Some(Epoch(8)),
        rollback: true,
        min_sandboxes: 2,
        error: Some(DeployError {
            code: "superseded".to_owned(),
            detail: "Another deployment was faster.".to_owned(),
        }),
        watch_until: Some(T0.plus(60_000)),
        reason: Some("12 of 40 updates failed, before 0 of 200".to_owned()),
        author: Some(UserId::generate()),
        updated_at: T0.plus(9),
        ..deployment(&bot, "new")
    };
    for stored in [deployment(&bot, "new"), full] {
        assert_eq!(
            catalog.create_deployment(&stored).await?,
            NewDeploymentOutcome::Created
        );
        assert_eq!(catalog.deployment(&stored.task).await?, Some(stored));
    }
    assert_eq!(catalog.deployment(&TaskId::generate()).await?, None);
    Ok(())
}

async fn one_of_a_bot_is_under_way(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let project = catalog.bot(&bot).await?.ok_or("stored")?.project;
    assert!(add_bot(&catalog, project, "b-bot").await?);
    let mut first = deployment(&bot, "one");
    let second = deployment(&bot, "two");
    assert_eq!(
        catalog.create_deployment(&first).await?,
        NewDeploymentOutcome::Created
    );
    for status in [TaskStatus::Queued, TaskStatus::Running] {
        first.status = status;
        assert!(catalog.save_deployment(&first).await?);
        first.version += 1;
        assert_eq!(
            catalog.create_deployment(&second).await?,
            NewDeploymentOutcome::Busy(first.task)
        );
    }
    let elsewhere = deployment(&BotId::new("b-bot")?, "one");
    assert_eq!(
        catalog.create_deployment(&elsewhere).await?,
        NewDeploymentOutcome::Created
    );
    first.status = TaskStatus::Failed;
    assert!(catalog.save_deployment(&first).await?);
    assert_eq!(
        catalog.create_deployment(&second).await?,
        NewDeploymentOutcome::Created
    );
    Ok(())
}

async fn of_concurrent_ones_one_is_stored(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let all: Vec<_> = (0..50).map(|n| deployment(&bot, &n.to_string())).collect();
    let answers = race(all.len(), |n| {
        let (catalog, deployment) = (Arc::clone(&catalog), all[n].clone());
        async move { (deployment.task, catalog.create_deployment(&deployment).await) }
    })
    .await;
    let mut made = Vec::new();
    let mut named = Vec::new();
    for (task, answer) in answers {
        match answer? {
            NewDeploymentOutcome::Created => made.push(task),
            NewDeploymentOutcome::Busy(other) => named.push(other),
            NewDeploymentOutcome::Existing => panic!("all tasks are different"),
        }
    }
    assert_eq!((made.len(), named.len()), (1, 49));
    assert!(named.iter().all(|task| *task == made[0]));
    Ok(())
}

async fn the_same_task_is_the_same_deployment(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let mut first = deployment(&bot, "one");
    catalog.create_deployment(&first).await?;
    assert_eq!(
        catalog.create_deployment(&first).await?,
        NewDeploymentOutcome::Existing
    );
    first.status = TaskStatus::Succeeded;
    assert!(catalog.save_deployment(&first).await?);
    assert_eq!(
        catalog.create_deployment(&first).await?,
        NewDeploymentOutcome::Existing
    );
    let stored = catalog.deployment(&first.task).await?.ok_or("stored")?;
    assert_eq!((stored.status, stored.version), (TaskStatus::Succeeded, 2));
    Ok(())
}

async fn a_deployment_needs_a_bot(catalog: Subject) -> CaseResult {
    let answer = catalog
        .create_deployment(&deployment(&BotId::new("never-made")?, "one"))
        .await;
    assert!(matches!(answer, Err(StoreError::Missing("bot"))), "{answer:?}");
    Ok(())
}

async fn saving_compares_the_version(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let first = deployment(&bot, "one");
    assert!(!catalog.save_deployment(&first).await?, "nothing to replace");
    catalog.create_deployment(&first).await?;
    let moved = Deployment {
        status: TaskStatus::Running,
        stage: Stage::Stage,
        updated_at: T0.plus(1),
        ..first.clone()
    };
    assert!(catalog.save_deployment(&moved).await?);
    assert!(
        !catalog.save_deployment(&moved).await?,
        "the version is another one now"
    );
    let stored = catalog.deployment(&first.task).await?.ok_or("stored")?;
    assert_eq!(stored, Deployment { version: 2, ..moved });
    Ok(())
}

async fn of_concurrent_saves_one_is_stored(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let first = deployment(&bot, "one");
    catalog.create_deployment(&first).await?;
    for round in 0..20 {
        let answers = race(5, |caller| {
            let catalog = Arc::clone(&catalog);
            let moved = Deployment {
                min_sandboxes: u32::try_from(caller).expect("five callers"),
                version: first.version + round,
                ..first.clone()
            };
            async move { (moved.min_sandboxes, catalog.save_deployment(&moved).await) }
        })
        .await;
        let mut winners = Vec::new();
        for (mark, answer) in answers {
            if answer? {
                winners.push(mark);
            }
        }
        let stored = catalog.deployment(&first.task).await?.ok_or("stored")?;
        assert_eq!(winners, [stored.min_sandboxes], "round {round}");
        assert_eq!(stored.version, first.version + round + 1);
    }
    Ok(())
}

async fn unfinished_ones_are_listed_oldest_first(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let project = catalog.bot(&bot).await?.ok_or("stored")?.project;
    let ids = ["bot-3", "bot-1", "bot-2"];
    for (id, age) in ids.into_iter().zip([1, 3, 2]) {
        assert!(add_bot(&catalog, project, id).await?);
        let started = Deployment {
            created_at: T0.plus(-age),
            ..deployment(&BotId::new(id)?, "one")
        };
        catalog.create_deployment(&started).await?;
    }
    let ended = Deployment {
        status: TaskStatus::Succeeded,
        ..deployment(&bot, "one")
    };
    catalog.create_deployment(&ended).await?;
    let unfinished = catalog.unfinished_deployments().await?;
    let bots: Vec<_> = unfinished
        .iter()
        .map(|deployment| deployment.bot.as_str())
        .collect();
    assert_eq!(bots, ["bot-1", "bot-2", "bot-3"]);
    Ok(())
}

async fn watched_ones_are_listed_by_the_end_of_their_watch(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    assert_eq!(catalog.watched_deployments().await?, []);
    let mut stored = Vec::new();
    for until in [Some(T0.plus(3)), None, Some(T0.plus(1)), Some(T0.plus(2))] {
        let ended = Deployment {
            status: TaskStatus::Succeeded,
            watch_until: until,
            ..deployment(&bot, "one")
        };
        catalog.create_deployment(&ended).await?;
        stored.push(ended);
    }
    let watched = |list: Vec<Deployment>| list.into_iter().map(|row| row.task).collect::<Vec<_>>();
    assert_eq!(
        watched(catalog.watched_deployments().await?),
        [stored[2].task, stored[3].task, stored[0].task]
    );
    let over = Deployment {
        watch_until: None,
        reason: Some("2 of 2 updates failed, before none".to_owned()),
        ..stored[3].clone()
    };
    assert!(catalog.save_deployment(&over).await?);
    assert_eq!(
        watched(catalog.watched_deployments().await?),
        [stored[2].task, stored[0].task]
    );
    let read = catalog.deployment(&over.task).await?.ok_or("stored")?;
    assert_eq!(read.reason, over.reason);
    Ok(())
}

/// Takes a bot through a whole deployment to `to`, or one that fails before the flip.
async fn deploy(catalog: &Subject, bot: &BotId, to: RevHash, flips: bool) -> CaseResult {
    let before = catalog.bot(bot).await?.ok_or("stored")?;
    let mut moving = Deployment {
        from_rev: before.active_rev,
        to_rev: to,
        seen_epoch: before.epoch,
        created_at: T0.plus(before.epoch.0.cast_signed()),
        ..deployment(bot, "")
    };
    assert_eq!(
        catalog.create_deployment(&moving).await?,
        NewDeploymentOutcome::Created
    );
    if flips {
        moving.epoch = catalog.activate(bot, before.epoch, to).await?;
    }
    moving.status = if flips {
        TaskStatus::Succeeded
    } else {
        TaskStatus::Failed
    };
    assert!(catalog.save_deployment(&moving).await?);
    Ok(())
}

async fn the_previous_revision_follows_flips_and_rollbacks(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let (a, b, c) = (rev("a"), rev("b"), rev("c"));
    assert_eq!(
        catalog.previous_revision(&bot).await?,
        None,
        "nothing was live yet"
    );
    let story = [
        (a, true, None),
        (b, true, Some(a)),
        (b, true, Some(a)),  // once more
        (c, false, Some(a)), // failed before its flip
        (a, true, Some(b)),  // rolled back
        (c, true, Some(a)),
        (b, false, Some(a)),
        (b, true, Some(c)),
    ];
    for (to, flips, previous) in story {
        deploy(&catalog, &bot, to, flips).await?;
        assert_eq!(catalog.previous_revision(&bot).await?, previous);
    }
    Ok(())
}

async fn lists_are_newest_first_and_come_in_pages(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    for n in 0..9 {
        let ended = Deployment {
            status: TaskStatus::Succeeded,
            created_at: T0.plus(n / 3),
            ..deployment(&bot, "one")
        };
        catalog.create_deployment(&ended).await?;
    }
    let (catalog, bot) = (&catalog, &bot);
    let whole = pages::all(100, |page| async move { catalog.deployments(bot, &page).await }).await?;
    assert_eq!(whole.len(), 9);
    assert!(whole.is_sorted_by(|a, b| a.created_at >= b.created_at));
    for limit in [1, 2, 4, 9] {
        let listed = pages::all(limit, |page| async move { catalog.deployments(bot, &page).await }).await?;
        assert_eq!(listed, whole, "pages of {limit}");
    }
    Ok(())
}

async fn foreign_cursors_list_nothing(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    catalog.create_deployment(&deployment(&bot, "one")).await?;
    let (catalog, bot) = (&catalog, &bot);
    pages::foreign_cursors_list_nothing(&[], |page| async move { catalog.deployments(bot, &page).await })
        .await?;
    Ok(())
}
