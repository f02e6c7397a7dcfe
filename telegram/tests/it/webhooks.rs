//! Delivery to a real receiver: order, retries, pauses, expiry, trouble on the way.

use std::sync::Arc;
use std::time::Duration;

use botloom_telegram::SetWebhook;
use botloom_telegram::simulator::{Filter, Options, WebhookChaos};
use serde_json::json;
use tokio::net::TcpListener;

use crate::receiver::{Hooked, Receiver, texts};
use crate::{BOT, PATIENCE, Scene, refusal};

#[tokio::test]
async fn pending_and_new_updates_with_the_secret() {
    let h = Hooked::unset(1.0).await;
    let secret = Some("s3cret-_A");
    h.set(&SetWebhook {
        url: &h.url,
        secret_token: secret,
        max_connections: Some(7),
        ..SetWebhook::default()
    })
    .await;
    h.say("hi");
    let got = h.receiver.wait(2).await;
    assert_eq!(texts(&got), ["/start", "hi"]);
    assert!(got.iter().all(|got| got.secret.as_deref() == secret));
    h.drained().await;
    let info = h.info().await;
    assert_eq!(
        (info.url.as_str(), info.max_connections, info.last_error_date),
        (h.url.as_str(), Some(7), None)
    );
    h.s.client.delete_webhook(&h.s.token, false).await.unwrap();
    assert_eq!(h.info().await.url, "");
}

#[tokio::test]
async fn settings_that_are_refused() {
    let h = Hooked::unset(1.0).await;
    let set = |url: &'static str, secret: Option<String>| {
        let s = &h.s;
        async move {
            let webhook = SetWebhook {
                url,
                secret_token: secret.as_deref(),
                ..SetWebhook::default()
            };
            refusal(s.client.set_webhook(&s.token, &webhook).await).1
        }
    };
    assert_eq!(
        set("nowhere", None).await,
        "Bad Request: invalid webhook URL specified"
    );
    let ours = "http://127.0.0.1:1/";
    assert_eq!(
        set(ours, Some("a b".into())).await,
        "Bad Request: secret token contains unallowed characters"
    );
    assert_eq!(
        set(ours, Some("a".repeat(257))).await,
        "Bad Request: secret token is too long"
    );
}

#[tokio::test]
async fn changes_come_at_most_once_a_second() {
    let s = Scene::with(Options::default()).await;
    let (_receiver, url) = Receiver::start().await;
    let webhook = SetWebhook {
        url: &url,
        ..SetWebhook::default()
    };
    s.client.set_webhook(&s.token, &webhook).await.unwrap();
    s.client
        .set_webhook(&s.token, &webhook)
        .await
        .expect("the same again is no change");
    let other = SetWebhook {
        url: "http://127.0.0.1:1/",
        ..webhook
    };
    assert_eq!(
        refusal(s.client.set_webhook(&s.token, &other).await),
        (429, "Too Many Requests: retry after 1".into())
    );
}

#[tokio::test]
async fn failures_are_tried_again_in_order() {
    let h = Hooked::new(20.0).await;
    for status in [500, 404, 302] {
        h.receiver.next(status, &[], "");
    }
    let first = h.say("a");
    h.say("b");
    let got = h.receiver.wait(5).await;
    assert_eq!(texts(&got), ["a", "a", "a", "a", "b"]);
    h.drained().await;
    let attempts: Vec<_> = h
        .deliveries()
        .into_iter()
        .filter(|(id, ..)| *id == first)
        .collect();
    assert_eq!(
        attempts,
        [(first, 1, 500), (first, 2, 404), (first, 3, 302), (first, 4, 200)]
    );
    let info = h.info().await;
    assert_eq!(
        info.last_error_message.as_deref(),
        Some("Wrong response from the webhook: 302 Found")
    );
    assert!(info.last_error_date.is_some(), "success does not clear it");
}

#[tokio::test]
async fn retry_after_holds_one_queue_alone() {
    let h = Hooked::new(1.0).await;
    let bea = h.s.sim.person("Bea");
    h.receiver.next(429, &[("retry-after", "1")], "");
    h.say("held");
    h.receiver.wait(1).await;
    h.s.sim.say(BOT, bea.id, "passes").unwrap();
    assert_eq!(texts(&h.receiver.wait(3).await), ["held", "passes", "held"]);
}

#[tokio::test]
async fn one_at_a_time_per_queue_and_few_in_all() {
    let h = Hooked::unset(1.0).await;
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    *h.receiver.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let people: Vec<_> = (0..6).map(|n| h.s.sim.person(&format!("P{n}")).id).collect();
    for text in ["1", "2", "3"] {
        for person in &people {
            h.s.sim.say(BOT, *person, text).unwrap();
        }
    }
    h.set(&SetWebhook {
        url: &h.url,
        max_connections: Some(4),
        ..SetWebhook::default()
    })
    .await;
    h.receiver.wait(4).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(h.receiver.got.lock().unwrap().len(), 4, "max_connections");
    gate.add_permits(100);
    let got = h.receiver.wait(19).await;
    for person in people {
        let key = format!("message {person}");
        let mine: Vec<_> = got.iter().filter(|got| got.key == key).cloned().collect();
        assert_eq!(texts(&mine), ["1", "2", "3"]);
    }
    assert_eq!(h.receiver.flying.lock().unwrap().1, 1, "one per queue");
}

#[tokio::test]
async fn what_expires_is_dropped() {
    // 150 s of a press are one and a half here.
    let h = Hooked::new(100.0).await;
    *h.receiver.usual.lock().unwrap() = Some((500, ""));
    let markup = json!({ "inline_keyboard": [[{ "text": "a", "callback_data": "b" }]] });
    let sent =
        h.s.call(
            "sendMessage",
            json!({ "chat_id": h.s.ann.id, "text": "x", "reply_markup": markup }),
        )
        .await;
    let id = sent.unwrap()["message_id"].as_i64().unwrap();
    let pressed = h.s.sim.press(BOT, h.s.ann.id, h.s.ann.id, id, "a").unwrap();
    h.drained().await;
    let attempts = h
        .deliveries()
        .into_iter()
        .filter(|(id, ..)| Some(*id) == pressed.update_id)
        .count();
    assert!((2..=9).contains(&attempts), "{attempts} attempts in 150 s");
    *h.receiver.usual.lock().unwrap() = None;
    h.receiver.got.lock().unwrap().clear();
    h.say("alive");
    assert_eq!(texts(&h.receiver.wait(1).await), ["alive"]);
}

#[tokio::test]
async fn gone_for_a_day_is_gone() {
    // 23 hours are about a second here.
    let h = Hooked::new(80_000.0).await;
    *h.receiver.usual.lock().unwrap() = Some((410, ""));
    let removed = async {
        while !h.info().await.url.is_empty() {
            // Somebody has to write: what is refused for a day is gone by then.
            h.say("x");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, removed)
        .await
        .expect("23 hours of 410 remove the webhook");
}

#[tokio::test]
async fn nobody_there() {
    let h = Hooked::new(50.0).await;
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}/");
    h.set(&SetWebhook {
        url: &url,
        ..SetWebhook::default()
    })
    .await;
    h.say("x");
    let told = async {
        loop {
            if let Some(words) = h.info().await.last_error_message {
                return words;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let words = tokio::time::timeout(PATIENCE, told)
        .await
        .expect("the failure is told");
    assert!(words.contains("refused"), "{words}");
    assert_eq!(h.info().await.pending_update_count, 1, "kept for later");
    h.set(&SetWebhook {
        url: &h.url,
        ..SetWebhook::default()
    })
    .await;
    assert_eq!(
        texts(&h.receiver.wait(1).await),
        ["x"],
        "it survives the change of address"
    );
    h.drained().await;
    h.set(&SetWebhook {
        url: &url,
        drop_pending_updates: true,
        ..SetWebhook::default()
    })
    .await;
    assert_eq!(h.info().await.pending_update_count, 0);
}

#[tokio::test]
async fn duplicates_cuts_and_slow_bodies() {
    let h = Hooked::new(50.0).await;
    h.s.sim
        .set_chaos(
            BOT,
            WebhookChaos {
                duplicate: 1,
                ..WebhookChaos::default()
            },
        )
        .unwrap();
    let id = h.say("twice");
    let got = h.receiver.wait(2).await;
    assert!(got.iter().all(|got| got.update["update_id"] == json!(id)));
    h.drained().await;

    h.receiver.got.lock().unwrap().clear();
    let chaos = WebhookChaos {
        cut: 1,
        slow: 1,
        slow_ms: 50,
        ..WebhookChaos::default()
    };
    h.s.sim.set_chaos(BOT, chaos).unwrap();
    let id = h.say("cut first, slow then");
    h.receiver.wait(1).await;
    h.drained().await;
    let attempts: Vec<_> = h
        .deliveries()
        .into_iter()
        .filter(|(update, ..)| *update == id)
        .collect();
    assert_eq!(
        attempts,
        [(id, 1, 0), (id, 2, 200)],
        "the cut one never arrived as a whole"
    );
    assert_eq!(h.receiver.got.lock().unwrap().len(), 1);
    assert_eq!(
        h.info().await.last_error_message,
        None,
        "closed connections are not reported"
    );

    h.s.sim
        .set_chaos(
            BOT,
            WebhookChaos {
                hold: true,
                shuffle: true,
                ..WebhookChaos::default()
            },
        )
        .unwrap();
    h.receiver.got.lock().unwrap().clear();
    let people: Vec<_> = (0..12).map(|n| h.s.sim.person(&format!("P{n}")).id).collect();
    for person in &people {
        h.s.sim.say(BOT, *person, &person.to_string()).unwrap();
    }
    h.s.sim
        .set_chaos(
            BOT,
            WebhookChaos {
                shuffle: true,
                ..WebhookChaos::default()
            },
        )
        .unwrap();
    let got = h.receiver.wait(12).await;
    let mut order: Vec<_> = texts(&got)
        .iter()
        .map(|text| text.parse::<i64>().unwrap())
        .collect();
    assert_ne!(order, people, "the seed makes this certain");
    order.sort_unstable();
    assert_eq!(order, people);
}

#[tokio::test]
async fn a_method_in_the_answer() {
    let h = Hooked::new(1.0).await;
    let json = [("content-type", "application/json")];
    let call = json!({ "method": "sendMessage", "chat_id": h.s.ann.id, "text": "from the answer" });
    h.receiver.next(200, &json, &call.to_string());
    h.receiver
        .next(200, &json, &json!({ "method": "deleteWebhook" }).to_string());
    h.receiver
        .next(200, &[], "method=sendChatAction&action=typing&chat_id=1");
    let position = h.s.sim.position();
    h.say("1");
    let seen =
        h.s.sim
            .wait_messages(BOT, h.s.ann.id, position, 1, PATIENCE)
            .await
            .unwrap();
    assert_eq!(seen[0].text(), "from the answer");
    h.say("2");
    h.say("3");
    let typing = Filter {
        method: Some("sendChatAction".into()),
        ..Filter::default()
    };
    h.s.sim.wait_journal(&typing, 1, PATIENCE).await.unwrap();
    assert_eq!(h.info().await.url, h.url, "this one is not allowed there");
}

#[tokio::test]
async fn the_simulator_ends_with_its_last_handle() {
    let h = Hooked::new(1.0).await;
    let Hooked {
        s: Scene {
            sim, client, token, ..
        },
        ..
    } = h;
    drop(sim);
    let gone = async { while client.get_me(&token).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("nobody answers any more");
}
