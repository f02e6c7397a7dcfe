//! What is special about event logs in Redis.

use std::sync::Arc;

use botloom_backends::{LocalBus, RedisEventLog};
use botloom_core::TimestampMs;
use botloom_core::event::BotEvent;
use botloom_core::ids::{BotId, ProjectId};
use botloom_core::ports::{EventLog as _, EventPage};
use redis::cmd;

use crate::support::test_redis::TestRedis;

#[tokio::test]
async fn a_log_that_was_forgotten_gives_out_no_number_twice() {
    let redis = TestRedis::single().await;
    let log = RedisEventLog::new(&redis.link().await, Arc::new(LocalBus::new()));
    let (project, bot) = (ProjectId::generate(), BotId::new("a-bot").unwrap());
    let append = || log.append(project, &bot, TimestampMs(1), &BotEvent::BotDisconnected {});
    for expected in 1..=3 {
        assert_eq!(append().await.unwrap().id, expected);
    }
    let mut by_hand = redis.by_hand().await;
    let key = format!("ev:{project}");
    let life: i64 = cmd("PTTL").arg(&key).query_async(&mut by_hand).await.unwrap();
    let days = life / 86_400_000;
    assert!((6..=7).contains(&days), "a silent log stays for {life} ms");
    let () = cmd("DEL").arg(&key).query_async(&mut by_hand).await.unwrap();

    let page = log.events_after(project, 3, 10).await.unwrap();
    let nothing_new = EventPage {
        latest: 3,
        ..EventPage::default()
    };
    assert_eq!(page, nothing_new, "who saw all of it missed nothing");
    assert!(log.events_after(project, 2, 10).await.unwrap().gap);
    assert_eq!(append().await.unwrap().id, 4);
    assert!(log.events_after(project, 2, 10).await.unwrap().gap);
    let page = log.events_after(project, 3, 10).await.unwrap();
    assert_eq!((page.events.len(), page.gap, page.latest), (1, false, 4));
}

#[tokio::test]
async fn an_entry_that_is_none_of_ours_is_corrupt() {
    let redis = TestRedis::single().await;
    let log = RedisEventLog::new(&redis.link().await, Arc::new(LocalBus::new()));
    let project = ProjectId::generate();
    let mut by_hand = redis.by_hand().await;
    let () = cmd("XADD")
        .arg(format!("ev:{project}"))
        .arg("1-0")
        .arg("event")
        .arg("{}")
        .query_async(&mut by_hand)
        .await
        .unwrap();
    let error = log.events_after(project, 0, 10).await.unwrap_err();
    assert!(
        matches!(error, botloom_core::ports::StoreError::Corrupt(_)),
        "{error:?}"
    );
}
