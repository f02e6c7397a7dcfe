//! The suites on [`SqliteLanes`].

use botloom_backends::SqliteLanes;
use botloom_core::testing::conformance::lanes::{LIMITS, LaneKit};
use tempfile::TempDir;

fn kit() -> (LaneKit, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let clock = LaneKit::clock();
    let store = SqliteLanes::open(&dir.path().join("runtime.db"), LIMITS, clock.clone()).unwrap();
    (LaneKit::new(store, clock), dir)
}

mod lanes {
    botloom_core::lanes_tests!(super::kit());
}

mod outbox {
    botloom_core::outbox_tests!(super::kit());
}

mod dead_letters {
    botloom_core::dead_letters_tests!(super::kit());
}

mod chats {
    botloom_core::chats_tests!(super::kit());
}
