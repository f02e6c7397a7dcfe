//! What is looked at before a Redis is trusted.

use botloom_backends::{ConnectError, DedupeMode, RedisConnectError, RedisLink, RedisOptions};
use botloom_core::{Coded as _, Secret};
use redis::cmd;

use crate::support::redis::{RedisServer, database, patient};

async fn refused(url: &Secret, options: RedisOptions) -> RedisConnectError {
    match RedisLink::connect(url, options).await {
        Err(ConnectError::Redis(error)) => error,
        other => panic!("not refused but {other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_may_forget_is_refused_with_what_to_set() {
    let server = RedisServer::start(&["--appendonly", "no"]).await;
    let error = refused(&server.url(), patient(16)).await;
    assert_eq!(error.code(), "redis-volatile");
    assert!(
        error.outside().contains("set appendonly yes"),
        "{}",
        error.outside()
    );
    let keys: u64 = server.command(&cmd("DBSIZE")).await.unwrap();
    assert_eq!(keys, 0, "nothing was written");
    let evicting = RedisServer::start(&["--maxmemory-policy", "allkeys-lru"]).await;
    let error = refused(&evicting.url(), patient(16)).await;
    assert!(
        error.outside().contains("set maxmemory-policy noeviction"),
        "{}",
        error.outside()
    );
    let options = RedisOptions {
        allow_volatile: true,
        ..patient(16)
    };
    RedisLink::connect(&evicting.url(), options).await.unwrap();
}

#[tokio::test]
async fn an_installation_keeps_its_constants() {
    let url = database().await;
    RedisLink::connect(&url, patient(16)).await.unwrap();
    RedisLink::connect(&url, patient(16)).await.unwrap();
    let other = RedisOptions {
        dedupe: DedupeMode::Bitmap,
        ..patient(16)
    };
    for options in [patient(32), other] {
        let error = refused(&url, options).await;
        assert_eq!(error.code(), "redis-installation-differs");
        assert!(error.outside().contains("shards=16"), "{}", error.outside());
    }
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_passwords_are_not_told() {
    let error = RedisLink::connect(&Secret::new("redis://u:hush@127.0.0.1:1"), patient(16))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "unavailable");
    let url = database().await;
    let wrong = url.expose().replace("redis://", "redis://:hush@");
    let error = RedisLink::connect(&Secret::new(wrong), patient(16))
        .await
        .unwrap_err();
    assert!(!format!("{error} {error:?} {}", error.outside()).contains("hush"));
}
