//! A folder of specs in git: `pull`, `diff`, `apply`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::api::{EMAIL, PASSWORD};
use crate::support::desk::Desk;
use crate::support::process::binary;
use crate::support::specs::chain;

impl Desk {
    /// A bot on the server.
    pub(crate) async fn bot(&self, spec: &Value) {
        self.api.create_bot(spec).await;
        self.post(spec).await;
    }

    pub(crate) async fn post(&self, spec: &Value) {
        let stored = self.api.post("/spec", spec).await;
        assert!(stored.status.is_success(), "{stored:?}");
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("bots")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, spec: &Value) {
        std::fs::create_dir_all(self.folder()).unwrap();
        std::fs::write(self.file(name), spec.to_string()).unwrap();
    }

    /// Numbers of all versions, newest first.
    pub(crate) async fn versions(&self, bot: &str) -> Vec<u64> {
        let list = self.api.get(&format!("/spec?botId={bot}")).await.json();
        let items = list["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["version"].as_u64().unwrap())
            .collect()
    }
}

fn modified(path: &Path) -> std::time::SystemTime {
    std::fs::metadata(path).unwrap().modified().unwrap()
}

/// Puts another text into the first flow.
pub(crate) fn edited(spec: &Value, text: &str) -> Value {
    let mut spec = spec.clone();
    spec["flows"][0]["steps"][0]["text"] = json!(text);
    spec
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_server_into_git_and_back() {
    let desk = Desk::new().await;
    let (first, second) = (chain("first-bot", "a"), chain("second-bot", "b"));
    desk.bot(&first).await;
    desk.bot(&second).await;
    let told = desk.ends(&["pull", "bots"], 0);
    assert!(told.contains("first-bot") && told.contains("written"), "{told}");
    desk.ends(&["validate", "bots/first-bot.json"], 0);

    // What has the newest content is not touched, however it is spelled.
    let mut spelled: Value = serde_json::from_str(&desk.read("second-bot.json")).unwrap();
    spelled["meta"].as_object_mut().unwrap().remove("timezone");
    desk.write("second-bot.json", &spelled);
    let files = ["first-bot.json", "second-bot.json", "botloom.lock"].map(|name| desk.file(name));
    let before = files.each_ref().map(|path| modified(path));
    let told = desk.ends(&["pull", "bots"], 0);
    assert!(!told.contains("written"), "{told}");
    assert_eq!(files.each_ref().map(|path| modified(path)), before);
    assert!(desk.ends(&["diff", "bots"], 0).contains("unchanged"));

    // An edit in the folder, in words and as a patch.
    desk.write("first-bot.json", &edited(&first, "Hi there"));
    let told = desk.ends(&["diff", "bots"], 2);
    let words = "Step 1 (hello) of flow start: text changed from “ahello” to “Hi there”";
    assert!(told.contains(words), "{told}");
    let told = desk.json(&["diff", "bots", "--json"], 2);
    assert_eq!(told["bots"][0]["state"], "changed");
    let patch = json!([{ "op": "replace", "path": "/flows/0/steps/0/text", "value": "Hi there" }]);
    assert_eq!(told["bots"][0]["patch"], patch);
    assert_eq!(told["bots"][1]["state"], "unchanged");
    assert_eq!(desk.versions("first-bot").await, [1]);

    let told = desk.json(&["apply", "bots", "--json"], 0);
    let expected = json!([
        { "botId": "first-bot", "version": 2, "result": "posted", "deployment": null },
        { "botId": "second-bot", "version": 1, "result": "unchanged", "deployment": null },
    ]);
    assert_eq!(told["bots"], expected);
    desk.ends(&["diff", "bots"], 0);
    let again = desk.json(&["apply", "bots", "--json"], 0);
    assert_eq!(again["bots"][0]["result"], "unchanged");

    // Git goes back to the old content: it is the newest again, also for the server.
    desk.write("first-bot.json", &first);
    let told = desk.json(&["apply", "bots", "--json"], 0);
    assert_eq!(
        (&told["bots"][0]["result"], &told["bots"][0]["version"]),
        (&json!("restored"), &json!(3))
    );
    desk.ends(&["diff", "bots"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_on_the_server_is_named_and_nothing_is_touched() {
    let desk = Desk::new().await;
    let (first, second) = (chain("first-bot", "a"), chain("second-bot", "b"));
    desk.bot(&first).await;
    desk.bot(&second).await;
    desk.ends(&["pull", "bots"], 0);
    desk.post(&edited(&second, "Edited on the server")).await;
    desk.write("first-bot.json", &edited(&first, "Edited here"));
    desk.write("second-bot.json", &edited(&second, "Edited here too"));
    let told = desk.ends(&["apply", "bots"], 1);
    assert!(
        told.contains("second-bot (pulled at version 1, now at 2)"),
        "{told}"
    );
    assert!(!told.contains("first-bot ("), "{told}");
    assert_eq!(
        (
            desk.versions("first-bot").await,
            desk.versions("second-bot").await
        ),
        (vec![1], vec![2, 1])
    );
    let told = desk.ends(&["diff", "bots"], 2);
    assert!(told.contains("posted after the file was pulled"), "{told}");

    // Pulling would lose what was edited here.
    let here = desk.read("second-bot.json");
    let told = desk.ends(&["pull", "bots"], 1);
    assert!(
        told.contains("second-bot.json") && !told.contains("first-bot.json"),
        "{told}"
    );
    assert_eq!(desk.read("second-bot.json"), here);
    let told = desk.ends(&["pull", "bots", "--overwrite"], 0);
    assert!(told.contains("written"), "{told}");
    assert!(desk.read("second-bot.json").contains("Edited on the server"));

    // On purpose it is possible.
    desk.post(&edited(&second, "Edited again")).await;
    desk.write("second-bot.json", &edited(&second, "Mine"));
    desk.ends(&["apply", "bots"], 1);
    desk.ends(&["apply", "bots", "--overwrite"], 0);
    assert_eq!(desk.versions("second-bot").await, [4, 3, 2, 1]);
    desk.ends(&["diff", "bots"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_edited_here_survives_a_pull() {
    let desk = Desk::new().await;
    let first = chain("first-bot", "a");
    desk.bot(&first).await;
    desk.ends(&["pull", "bots"], 0);
    desk.write("first-bot.json", &edited(&first, "Edited here"));
    let told = desk.json(&["pull", "bots", "--json"], 0);
    assert_eq!(told["bots"][0]["file"], "edited here");
    assert!(desk.read("first-bot.json").contains("Edited here"));
    desk.ends(&["apply", "bots"], 0);
    assert_eq!(desk.versions("first-bot").await, [2, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_files_are_checked_before_anything_is_posted() {
    let desk = Desk::new().await;
    let mut bad = chain("bad-bot", "b");
    bad["commands"][0]["flow"] = json!("nowhere");
    desk.write("a-bot.json", &chain("a-bot", "a"));
    desk.write("bad-bot.json", &bad);
    desk.write("other-name.json", &chain("c-bot", "c"));
    for command in ["apply", "diff"] {
        let told = desk.ends(&[command, "bots"], 1);
        assert!(told.contains("bad-bot.json: error"), "{told}");
        assert!(told.contains("other-name.json: holds the bot c-bot"), "{told}");
        let told = desk.json(&[command, "bots", "--json"], 1);
        assert_eq!(told["bots"], json!([]));
        let files = told["files"].as_array().unwrap();
        let names = files.iter().map(|file| file["file"].as_str().unwrap());
        let expected = ["bots/a-bot.json", "bots/bad-bot.json", "bots/other-name.json"];
        assert!(names.eq(expected), "{told}");
        assert_eq!(files[0]["findings"], json!([]));
        assert_eq!(files[1]["findings"][0]["pointer"], "/commands/0/flow");
        assert_eq!(files[2]["error"], "holds the bot c-bot; call it c-bot.json");
    }
    let bots = desk.api.get("/bots").await.json();
    assert_eq!(bots["items"], json!([]));
    // Without options of another kind of apply, and with what cannot be read at all.
    let told = desk.ends(&["apply", "bots", "--connect", "polling"], 64);
    assert!(told.contains("--connect"), "{told}");
    desk.ends(&["apply", "bots", "--bot-token", "7:x"], 64);
    desk.ends(&["apply", "bots", "--redeploy-unhealthy"], 64);
    desk.ends(&["diff", "nowhere"], 1);
    desk.ends(&["diff"], 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_goes_live() {
    let desk = Desk::new().await;
    desk.write("a-bot.json", &chain("a-bot", "a"));
    desk.write("b-bot.json", &chain("b-bot", "b"));
    let told = desk.json(&["diff", "bots", "--json"], 2);
    assert_eq!(told["bots"][0]["state"], "new");
    assert_eq!(
        (
            &told["bots"][0]["patch"][0]["op"],
            &told["bots"][0]["patch"][0]["path"]
        ),
        (&json!("add"), &json!(""))
    );
    let told = desk.json(&["apply", "bots", "--deploy", "--wait", "--json"], 0);
    for bot in told["bots"].as_array().unwrap() {
        assert_eq!(
            (&bot["result"], &bot["deployment"]),
            (&json!("created"), &json!("live, epoch 1"))
        );
    }
    let told = desk.ends(&["apply", "bots", "--deploy", "--wait"], 0);
    assert_eq!(told.matches("live already").count(), 2, "{told}");
    let bot = desk.api.get("/bots/b-bot").await.json();
    assert!(bot["activeRevHash"].is_string(), "{bot}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_was_deleted_on_the_server_is_named_and_keeps_no_other_back() {
    let desk = Desk::new().await;
    let (first, second) = (chain("first-bot", "a"), chain("second-bot", "b"));
    desk.bot(&first).await;
    desk.bot(&second).await;
    desk.ends(&["pull", "bots"], 0);
    desk.ends(&["bots", "delete", "first-bot", "--without-export"], 0);
    desk.write("first-bot.json", &edited(&first, "Edited here"));
    desk.write("second-bot.json", &edited(&second, "Edited here"));

    let told = desk.ends(&["diff", "bots"], 2);
    assert!(told.contains("first-bot  deleted on the server"), "{told}");
    assert!(told.contains("delete the file and run `botloom pull`"), "{told}");
    let told = desk.json(&["diff", "bots", "--json"], 2);
    assert_eq!(told["bots"][0]["state"], "deleted");
    let told = desk.ends(&["apply", "bots"], 1);
    assert!(told.contains("first-bot: deleted on the server"), "{told}");
    assert_eq!(desk.versions("second-bot").await, [2, 1]);
    let told = desk.json(&["apply", "bots", "--json"], 1);
    let results = ["deleted", "unchanged"].map(Value::from);
    assert_eq!(
        [&told["bots"][0]["result"], &told["bots"][1]["result"]],
        results.each_ref()
    );

    // A pull keeps the file, says so, and goes on with the others; until the file is gone.
    desk.post(&edited(&second, "Edited on the server")).await;
    let told = desk.ends(&["pull", "bots"], 1);
    assert!(
        told.contains("deleted on the server, but its file is still here: first-bot"),
        "{told}"
    );
    assert!(desk.read("first-bot.json").contains("Edited here"));
    assert!(desk.read("second-bot.json").contains("Edited on the server"));
    assert!(desk.read("botloom.lock").contains("first-bot"));
    std::fs::remove_file(desk.file("first-bot.json")).unwrap();
    desk.ends(&["pull", "bots"], 0);
    assert!(!desk.read("botloom.lock").contains("first-bot"));
    desk.ends(&["diff", "bots"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_whose_file_was_deleted_here_is_named_and_lives() {
    let desk = Desk::new().await;
    desk.bot(&chain("first-bot", "a")).await;
    desk.bot(&chain("second-bot", "b")).await;
    desk.ends(&["pull", "bots"], 0);
    std::fs::remove_file(desk.file("second-bot.json")).unwrap();
    for (command, code) in [("diff", 2), ("apply", 0)] {
        let told = desk.ends(&[command, "bots"], code);
        assert!(
            told.contains("second-bot  file deleted here, but the bot is still on the server"),
            "{told}"
        );
        assert!(!told.contains("first-bot  file"), "{told}");
    }
    let told = desk.json(&["diff", "bots", "--json"], 2);
    let expected = json!({ "botId": "second-bot", "version": 1, "state": "no-file" });
    assert_eq!(told["bots"][1], expected);
    let told = desk.json(&["apply", "bots", "--json"], 0);
    assert_eq!(told["bots"][1]["result"], "no-file");
    assert_eq!(desk.versions("second-bot").await, [1]);
    desk.ends(&["pull", "bots"], 0);
    desk.ends(&["diff", "bots"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_comes_to_a_server_that_never_had_its_bots() {
    let desk = Desk::new().await;
    desk.bot(&chain("first-bot", "a")).await;
    desk.ends(&["pull", "bots"], 0);
    let other = Desk::new().await;
    let there = [("BOTLOOM_SERVER", other.server.url(""))];
    let there = there.each_ref().map(|(key, url)| (*key, url.as_str()));
    let told = desk.ends_with(&there, &["apply", "bots"], 0);
    assert!(told.contains("created"), "{told}");
    assert_eq!(other.versions("first-bot").await, [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_fails_keeps_no_other_back() {
    let desk = Desk::new().await;
    desk.ends(&["bots", "create", "a-bot"], 0);
    desk.ends(&["bots", "delete", "a-bot", "--without-export"], 0);
    desk.write("a-bot.json", &chain("a-bot", "a"));
    desk.write("b-bot.json", &chain("b-bot", "b"));
    let told = desk.json(&["apply", "bots", "--deploy", "--wait", "--json"], 1);
    let (first, second) = (&told["bots"][0], &told["bots"][1]);
    assert_eq!(
        (&first["result"], &first["deployment"]),
        (&json!("refused"), &Value::Null)
    );
    assert!(
        first["error"].as_str().unwrap().contains("id is taken"),
        "{first}"
    );
    assert_eq!(
        (&second["result"], &second["deployment"]),
        (&json!("created"), &json!("live, epoch 1"))
    );
    let told = desk.ends(&["apply", "bots"], 1);
    assert!(told.contains("a-bot: The bot id is taken"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_at_a_time_writes_into_a_folder() {
    let desk = Desk::new().await;
    desk.write("first-bot.json", &chain("first-bot", "a"));
    desk.ends(&["apply", "bots"], 0);
    desk.write("first-bot.json", &chain("first-bot", "b"));
    for args in [
        &["apply", "bots"][..],
        &["apply", "bots/first-bot.json"],
        &["pull", "bots"],
    ] {
        let folder = std::fs::File::open(desk.folder()).unwrap();
        folder.lock().unwrap();
        let mut second = binary()
            .args(args)
            .current_dir(desk.dir.path())
            .env("BOTLOOM_SERVER", desk.server.url(""))
            .env("BOTLOOM_EMAIL", EMAIL)
            .env("BOTLOOM_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(second.stderr.take().unwrap());
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        assert!(
            line.contains("works in bots; waiting for its end"),
            "{args:?}: {line}"
        );
        // What the first one does meanwhile is what the second one finds.
        let bot = format!("{}-bot", if args[0] == "pull" { "third" } else { "first" });
        desk.write(
            &format!("{bot}.json"),
            &edited(&chain(&bot, "c"), &args.join(" ")),
        );
        drop(folder);
        let mut rest = String::new();
        told.read_to_string(&mut rest).unwrap();
        assert_eq!(second.wait().unwrap().code(), Some(0), "{args:?}: {rest}");
    }
    assert_eq!(desk.versions("first-bot").await, [3, 2, 1]);
    let newest = desk.api.get("/spec/latest?botId=first-bot").await.json();
    assert_eq!(
        newest["flows"][0]["steps"][0]["text"],
        "apply bots/first-bot.json"
    );
    // Who only looks waits for nobody.
    let folder = std::fs::File::open(desk.folder()).unwrap();
    folder.lock().unwrap();
    desk.ends(&["diff", "bots"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_written_beside_what_others_write() {
    let desk = Desk::new().await;
    desk.bot(&chain("first-bot", "a")).await;
    // What a fixed name for drafts would run into.
    for taken in ["botloom.lock.tmp", "first-bot.json.tmp"] {
        std::fs::create_dir_all(desk.file(taken)).unwrap();
    }
    desk.ends(&["pull", "bots"], 0);
    assert!(desk.read("botloom.lock").contains("first-bot"));
    let mut names: Vec<_> = std::fs::read_dir(desk.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "botloom.lock",
        "botloom.lock.tmp",
        "first-bot.json",
        "first-bot.json.tmp",
    ];
    assert_eq!(names, expected, "no draft is left");
}
