//! The commands about bots as a whole: a staging bot and its production bot, an export and what becomes of it.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::desk::Desk;
use crate::support::specs::chain;

impl Desk {
    async fn content(&self, bot: &str, version: u64) -> Value {
        self.api.get(&format!("/spec/{version}?botId={bot}")).await.json()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spec_is_tried_out_on_staging_and_promoted() {
    let desk = Desk::new().await;
    desk.ends(&["bots", "create", "shop", "--name", "The shop"], 0);
    desk.ends(&["bots", "create", "shop-staging", "--staging-of", "shop"], 0);
    assert!(desk.ends(&["promote", "shop-staging"], 1).contains("409"));
    desk.api.go_live(&chain("shop-staging", "a")).await;
    assert!(
        desk.ends(&["bots", "show", "shop-staging"], 0)
            .contains("production is behind")
    );
    desk.ends(&["promote", "shop-staging", "--dry-run"], 2);

    let told = desk.ends(&["promote", "shop-staging", "--deploy", "--wait"], 0);
    assert!(
        told.contains("shop-staging version 1 is shop version 1"),
        "{told}"
    );
    assert!(told.contains("shop is live, epoch 1"), "{told}");
    let mut expected = desk.content("shop-staging", 1).await;
    expected["meta"]["botId"] = json!("shop");
    assert_eq!(desk.content("shop", 1).await, expected);
    let told = desk.ends(&["promote", "shop-staging", "--dry-run"], 0);
    assert!(told.contains("nothing to promote"), "{told}");
    let told = desk.ends(&["promote", "shop-staging", "--deploy", "--wait"], 0);
    assert!(
        told.contains("shop runs it already: nothing to promote"),
        "{told}"
    );
    assert_eq!(desk.json(&["bots", "show", "shop", "--json"], 0)["epoch"], 1);
    let again = desk.json(&["promote", "shop-staging", "--wait", "--json"], 0);
    assert_eq!((&again["created"], &again["version"]), (&json!(false), &json!(1)));

    desk.api.go_live(&chain("shop-staging", "b")).await;
    let told = desk.ends(&["promote", "shop-staging", "--dry-run"], 2);
    assert!(
        told.contains("production is behind") && told.lines().count() > 1,
        "{told}"
    );
    let next = desk.json(&["promote", "shop-staging", "--deploy", "--wait", "--json"], 0);
    assert_eq!(next["version"], 2);
    let shop = desk.json(&["bots", "show", "shop", "--json"], 0);
    assert_eq!(
        (&shop["activeRevHash"], &shop["epoch"]),
        (&next["revHash"], &json!(2))
    );
    // The programs are the same but for the name that they were built for.
    let program = async |rev: &Value| {
        let path = format!("/revisions/{}/artifacts/bot.js", rev.as_str().unwrap());
        String::from_utf8(desk.api.get(&path).await.body.to_vec()).unwrap()
    };
    let staging = desk.json(&["bots", "show", "shop-staging", "--json"], 0);
    let (here, there) = (
        program(&shop["activeRevHash"]).await,
        program(&staging["activeRevHash"]).await,
    );
    assert_eq!(here, there.replace("shop-staging", "shop"));

    desk.ends(&["bots", "unstage", "shop-staging"], 0);
    desk.ends(&["promote", "shop-staging"], 1);
    let refused = desk.ends(&["bots", "stage", "shop", "shop"], 1);
    assert!(refused.contains("409"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_is_exported_deleted_and_imported_under_another_name() {
    let desk = Desk::new().await;
    let (first, second) = (chain("old-shop", "a"), chain("old-shop", "b"));
    desk.api.create_bot(&first).await;
    desk.api.go_live(&first).await;
    desk.api.post("/spec?note=the%20second", &second).await;
    desk.api.post("/spec/1/restore?botId=old-shop", &json!({})).await;
    desk.ends(&["bots", "pause", "old-shop"], 0);
    assert!(desk.ends(&["bots", "show", "old-shop"], 0).contains("PAUSED"));
    desk.ends(&["bots", "resume", "old-shop"], 0);
    desk.ends(&["bots", "rename", "old-shop", "The old shop"], 0);

    let wrong = desk.botloom(&["bots", "delete", "old-shop"]);
    assert_eq!(
        wrong.code,
        Some(64),
        "one must say what becomes of the data: {wrong:?}"
    );
    let file = desk.dir.path().join("shop.tar");
    std::fs::write(&file, "mine").unwrap();
    desk.ends(&["bots", "delete", "old-shop", "--export", "shop.tar"], 1);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "mine",
        "no file is written over"
    );
    std::fs::remove_file(&file).unwrap();
    assert_eq!(
        desk.json(&["bots", "list", "--json"], 0)[0]["name"],
        "The old shop"
    );
    desk.ends(&["bots", "delete", "old-shop", "--export", "shop.tar"], 0);
    assert_eq!(desk.json(&["bots", "list", "--json"], 0), json!([]));
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let taken = desk.ends(&["bots", "import", "shop.tar"], 1);
    assert!(taken.contains("409"), "the id stays taken: {taken}");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(desk.dir.path().join("cut.tar"), &whole[..whole.len() / 2]).unwrap();
    desk.ends(&["bots", "import", "cut.tar", "--as", "new-shop"], 1);
    assert_eq!(
        desk.json(&["bots", "list", "--json"], 0),
        json!([]),
        "what is not whole makes no bot"
    );
    let made = desk.json(&["bots", "import", "shop.tar", "--as", "new-shop", "--json"], 0);
    assert_eq!(made, json!({ "botId": "new-shop", "versions": 3 }));
    let list = desk.api.get("/spec?botId=new-shop").await.json();
    let told: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["version"].clone(),
                one["note"].clone(),
                one["restoredFrom"].clone(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (json!(3), Value::Null, json!(1)),
            (json!(2), json!("the second"), Value::Null),
            (json!(1), Value::Null, Value::Null),
        ]
    );
    let bot = desk.json(&["bots", "show", "new-shop", "--json"], 0);
    assert_eq!(bot["name"], "The old shop");
    desk.ends(&["bots", "delete", "new-shop", "--without-export"], 0);
}
