//! The suites on [`ModelLanes`].

use botloom_backends::ModelLanes;
use botloom_core::testing::conformance::lanes::{LIMITS, LaneKit};

fn kit() -> LaneKit {
    let clock = LaneKit::clock();
    LaneKit::new(ModelLanes::new(LIMITS, clock.clone()).unwrap(), clock)
}

mod lanes {
    botloom_core::lanes_tests!((super::kit(), ()));
}

mod outbox {
    botloom_core::outbox_tests!((super::kit(), ()));
}

mod dead_letters {
    botloom_core::dead_letters_tests!((super::kit(), ()));
}

mod chats {
    botloom_core::chats_tests!((super::kit(), ()));
}
