//! The watch over new revisions: what is unhealthy, that it goes back once, and what is left alone.

use std::time::Duration;

use botloom_core::event::BotEvent;
use botloom_core::model::{Deployment, TaskStatus};
use botloom_core::ports::{BotOutcomes, OutcomeCounts, PageRequest, SandboxError};
use botloom_core::{Clock as _, Epoch, SystemClock, TaskId};
use botloom_deployer::Options;
use botloom_deployer::watch::{WATCH, look, verdict};

use crate::support::Installation;

const fn counts(ok: u64, failed: u64) -> OutcomeCounts {
    OutcomeCounts { ok, failed }
}

#[test]
fn what_is_unhealthy() {
    let none = counts(0, 0);
    let healthy = counts(200, 0);
    let unwell = counts(90, 10);
    // After, before, whether it is at the end only, and whether it is unhealthy at all.
    for (after, before, at_once, at_the_end) in [
        (none, none, false, false),
        (counts(20, 0), healthy, false, false),
        (counts(0, 1), healthy, false, false),
        (counts(19, 1), healthy, false, false), // one update is no reason
        (counts(0, 2), healthy, false, true),
        (counts(10, 9), healthy, false, true), // 19 are not enough to hurry
        (counts(0, 20), healthy, true, true),
        (counts(18, 2), healthy, true, true),
        (counts(38, 2), healthy, false, false), // 5 % are not more than 5 %
        (counts(37, 2), healthy, true, true),
        (counts(0, 20), none, true, true),
        (counts(70, 30), unwell, false, false), // three times what it was before
        (counts(69, 31), unwell, true, true),
        (counts(0, 20), counts(50, 50), false, false),
        (counts(0, u64::MAX), counts(u64::MAX, 1), true, true),
    ] {
        let unhealthy = |over| verdict(after, before, over).is_some();
        assert_eq!(unhealthy(false), at_once, "{after:?} after {before:?}");
        assert_eq!(
            unhealthy(true),
            at_the_end,
            "{after:?} after {before:?}, at the end"
        );
    }
    assert_eq!(
        verdict(counts(28, 12), healthy, false).unwrap(),
        "12 of 40 updates failed, before 0 of 200"
    );
    assert_eq!(
        verdict(counts(0, 20), none, false).unwrap(),
        "20 of 20 updates failed, before there were none"
    );
}

impl Installation {
    /// The first revision is live with epoch 1 and 200 good updates, then the second with epoch 2; answers its deployment.
    async fn flipped(&self) -> Deployment {
        self.deployed(self.ask(Epoch(0)).await).await;
        self.count(1, counts(200, 0)).await;
        let task = self.ask_for(self.second, Epoch(1), Some(self.rev)).await;
        let row = self.deployed(task).await;
        assert_eq!((row.status, row.epoch), (TaskStatus::Succeeded, Some(Epoch(2))));
        row
    }

    async fn count(&self, epoch: u64, counts: OutcomeCounts) {
        let told = BotOutcomes {
            bot: self.bot.clone(),
            epoch: Epoch(epoch),
            counts,
        };
        self.storage.ports.outcomes.add(&[told]).await.unwrap();
    }

    async fn read(&self, task: TaskId) -> Option<Deployment> {
        self.storage.ports.catalog.deployment(&task).await.unwrap()
    }

    /// As if the minute were over.
    async fn a_minute_later(&self, task: TaskId) {
        self.over_since(task, 0).await;
    }

    /// As if the minute had been over for so many milliseconds.
    async fn over_since(&self, task: TaskId, ms: i64) {
        let mut row = self.read(task).await.unwrap();
        row.watch_until = Some(SystemClock.now().plus(-ms));
        assert!(self.storage.ports.catalog.save_deployment(&row).await.unwrap());
    }

    async fn watched(&self) -> Vec<TaskId> {
        let rows = self.storage.ports.catalog.watched_deployments().await.unwrap();
        rows.iter().map(|row| row.task).collect()
    }

    /// Reasons of `DeployFailed` at the stage of the watch.
    async fn told(&self) -> Vec<(TaskId, String)> {
        let log = &self.storage.ports.events;
        let page = log.events_after(self.project, 0, 1_000).await.unwrap();
        let told = page.events.into_iter().filter_map(|logged| match logged.event {
            BotEvent::DeployFailed {
                task_id,
                stage,
                reason,
            } if stage == "health" => Some((task_id, reason)),
            _ => None,
        });
        told.collect()
    }

    async fn deployments(&self) -> usize {
        let page = PageRequest {
            limit: 100,
            ..PageRequest::default()
        };
        let catalog = &self.storage.ports.catalog;
        catalog.deployments(&self.bot, &page).await.unwrap().items.len()
    }
}

#[tokio::test]
async fn a_revision_on_which_updates_fail_goes_back_and_says_why() {
    let installation = Installation::new().await;
    let first = installation.ask(Epoch(0)).await;
    let first = installation.deployed(first).await;
    assert_eq!(first.watch_until, None, "there is nothing to go back to");
    installation.count(1, counts(200, 0)).await;
    let task = installation
        .ask_for(installation.second, Epoch(1), Some(installation.rev))
        .await;
    let row = installation.deployed(task).await;
    let watched_for = row.watch_until.unwrap().since(row.updated_at);
    assert_eq!(u128::try_from(watched_for).unwrap(), WATCH.as_millis());
    installation.count(2, counts(28, 12)).await;

    // The deployer that was asked is gone; another one looks.
    let deps = installation.deps();
    look(&deps).await.unwrap();
    let back = installation.deployed(task.of_its_rollback()).await;
    let reason = "12 of 40 updates failed, before 0 of 200";
    assert_eq!(
        (back.status, back.epoch, back.to_rev),
        (TaskStatus::Succeeded, Some(Epoch(3)), installation.rev)
    );
    assert!(back.rollback && back.author.is_none());
    assert_eq!(back.reason.as_deref(), Some(reason));
    assert_eq!(back.watch_until, None, "a rollback is not watched");
    let unhealthy = installation.read(task).await.unwrap();
    assert_eq!(unhealthy.reason.as_deref(), Some(reason));
    assert_eq!(unhealthy.status, TaskStatus::Succeeded);
    assert_eq!(installation.told().await, [(task, reason.to_owned())]);
    assert_eq!(installation.watched().await, []);

    // However its own updates fare.
    installation.count(3, counts(0, 500)).await;
    look(&deps).await.unwrap();
    assert_eq!(installation.deployments().await, 3);
}

#[tokio::test]
async fn of_many_deployers_one_starts_the_rollback() {
    let installation = Installation::new().await;
    let row = installation.flipped().await;
    installation.count(2, counts(0, 40)).await;
    let looks = (0..8).map(|_| {
        let deps = installation.deps();
        tokio::spawn(async move { look(&deps).await })
    });
    for looked in looks.collect::<Vec<_>>() {
        looked.await.unwrap().unwrap();
    }
    assert_eq!(installation.told().await.len(), 1);
    assert_eq!(installation.deployments().await, 3);
    let back = installation.deployed(row.task.of_its_rollback()).await;
    assert_eq!(back.epoch, Some(Epoch(3)));
}

#[tokio::test]
async fn a_rollback_whose_starter_died_is_told_all_the_same() {
    let installation = Installation::new().await;
    let row = installation.flipped().await;
    installation.count(2, counts(0, 40)).await;
    look(&installation.deps()).await.unwrap();
    installation.deployed(row.task.of_its_rollback()).await;
    // As it was before the watch was ended, with the rollback done meanwhile.
    let mut before = installation.read(row.task).await.unwrap();
    (before.watch_until, before.reason) = (row.watch_until, None);
    assert!(
        installation
            .storage
            .ports
            .catalog
            .save_deployment(&before)
            .await
            .unwrap()
    );
    look(&installation.deps()).await.unwrap();
    let after = installation.read(row.task).await.unwrap();
    assert_eq!(
        after.reason.as_deref(),
        Some("40 of 40 updates failed, before 0 of 200")
    );
    assert_eq!(installation.told().await.len(), 2);
    assert_eq!(installation.deployments().await, 3);
}

#[tokio::test]
async fn few_failures_stay_and_the_watch_ends() {
    let installation = Installation::new().await;
    let row = installation.flipped().await;
    installation.count(2, counts(58, 2)).await;
    look(&installation.deps()).await.unwrap();
    assert_eq!(installation.watched().await, [row.task]);
    installation.a_minute_later(row.task).await;
    look(&installation.deps()).await.unwrap();
    assert_eq!(installation.watched().await, []);
    assert_eq!(installation.read(row.task).await.unwrap().reason, None);
    assert_eq!(installation.deployments().await, 2);
}

#[tokio::test]
async fn a_quiet_bot_is_judged_at_the_end() {
    let installation = Installation::new().await;
    let row = installation.flipped().await;
    installation.count(2, counts(1, 2)).await;
    look(&installation.deps()).await.unwrap();
    assert_eq!(installation.deployments().await, 2, "more may come");
    installation.a_minute_later(row.task).await;
    look(&installation.deps()).await.unwrap();
    let back = installation.read(row.task.of_its_rollback()).await.unwrap();
    assert_eq!(
        back.reason.as_deref(),
        Some("2 of 3 updates failed, before 0 of 200")
    );
}

#[tokio::test]
async fn a_revision_that_is_no_longer_live_is_let_go() {
    let installation = Installation::new().await;
    let row = installation.flipped().await;
    let next = installation
        .ask_for(installation.rev, Epoch(2), Some(installation.second))
        .await;
    let next = installation.deployed(next).await;
    installation.count(2, counts(0, 40)).await;
    look(&installation.deps()).await.unwrap();
    assert_eq!(installation.watched().await, [next.task]);
    assert_eq!(installation.read(row.task.of_its_rollback()).await, None);
    assert_eq!(installation.told().await, []);
}

#[tokio::test]
async fn the_same_revision_once_more_does_not_end_the_watch() {
    let installation = Installation::new().await;
    let row = installation.flipped().await;
    installation.count(2, counts(15, 2)).await;
    let again = installation
        .ask_for(installation.second, Epoch(2), Some(installation.second))
        .await;
    assert_eq!(installation.deployed(again).await.epoch, Some(Epoch(3)));
    look(&installation.deps()).await.unwrap();
    assert_eq!(
        installation.watched().await,
        [row.task],
        "17 updates are not enough yet"
    );
    installation.count(3, counts(1, 2)).await;
    look(&installation.deps()).await.unwrap();
    let back = installation.read(row.task.of_its_rollback()).await.unwrap();
    assert_eq!((back.to_rev, back.seen_epoch), (installation.rev, Epoch(3)));
    installation.deployed(back.task).await;
    let bot = installation.storage.ports.catalog.bot(&installation.bot).await;
    assert_eq!(bot.unwrap().unwrap().active_rev, Some(installation.rev));
}

#[tokio::test]
async fn a_deployment_under_way_is_waited_for() {
    let installation = Installation::new().await;
    let row = installation.flipped().await;
    installation.count(2, counts(0, 40)).await;
    let busy = installation
        .ask_for(installation.rev, Epoch(2), Some(installation.second))
        .await;
    look(&installation.deps()).await.unwrap();
    assert_eq!(installation.watched().await, [row.task], "it may fail yet");
    let mut failed = installation.read(busy).await.unwrap();
    failed.status = TaskStatus::Failed;
    assert!(
        installation
            .storage
            .ports
            .catalog
            .save_deployment(&failed)
            .await
            .unwrap()
    );
    look(&installation.deps()).await.unwrap();
    let back = installation.read(row.task.of_its_rollback()).await;
    assert_eq!(back.map(|back| back.to_rev), Some(installation.rev));
}

#[tokio::test]
async fn the_same_revision_again_is_not_watched_and_nothing_is_if_so_wished() {
    let installation = Installation::new().await;
    installation.deployed(installation.ask(Epoch(0)).await).await;
    let again = installation
        .ask_for(installation.rev, Epoch(1), Some(installation.rev))
        .await;
    assert_eq!(installation.deployed(again).await.watch_until, None);
    let other = installation
        .ask_for(installation.second, Epoch(2), Some(installation.rev))
        .await;
    let options = Options {
        auto_rollback: false,
        ..Options::default()
    };
    assert_eq!(installation.deployed_by(options, other).await.watch_until, None);
}

#[tokio::test]
async fn a_deployer_looks_by_itself() {
    let installation = Installation::new().await;
    let row = installation.flipped().await;
    installation.count(2, counts(0, 40)).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let options = Options {
        watch_every: Duration::from_millis(10),
        ..Options::default()
    };
    let running = tokio::spawn(botloom_deployer::run(installation.deps(), options, stop.clone()));
    let waiting = async {
        while installation
            .read(row.task.of_its_rollback())
            .await
            .is_none_or(|back| back.status != TaskStatus::Succeeded)
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting)
        .await
        .unwrap();
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_watch_that_nobody_looked_at_for_long_ends_without_a_verdict() {
    let installation = Installation::new().await;
    let row = installation.flipped().await;
    installation.count(2, counts(0, 40)).await;
    installation.over_since(row.task, 10 * 60_000).await;
    look(&installation.deps()).await.unwrap();
    assert_eq!(installation.watched().await, []);
    assert_eq!(installation.deployments().await, 2);
    assert_eq!(installation.told().await, []);
}

#[tokio::test]
async fn a_paused_bot_is_watched_when_it_goes_on() {
    let installation = Installation::new().await;
    let row = installation.flipped().await;
    let catalog = &installation.storage.ports.catalog;
    let deps = installation.deps();
    catalog
        .set_paused(&installation.bot, Some(SystemClock.now()))
        .await
        .unwrap();
    installation.a_minute_later(row.task).await;
    look(&deps).await.unwrap();
    assert_eq!(
        installation.watched().await,
        [row.task],
        "its minute has not begun"
    );
    catalog.set_paused(&installation.bot, None).await.unwrap();
    installation.count(2, counts(0, 40)).await;
    look(&deps).await.unwrap();
    let back = installation.deployed(row.task.of_its_rollback()).await;
    assert_eq!(back.epoch, Some(Epoch(3)));
}

/// A node that cannot read a revision stops a deployment; a way back does not wait for it.
#[tokio::test]
async fn a_rollback_goes_on_without_a_node_that_cannot_read() {
    let installation = Installation::new().await;
    let row = installation.flipped().await;
    installation.count(2, counts(0, 40)).await;
    let away = SandboxError::Artifact {
        code: "unavailable",
        detail: "The artifact store takes too long to answer.".to_owned(),
    };
    *installation.runtime.readable.lock().unwrap() = Some(away);
    look(&installation.deps()).await.unwrap();
    let back = installation.deployed(row.task.of_its_rollback()).await;
    assert_eq!((back.status, back.epoch), (TaskStatus::Succeeded, Some(Epoch(3))));
    let task = installation
        .ask_for(installation.second, Epoch(3), Some(installation.rev))
        .await;
    let refused = installation.deployed(task).await;
    assert_eq!((refused.status, refused.epoch), (TaskStatus::Failed, None));
    assert_eq!(refused.error.unwrap().code, "unavailable");
    // What the store says of the files themselves holds for everybody.
    let damaged = SandboxError::Artifact {
        code: "artifact-corrupt",
        detail: String::new(),
    };
    *installation.runtime.readable.lock().unwrap() = Some(damaged);
    let task = installation
        .ask_for(installation.second, Epoch(3), Some(installation.rev))
        .await;
    assert_eq!(installation.deployed(task).await.status, TaskStatus::Failed);
}
