//! Tests of the deployer over real storage. What needs a running server is tested in `server`.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, also in its helpers, a panic is the report"
)]

mod drive;
mod machine;
mod support;
mod watch;

#[test]
fn every_code_has_a_page() {
    let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
    let of_others = [
        "health-failed",
        "no-runtime-node",
        "unavailable",
        "storage-full",
        "poisoned",
    ];
    for code in botloom_deployer::CODES.iter().chain(&of_others) {
        assert!(pages.join(format!("{code}.md")).exists(), "{code} has no page");
    }
}
