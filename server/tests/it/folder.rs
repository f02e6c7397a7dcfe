//! A folder of specs in git: `pull`, `diff`, `apply`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::desk::Desk;
use crate::support::specs::chain;

impl Desk {
    /// A bot on the server.
    async fn bot(&self, spec: &Value) {
        self.api.create_bot(spec).await;
        self.post(spec).await;
    }

    async fn post(&self, spec: &Value) {
        let stored = self.api.post("/spec", spec).await;
        assert!(stored.status.is_success(), "{stored:?}");
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("bots")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    fn write(&self, name: &str, spec: &Value) {
        std::fs::create_dir_all(self.folder()).unwrap();
        std::fs::write(self.file(name), spec.to_string()).unwrap();
    }

    /// Numbers of all versions, newest first.
    async fn versions(&self, bot: &str) -> Vec<u64> {
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
fn edited(spec: &Value, text: &str) -> Value {
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
    }
    let bots = desk.api.get("/bots").await.json();
    assert_eq!(bots["items"], json!([]));
    // Without options of another kind of apply, and with what cannot be read at all.
    desk.ends(&["apply", "bots", "--connect", "polling"], 1);
    desk.ends(&["apply", "bots/a-bot.json", "--json"], 1);
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
