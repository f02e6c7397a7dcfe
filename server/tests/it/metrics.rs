//! Metrics, asked of a real Prometheus that scrapes a server through a story: messages, a flood wait, a dead letter,
//! flips, a rollback, a worker that hangs.

use botloom_telegram::simulator::{Action, Fault};
use serde_json::json;

use crate::support::prometheus::Prometheus;
use crate::support::specs;
use crate::support::stories::Storage;
use crate::support::world::World;

fn fault(action: Action) -> Fault {
    Fault {
        bot: None,
        method: Some("sendMessage".to_owned()),
        chat: None,
        skip: 0,
        count: Some(1),
        executed: false,
        action,
    }
}

fn refusal(code: u16, retry_after: Option<u32>) -> Action {
    Action::Answer {
        code,
        description: None,
        retry_after,
        migrate_to_chat_id: None,
    }
}

#[tokio::test]
async fn prometheus_sees_every_promise() {
    let world = World::start(Storage::Embedded, &[]).await;
    let prometheus = Prometheus::start(&world.server).await;
    let number = 7_100_000_050;
    let bot = world
        .bot(&specs::chain("metered-bot", ""), number, "webhook")
        .await;
    let ada = world.person("Ada", "en");
    for n in 1..=5 {
        world.ask(bot, ada, &format!("/n {n}"), 1).await;
    }

    // A flood wait of one second, then a chat that is gone.
    world.telegram.add_fault(fault(refusal(429, Some(1))));
    world.ask(bot, ada, "/n 6", 1).await;
    world.telegram.add_fault(fault(refusal(403, None)));
    world.telegram.say(bot, ada, "/n 7").unwrap();
    prometheus
        .wait("botloom_dead_letters_total{direction=\"out\"}", |letters| {
            (letters - 1.0).abs() < 0.5
        })
        .await;

    // The same update again.
    let secret = world.secret(bot);
    let headers = [
        ("x-telegram-bot-api-secret-token", secret.as_str()),
        ("content-type", "application/json"),
    ];
    for _ in 0..2 {
        let path = world.server.url("/wh/metered-bot");
        let update = json!({"update_id": 5, "message": {"message_id": 1, "date": 1, "text": "hi",
            "chat": {"id": ada, "type": "private"}, "from": {"id": ada, "is_bot": false, "first_name": "Ada"}}});
        let answer = crate::support::http::Http::new()
            .send("POST", &path, &headers, update.to_string())
            .await
            .unwrap();
        assert_eq!(answer.status, 200);
    }

    // A second flip, and back.
    world.api.go_live(&specs::chain("metered-bot", "second ")).await;
    let task = world
        .api
        .post("/rollback", &json!({"botId": "metered-bot"}))
        .await;
    let task = task.json()["taskId"].as_str().unwrap().to_owned();
    assert_eq!(
        world.api.ended(&format!("/deployments/{task}")).await["status"],
        "succeeded"
    );

    // Workers that stop in the middle of a call are killed; the update is tried again with new ones.
    world.server.signal_workers("STOP");
    world.telegram.say(bot, ada, "/n 8").unwrap();
    prometheus
        .wait("botloom_sandbox_kills_total", |kills| kills >= 1.0)
        .await;
    world.server.signal_workers("CONT");

    for (query, at_least) in [
        ("botloom_updates_total{outcome=\"accepted\"}", 8.0),
        ("botloom_updates_total{outcome=\"duplicate\"}", 1.0),
        ("botloom_ingress_answers_total{status=\"200\"}", 9.0),
        ("botloom_persist_seconds_count", 9.0),
        ("botloom_updates_run_total{outcome=\"handled\"}", 7.0),
        ("botloom_queue_seconds_count", 7.0),
        ("botloom_handle_seconds_count", 7.0),
        ("botloom_commit_seconds_count", 7.0),
        ("botloom_delivery_seconds_count", 6.0),
        ("botloom_messages_total{outcome=\"sent\"}", 6.0),
        ("botloom_messages_total{outcome=\"flood_wait\"}", 1.0),
        ("botloom_telegram_answers_total{status=\"429\"}", 1.0),
        ("botloom_telegram_answers_total{status=\"403\"}", 1.0),
        ("botloom_send_seconds_count", 8.0),
        ("botloom_dead_letters_total{reason=\"telegram-403\"}", 1.0),
        ("botloom_sandbox_calls_total{outcome=\"ok\"}", 7.0),
        ("botloom_sandbox_workers", 1.0),
        ("botloom_sandbox_worker_starts_total", 2.0),
        ("botloom_sandbox_memory_bytes", 1_000_000.0),
        ("botloom_sandbox_loaded_revisions", 1.0),
        (
            "botloom_cache_requests_total{tier=\"runtime\",result=\"hit\"}",
            1.0,
        ),
        (
            "botloom_cache_requests_total{tier=\"runtime\",result=\"miss\"}",
            2.0,
        ),
        (
            "botloom_cache_requests_total{tier=\"program\",result=\"hit\"}",
            1.0,
        ),
        (
            "botloom_cache_requests_total{tier=\"program\",result=\"miss\"}",
            2.0,
        ),
        ("botloom_flips_total{kind=\"deploy\"}", 2.0),
        ("botloom_flips_total{kind=\"rollback\"}", 1.0),
        (
            "botloom_deployments_total{kind=\"rollback\",result=\"succeeded\"}",
            1.0,
        ),
        (
            "botloom_deploy_stage_seconds_count{stage=\"health\",result=\"ok\"}",
            3.0,
        ),
        ("botloom_generate_seconds_count{result=\"ok\"}", 2.0),
        (
            "botloom_http_requests_total{route=\"/deploy\",status=\"202\"}",
            2.0,
        ),
        (
            "histogram_quantile(0.5, botloom_http_request_seconds_bucket{route=\"/deploy\"})",
            0.0,
        ),
    ] {
        prometheus.wait(query, |value| value >= at_least).await;
    }
    // Gauges of what waits are there, and go back to nothing.
    for gauge in [
        "botloom_queue_age_seconds",
        "botloom_updates_waiting",
        "botloom_lanes_ready",
        "botloom_lanes_leased",
        "botloom_lanes_delayed",
        "botloom_turns_running",
        "botloom_messages_waiting",
    ] {
        prometheus.wait(gauge, |value| value < 0.5).await;
    }

    // Every metric explains itself, and no label names a bot or a chat.
    let metadata = prometheus.metadata().await;
    for (name, about) in metadata.as_object().unwrap() {
        if name.starts_with("botloom_") {
            assert_ne!(about[0]["help"], "", "{name}");
        }
    }
    let page = world.api.get("/metrics").await;
    let page = String::from_utf8_lossy(&page.body).into_owned();
    // Values may look like anything.
    let labels = page
        .lines()
        .filter_map(|line| line.rsplit_once(' ').map(|(series, _)| series));
    let labels = labels.collect::<Vec<_>>().join("\n");
    for user in ["metered-bot", &ada.to_string(), &number.to_string()] {
        assert!(!labels.contains(user), "{user} is in a label:\n{labels}");
    }
}
