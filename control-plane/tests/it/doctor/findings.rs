//! What is found and told.

use botloom_core::event::BotEvent;
use botloom_core::model::WebhookFinding;
use botloom_telegram::simulator::{Action, WebhookChaos};
use serde_json::{Value, json};

use super::{Clinic, ROUND_MS, answer, eventually, fault, id, name, number};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_telegram_delivers_is_healthy() {
    let clinic = Clinic::with(1).await;
    assert!(clinic.is(0, "unknown", &[]).await);
    let _node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    let health = clinic.health(0).await;
    assert_eq!(health["pendingUpdates"], 0);
    assert_eq!(health["checkedAt"], health["since"]);
    let first = health["checkedAt"].clone();
    clinic.pass(ROUND_MS).await;
    let health = clinic.health(0).await;
    assert_ne!(health["checkedAt"], first, "it is looked at again");
    assert_eq!(health["since"], first);
    assert_eq!(clinic.told(0).await, []);
    assert_eq!(clinic.set_calls(1), [], "nothing was set again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_being_set_is_not_missed() {
    let clinic = Clinic::with(0).await;
    let _node = clinic.node();
    // Longer than a node's pause between two looks.
    let slow = fault("setWebhook", Some(1), Action::Delay { ms: 2_500 });
    clinic.server.telegram.add_fault(slow);
    clinic.bot(0, "webhook").await;
    clinic.becomes(0, "healthy", &[]).await;
    assert_eq!(clinic.told(0).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_elsewhere_is_told_once_and_not_fought_and_can_be_reclaimed() {
    let clinic = Clinic::with(2).await;
    let _node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    clinic.set_elsewhere(0).await;
    clinic.pass(ROUND_MS).await;
    assert!(clinic.is(0, "drifted", &["webhook-foreign"]).await);
    let told = async || clinic.told_names(0).await == ["WebhookDrifted"];
    eventually("it is told", told).await;
    for _ in 0..3 {
        clinic.pass(ROUND_MS).await;
    }
    let events = clinic.told(0).await;
    assert_eq!(events.len(), 1, "{events:?}");
    let BotEvent::WebhookDrifted { reason, findings } = &events[0].event else {
        panic!("{events:?}");
    };
    assert_eq!(findings, &[WebhookFinding::WebhookForeign]);
    assert!(
        reason.contains("elsewhere.example") && reason.contains("reclaim"),
        "{reason}"
    );
    assert!(!reason.contains("s3cret"), "{reason}");
    assert!(!clinic.view(0).await.to_string().contains("s3cret"));
    assert_eq!(clinic.set_calls(3), [], "nobody fights");

    let listed = clinic
        .owner
        .get("/webhooks?status=drifted")
        .await
        .expect(200)
        .json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["botId"], name(0));
    assert_eq!(
        listed["items"][0]["health"]["findings"][0]["code"],
        "webhook-foreign"
    );
    let all = clinic.owner.get("/webhooks?limit=1").await.expect(200).json();
    let path = format!("/webhooks?cursor={}", all["nextCursor"].as_str().unwrap());
    assert_eq!(
        clinic.owner.get(&path).await.expect(200).json()["items"][0]["botId"],
        name(1)
    );
    clinic
        .owner
        .get("/webhooks?status=ill")
        .await
        .refused(400, "invalid-parameter");

    let path = format!("/bots/{}/webhook/reclaim", name(0));
    clinic.owner.post(&path, &Value::Null).await.expect(200);
    clinic.becomes(0, "healthy", &[]).await;
    assert_eq!(clinic.info(0).await.url, "http://bots.example:8080/wh/bot-00");
    let over = async || clinic.told_names(0).await == ["WebhookDrifted", "WebhookRecovered"];
    eventually("its end is told", over).await;
    let audit = "/audit?verb=webhook.reclaimed";
    let noted = clinic.owner.get(audit).await.expect(200).json();
    assert_eq!(noted["items"][0]["object"]["id"], name(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_gone_is_told_and_not_set_again() {
    let clinic = Clinic::with(1).await;
    let _node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    let client = &clinic.server.deps.telegram;
    client.delete_webhook(&super::token(0), false).await.unwrap();
    clinic.pass(ROUND_MS).await;
    assert!(clinic.is(0, "drifted", &["webhook-missing"]).await);
    clinic.pass(ROUND_MS).await;
    assert_eq!(clinic.info(0).await.url, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polled_bot_with_a_webhook_is_told_and_reclaimed() {
    let clinic = Clinic::with(0).await;
    clinic.bot(0, "polling").await;
    let _node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    assert_eq!(clinic.view(0).await["telegram"]["webhook"]["url"], Value::Null);
    clinic.set_elsewhere(0).await;
    clinic.pass(ROUND_MS).await;
    assert!(clinic.is(0, "drifted", &["polling-blocked"]).await);
    let path = format!("/bots/{}/webhook/reclaim", name(0));
    clinic.owner.post(&path, &Value::Null).await.expect(200);
    clinic.becomes(0, "healthy", &[]).await;
    assert_eq!(clinic.info(0).await.url, "");
    let off = format!("/bots/{}/disconnect", name(0));
    clinic.owner.post(&off, &json!({})).await.expect(200);
    clinic
        .owner
        .post(&path, &Value::Null)
        .await
        .refused(409, "bot-not-connected");
    assert_eq!(clinic.view(0).await["telegram"]["webhook"], Value::Null);
    clinic.pass(ROUND_MS).await;
    let check = clinic.server.ports.catalog.webhook_check(&id(0)).await.unwrap();
    assert_eq!(check, None, "nobody looks at it any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_telegram_does_not_know_is_told() {
    let clinic = Clinic::with(1).await;
    let unknown = fault("getWebhookInfo", None, answer(401, "Unauthorized", None));
    clinic.server.telegram.add_fault(unknown);
    let _node = clinic.node();
    clinic.becomes(0, "drifted", &["token-rejected"]).await;
    clinic.idle().await;
    clinic.pass(ROUND_MS).await;
    assert_eq!(clinic.told_names(0).await, ["WebhookDrifted"]);
    clinic.server.telegram.clear_faults();
    clinic.pass(ROUND_MS).await;
    clinic.becomes(0, "healthy", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_without_an_address_is_told() {
    let mut clinic = Clinic::with(1).await;
    clinic.public = None;
    let _node = clinic.node();
    clinic.becomes(0, "drifted", &["public-url-missing"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_fail_are_told_and_so_is_their_end() {
    // Nobody listens there.
    let clinic = Clinic::at("http://127.0.0.1:1/", 1).await;
    let _node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    let ada = clinic.server.telegram.person("Ada");
    clinic.server.telegram.say(number(0), ada.id, "hello?").unwrap();
    eventually("a delivery failed", async || {
        clinic.info(0).await.last_error_date.is_some()
    })
    .await;
    clinic.pass(ROUND_MS).await;
    assert!(clinic.is(0, "drifted", &["delivery-failing"]).await);
    let finding = clinic.health(0).await["findings"][0]["message"].clone();
    assert!(
        finding.as_str().unwrap().contains("Connection failed"),
        "{finding}"
    );
    clinic.pass(ROUND_MS).await;
    assert!(
        clinic.is(0, "drifted", &["delivery-failing"]).await,
        "it goes on failing"
    );
    let client = &clinic.server.deps.telegram;
    let drop = botloom_telegram::SetWebhook {
        url: "http://127.0.0.1:1/wh/bot-00",
        drop_pending_updates: true,
        max_connections: Some(40),
        ..Default::default()
    };
    client.set_webhook(&super::token(0), &drop).await.unwrap();
    clinic.pass(ROUND_MS).await;
    clinic.becomes(0, "healthy", &[]).await;
    eventually("both are told", async || {
        clinic.told_names(0).await == ["WebhookDrifted", "WebhookRecovered"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_that_grows_without_an_error_is_told_soon() {
    let clinic = Clinic::with(1).await;
    let _node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    let simulator = &clinic.server.telegram;
    let hold = WebhookChaos {
        hold: true,
        ..WebhookChaos::default()
    };
    simulator.set_chaos(number(0), hold).unwrap();
    let ada = simulator.person("Ada");
    let mut passed = 0;
    for pause in [ROUND_MS, 5_000, 5_000] {
        for _ in 0..5 {
            simulator.say(number(0), ada.id, "hello?").unwrap();
        }
        clinic.pass(pause).await;
        passed += pause;
    }
    assert!(clinic.is(0, "drifted", &["backlog-growing"]).await);
    assert!(passed < 60_000);
    assert_eq!(clinic.health(0).await["pendingUpdates"], 15);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_telegram_is_away_nothing_is_known_and_nothing_told() {
    let clinic = Clinic::with(2).await;
    let _node = clinic.node();
    clinic.becomes(0, "healthy", &[]).await;
    clinic.becomes(1, "healthy", &[]).await;
    clinic.set_elsewhere(1).await;
    clinic.pass(ROUND_MS).await;
    assert!(clinic.is(1, "drifted", &["webhook-foreign"]).await);
    let away = fault("getWebhookInfo", None, answer(502, "Bad Gateway", None));
    clinic.server.telegram.add_fault(away);
    for _ in 0..3 {
        clinic.pass(ROUND_MS).await;
    }
    assert!(clinic.is(0, "unknown", &[]).await);
    assert!(clinic.health(0).await["unansweredSince"].is_string());
    let progress = async || clinic.owner.get("/webhooks/progress").await.expect(200).json();
    assert_eq!(progress().await["unanswered"], 2);
    assert_eq!(
        progress().await["unansweredSince"],
        clinic.health(0).await["unansweredSince"]
    );
    assert!(
        clinic.is(1, "drifted", &["webhook-foreign"]).await,
        "what was known stays known"
    );
    clinic.server.telegram.clear_faults();
    clinic.pass(ROUND_MS).await;
    clinic.becomes(0, "healthy", &[]).await;
    assert_eq!(clinic.health(0).await["unansweredSince"], Value::Null);
    assert_eq!(progress().await["unanswered"], 0);
    assert_eq!(progress().await["unansweredSince"], Value::Null);
    assert_eq!(clinic.told_names(0).await, [""; 0]);
    assert_eq!(clinic.told_names(1).await, ["WebhookDrifted"], "once");
}
