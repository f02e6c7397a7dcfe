//! The suites on one server.

use botloom_backends::{DedupeMode, RedisLanes, RedisLink, RedisOptions};
use botloom_core::testing::conformance::lanes::{LIMITS, LaneKit};

use crate::support::redis;

async fn kit_of(options: RedisOptions) -> LaneKit {
    let clock = LaneKit::clock();
    let link: RedisLink = redis::link(options).await;
    let store = RedisLanes::with_clock(link, LIMITS, clock.clone()).await.unwrap();
    LaneKit::new(store, clock)
}

async fn kit() -> (LaneKit, ()) {
    (kit_of(redis::patient(1024)).await, ())
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

/// Ids as bits: the cases of the door, apart from the one that needs Redis' own clock to be turned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn update_ids_can_be_kept_as_bits() {
    use botloom_core::testing::conformance::lanes;
    for case in [
        "a_batch_keeps_its_order",
        "a_full_lane_refuses_without_remembering",
        "a_full_lane_still_knows_duplicates",
        "concurrent_redeliveries_queue_once",
        "kinds_of_ids_do_not_collide",
        "a_purged_bot_is_forgotten",
    ] {
        let options = RedisOptions {
            dedupe: DedupeMode::Bitmap,
            ..redis::patient(1)
        };
        lanes::run(case, kit_of(options).await).await;
    }
}
