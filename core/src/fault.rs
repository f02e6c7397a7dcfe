//! Named points where tests end the process, to prove that a crash there loses nothing.
//!
//! A point costs one relaxed load when nothing is armed. `BOTLOOM_FAULT=<point>` arms one point at start in builds that
//! have debug assertions; release builds ignore it.

use std::sync::OnceLock;

fn armed() -> Option<&'static str> {
    static ARMED: OnceLock<Option<String>> = OnceLock::new();
    ARMED
        .get_or_init(|| {
            if cfg!(debug_assertions) {
                std::env::var("BOTLOOM_FAULT").ok()
            } else {
                None
            }
        })
        .as_deref()
}

/// Ends the process here, without unwinding and without flushing, if this point is armed.
pub fn point(name: &str) {
    if armed() == Some(name) {
        tracing::error!(point = name, "fault point reached, ending the process");
        std::process::abort();
    }
}
