//! A bad release at the command line: it is seen, taken back, and looked into.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::desk::Desk;
use crate::support::specs::chain;

/// Removes the files of a revision from a data folder.
fn lose(folder: &Path, revision: &str) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.ends_with(revision) {
            std::fs::remove_dir_all(&path).unwrap();
        } else if path.is_dir() {
            lose(&path, revision);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_release_is_taken_back_by_one_command() {
    let desk = Desk::new().await;
    let (good, bad) = (chain("shop", "a"), chain("shop", "b"));
    desk.api.create_bot(&good).await;
    let empty = desk.ends(&["deploy", "shop"], 1);
    assert!(empty.contains("no version yet"), "{empty}");
    let first = desk.api.go_live(&good).await;
    let none = desk.ends(&["rollback", "shop", "--wait"], 1);
    assert!(none.contains("no earlier revision"), "{none}");

    desk.api.post("/spec", &bad).await;
    let told = desk.ends(&["deploy", "shop", "--wait"], 0);
    let second = desk.json(&["bots", "show", "shop", "--json"], 0);
    assert_eq!(second["activeVersion"], 2);
    let second = second["activeRevHash"].as_str().unwrap().to_owned();
    let there = format!("shop goes from version 1 ({first}) to version 2 ({second})");
    for words in [&there, "  preflight", "  flip", "epoch 2"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let shown = desk.ends(&["bots", "show", "shop"], 0);
    assert!(shown.contains("VERSION     2\n"), "{shown}");

    let told = desk.ends(&["rollback", "shop", "--wait"], 0);
    let back = format!("shop goes from version 2 ({second}) to version 1 ({first})");
    let live = format!("shop is live with version 1 ({first}), epoch 3");
    for words in [&back, "  flip", &live] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let to = desk.json(&["rollback", "shop", "--to", "2", "--wait", "--json"], 0);
    let seen = (&to["status"], &to["rollback"], &to["toRev"], &to["epoch"]);
    let expected = (&json!("succeeded"), &json!(true), &json!(second), &json!(4));
    assert_eq!(seen, expected);
    let begun = desk.json(&["rollback", "shop", "--to", &first, "--json"], 0);
    let task = begun["taskId"].as_str().unwrap();
    let watched = desk.ends(&["deployments", "show", task, "--watch"], 0);
    for words in ["WHAT        rollback", "  flip", "STATUS      succeeded, epoch 5"] {
        assert!(watched.contains(words), "{words}: {watched}");
    }
    let unknown = desk.ends(&["rollback", "shop", "--to", "3"], 1);
    assert!(unknown.contains("botloom deploy shop --version 3"), "{unknown}");
    desk.ends(&["rollback", "shop", "--to", "yesterday"], 64);
    desk.ends(&["deploy", "shop", "--version", "1", "--revision", &first], 64);
    let again = desk.json(&["deploy", "shop", "--revision", &second, "--wait", "--json"], 0);
    assert_eq!((&again["toRev"], &again["epoch"]), (&json!(second), &json!(6)));
    let older = desk.json(&["deploy", "shop", "--version", "1", "--wait", "--json"], 0);
    assert_eq!((&older["toRev"], &older["epoch"]), (&json!(first), &json!(7)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_back_that_fails_says_why_and_changes_nothing() {
    let desk = Desk::new().await;
    let spec = chain("shop", "a");
    desk.api.create_bot(&spec).await;
    let first = desk.api.go_live(&spec).await;
    let second = desk.api.go_live(&chain("shop", "b")).await;
    lose(&desk.server.data(), &first);

    let told = desk.ends(&["rollback", "shop", "--wait"], 1);
    assert!(
        told.contains("artifact-missing") && told.contains("nothing changed for users"),
        "{told}"
    );
    let failed = desk.json(&["rollback", "shop", "--wait", "--json"], 1);
    assert_eq!(failed["error"]["code"], "artifact-missing");
    let task = failed["taskId"].as_str().unwrap();
    let shown = desk.ends(&["deployments", "show", task], 0);
    for words in [
        "STATUS      failed",
        "WHY         artifact-missing",
        "  preflight",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    desk.ends(&["deployments", "show", task, "--watch"], 1);

    let table = desk.ends(&["deployments", "list", "shop", "--limit", "3"], 0);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows.len(), 4, "{table}");
    assert_eq!(rows[1][..6], [task, "rollback", "failed", "preflight", "2", "1"]);
    assert!(rows[1].contains(&"artifact-missing:"), "{table}");
    assert_eq!(
        rows[3][1..7],
        ["deploy", "succeeded", "invalidate", "1", "2", "2"]
    );
    assert_eq!(
        desk.json(&["deployments", "list", "shop", "--json"], 0)[3]["toRev"],
        first
    );

    let table = desk.ends(&["revisions", "shop"], 0);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[1][..3], [second.as_str(), "2", "live"]);
    assert_eq!(rows[2][..3], [first.as_str(), "1", "-"]);
    let newest = desk.json(&["revisions", "shop", "--json", "--limit", "1"], 0);
    assert_eq!(newest.as_array().unwrap().len(), 1);
    assert_eq!(newest[0]["specVersion"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_are_looked_at_compared_noted_and_brought_back() {
    let desk = Desk::new().await;
    let (first, second) = (chain("shop", "a"), chain("shop", "b"));
    desk.api.create_bot(&first).await;
    let alone = desk.ends(&["versions", "diff", "shop"], 1);
    assert!(alone.contains("no version of shop is live"), "{alone}");
    desk.api.go_live(&first).await;
    desk.api.post("/spec", &second).await;

    let shown = desk.ends(&["versions", "show", "shop", "1"], 0);
    let hello =
        |spec: &str| serde_json::from_str::<Value>(spec).unwrap()["flows"][0]["steps"][0]["text"].clone();
    assert_eq!(hello(&shown), "ahello");
    let latest = desk.ends(&["versions", "show", "shop"], 0);
    assert_eq!(hello(&latest), "bhello");
    desk.ends(&["pull", "bots"], 0);
    let pulled = std::fs::read_to_string(desk.dir.path().join("bots/shop.json")).unwrap();
    assert_eq!(latest, pulled);

    let words = desk.ends(&["versions", "diff", "shop"], 2);
    assert!(
        words.starts_with("shop: from version 1 to version 2\n") && words.lines().count() > 1,
        "{words}"
    );
    let patch = desk.json(&["versions", "diff", "shop", "2", "1", "--json"], 2);
    assert_eq!((&patch["from"], &patch["to"]), (&json!(2), &json!(1)));
    assert_eq!(patch["patch"][0]["op"], "replace", "{patch}");
    let same = desk.ends(&["versions", "diff", "shop", "2"], 0);
    assert!(same.contains("are the same"), "{same}");

    desk.ends(&["versions", "note", "shop", "2", "it broke\nthe chain"], 0);
    let restored = desk.ends(&["versions", "restore", "shop", "1", "--note", "back & well"], 0);
    assert!(
        restored.contains("version 3 has the content of version 1")
            && restored.contains("botloom deploy shop"),
        "{restored}"
    );
    let again = desk.ends(&["versions", "restore", "shop", "1"], 0);
    assert!(again.contains("version 3 is the newest one"), "{again}");
    let table = desk.ends(&["versions", "list", "shop"], 0);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split_whitespace().collect();
            [&cells[..2], &cells[3..]].concat()
        })
        .collect();
    let expected: [&[&str]; 3] = [
        &["3", "-", "1", "back", "&", "well"],
        &["2", "-", "-", "it", "broke", "the", "chain"],
        &["1", "live", "-", "-"],
    ];
    assert_eq!(rows, expected);
    desk.ends(&["versions", "note", "shop", "2", ""], 0);
    let listed = desk.json(&["versions", "list", "shop", "--json", "--limit", "2"], 0);
    assert_eq!(
        (listed.as_array().unwrap().len(), &listed[1]["note"]),
        (2, &Value::Null)
    );
    let unknown = desk.ends(&["versions", "restore", "shop", "9"], 1);
    assert!(unknown.contains("404"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_connects_says_how() {
    let desk = Desk::new().await;
    desk.ends(&["bots", "create", "shop"], 0);
    let told = desk.ends(&["connect", "shop"], 64);
    assert!(
        told.contains("--bot-token") && told.contains("--connect"),
        "{told}"
    );
    let off = desk.json(&["disconnect", "shop", "--json"], 0);
    assert_eq!(off["telegram"]["ingress"], Value::Null);
}
