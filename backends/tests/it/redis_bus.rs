//! The bus between processes.

use std::time::Duration;

use botloom_backends::RedisBus;
use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ids::{BotId, Epoch, ProjectId};
use botloom_core::ports::{ActiveRevision, Bus as _, Notice};
use redis::cmd;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use crate::support::proxy::Proxy;
use crate::support::test_redis::TestRedis;
use crate::support::{PATIENCE, eventually};

fn numbered(number: usize) -> Notice {
    Notice::BotChanged {
        bot: BotId::new(format!("bot-{number}")).unwrap(),
    }
}

async fn next(listener: &mut Receiver<Notice>) -> Notice {
    tokio::time::timeout(PATIENCE, listener.recv())
        .await
        .expect("a notice arrives")
        .unwrap()
}

async fn other_processes_hear_each_notice_once(redis: TestRedis) {
    let (here, there) = (
        RedisBus::start(&redis.link().await).await,
        RedisBus::start(&redis.link().await).await,
    );
    let (bot, rev) = (BotId::new("a-bot").unwrap(), RevHash(Sha256Hash::of("rev")));
    let revision = ActiveRevision { epoch: Epoch(3), rev };
    let notices = [
        Notice::RevisionPrepare {
            bot: bot.clone(),
            rev,
        },
        Notice::RevisionSet {
            bot: bot.clone(),
            revision,
        },
        Notice::BotChanged { bot },
        Notice::EventLogged {
            project: ProjectId::generate(),
        },
        Notice::Asked,
        Notice::Answered { ask: Uuid::new_v4() },
        Notice::SessionEnded {
            session: Sha256Hash::of("session"),
        },
    ];
    let (mut listener, mut other) = (here.subscribe(), there.subscribe());
    for notice in &notices {
        here.publish(notice.clone()).await;
        assert_eq!(next(&mut other).await, *notice);
    }
    there.publish(numbered(1)).await;
    for expected in notices.iter().chain([&numbered(1)]) {
        assert_eq!(next(&mut listener).await, *expected, "in its order, and once");
    }
    assert_eq!(next(&mut other).await, numbered(1));
    assert!(other.try_recv().is_err() && listener.try_recv().is_err());
}

#[tokio::test]
async fn other_processes_hear_each_notice_once_on_one_server() {
    other_processes_hear_each_notice_once(TestRedis::single().await).await;
}

#[tokio::test]
async fn other_processes_hear_each_notice_once_on_a_cluster() {
    other_processes_hear_each_notice_once(TestRedis::cluster().await).await;
}

#[tokio::test]
async fn installations_on_one_server_do_not_hear_each_other() {
    let (one, other) = (TestRedis::single().await, TestRedis::single().await);
    let (here, same) = (
        RedisBus::start(&one.link().await).await,
        RedisBus::start(&one.link().await).await,
    );
    let elsewhere = RedisBus::start(&other.link().await).await;
    let (mut listener, mut stranger) = (same.subscribe(), elsewhere.subscribe());
    here.publish(numbered(1)).await;
    assert_eq!(next(&mut listener).await, numbered(1));
    elsewhere.publish(numbered(2)).await;
    assert_eq!(next(&mut stranger).await, numbered(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_subscription_is_opened_again() {
    let redis = TestRedis::single().await;
    let proxy = Proxy::before(redis.address()).await;
    let (here, there) = (
        RedisBus::start(&redis.link().await).await,
        RedisBus::start(&redis.through(proxy.address()).link().await).await,
    );
    let mut listener = there.subscribe();
    let channel = format!("botloom:notices@{}", redis.database());
    let listening = async || -> usize {
        let mut by_hand = redis.by_hand().await;
        let (_, count): (String, usize) = cmd("PUBSUB")
            .arg("NUMSUB")
            .arg(&channel)
            .query_async(&mut by_hand)
            .await
            .unwrap();
        count
    };
    assert_eq!(listening().await, 2);
    proxy.cut();
    eventually("the subscription is lost", async || listening().await == 1).await;
    proxy.open();
    eventually("it is opened again", async || listening().await == 2).await;
    here.publish(numbered(1)).await;
    assert_eq!(next(&mut listener).await, numbered(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_waits_for_nobody_and_keeps_the_newest() {
    let redis = TestRedis::single().await;
    let proxy = Proxy::before(redis.address()).await;
    let (here, there) = (
        RedisBus::start(&redis.through(proxy.address()).link().await).await,
        RedisBus::start(&redis.link().await).await,
    );
    let mut listener = there.subscribe();
    proxy.stall();
    let publishing = async {
        for number in 0..20_000 {
            here.publish(numbered(number)).await;
        }
    };
    // A single publish that waited for the server would wait longer than this.
    tokio::time::timeout(Duration::from_secs(4), publishing)
        .await
        .expect("nobody waits for a server that stalls");
    proxy.open();
    let mut heard = 0;
    loop {
        match tokio::time::timeout(PATIENCE, listener.recv())
            .await
            .expect("the newest arrives")
        {
            Ok(notice) if notice == numbered(19_999) => break,
            Ok(_) | Err(RecvError::Lagged(_)) => heard += 1,
            Err(closed) => panic!("{closed}"),
        }
    }
    assert!(
        heard < 10_000,
        "{heard} notices were kept for a server that stalls"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_passed_over() {
    let redis = TestRedis::single().await;
    let link = redis.link().await;
    let there = RedisBus::start(&link).await;
    let mut listener = there.subscribe();
    let mut by_hand = redis.by_hand().await;
    let channel = format!("botloom:notices@{}", redis.database());
    let id = Uuid::new_v4();
    for payload in [
        "not JSON".to_owned(),
        format!(r#"{{"from":"{id}","hint":{{"notice":{{"notice":"ofTomorrow"}}}}}}"#),
        format!(r#"{{"from":"{id}","hint":{{"notice":{{"notice":"asked"}}}}}}"#),
    ] {
        let heard: u32 = cmd("PUBLISH")
            .arg(&channel)
            .arg(payload)
            .query_async(&mut by_hand)
            .await
            .unwrap();
        assert_eq!(heard, 1);
    }
    assert_eq!(next(&mut listener).await, Notice::Asked);
}
