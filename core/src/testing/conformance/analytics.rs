//! Suite of the telemetry. Each case gets an empty store.

use std::sync::Arc;

use super::CaseResult;
use super::cases::{T0, cases, race};
use crate::hash::{RevHash, Sha256Hash};
use crate::ids::{BotId, ChatId};
use crate::ports::{Analytics, AnalyticsEvent, AnalyticsQuery, StoreResult};
use crate::time::TimestampMs;

/// What the suite is run against.
pub type Subject = Arc<dyn Analytics>;

cases!(($) analytics_conformance, analytics, Subject, [
    events_are_counted_by_name,
    an_id_is_counted_once,
    concurrent_repeats_are_counted_once,
    large_batches_are_stored_whole,
    chats_are_counted_once_a_day,
    the_funnel_counts_chats_per_completed_step,
    queries_keep_to_their_time_and_bot,
    old_events_are_deleted,
]);

const DAY_MS: i64 = 86_400_000;
const FAR: TimestampMs = TimestampMs(i64::MAX);

fn bot() -> BotId {
    BotId::new("a-bot").expect("a valid id")
}

fn event(id: i64, name: &str, chat: i64) -> AnalyticsEvent {
    AnalyticsEvent {
        id: format!("a-bot:{id}"),
        bot: bot(),
        chat: ChatId::from(chat),
        rev: Some(RevHash(Sha256Hash::of("rev"))),
        at: T0,
        event: name.to_owned(),
        flow: None,
        step: None,
        fields: r#"{"text":"ok \" \u0000 🍕"}"#.to_owned(),
    }
}

fn step(id: i64, chat: i64, flow: &str, step: &str) -> AnalyticsEvent {
    AnalyticsEvent {
        flow: Some(flow.to_owned()),
        step: Some(step.to_owned()),
        ..event(id, "step_completed", chat)
    }
}

async fn ask(analytics: &Subject, query: AnalyticsQuery) -> StoreResult<Vec<(String, u64)>> {
    let rows = analytics.query(&bot(), TimestampMs(0), FAR, &query).await?;
    Ok(rows.into_iter().map(|row| (row.key, row.count)).collect())
}

fn rows(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected
        .iter()
        .map(|(key, count)| ((*key).to_owned(), *count))
        .collect()
}

async fn events_are_counted_by_name(analytics: Subject) -> CaseResult {
    assert_eq!(ask(&analytics, AnalyticsQuery::Events).await?, []);
    analytics.record(&[]).await?;
    let batch = [
        event(1, "b", 1),
        event(2, "a", 1),
        event(3, "b", 1),
        event(4, "Ж", 2),
    ];
    analytics.record(&batch).await?;
    let counted = ask(&analytics, AnalyticsQuery::Events).await?;
    assert_eq!(counted, rows(&[("a", 1), ("b", 2), ("Ж", 1)]));
    Ok(())
}

async fn an_id_is_counted_once(analytics: Subject) -> CaseResult {
    analytics.record(&[event(1, "a", 1), event(1, "a", 1)]).await?;
    analytics
        .record(&[event(2, "a", 1), event(1, "b", 1), event(3, "a", 1)])
        .await?;
    assert_eq!(ask(&analytics, AnalyticsQuery::Events).await?, rows(&[("a", 3)]));
    Ok(())
}

async fn concurrent_repeats_are_counted_once(analytics: Subject) -> CaseResult {
    let batch: Vec<_> = (0..100).map(|id| event(id, "a", id)).collect();
    let answers = race(10, |_| {
        let (analytics, batch) = (Arc::clone(&analytics), batch.clone());
        async move { analytics.record(&batch).await }
    });
    for answer in answers.await {
        answer?;
    }
    assert_eq!(
        ask(&analytics, AnalyticsQuery::Events).await?,
        rows(&[("a", 100)])
    );
    Ok(())
}

async fn large_batches_are_stored_whole(analytics: Subject) -> CaseResult {
    let batch: Vec<_> = (0..2_345).map(|id| event(id, "a", id)).collect();
    analytics.record(&batch).await?;
    assert_eq!(
        ask(&analytics, AnalyticsQuery::Events).await?,
        rows(&[("a", 2_345)])
    );
    Ok(())
}

async fn chats_are_counted_once_a_day(analytics: Subject) -> CaseResult {
    // 2026-11-20T18:40:00Z is T0; the day ends 19,200 s later.
    let midnight = T0.plus(19_200_000);
    let times = [
        (1, 1, T0),
        (2, 1, midnight.plus(-1)),
        (3, 2, midnight.plus(-1)),
        (4, 1, midnight),
        (5, 3, midnight.plus(2 * DAY_MS)),
    ];
    let batch = times.map(|(id, chat, at)| AnalyticsEvent {
        at,
        ..event(id, "a", chat)
    });
    analytics.record(&batch).await?;
    let counted = ask(&analytics, AnalyticsQuery::ActiveChats).await?;
    assert_eq!(
        counted,
        rows(&[("2026-11-20", 2), ("2026-11-21", 1), ("2026-11-23", 1)])
    );
    Ok(())
}

async fn the_funnel_counts_chats_per_completed_step(analytics: Subject) -> CaseResult {
    let began = AnalyticsEvent {
        flow: Some("order".to_owned()),
        step: Some("size".to_owned()),
        ..event(9, "validation_failed", 7)
    };
    let batch = [
        step(1, 1, "order", "size"),
        step(2, 1, "order", "size"),
        step(3, 2, "order", "size"),
        step(4, 1, "order", "address"),
        step(5, 3, "help", "topic"),
        began,
    ];
    analytics.record(&batch).await?;
    let flow = "order".to_owned();
    let counted = ask(&analytics, AnalyticsQuery::Funnel { flow }).await?;
    assert_eq!(counted, rows(&[("address", 1), ("size", 2)]));
    let flow = "none".to_owned();
    assert_eq!(ask(&analytics, AnalyticsQuery::Funnel { flow }).await?, []);
    Ok(())
}

async fn queries_keep_to_their_time_and_bot(analytics: Subject) -> CaseResult {
    let other = BotId::new("b-bot")?;
    let mut batch: Vec<_> = (0..4)
        .map(|id| AnalyticsEvent {
            at: T0.plus(id),
            ..step(id, id, "order", "size")
        })
        .collect();
    batch.push(AnalyticsEvent {
        bot: other.clone(),
        at: T0.plus(1),
        ..step(99, 1, "order", "size")
    });
    analytics.record(&batch).await?;
    let flow = "order".to_owned();
    for query in [
        AnalyticsQuery::Events,
        AnalyticsQuery::ActiveChats,
        AnalyticsQuery::Funnel { flow },
    ] {
        for (from, to, expected) in [(0, 4, 4), (1, 3, 2), (2, 2, 0), (4, 9, 0)] {
            let rows = analytics
                .query(&bot(), T0.plus(from), T0.plus(to), &query)
                .await?;
            let counted: u64 = rows.iter().map(|row| row.count).sum();
            assert_eq!(counted, expected, "{query:?} from {from} to {to}");
        }
        let rows = analytics.query(&other, T0, T0.plus(9), &query).await?;
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 1);
    }
    Ok(())
}

async fn old_events_are_deleted(analytics: Subject) -> CaseResult {
    let mut batch: Vec<_> = (0..4)
        .map(|id| AnalyticsEvent {
            at: T0.plus(id),
            ..event(id, "a", id)
        })
        .collect();
    let other = BotId::new("b-bot")?;
    batch.push(AnalyticsEvent {
        bot: other.clone(),
        ..event(99, "a", 1)
    });
    analytics.record(&batch).await?;
    assert_eq!(analytics.expire(&bot(), T0).await?, 0);
    assert_eq!(analytics.expire(&bot(), T0.plus(3)).await?, 3);
    assert_eq!(ask(&analytics, AnalyticsQuery::Events).await?, rows(&[("a", 1)]));
    let rest = analytics
        .query(&other, TimestampMs(0), FAR, &AnalyticsQuery::Events)
        .await?;
    assert_eq!(rest.len(), 1, "bots expire for themselves");
    Ok(())
}
