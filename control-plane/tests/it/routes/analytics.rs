use botloom_core::TimestampMs;
use botloom_core::ids::{BotId, ChatId};
use botloom_core::ports::AnalyticsEvent;
use serde_json::{Value, json};

use crate::support::Server;

/// 2026-10-25T00:00:00Z: Berlin's clocks go back an hour later.
const NIGHT: i64 = 1_792_886_400_000;
const HOUR: i64 = 3_600_000;

fn event(id: i64, name: &str, chat: i64, at: i64, fields: &Value) -> AnalyticsEvent {
    AnalyticsEvent {
        id: format!("a-bot:{id}"),
        bot: BotId::new("a-bot").unwrap(),
        chat: ChatId::from(chat),
        rev: None,
        at: TimestampMs(at),
        expires_at: TimestampMs(i64::MAX),
        event: name.to_owned(),
        flow: fields["flow"].as_str().map(str::to_owned),
        step: fields["step"].as_str().map(str::to_owned),
        fields: fields.to_string(),
    }
}

async fn with_telemetry(server: &Server) {
    let order = |step: &str| json!({ "flow": "order", "step": step });
    let batch = [
        event(1, "update_handled", 1, NIGHT - 1, &json!({ "latencyMs": 10 })),
        event(2, "update_handled", 1, NIGHT + HOUR, &json!({ "latencyMs": 20 })),
        event(3, "update_handled", 2, NIGHT + HOUR, &json!({ "latencyMs": 40 })),
        event(4, "message_sent", 1, NIGHT + HOUR, &json!({})),
        event(
            5,
            "error",
            2,
            NIGHT + 2 * HOUR,
            &json!({ "reason": "script_error" }),
        ),
        event(
            6,
            "api_call",
            1,
            NIGHT,
            &json!({ "reason": "ok", "latencyMs": 5 }),
        ),
        event(
            7,
            "api_call",
            1,
            NIGHT,
            &json!({ "reason": "timeout", "latencyMs": 900 }),
        ),
        event(8, "flow_started", 1, NIGHT, &json!({ "flow": "order" })),
        event(9, "flow_started", 2, NIGHT, &json!({ "flow": "order" })),
        event(10, "step_completed", 1, NIGHT + 1, &order("size")),
        event(11, "flow_completed", 1, NIGHT + 2, &json!({ "flow": "order" })),
    ];
    server.ports.analytics.record(&batch).await.unwrap();
}

const WEEK: &str = "from=2026-10-24T00:00:00Z&to=2026-10-27T00:00:00Z";

fn rows(answer: &Value) -> Vec<(String, Value)> {
    let rows = answer["rows"].as_array().unwrap().iter();
    rows.map(|row| (row["key"].as_str().unwrap().to_owned(), row["values"].clone()))
        .collect()
}

#[tokio::test]
async fn a_bot_is_asked_about_its_numbers() {
    let server = Server::start().await;
    server.with_bot().await;
    with_telemetry(&server).await;
    let viewer = server.member("viewer").await;
    let ask = async |what: &str| {
        let path = format!("/bots/a-bot/analytics{what}");
        viewer.get(&path).await.expect(200).json()
    };
    let totals = ask(&format!("?{WEEK}")).await;
    assert_eq!(
        totals["columns"],
        json!([
            "updates",
            "messages",
            "errors",
            "chats",
            "apiCalls",
            "apiCallsFailed",
            "chatsNew"
        ])
    );
    assert_eq!(rows(&totals), [(String::new(), json!([3, 1, 1, 2, 2, 1, 2]))]);

    // Days are those of the place that is asked about, and days without anything are told too.
    let utc = ask(&format!("/messages?{WEEK}")).await;
    let day = |day: &str, values: Value| (format!("2026-10-{day}"), values);
    assert_eq!(
        rows(&utc),
        [
            day("24", json!([1, 0])),
            day("25", json!([2, 1])),
            day("26", json!([0, 0]))
        ]
    );
    assert_eq!(
        (&utc["interval"], &utc["timezone"]),
        (&json!("day"), &json!("UTC"))
    );
    let berlin = ask(&format!("/messages?{WEEK}&timezone=Europe/Berlin")).await;
    assert_eq!(
        rows(&berlin),
        [
            day("24", json!([0, 0])),
            day("25", json!([3, 1])),
            day("26", json!([0, 0])),
            day("27", json!([0, 0])),
        ]
    );
    assert_eq!(berlin["rows"][2]["start"], "2026-10-25T23:00:00.000Z");
    let hours = "from=2026-10-25T00:30:00Z&to=2026-10-25T02:30:00Z&interval=hour&timezone=Europe/Berlin";
    let chats = ask(&format!("/chats?{hours}")).await;
    let hour = |hour: &str, values: Value| (format!("2026-10-25T{hour}:00:00.000Z"), values);
    assert_eq!(
        rows(&chats),
        [
            hour("00", json!([0, 0])),
            hour("01", json!([2, 1])),
            hour("02", json!([0, 0]))
        ]
    );
    let errors = ask(&format!("/errors?{hours}")).await;
    assert_eq!(rows(&errors)[2].1, json!([1]));

    let of = async |what: &str| {
        rows(
            &ask(&format!(
                "/{what}{}{WEEK}",
                if what.contains('?') { '&' } else { '?' }
            ))
            .await,
        )
    };
    assert_eq!(of("latency").await[1].1, json!([2, 20, 40, 40]));
    assert_eq!(of("api-calls").await[1].1, json!([2, 1]));
    let row = |key: &str, values: Value| (key.to_owned(), values);
    assert_eq!(
        of("api-outcomes").await,
        [
            row("ok", json!([1, 5, 5, 5])),
            row("timeout", json!([1, 900, 900, 900]))
        ]
    );
    assert_eq!(of("error-reasons").await, [row("script_error", json!([1]))]);
    assert_eq!(of("flows").await, [row("order", json!([2, 1, 2]))]);
    assert_eq!(
        of("funnel?flow=order").await,
        [row("", json!([2, 1])), row("size", json!([1, 0]))]
    );
    assert_eq!(of("deploys").await, []);
    assert!(of("events").await.contains(&row("api_call", json!([2]))));
}

#[tokio::test]
async fn questions_are_bounded() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let at = |rest: &str| format!("/bots/a-bot/analytics/{rest}");
    for bad in [
        "messages?from=yesterday",
        "messages?from=2026-10-25T00:00:00Z&to=2026-10-25T00:00:00Z",
        "messages?from=2025-01-01T00:00:00Z&to=2026-10-25T00:00:00Z",
        "messages?from=2026-09-01T00:00:00Z&to=2026-10-25T00:00:00Z&interval=hour",
        "messages?interval=week",
        "messages?timezone=Europe/Nowhere",
        "funnel",
    ] {
        owner.get(&at(bad)).await.refused(400, "invalid-parameter");
    }
    owner.get(&at("secrets")).await.refused(404, "not-found");
    let thirty = owner.get(&at("messages")).await.expect(200).json();
    assert_eq!(thirty["rows"].as_array().unwrap().len(), 31);
    server
        .stranger()
        .await
        .get(&at("messages"))
        .await
        .refused(404, "not-found");
}
