//! The helpers of the SDK, function by function: `tests/prelude.test.mjs` under Node's own test runner.

use std::process::Command;

use crate::support::here;

#[test]
fn helpers_do_what_they_promise() {
    let test = here().join("tests/prelude.test.mjs");
    let run = Command::new("node")
        .arg("--test")
        .arg("--test-reporter=tap")
        .arg(test)
        .output()
        .expect("the tests need `node`");
    let report = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{report}");
    assert!(!report.contains("# tests 0\n"), "{report}");
}
