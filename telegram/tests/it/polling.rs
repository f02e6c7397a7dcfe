//! `getUpdates`: waiting, confirming, conflicts.

use std::time::Duration;

use botloom_telegram::update::Routed;
use botloom_telegram::{Class, GetUpdates, SetWebhook, classify};
use serde_json::json;

use crate::{BOT, Scene, refusal};

fn ids(updates: &[Box<serde_json::value::RawValue>]) -> Vec<i64> {
    updates
        .iter()
        .map(|update| Routed::parse(update.get()).unwrap().update_id)
        .collect()
}

#[tokio::test]
async fn offsets_confirm() {
    let s = Scene::new().await;
    for n in 0..4 {
        s.sim.say(BOT, s.ann.id, &n.to_string()).unwrap();
    }
    let poll = |offset, limit| {
        s.client.get_updates(
            &s.token,
            GetUpdates {
                offset,
                limit,
                ..GetUpdates::default()
            },
        )
    };
    let all = ids(&poll(0, 0).await.unwrap());
    assert_eq!(all.len(), 5);
    assert!(all.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!(
        ids(&poll(all[2], 2).await.unwrap()),
        all[2..4],
        "the first two are confirmed"
    );
    assert_eq!(s.sim.bot_state(BOT).unwrap().pending, 3);
    assert_eq!(
        ids(&poll(all[4] + 100, 0).await.unwrap()),
        all[2..],
        "an offset far ahead is ignored"
    );
    assert_eq!(
        ids(&poll(-1, 0).await.unwrap()),
        all[4..],
        "the last one, and the others forgotten"
    );
    assert_eq!(ids(&poll(all[4] + 1, 0).await.unwrap()), [0_i64; 0]);
    assert_eq!(s.sim.bot_state(BOT).unwrap().pending, 0);
}

#[tokio::test]
async fn a_poll_waits_for_an_update() {
    let s = Scene::new().await;
    let start = ids(&s
        .client
        .get_updates(&s.token, GetUpdates::default())
        .await
        .unwrap())[0];
    let poll = GetUpdates {
        offset: start + 1,
        timeout_secs: 30,
        ..GetUpdates::default()
    };
    let (updates, ()) = tokio::join!(s.client.get_updates(&s.token, poll), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        s.sim.say(BOT, s.ann.id, "late").unwrap();
    });
    let updates = updates.unwrap();
    assert_eq!(Routed::parse(updates[0].get()).unwrap().text(), "late");
    let empty = GetUpdates {
        offset: start + 2,
        timeout_secs: 1,
        ..GetUpdates::default()
    };
    assert!(s.client.get_updates(&s.token, empty).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_polls() {
    let s = Scene::new().await;
    let start = ids(&s
        .client
        .get_updates(&s.token, GetUpdates::default())
        .await
        .unwrap())[0];
    let poll = GetUpdates {
        offset: start + 1,
        timeout_secs: 30,
        ..GetUpdates::default()
    };
    let (first, second) = tokio::join!(s.client.get_updates(&s.token, poll), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (second, ()) = tokio::join!(s.client.get_updates(&s.token, poll), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            s.sim.say(BOT, s.ann.id, "for the second").unwrap();
        });
        second
    });
    let error = first.unwrap_err();
    assert_eq!(classify(&error, "getUpdates"), Class::ConflictingConsumer);
    assert!(
        error
            .to_string()
            .contains("terminated by other getUpdates request"),
        "{error}"
    );
    assert_eq!(second.unwrap().len(), 1);
}

#[tokio::test]
async fn a_webhook_ends_polling() {
    let s = Scene::new().await;
    let start = ids(&s
        .client
        .get_updates(&s.token, GetUpdates::default())
        .await
        .unwrap())[0];
    let poll = GetUpdates {
        offset: start + 1,
        timeout_secs: 30,
        ..GetUpdates::default()
    };
    let hook = SetWebhook {
        url: "http://127.0.0.1:9/",
        ..SetWebhook::default()
    };
    let (polled, ()) = tokio::join!(s.client.get_updates(&s.token, poll), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        s.client.set_webhook(&s.token, &hook).await.unwrap();
    });
    assert_eq!(
        refusal(polled),
        (409, "Conflict: terminated by setWebhook request".into())
    );
    s.client.delete_webhook(&s.token, false).await.unwrap();
    s.client.set_webhook(&s.token, &hook).await.unwrap();
    let (code, words) = refusal(s.client.get_updates(&s.token, poll).await);
    assert_eq!(code, 409);
    assert!(
        words.contains("can't use getUpdates method while webhook is active"),
        "{words}"
    );
    s.client.delete_webhook(&s.token, false).await.unwrap();
    s.sim.say(BOT, s.ann.id, "kept").unwrap();
    assert_eq!(s.client.get_updates(&s.token, poll).await.unwrap().len(), 1);
}

#[tokio::test]
async fn kinds_are_subscribed_to() {
    let s = Scene::new().await;
    let kinds = GetUpdates {
        allowed_updates: Some(&["callback_query", "no_such"]),
        ..GetUpdates::default()
    };
    assert_eq!(
        s.client.get_updates(&s.token, kinds).await.unwrap().len(),
        1,
        "made before"
    );
    assert_eq!(s.sim.say(BOT, s.ann.id, "unwanted").unwrap().update_id, None);
    let info = s.call("getWebhookInfo", json!({})).await.unwrap();
    assert_eq!(info["allowed_updates"], json!(["callback_query"]));
    let usual = GetUpdates {
        allowed_updates: Some(&[]),
        ..GetUpdates::default()
    };
    s.client.get_updates(&s.token, usual).await.unwrap();
    assert!(s.sim.say(BOT, s.ann.id, "wanted").unwrap().update_id.is_some());
}
