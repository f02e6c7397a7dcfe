//! Telegram's door, to those who are not Telegram.

use std::time::Duration;

use serde_json::json;

use crate::support::http::Http;
use crate::support::specs;
use crate::support::stories::Storage;
use crate::support::world::{PATIENCE, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_secret_of_another_bot_opens_nothing_and_a_deleted_bot_is_gone() {
    let world = World::start(Storage::Embedded, &[]).await;
    let one = world
        .bot(&specs::chain("one-bot", ""), 7_100_000_070, "webhook")
        .await;
    let other = world
        .bot(&specs::chain("other-bot", ""), 7_100_000_071, "webhook")
        .await;
    let post = async |bot: &str, secret: &str, update: String| {
        let headers = [
            ("content-type", "application/json"),
            ("x-telegram-bot-api-secret-token", secret),
        ];
        Http::new()
            .send("POST", &world.door(&format!("/wh/{bot}")), &headers, update)
            .await
            .unwrap()
    };
    let (own, foreign) = (world.secret(one), world.secret(other));
    let update = |id: serde_json::Value| {
        json!({"update_id": id, "message": {"message_id": 1, "date": 1, "text": "/n 1",
            "from": {"id": 5, "is_bot": false, "first_name": "A"}, "chat": {"id": 5, "type": "private"}}})
        .to_string()
    };
    let answer = post("one-bot", &foreign, update(json!(1))).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (401, 0));
    // A number that no update has, from Telegram itself: taken, or it would come again for a day.
    for odd in [json!(9_223_372_036_854_775_808_u64), json!(1.5), json!(null)] {
        let taken = until_other(&[429, 503], async || {
            post("one-bot", &own, update(odd.clone())).await.status.as_u16()
        });
        assert_eq!(taken.await, 200, "{odd}");
    }
    let person = world.person("Ada", "en");
    assert_eq!(world.ask(one, person, "/n 7", 1).await, ["->7"]);
    let deleted = world
        .api
        .request("DELETE", "/bots/one-bot", &[], "")
        .await
        .unwrap();
    assert_eq!(deleted.status, 204);
    // The node may hear of it a moment later: the secret is withdrawn first, then the bot is gone for good.
    let gone = until_other(&[200, 401, 429, 503], async || {
        post("one-bot", &own, update(json!(3))).await.status.as_u16()
    });
    assert_eq!(gone.await, 410);
}

/// Asks until the answer is none of these.
async fn until_other(these: &[u16], mut ask: impl AsyncFnMut() -> u16) -> u16 {
    let asking = tokio::time::timeout(PATIENCE, async {
        loop {
            let status = ask().await;
            if !these.contains(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    asking.await.expect("another answer")
}
