//! What is set right without being asked, and how often it is tried.

use botloom_core::ids::Epoch;
use botloom_core::model::{IngressMode, SealedToken};
use botloom_core::ports::{ActiveRevision, Connection, Notice};
use botloom_core::secret::Secret;
use botloom_core::vault::Vault;
use botloom_telegram::SetWebhook;
use botloom_telegram::simulator::Action;
use serde_json::json;

use super::{Clinic, ROUND_MS, answer, eventually, fault, id, name, number};
use crate::support::revision;

const URL: &str = "http://bots.example:8080/wh/bot-00";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_flip_the_kinds_of_updates_are_right_without_waiting_for_the_next_check() {
    let clinic = Clinic::with(1).await;
    let _node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    let ports = &clinic.server.ports;
    let rev = revision(ports, &name(0), "1").await;
    let epoch = ports
        .catalog
        .activate(&id(0), Epoch(0), rev)
        .await
        .unwrap()
        .unwrap();
    let revision = ActiveRevision { epoch, rev };
    ports
        .bus
        .publish(Notice::RevisionSet { bot: id(0), revision })
        .await;
    eventually("Telegram knows", async || clinic.set_calls(1).len() == 1).await;
    let wanted = json!(["message", "callback_query", "my_chat_member"]);
    assert_eq!(clinic.set_calls(1)[0].1["allowed_updates"], wanted);
    clinic.becomes(0, "healthy", &[]).await;
    assert_eq!(clinic.told(0).await, [], "nobody needs to know");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flip_that_nobody_heard_of_is_found_by_the_next_check() {
    let clinic = Clinic::with(1).await;
    let _node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    let ports = &clinic.server.ports;
    let rev = revision(ports, &name(0), "1").await;
    ports
        .catalog
        .activate(&id(0), Epoch(0), rev)
        .await
        .unwrap()
        .unwrap();
    clinic.pass(ROUND_MS).await;
    assert_eq!(clinic.set_calls(1).len(), 1);
    clinic.becomes(0, "healthy", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_set_right_and_whoever_changes_them_back_is_told_of() {
    let clinic = Clinic::with(1).await;
    let _node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    let other = SetWebhook {
        url: URL,
        max_connections: Some(3),
        ..SetWebhook::default()
    };
    // Connecting asked for the same a moment ago.
    clinic.set(0, &other).await;
    clinic.pass(ROUND_MS).await;
    assert!(clinic.is(0, "drifted", &["max-connections-differ"]).await);
    assert_eq!(
        clinic.set_calls(2),
        [],
        "not again before ten minutes have passed"
    );
    clinic.pass(9 * 60_000).await;
    assert_eq!(clinic.set_calls(2).len(), 0);
    clinic.pass(ROUND_MS).await;
    eventually("it is set", async || clinic.set_calls(2).len() == 1).await;
    clinic.becomes(0, "healthy", &[]).await;
    clinic.idle().await;
    assert_eq!(clinic.info(0).await.max_connections, Some(40));
    assert_eq!(clinic.told_names(0).await, ["WebhookDrifted", "WebhookRecovered"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_telegram_may_not_have_is_set() {
    let clinic = Clinic::with(1).await;
    let _node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    // As after a crash between writing it down and telling Telegram.
    let row = clinic.row(0).await;
    let secret = Secret::new("a-fresh-secret");
    let sealed = SealedToken(clinic.server.vault.seal(&secret, &row.webhook_context()));
    let connection = Connection {
        ingress: IngressMode::Webhook,
        webhook_secret: Some(sealed),
    };
    let catalog = &clinic.server.ports.catalog;
    catalog.set_connection(&id(0), Some(&connection)).await.unwrap();
    clinic.pass(ROUND_MS).await;
    assert_eq!(clinic.set_calls(1).len(), 1);
    assert_eq!(clinic.set_calls(1)[0].1["secret_token"], "a-fresh-secret");
    clinic.becomes(0, "healthy", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_nobody_can_open_is_replaced() {
    let clinic = Clinic::with(1).await;
    let _node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    let row = clinic.row(0).await;
    let lost = Vault::from_base64(Vault::generate_key().expose()).unwrap();
    let sealed = SealedToken(lost.seal(&Secret::new("lost"), &row.webhook_context()));
    let connection = Connection {
        ingress: IngressMode::Webhook,
        webhook_secret: Some(sealed),
    };
    let catalog = &clinic.server.ports.catalog;
    catalog.set_connection(&id(0), Some(&connection)).await.unwrap();
    clinic.pass(ROUND_MS).await;
    let row = clinic.row(0).await;
    let sealed = row.webhook_secret.as_ref().unwrap();
    let secret = clinic
        .server
        .vault
        .open(&sealed.0, &row.webhook_context())
        .unwrap();
    assert_eq!(clinic.set_calls(1)[0].1["secret_token"], secret.expose());
    clinic.becomes(0, "healthy", &[]).await;
    clinic.pass(ROUND_MS).await;
    assert_eq!(clinic.set_calls(2), [], "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_telegram_refuses_is_told_in_its_words_and_tried_again_later() {
    let clinic = Clinic::with(1).await;
    let node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    node.stop().await;
    let words = "Bad Request: bad webhook: Port is not allowed";
    let refused = fault("setWebhook", None, answer(400, words, None));
    clinic.server.telegram.add_fault(refused);
    let mut clinic = clinic;
    clinic.public = Some("http://moved.example/".to_owned());
    let _node = clinic.node();
    clinic.pass(ROUND_MS).await;
    let codes = ["url-outdated", "repair-refused"];
    assert!(
        clinic.is(0, "drifted", &codes).await,
        "{:?}",
        clinic.verdict(0).await
    );
    let health = clinic.health(0).await.to_string();
    assert!(health.contains("Port is not allowed"), "{health}");
    for _ in 0..3 {
        clinic.pass(3 * 60_000).await;
        assert!(clinic.is(0, "drifted", &codes).await);
    }
    assert_eq!(clinic.calls("setWebhook").len(), 2, "connecting, and one try");
    clinic.server.telegram.clear_faults();
    clinic.pass(2 * 60_000).await;
    clinic.becomes(0, "healthy", &[]).await;
    assert_eq!(clinic.info(0).await.url, "http://moved.example/wh/bot-00");
    eventually("both are told", async || {
        clinic.told_names(0).await == ["WebhookDrifted", "WebhookRecovered"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_telegram_asks_to_wait_nobody_is_changed_until_then() {
    let clinic = Clinic::with(5).await;
    let node = clinic.node();
    for bot in 0..5 {
        clinic.becomes(bot, "healthy", &[]).await;
    }
    node.stop().await;
    let wait = answer(429, "Too Many Requests: retry after 100", Some(100));
    clinic
        .server
        .telegram
        .add_fault(fault("setWebhook", Some(1), wait));
    let mut clinic = clinic;
    clinic.public = Some("http://moved.example/".to_owned());
    let _node = clinic.node();
    let catalog = &clinic.server.ports.catalog;
    let now = clinic.server.ports.clock.now();
    let progress = async || clinic.owner.get("/webhooks/progress").await.expect(200).json();
    eventually("the one that is looked at is asked to wait", async || {
        catalog.hasten_webhook_check(&id(0), now).await.unwrap();
        progress().await["heldUntil"].is_string()
    })
    .await;
    let tried = clinic.calls("setWebhook").len();
    assert_eq!(tried, 6);
    for bot in 1..5 {
        catalog.hasten_webhook_check(&id(bot), now).await.unwrap();
    }
    clinic.idle().await;
    let found = progress().await;
    assert_eq!((&found["left"], &found["repairing"]), (&json!(5), &json!(5)));
    for _ in 0..9 {
        clinic.pass(10_000).await;
    }
    assert_eq!(
        clinic.calls("setWebhook").len(),
        tried,
        "nobody is changed while it is held"
    );
    clinic.pass(ROUND_MS).await;
    clinic.pass(ROUND_MS).await;
    for bot in 0..5 {
        clinic.becomes(bot, "healthy", &[]).await;
    }
    let found = progress().await;
    assert_eq!((&found["left"], &found["healthy"]), (&json!(0), &json!(5)));
    assert_eq!(found["etaSeconds"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_disconnected_while_it_is_set_right_stays_off() {
    let mut clinic = Clinic::patient(1).await;
    let node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    node.stop().await;
    let held = fault("setWebhook", Some(1), Action::Hold);
    clinic.server.telegram.add_fault(held);
    clinic.public = Some("http://moved.example/".to_owned());
    let _node = clinic.node();
    clinic.server.clock.advance(ROUND_MS);
    eventually("it has begun", async || {
        clinic.server.telegram.faults().is_empty()
    })
    .await;
    let off = format!("/bots/{}/disconnect", name(0));
    clinic.owner.post(&off, &json!({})).await.expect(200);
    assert_eq!(clinic.set_calls(1).len(), 0);
    clinic.server.telegram.clear_faults();
    eventually("it was set, and taken back", async || {
        clinic.set_calls(1).len() == 1 && clinic.calls("deleteWebhook").len() == 2
    })
    .await;
    assert_eq!(clinic.info(0).await.url, "");
    assert_eq!(clinic.row(0).await.ingress, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_under_a_wrong_secret_get_the_right_one() {
    let clinic = Clinic::with(1).await;
    let door = door_that_answers_401().await;
    let mut clinic = clinic;
    clinic.public = Some(door.clone());
    let _node = clinic.node();
    eventually("it moved", async || clinic.info(0).await.url.starts_with(&door)).await;
    clinic.becomes(0, "healthy", &[]).await;
    clinic.pass(10 * 60_000).await;
    clinic.becomes(0, "healthy", &[]).await;
    let before = clinic.set_calls(0).len();
    let ada = clinic.server.telegram.person("Ada");
    clinic.server.telegram.say(number(0), ada.id, "hello?").unwrap();
    eventually("it is refused", async || {
        let words = clinic.info(0).await.last_error_message;
        words.is_some_and(|words| words.contains("401"))
    })
    .await;
    clinic.pass(ROUND_MS).await;
    let set = clinic.set_calls(before);
    assert_eq!(set.len(), 1, "set once");
    let row = clinic.row(0).await;
    let sealed = row.webhook_secret.as_ref().unwrap();
    let secret = clinic
        .server
        .vault
        .open(&sealed.0, &row.webhook_context())
        .unwrap();
    assert_eq!(set[0].1["secret_token"], secret.expose());
    clinic.pass(ROUND_MS).await;
    assert!(
        clinic.is(0, "drifted", &["secret-refused"]).await,
        "it did not help: {:?}",
        clinic.verdict(0).await
    );
    assert_eq!(clinic.set_calls(before).len(), 1, "and is not done over and over");
}

/// The address of a server that refuses everything.
async fn door_that_answers_401() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let refuse = axum::Router::new().fallback(async || http::StatusCode::UNAUTHORIZED);
    tokio::spawn(axum::serve(listener, refuse).into_future());
    format!("http://{address}/")
}
