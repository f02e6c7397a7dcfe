//! People who connect and disconnect while Telegram is being asked.

use std::sync::Arc;

use botloom_core::model::{IngressMode, SealedToken};
use botloom_core::ports::Connection;
use botloom_core::secret::Secret;
use botloom_telegram::simulator::{Action, Fault};
use serde_json::json;
use tokio::task::JoinHandle;

use super::{Clinic, ROUND_MS, eventually, fault, id, name, number};
use crate::support::{Answer, Client};

/// How a bot is connected, and what Telegram is asked to do for it.
const WEBHOOK: (&str, &str) = ("webhook", "setWebhook");
const POLLING: (&str, &str) = ("polling", "deleteWebhook");

/// A bot with a token that is not connected.
async fn idle_bot(clinic: &Clinic) {
    clinic.bot(0, "polling").await;
    off(&clinic.owner).await.expect(200);
}

async fn connect(owner: &Client, ingress: &str) -> Answer {
    let path = format!("/bots/{}/connect", name(0));
    owner.post(&path, &json!({ "ingress": ingress })).await
}

async fn off(owner: &Client) -> Answer {
    let path = format!("/bots/{}/disconnect", name(0));
    owner.post(&path, &json!({})).await
}

/// Connects, and does something else while Telegram holds that. Answers what connecting came to.
async fn connect_and_meanwhile(
    clinic: &Arc<Clinic>,
    how: (&'static str, &str),
    meanwhile: impl AsyncFnOnce(),
) -> Answer {
    let connecting = hold(clinic, how).await;
    meanwhile().await;
    clinic.server.telegram.clear_faults();
    connecting.await.unwrap()
}

/// Connects as far as to Telegram, which holds the call.
async fn hold(clinic: &Arc<Clinic>, (ingress, method): (&'static str, &str)) -> JoinHandle<Answer> {
    let telegram = &clinic.server.telegram;
    telegram.add_fault(fault(method, Some(1), Action::Hold));
    let connecting = {
        let clinic = Arc::clone(clinic);
        tokio::spawn(async move { connect(&clinic.owner, ingress).await })
    };
    eventually("it is held", async || telegram.faults().is_empty()).await;
    connecting
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_disconnected_while_it_is_being_connected_stays_off() {
    let clinic = Arc::new(Clinic::patient(0).await);
    idle_bot(&clinic).await;
    let answer = connect_and_meanwhile(&clinic, WEBHOOK, async || {
        off(&clinic.owner).await.expect(200);
    })
    .await;
    answer.refused(409, "connection-changed");
    assert_eq!(clinic.set_calls(0).len(), 1, "Telegram had it for a moment");
    assert_eq!(clinic.info(0).await.url, "");
    assert_eq!(clinic.row(0).await.ingress, None);
    let noted = clinic
        .owner
        .get("/audit?verb=bot.connect-failed")
        .await
        .expect(200)
        .json();
    assert_eq!(
        noted["items"][0]["after"],
        "disconnected, webhook failed: connection-changed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_polled_since_has_no_webhook() {
    let clinic = Arc::new(Clinic::patient(0).await);
    idle_bot(&clinic).await;
    let answer = connect_and_meanwhile(&clinic, WEBHOOK, async || {
        connect(&clinic.owner, "polling").await.expect(200);
    })
    .await;
    answer.refused(409, "connection-changed");
    assert_eq!(clinic.info(0).await.url, "");
    assert_eq!(clinic.row(0).await.ingress, Some(IngressMode::Polling));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_disconnected_before_it_is_polled_stays_off() {
    let clinic = Arc::new(Clinic::patient(1).await);
    for ingress in ["webhook", "polling"] {
        connect(&clinic.owner, ingress).await.expect(200);
        let answer = connect_and_meanwhile(&clinic, POLLING, async || {
            off(&clinic.owner).await.expect(200);
        })
        .await;
        answer.refused(409, "connection-changed");
        assert_eq!(clinic.row(0).await.ingress, None, "by {ingress} before");
        assert_eq!(clinic.info(0).await.url, "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_was_set_meanwhile_is_there_after_polling_was_tried() {
    let clinic = Arc::new(Clinic::patient(0).await);
    idle_bot(&clinic).await;
    let answer = connect_and_meanwhile(&clinic, POLLING, async || {
        connect(&clinic.owner, "webhook").await.expect(200);
    })
    .await;
    answer.refused(409, "connection-changed");
    assert_eq!(clinic.row(0).await.ingress, Some(IngressMode::Webhook));
    assert_eq!(clinic.info(0).await.url, "http://bots.example:8080/wh/bot-00");
    let secrets: Vec<_> = clinic.set_calls(0).into_iter().map(|call| call.1).collect();
    assert_eq!(secrets.len(), 2);
    assert_eq!(secrets[0]["secret_token"], secrets[1]["secret_token"]);
    // Who wants the same agrees.
    off(&clinic.owner).await.expect(200);
    let answer = connect_and_meanwhile(&clinic, POLLING, async || {
        connect(&clinic.owner, "polling").await.expect(200);
    })
    .await;
    answer.expect(200);
    assert_eq!(clinic.row(0).await.ingress, Some(IngressMode::Polling));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_while_the_webhook_is_set_leaves_none_behind() {
    let clinic = Arc::new(Clinic::patient(0).await);
    idle_bot(&clinic).await;
    let connecting = hold(&clinic, WEBHOOK).await;
    connecting.abort();
    assert!(connecting.await.unwrap_err().is_cancelled());
    off(&clinic.owner).await.expect(200);
    let removed = clinic.calls("deleteWebhook").len();
    clinic.server.telegram.clear_faults();
    eventually("it is removed", async || {
        clinic.set_calls(0).len() == 1 && clinic.calls("deleteWebhook").len() == removed + 1
    })
    .await;
    assert_eq!(clinic.info(0).await.url, "");
    assert_eq!(clinic.row(0).await.ingress, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_renamed_while_it_is_being_connected_is_connected() {
    let clinic = Arc::new(Clinic::patient(0).await);
    idle_bot(&clinic).await;
    connect(&clinic.owner, "webhook").await.expect(200);
    let again = connect_and_meanwhile(&clinic, WEBHOOK, async || {
        // A change that has nothing to do with how it is connected.
        let catalog = &clinic.server.ports.catalog;
        catalog.rename_bot(&id(0), "Renamed").await.unwrap();
    })
    .await;
    again.expect(200);
    assert_eq!(clinic.info(0).await.url, "http://bots.example:8080/wh/bot-00");
    assert_eq!(clinic.calls("deleteWebhook").len(), 2, "only when it was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_telegram_refuses_undoes_nothing_that_came_later() {
    let clinic = Arc::new(Clinic::patient(1).await);
    let row = clinic.row(0).await;
    // A secret that Telegram refuses, once it comes to it.
    let secret = Secret::new("not allowed!");
    let webhook = Connection {
        ingress: IngressMode::Webhook,
        webhook_secret: Some(SealedToken(
            clinic.server.vault.seal(&secret, &row.webhook_context()),
        )),
    };
    for disconnected in [false, true] {
        let catalog = &clinic.server.ports.catalog;
        catalog.set_connection(&id(0), Some(&webhook)).await.unwrap();
        let answer = connect_and_meanwhile(&clinic, WEBHOOK, async || {
            if disconnected {
                off(&clinic.owner).await.expect(200);
            }
        })
        .await;
        answer.refused(409, "telegram-refused");
        let expected = (!disconnected).then_some(IngressMode::Webhook);
        assert_eq!(clinic.row(0).await.ingress, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_check_saw_before_a_bot_was_connected_anew_is_not_told() {
    let clinic = Clinic::patient(1).await;
    let _node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    clinic.set_elsewhere(0).await;
    // Telegram's answer is on its way until the bot is connected.
    let held = Fault {
        executed: true,
        ..fault("getWebhookInfo", Some(1), Action::Hold)
    };
    clinic.server.telegram.add_fault(held);
    let looked = || {
        let calls = clinic.calls("getWebhookInfo");
        calls.iter().filter(|call| call.bot == number(0)).count()
    };
    let before = looked();
    clinic.server.clock.advance(ROUND_MS);
    eventually("it has looked", async || looked() == before + 1).await;
    connect(&clinic.owner, "webhook").await.expect(200);
    assert!(clinic.is(0, "healthy", &[]).await, "nothing is written yet");
    clinic.server.telegram.clear_faults();
    clinic.idle().await;
    assert_eq!(clinic.told(0).await, []);
    assert!(clinic.is(0, "healthy", &[]).await);
    // The next one looks as always.
    clinic.set_elsewhere(0).await;
    clinic.pass(ROUND_MS).await;
    clinic.becomes(0, "drifted", &["webhook-foreign"]).await;
}
