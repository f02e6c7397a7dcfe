//! Suite of the event log. Each case gets an empty log and the bus that it publishes to.

use std::sync::Arc;

use serde_json::json;

use super::CaseResult;
use super::cases::{T0, cases, race};
use crate::event::{BotEvent, LoggedEvent};
use crate::hash::{RevHash, Sha256Hash};
use crate::ids::{BotId, Epoch, ProjectId, TaskId};
use crate::model::{IngressMode, WebhookFinding};
use crate::ports::{Bus, EventLog, EventPage, Notice, StoreResult};
use crate::time::TimestampMs;

/// What the suite is run against.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The bus it publishes to.
    pub bus: Arc<dyn Bus>,
}

cases!(($) event_log_conformance, event_log, Subject, [
    every_kind_of_event_is_read_as_it_was_written,
    an_event_of_a_newer_version_is_carried_as_it_is,
    ids_have_no_gaps_under_concurrency,
    an_event_is_readable_before_its_successor,
    projects_count_for_themselves,
    reading_goes_on_after_an_id,
    an_id_never_given_out_is_a_gap,
    the_last_thousand_stay_however_old,
    what_was_pruned_is_a_gap,
    the_last_hour_stays_however_much,
    appending_is_published,
]);

/// Events that always stay.
const KEPT: u64 = 1_000;
const HOUR_MS: i64 = 3_600_000;

fn bot() -> BotId {
    BotId::new("a-bot").expect("a valid id")
}

fn progress(progress: u8) -> BotEvent {
    BotEvent::GenerateProgress {
        task_id: TaskId::generate(),
        progress,
    }
}

async fn append(subject: &Subject, project: ProjectId, at: TimestampMs) -> StoreResult<LoggedEvent> {
    subject.log.append(project, &bot(), at, &progress(1)).await
}

fn ids(page: &EventPage) -> Vec<u64> {
    page.events.iter().map(|event| event.id).collect()
}

async fn every_kind_of_event_is_read_as_it_was_written(subject: Subject) -> CaseResult {
    let (task_id, rev_hash) = (TaskId::generate(), RevHash(Sha256Hash::of("rev")));
    let reason = "In words: \"why\" 🍕".to_owned();
    let events = [
        BotEvent::GenerateStarted { task_id },
        BotEvent::GenerateProgress {
            task_id,
            progress: 50,
        },
        BotEvent::GenerateSucceeded { task_id, rev_hash },
        BotEvent::GenerateFailed {
            task_id,
            reason: reason.clone(),
        },
        BotEvent::DeployStarted { task_id, rev_hash },
        BotEvent::DeployProgress {
            task_id,
            stage: "health".to_owned(),
        },
        BotEvent::DeployFlipped {
            task_id,
            rev_hash,
            epoch: Epoch(7),
        },
        BotEvent::DeployFailed {
            task_id,
            stage: "flip".to_owned(),
            reason: reason.clone(),
        },
        BotEvent::BotConnected {
            ingress: IngressMode::Polling,
        },
        BotEvent::BotDisconnected {},
        BotEvent::BotPaused {},
        BotEvent::BotResumed {},
        BotEvent::ProfilePublished { rev_hash },
        BotEvent::ProfileRefused {
            rev_hash,
            reason: reason.clone(),
        },
        BotEvent::WebhookDrifted {
            reason: reason.clone(),
            findings: vec![WebhookFinding::WebhookForeign, WebhookFinding::DeliveryFailing],
        },
        BotEvent::WebhookRecovered {},
        BotEvent::DeadLettered {
            direction: "in".to_owned(),
            id: "1".to_owned(),
            reason,
        },
    ];
    let project = ProjectId::generate();
    let mut written = Vec::new();
    for (event, second) in events.iter().zip(0..) {
        written.push(
            subject
                .log
                .append(project, &bot(), T0.plus(second), event)
                .await?,
        );
    }
    let page = subject.log.events_after(project, 0, 100).await?;
    assert_eq!(page.events, written);
    assert!(page.events.iter().map(|logged| &logged.event).eq(&events));
    assert!(
        page.events
            .iter()
            .all(|logged| logged.project == project && logged.bot_id == bot())
    );
    Ok(())
}

async fn an_event_of_a_newer_version_is_carried_as_it_is(subject: Subject) -> CaseResult {
    let project = ProjectId::generate();
    let stored = [
        json!({ "name": "BotTeleported", "data": { "to": ["ü", 1, null], "far": u64::MAX }, "more": true }),
        json!({ "name": "WebhookDrifted", "data": { "reason": "r", "findings": ["found-by-a-newer-version"] } }),
        json!({ "name": "WebhookRecovered", "data": { "after": 7 } }),
    ];
    append(&subject, project, T0).await?;
    for event in &stored {
        let event: BotEvent = serde_json::from_value(event.clone())?;
        subject.log.append(project, &bot(), T0, &event).await?;
    }
    append(&subject, project, T0).await?;
    let page = subject.log.events_after(project, 0, 10).await?;
    assert_eq!((ids(&page), page.gap), (vec![1, 2, 3, 4, 5], false));
    for (logged, stored) in page.events[1..4].iter().zip(&stored) {
        assert!(matches!(logged.event, BotEvent::Unknown(_)), "{logged:?}");
        assert_eq!(&serde_json::to_value(&logged.event)?, stored);
    }
    assert!(matches!(page.events[4].event, BotEvent::GenerateProgress { .. }));
    Ok(())
}

async fn ids_have_no_gaps_under_concurrency(subject: Subject) -> CaseResult {
    let project = ProjectId::generate();
    let answers = race(60, |_| {
        let subject = subject.clone();
        async move { append(&subject, project, T0).await }
    })
    .await;
    let mut given = Vec::new();
    for answer in answers {
        given.push(answer?.id);
    }
    given.sort_unstable();
    assert_eq!(given, (1..=60).collect::<Vec<_>>());
    let page = subject.log.events_after(project, 0, 100).await?;
    assert_eq!(ids(&page), given);
    assert_eq!((page.gap, page.latest), (false, 60));
    Ok(())
}

/// A reader that goes on after the last id it saw meets every event: no id shows up behind it.
async fn an_event_is_readable_before_its_successor(subject: Subject) -> CaseResult {
    let project = ProjectId::generate();
    let reader = {
        let subject = subject.clone();
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < 80 {
                let after = seen.last().copied().unwrap_or(0);
                let page = subject.log.events_after(project, after, 7).await?;
                assert!(!page.gap);
                seen.extend(ids(&page));
            }
            Ok::<_, crate::ports::StoreError>(seen)
        })
    };
    let writers = race(4, |_| {
        let subject = subject.clone();
        async move {
            for _ in 0..20 {
                append(&subject, project, T0).await?;
            }
            Ok::<_, crate::ports::StoreError>(())
        }
    });
    for writer in writers.await {
        writer?;
    }
    assert_eq!(reader.await??, (1..=80).collect::<Vec<_>>());
    Ok(())
}

async fn projects_count_for_themselves(subject: Subject) -> CaseResult {
    let (one, other) = (ProjectId::generate(), ProjectId::generate());
    assert_eq!(append(&subject, one, T0).await?.id, 1);
    assert_eq!(append(&subject, one, T0).await?.id, 2);
    assert_eq!(append(&subject, other, T0).await?.id, 1);
    assert_eq!(ids(&subject.log.events_after(other, 0, 10).await?), [1]);
    let empty = subject.log.events_after(ProjectId::generate(), 0, 10).await?;
    assert_eq!(empty, EventPage::default());
    Ok(())
}

async fn reading_goes_on_after_an_id(subject: Subject) -> CaseResult {
    let project = ProjectId::generate();
    for _ in 0..5 {
        append(&subject, project, T0).await?;
    }
    for (after, limit, expected) in [
        (0, 2, vec![1, 2]),
        (2, 2, vec![3, 4]),
        (4, 2, vec![5]),
        (5, 2, vec![]),
    ] {
        let page = subject.log.events_after(project, after, limit).await?;
        assert_eq!(ids(&page), expected, "after {after}");
        assert_eq!((page.gap, page.latest), (false, 5), "after {after}");
    }
    Ok(())
}

async fn an_id_never_given_out_is_a_gap(subject: Subject) -> CaseResult {
    let project = ProjectId::generate();
    assert!(
        subject.log.events_after(project, 1, 10).await?.gap,
        "nothing was given out"
    );
    append(&subject, project, T0).await?;
    for after in [2, 1_000, u64::MAX] {
        let page = subject.log.events_after(project, after, 10).await?;
        assert_eq!((page.gap, page.latest), (true, 1), "after {after}");
        assert_eq!(page.events, [], "after {after}");
    }
    Ok(())
}

/// Appends so many events that pruning must have had its chance, `step_ms` apart, the last at `T0`.
async fn fill(subject: &Subject, project: ProjectId, count: u32, step_ms: i64) -> StoreResult<()> {
    for left in (0..i64::from(count)).rev() {
        append(subject, project, T0.plus(-left * step_ms)).await?;
    }
    Ok(())
}

async fn the_last_thousand_stay_however_old(subject: Subject) -> CaseResult {
    let project = ProjectId::generate();
    fill(&subject, project, 1_300, HOUR_MS).await?;
    let page = subject.log.events_after(project, 1_300 - KEPT, 2_000).await?;
    assert_eq!(page.events.len() as u64, KEPT);
    assert_eq!((page.gap, page.latest), (false, 1_300));
    Ok(())
}

async fn what_was_pruned_is_a_gap(subject: Subject) -> CaseResult {
    let project = ProjectId::generate();
    fill(&subject, project, 1_300, HOUR_MS).await?;
    let page = subject.log.events_after(project, 0, 2_000).await?;
    assert!(page.gap);
    let oldest = page.events.first().ok_or("some stay")?.id;
    assert!(oldest > 1, "old events are forgotten");
    assert!(oldest <= 1_300 - KEPT + 1);
    assert!(subject.log.events_after(project, oldest - 2, 10).await?.gap);
    assert!(!subject.log.events_after(project, oldest - 1, 10).await?.gap);
    Ok(())
}

async fn the_last_hour_stays_however_much(subject: Subject) -> CaseResult {
    let project = ProjectId::generate();
    fill(&subject, project, 1_300, HOUR_MS / 1_300).await?;
    let page = subject.log.events_after(project, 0, 2_000).await?;
    assert_eq!((page.events.len(), page.gap), (1_300, false));
    Ok(())
}

async fn appending_is_published(subject: Subject) -> CaseResult {
    let project = ProjectId::generate();
    let mut notices = subject.bus.subscribe();
    append(&subject, project, T0).await?;
    assert_eq!(notices.recv().await?, Notice::EventLogged { project });
    let page = subject.log.events_after(project, 0, 10).await?;
    assert_eq!(ids(&page), [1], "readable when it is told");
    Ok(())
}
