//! Telemetry in a SQLite file of its own: retention, and that nothing else is needed.

use botloom_backends::SqliteAnalytics;
use botloom_core::ids::{BotId, ChatId};
use botloom_core::ports::{Analytics as _, AnalyticsEvent, AnalyticsQuery};
use botloom_core::time::{Clock as _, SystemClock, TimestampMs};

pub(crate) fn bot() -> BotId {
    BotId::new("a-bot").unwrap()
}

/// An event named `a` of this moment.
pub(crate) fn event(id: impl std::fmt::Display, expires_in_ms: i64) -> AnalyticsEvent {
    let now = SystemClock.now();
    AnalyticsEvent {
        id: format!("a-bot:{id}"),
        bot: bot(),
        chat: ChatId::from(1),
        rev: None,
        at: now,
        expires_at: now.plus(expires_in_ms),
        event: "a".to_owned(),
        flow: None,
        step: None,
        fields: "{}".to_owned(),
    }
}

async fn count(analytics: &SqliteAnalytics) -> u64 {
    let (from, to) = (TimestampMs(0), TimestampMs(i64::MAX));
    let rows = analytics.query(&bot(), from, to, &AnalyticsQuery::Events).await;
    rows.unwrap().iter().map(|row| row.values[0]).sum()
}

#[tokio::test]
async fn a_file_of_its_own_keeps_telemetry() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("analytics.db");
    let analytics = SqliteAnalytics::open(&path).await.unwrap();
    analytics.record(&[event(1, 60_000)]).await.unwrap();
    analytics.close().await;
    let analytics = SqliteAnalytics::open(&path).await.unwrap();
    assert_eq!(count(&analytics).await, 1);
}

#[tokio::test]
async fn events_go_when_their_time_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("analytics.db");
    let analytics = SqliteAnalytics::open(&path).await.unwrap();
    let mut batch: Vec<_> = (0..6_000).map(|id| event(id, -1)).collect();
    batch.extend((6_000..6_003).map(|id| event(id, 3_600_000)));
    analytics.record(&batch).await.unwrap();
    // A sweep is bounded; one that did not come to the end goes on with the next batch.
    assert_eq!(count(&analytics).await, 1_003);
    analytics.record(&[event(7_000, 3_600_000)]).await.unwrap();
    assert_eq!(count(&analytics).await, 4);
    // Nothing is looked for again before the hour is over, but at the next start.
    analytics.record(&[event(8_000, -1)]).await.unwrap();
    assert_eq!(count(&analytics).await, 5);
    let restarted = SqliteAnalytics::open(&path).await.unwrap();
    restarted.record(&[]).await.unwrap();
    assert_eq!(count(&restarted).await, 4);
}
