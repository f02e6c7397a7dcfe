//! Traces, seen by a real collector: connected from the door to Telegram's answer, without a word of anybody, and
//! harmless when nobody takes them.

use std::net::TcpListener;

use serde_json::json;

use crate::support::collector::{Collector, Span, tree};
use crate::support::http::Http;
use crate::support::specs;
use crate::support::stories::Storage;
use crate::support::stub::Stub;
use crate::support::world::{FAST, World};

/// Spans are sent soon, so that a story does not wait for them.
const SOON: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "100");

/// The only child of a span with a name.
fn child<'a>(spans: &'a [Span], parent: &Span, name: &str) -> &'a Span {
    let mut found = spans
        .iter()
        .filter(|span| span.parent == parent.id && span.name == name);
    let first = found
        .next()
        .unwrap_or_else(|| panic!("{} has no child {name}:\n{}", parent.name, tree(spans)));
    assert!(found.next().is_none(), "{name} twice:\n{}", tree(spans));
    first
}

fn count(spans: &[Span], name: &str) -> usize {
    spans.iter().filter(|span| span.name == name).count()
}

/// Whether no span waits for its parent, which ends later and so comes later.
fn is_whole(spans: &[Span]) -> bool {
    let has = |id: &str| spans.iter().any(|span| span.id == id);
    spans
        .iter()
        .all(|span| span.parent.is_empty() || has(&span.parent))
}

/// A bot that asks a host and repeats what it was told.
fn asking(text: &str) -> serde_json::Value {
    let mut spec = specs::chain("traced-bot", "");
    spec["flows"][1]["steps"] = json!([
        {"id": "ask", "type": "apiCall", "method": "POST", "url": "https://api.traced.example/canary-path",
         "headers": {"X-Canary": "canary-header"}, "body": {"said": "{{context.args}}"}, "timeoutMs": 2_000,
         "map": {"last": "/v"}, "onError": {"goto": "tell"}},
        {"id": "tell", "type": "reply", "text": format!("{text} {{{{context.args}}}}")},
    ]);
    spec["security"]["allowDomains"] = json!(["api.traced.example"]);
    spec
}

#[tokio::test]
async fn one_trace_from_the_webhook_to_the_answer_of_telegram() {
    let collector = Collector::start().await;
    let endpoint = collector.endpoint();
    // The answer of the host is in the chat's document afterwards, and nowhere else.
    let stub = Stub::start(&[(200, r#"{"v": "canary-answer"}"#)]).await;
    let hosts = format!("api.traced.example=http://{}", stub.address);
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("BOTLOOM_DEV_HOSTS", &hosts),
        ("BOTLOOM_LOG", "info,botloom_runtime=debug"),
        SOON,
    ];
    let mut world = World::start(Storage::Embedded, &settings).await;
    let bot = world.bot(&asking("canary-reply"), 7_100_000_040, "webhook").await;
    let ada = world.person("canary-name", "en");
    assert_eq!(
        world.ask(bot, ada, "/n canary-text", 1).await,
        ["canary-reply canary-text"]
    );

    let spans = collector
        .wait(|spans| count(spans, "sendMessage") == 1 && is_whole(spans))
        .await;
    let send = spans
        .iter()
        .find(|span| span.name == "sendMessage")
        .expect("the call of the Bot API is a span");
    let trace: Vec<Span> = spans
        .iter()
        .filter(|span| span.trace == send.trace)
        .cloned()
        .collect();
    let roots: Vec<&Span> = trace
        .iter()
        .filter(|span| !trace.iter().any(|other| other.id == span.parent))
        .collect();
    assert_eq!(roots.len(), 1, "the trace is in pieces:\n{}", tree(&trace));

    let door = roots[0];
    assert_eq!(
        (door.name.as_str(), door.kind.as_str()),
        ("POST /wh/{bot_id}", "SERVER")
    );
    assert_eq!(door.get("http.response.status_code"), "200");
    let ingest = child(&trace, door, "ingest");
    assert_eq!(ingest.kind, "PRODUCER");
    let turn = child(&trace, ingest, "turn");
    assert_eq!(
        (turn.kind.as_str(), turn.get("botloom.bot")),
        ("CONSUMER", "traced-bot")
    );
    child(&trace, turn, "commit");
    let update = child(&trace, turn, "update");
    let calls: Vec<&Span> = trace
        .iter()
        .filter(|span| span.parent == update.id && span.name == "handle")
        .collect();
    assert_eq!(calls.len(), 2, "before and after the apiCall:\n{}", tree(&trace));
    for call in calls {
        assert_eq!(call.get("botloom.outcome"), "ok");
        assert_eq!(call.get("botloom.warm"), "true", "the deployment had warmed it");
        let pid = call.get("process.pid");
        assert!(
            pid.parse::<u32>().is_ok_and(|pid| pid != world.server.pid()),
            "{pid}"
        );
    }
    let asked = child(&trace, update, "apiCall");
    assert_eq!(asked.kind, "CLIENT");
    assert_eq!(asked.get("server.address"), "api.traced.example");
    assert_eq!(asked.get("http.response.status_code"), "200");
    let deliver = child(&trace, update, "deliver");
    assert_eq!(deliver.get("botloom.verdict"), "sent");
    child(&trace, deliver, "acknowledge");
    assert_eq!(
        (send.parent.as_str(), send.kind.as_str()),
        (deliver.id.as_str(), "CLIENT")
    );
    assert_eq!(send.get("http.response.status_code"), "200");

    // Deployments and generations are traces of their own, with their stages.
    let deploy = spans.iter().find(|span| span.name == "deploy").unwrap();
    for stage in ["preflight", "stage", "prewarm", "health", "flip", "invalidate"] {
        assert_eq!(child(&spans, deploy, stage).get("botloom.result"), "ok");
    }
    let generate = spans.iter().find(|span| span.name == "generate").unwrap();
    child(&spans, generate, "build");

    // A log line leads to the trace.
    world.server.signal("TERM");
    assert_eq!(world.server.ended().await, Some(0));
    let log = world.server.log_text();
    let line = log
        .lines()
        .find(|line| line.contains("an update was handled"))
        .expect("debug lines are on");
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["trace_id"], json!(door.trace), "{line}");
    assert_eq!(line["span_id"], json!(turn.id), "{line}");

    let printed = collector.printed();
    for secret in ["canary", "AA-story-token", &world.secret(bot), &ada.to_string()] {
        assert!(!printed.contains(secret), "{secret} left with the traces");
    }
}

#[tokio::test]
async fn updates_of_one_turn_stay_in_their_own_traces() {
    let collector = Collector::start().await;
    let endpoint = collector.endpoint();
    let world = World::start(
        Storage::Embedded,
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), SOON],
    )
    .await;
    let bot = world
        .bot(&specs::chain("batched-bot", ""), 7_100_000_041, "polling")
        .await;
    let ada = world.person("Ada", "en");
    let after = world.telegram.position();
    for n in 0..8 {
        world.telegram.say(bot, ada, &format!("/n {n}")).unwrap();
    }
    world
        .telegram
        .wait_messages(bot, ada, after, 8, crate::support::world::PATIENCE)
        .await
        .unwrap();
    let spans = collector
        .wait(|spans| count(spans, "sendMessage") == 8 && is_whole(spans))
        .await;
    for send in spans.iter().filter(|span| span.name == "sendMessage") {
        let mut at = send;
        while let Some(parent) = spans.iter().find(|span| span.id == at.parent) {
            assert_eq!(parent.trace, send.trace);
            at = parent;
        }
        assert_eq!(
            at.name,
            "ingest",
            "what was polled begins at the door:\n{}",
            tree(&spans)
        );
    }
    let turns: usize = spans
        .iter()
        .filter(|span| span.name == "turn")
        .map(|turn| {
            turn.get("messaging.batch.message_count")
                .parse::<usize>()
                .unwrap()
        })
        .sum();
    // What a stalled turn gave back ran in the next one too.
    assert!(turns >= 8, "{turns}");
    let updates = spans.iter().filter(|span| span.name == "update");
    assert_eq!(updates.count(), 8, "each ran once");
    // Every update beyond a turn's first says which turn it ran in.
    for update in spans.iter().filter(|span| span.name == "update") {
        let in_turn = spans
            .iter()
            .any(|span| span.name == "turn" && (span.id == update.parent || update.links.contains(&span.id)));
        assert!(in_turn, "{update:?}\n{}", tree(&spans));
    }
}

#[tokio::test]
async fn the_api_continues_the_trace_of_its_caller_and_webhooks_do_not() {
    let collector = Collector::start().await;
    let endpoint = collector.endpoint();
    let world = World::start(
        Storage::Embedded,
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), SOON],
    )
    .await;
    let theirs = "0af7651916cd43dd8448eb211c80319c";
    let caller = format!("00-{theirs}-b7ad6b7169203331-01");
    let headers = [("traceparent", caller.as_str())];
    let answer = world.api.request("GET", "/bots", &headers, "").await.unwrap();
    assert_eq!(answer.status, 200);
    let refused = Http::new()
        .send("POST", &world.server.url("/wh/nobody"), &headers, "{}")
        .await
        .unwrap();
    assert_eq!(refused.status, 404);
    let spans = collector
        .wait(|spans| {
            let has = |name: &str| spans.iter().any(|span| span.name == name);
            has("GET /bots") && has("POST /wh/{bot_id}")
        })
        .await;
    let api = spans.iter().find(|span| span.trace == theirs);
    let api = api.unwrap_or_else(|| panic!("not continued:\n{}", tree(&spans)));
    assert_eq!(
        (api.name.as_str(), api.parent.as_str()),
        ("GET /bots", "b7ad6b7169203331")
    );
    assert_eq!(api.get("botloom.request"), answer.header("x-request-id"));
    let door = spans
        .iter()
        .find(|span| span.name == "POST /wh/{bot_id}")
        .unwrap();
    assert_ne!(door.trace, theirs);
    assert_eq!(door.parent, "");
}

#[tokio::test]
async fn what_is_not_sampled_is_not_traced_anywhere() {
    let collector = Collector::start().await;
    let endpoint = collector.endpoint();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_TRACES_SAMPLER", "parentbased_always_off"),
        SOON,
    ];
    let mut world = World::start(Storage::Embedded, &settings).await;
    let bot = world
        .bot(&specs::chain("unseen-bot", ""), 7_100_000_042, "webhook")
        .await;
    let ada = world.person("Ada", "en");
    assert_eq!(world.ask(bot, ada, "/n 1", 1).await, ["->1"]);
    world.server.signal("TERM");
    assert_eq!(world.server.ended().await, Some(0));
    let spans = collector.spans();
    assert!(spans.is_empty(), "{}", tree(&spans));
}

/// Collectors that nobody can use: nothing listens, or nothing ever answers.
#[tokio::test]
async fn a_collector_that_is_away_or_hangs_changes_nothing_for_bots() {
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (number, address) in [
        (7_100_000_043, hanging.local_addr().unwrap()),
        (7_100_000_044, closed),
    ] {
        let endpoint = format!("http://{address}");
        let settings = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
            SOON,
        ];
        let mut world = World::start(Storage::Embedded, &[FAST, &settings].concat()).await;
        let bot = world.bot(&specs::chain("alone-bot", ""), number, "webhook").await;
        let ada = world.person("Ada", "en");
        let mut before = String::new();
        for n in 0..50 {
            let answers = world.ask(bot, ada, &format!("/n {n}"), 1).await;
            assert_eq!(answers, [format!("{before}->{n}")]);
            before = n.to_string();
        }
        let failed = "botloom_trace_spans_total{result=\"failed\"} ";
        let deadline = std::time::Instant::now() + crate::support::world::PATIENCE;
        loop {
            let page = world.api.get("/metrics").await;
            let page = String::from_utf8_lossy(&page.body).into_owned();
            let lost = page
                .lines()
                .find_map(|line| line.strip_prefix(failed)?.parse::<f64>().ok());
            if lost.is_some_and(|lost| lost > 0.0) {
                break;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "lost spans are not counted:\n{page}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        world.server.signal("TERM");
        assert_eq!(world.server.ended().await, Some(0));
    }
}
