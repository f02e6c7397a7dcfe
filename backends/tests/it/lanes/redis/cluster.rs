//! The suites on a cluster of three masters.

use std::fs::File;

use botloom_backends::{RedisLanes, RedisLink};
use botloom_core::testing::conformance::lanes::{LIMITS, LaneKit};

use crate::support::redis;

async fn kit() -> (LaneKit, File) {
    let (url, lock) = redis::cluster().await;
    let clock = LaneKit::clock();
    let link = RedisLink::connect(&url, redis::patient(1024)).await.unwrap();
    let store = RedisLanes::with_clock(link, LIMITS, clock.clone()).await.unwrap();
    (LaneKit::new(store, clock), lock)
}

mod lanes {
    botloom_core::lanes_tests!(super::kit().await);
}

mod outbox {
    botloom_core::outbox_tests!(super::kit().await);
}

mod dead_letters {
    botloom_core::dead_letters_tests!(super::kit().await);
}

mod chats {
    botloom_core::chats_tests!(super::kit().await);
}
