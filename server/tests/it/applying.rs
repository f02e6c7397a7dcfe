//! `apply` of one file, and in which project new bots are made.

use serde_json::{Value, json};

use crate::folder::edited;
use crate::support::desk::Desk;
use crate::support::specs::chain;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lock_beside_a_file_counts() {
    let desk = Desk::new().await;
    let spec = chain("first-bot", "a");
    desk.bot(&spec).await;
    desk.ends(&["pull", "bots"], 0);
    desk.post(&edited(&spec, "Edited on the server")).await;
    desk.write("first-bot.json", &edited(&spec, "Edited here"));
    let told = desk.ends(&["apply", "bots/first-bot.json"], 1);
    assert!(
        told.contains("first-bot (pulled at version 1, now at 2)"),
        "{told}"
    );
    let told = desk.json(&["apply", "bots/first-bot.json", "--json"], 1);
    assert_eq!(told["bots"][0]["result"], "conflict");
    assert_eq!(desk.versions("first-bot").await, [2, 1]);

    // On purpose it is possible, and the lock knows what the file is of now.
    desk.ends(&["apply", "bots/first-bot.json", "--overwrite"], 0);
    assert_eq!(desk.versions("first-bot").await, [3, 2, 1]);
    let lock: Value = serde_json::from_str(&desk.read("botloom.lock")).unwrap();
    assert_eq!(lock["first-bot"]["version"], 3);
    desk.write("first-bot.json", &edited(&spec, "Edited here again"));
    desk.ends(&["apply", "bots/first-bot.json"], 0);
    desk.ends(&["diff", "bots"], 0);

    // A bot that the lock does not name is not the lock's business.
    desk.write("second-bot.json", &chain("second-bot", "b"));
    desk.ends(&["apply", "bots/second-bot.json"], 0);
    assert!(!desk.read("botloom.lock").contains("second-bot"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_content_is_the_newest_again_and_live() {
    let desk = Desk::new().await;
    let (old, new) = (chain("first-bot", "a"), chain("first-bot", "b"));
    desk.write("old.json", &old);
    desk.write("new.json", &new);
    let live = ["--deploy", "--wait", "--json"];
    let apply = |file| desk.json(&[&["apply", file], &live[..]].concat(), 0)["bots"][0].clone();
    let first = apply("bots/old.json");
    assert_eq!(
        (&first["result"], &first["deployment"]),
        (&json!("created"), &json!("live, epoch 1"))
    );
    let again = apply("bots/old.json");
    assert_eq!(
        (&again["result"], &again["deployment"]),
        (&json!("unchanged"), &json!("live already"))
    );
    assert_eq!(apply("bots/new.json")["version"], 2);
    let back = apply("bots/old.json");
    assert_eq!(
        (&back["result"], &back["version"]),
        (&json!("restored"), &json!(3))
    );
    assert_eq!(back["deployment"], "live, epoch 3");
    assert_eq!(desk.versions("first-bot").await, [3, 2, 1]);
    let told = desk.ends(&["apply", "bots/new.json"], 0);
    assert!(told.contains("version 4 (restored)"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn findings_of_one_file_are_json_too() {
    let desk = Desk::new().await;
    let mut bad = chain("bad-bot", "b");
    bad["commands"][0]["flow"] = json!("nowhere");
    desk.write("bad-bot.json", &bad);
    let told = desk.json(&["apply", "bots/bad-bot.json", "--json"], 1);
    assert_eq!(told["bots"], json!([]));
    assert_eq!(told["files"][0]["file"], "bots/bad-bot.json");
    assert_eq!(told["files"][0]["findings"][0]["pointer"], "/commands/0/flow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_two_projects_says_which() {
    let desk = Desk::new().await;
    desk.ends(&["projects", "create", "shop"], 0);
    desk.write("a-bot.json", &chain("a-bot", "a"));
    desk.write("b-bot.json", &chain("b-bot", "b"));
    for file in ["bots", "bots/a-bot.json"] {
        let told = desk.ends(&["apply", file], 1);
        assert!(
            told.contains("say which project with --project (or BOTLOOM_PROJECT)"),
            "{told}"
        );
        assert!(told.contains("default") && told.contains("shop"), "{told}");
    }
    desk.ends(&["apply", "bots", "--project", "nowhere"], 1);
    let told = desk.ends(&["diff", "bots", "--project", "shop"], 2);
    assert!(told.contains("a-bot  new, in project shop"), "{told}");

    let shop = [("BOTLOOM_PROJECT", "shop")];
    desk.ends_with(&shop, &["apply", "bots/a-bot.json"], 0);
    desk.ends(&["apply", "bots", "--project", "default"], 0);
    // A bot stays in its project, whichever is named.
    desk.ends_with(&shop, &["apply", "bots"], 0);
    for (project, bot, other) in [("shop", "a-bot", "b-bot"), ("default", "b-bot", "a-bot")] {
        let listed = desk.ends(&["bots", "list", "--project", project], 0);
        assert!(listed.contains(bot) && !listed.contains(other), "{listed}");
        let told = desk.ends(&["pull", project, "--project", project], 0);
        assert!(told.contains(bot) && !told.contains(other), "{told}");
        assert!(desk.dir.path().join(project).join(format!("{bot}.json")).exists());
    }
    let listed = desk.ends_with(&[("BOTLOOM_PROJECT", "")], &["bots", "list"], 0);
    assert!(listed.contains("a-bot") && listed.contains("b-bot"), "{listed}");
    // A bot of another project is not taken for a deleted one.
    let told = desk.ends(&["pull", "bots", "--project", "shop"], 0);
    assert!(!told.contains("b-bot"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_variable_is_no_token() {
    let desk = Desk::new().await;
    desk.write("a-bot.json", &chain("a-bot", "a"));
    let foreign = [("BOT_TOKEN", "7100000070:AA-of-another-program")];
    desk.ends_with(&foreign, &["apply", "bots"], 0);
    desk.ends_with(&foreign, &["apply", "bots/a-bot.json"], 0);
    let bot = desk.json(&["bots", "show", "a-bot", "--json"], 0);
    assert_eq!(bot["telegram"]["tokenSet"], false);
    let ours = [("BOTLOOM_BOT_TOKEN", "no token at all")];
    let told = desk.ends_with(&ours, &["apply", "bots"], 64);
    assert!(told.contains("BOTLOOM_BOT_TOKEN"), "{told}");
    desk.ends_with(&ours, &["apply", "bots/a-bot.json"], 1);
    desk.ends_with(&[("BOTLOOM_BOT_TOKEN", "")], &["apply", "bots"], 0);
}
