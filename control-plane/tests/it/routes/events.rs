use std::time::Duration;

use botloom_core::event::BotEvent;
use botloom_core::ids::{BotId, TaskId};
use futures_util::StreamExt;
use http::Method;
use http_body_util::BodyExt;
use http_body_util::BodyStream;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::support::{Client, Server, Setup};

/// One block of an event stream.
#[derive(Debug, Clone, Default, PartialEq)]
struct Block {
    id: Option<u64>,
    event: String,
    data: Value,
    comment: bool,
}

/// Reads an event stream as a browser does.
struct Reader {
    body: BodyStream<Incoming>,
    text: String,
}

impl Reader {
    async fn open(client: &Client, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = client.open(Method::GET, path, headers, "").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self {
            body: BodyStream::new(response.into_body()),
            text: String::new(),
        }
    }

    /// The next block; `None` when the stream has ended.
    async fn block(&mut self) -> Option<Block> {
        loop {
            if let Some((text, rest)) = self.text.split_once("\n\n") {
                let (text, rest) = (text.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(parse(&text));
            }
            let frame = tokio::time::timeout(Duration::from_secs(30), self.body.next())
                .await
                .expect("nothing came");
            let data = frame?.ok()?.into_data().unwrap_or_default();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    /// The next block that is no comment.
    async fn event(&mut self) -> Block {
        loop {
            let block = self.block().await.expect("the stream has ended");
            if !block.comment {
                return block;
            }
        }
    }

    async fn ended(&mut self) {
        while let Some(block) = self.block().await {
            assert!(block.comment, "{block:?}");
        }
    }
}

fn parse(text: &str) -> Block {
    let mut block = Block {
        comment: true,
        ..Block::default()
    };
    for line in text.lines() {
        if let Some(id) = line.strip_prefix("id: ") {
            block.id = Some(id.parse().unwrap());
        } else if let Some(event) = line.strip_prefix("event: ") {
            event.clone_into(&mut block.event);
            block.comment = false;
        } else if let Some(data) = line.strip_prefix("data: ") {
            block.data = serde_json::from_str(data).unwrap();
        }
    }
    block
}

async fn log(server: &Server, bot: &str, progress: u8) -> u64 {
    let bot: BotId = bot.parse().unwrap();
    let project = server.ports.catalog.bot(&bot).await.unwrap().unwrap().project;
    let event = BotEvent::GenerateProgress {
        task_id: TaskId::generate(),
        progress,
    };
    server
        .ports
        .events
        .append(project, &bot, server.ports.clock.now(), &event)
        .await
        .unwrap()
        .id
}

#[tokio::test]
async fn what_happens_to_a_bot_is_told_as_it_happens() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    owner
        .post("/bots", &json!({ "botId": "b-bot", "name": "B" }))
        .await
        .expect(201);
    log(&server, "a-bot", 1).await;
    let mut reader = Reader::open(&owner, "/events?botId=a-bot", &[]).await;
    assert!(reader.block().await.unwrap().comment);
    // From here on: what was before is not told.
    log(&server, "b-bot", 50).await;
    let id = log(&server, "a-bot", 60).await;
    let event = reader.event().await;
    assert_eq!((event.id, event.event.as_str()), (Some(id), "GenerateProgress"));
    assert_eq!(
        (&event.data["botId"], &event.data["progress"]),
        (&json!("a-bot"), &json!(60))
    );
    assert!(event.data["at"].as_str().unwrap().ends_with('Z') && event.data["taskId"].is_string());
}

#[tokio::test]
async fn a_stream_goes_on_past_what_a_newer_version_wrote() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let mut live = Reader::open(&owner, "/events?botId=a-bot", &[]).await;
    assert!(live.block().await.unwrap().comment);
    let first = log(&server, "a-bot", 1).await;
    let id: BotId = "a-bot".parse().unwrap();
    let project = server.ports.catalog.bot(&id).await.unwrap().unwrap().project;
    let teleported = json!({ "to": "Mars", "stops": [1, 2] });
    let paused = json!({ "until": "noon" });
    let now = server.ports.clock.now();
    let stored = [("BotTeleported", teleported), ("BotPaused", paused)];
    for (name, data) in &stored {
        let event: BotEvent = serde_json::from_value(json!({ "name": name, "data": data })).unwrap();
        let events = &server.ports.events;
        events.append(project, &id, now, &event).await.unwrap();
    }
    log(&server, "a-bot", 2).await;

    let path = format!("/events?botId=a-bot&lastEventId={}", first - 1);
    let mut again = Reader::open(&owner, &path, &[]).await;
    for reader in [&mut live, &mut again] {
        assert_eq!(reader.event().await.data["progress"], 1);
        for ((name, data), number) in stored.iter().zip(1..) {
            let carried = reader.event().await;
            assert_eq!((carried.id, &*carried.event), (Some(first + number), *name));
            let mut expected = data.clone();
            expected["botId"] = json!("a-bot");
            expected["at"] = json!(now.to_rfc3339());
            assert_eq!(carried.data, expected);
        }
        assert_eq!(reader.event().await.data["progress"], 2);
    }
}

#[tokio::test]
async fn what_was_missed_is_told_again() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(log(&server, "a-bot", n).await);
    }
    let last = ids[3].to_string();
    let by_query = format!("/events?botId=a-bot&lastEventId={last}");
    let mut readers = [
        Reader::open(&owner, "/events?botId=a-bot", &[("last-event-id", &last)]).await,
        Reader::open(&owner, &by_query, &[]).await,
    ];
    for reader in &mut readers {
        for id in &ids[4..] {
            assert_eq!(reader.event().await.id, Some(*id));
        }
    }
    let next = log(&server, "a-bot", 99).await;
    assert_eq!(readers[0].event().await.id, Some(next));
}

#[tokio::test]
async fn a_reader_that_cannot_catch_up_is_told_to_fetch_anew() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let latest = log(&server, "a-bot", 1).await;
    for unknown in ["not-a-number", "999999", "-1"] {
        let mut reader = Reader::open(&owner, "/events?botId=a-bot", &[("last-event-id", unknown)]).await;
        let event = reader.event().await;
        assert_eq!(
            (event.event.as_str(), event.id),
            ("resync", Some(latest)),
            "{unknown}"
        );
        let knows_oldest = unknown != "999999";
        let oldest = knows_oldest.then_some(1);
        assert_eq!(
            event.data["oldest"].as_u64(),
            oldest,
            "{unknown}: {:?}",
            event.data
        );
    }
    // The stream goes on where it said.
    let mut reader = Reader::open(&owner, "/events?botId=a-bot", &[("last-event-id", "999999")]).await;
    assert_eq!(reader.event().await.event, "resync");
    let next = log(&server, "a-bot", 2).await;
    assert_eq!(reader.event().await.id, Some(next));
}

#[tokio::test]
async fn a_quiet_stream_beats() {
    let mut setup = Setup::default();
    setup.options.heartbeat = Duration::from_millis(50);
    let server = Server::start_with(setup).await;
    let owner = server.with_bot().await;
    let mut reader = Reader::open(&owner, "/events?botId=a-bot", &[]).await;
    for _ in 0..4 {
        assert!(reader.block().await.unwrap().comment);
    }
}

#[tokio::test]
async fn the_stream_of_a_session_that_ended_ends() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let mut reader = Reader::open(&owner, "/events?botId=a-bot", &[]).await;
    assert!(reader.block().await.unwrap().comment);
    owner.post("/auth/logout", &json!({})).await.expect(204);
    reader.ended().await;

    // Also when nobody tells it.
    let owner = server.owner().await;
    let mut reader = Reader::open(&owner, "/events?botId=a-bot", &[]).await;
    assert!(reader.block().await.unwrap().comment);
    server.clock.advance(13 * 3_600_000);
    reader.ended().await;
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_streams() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let mut reader = Reader::open(&owner, "/events?botId=a-bot", &[]).await;
    assert!(reader.block().await.unwrap().comment);
    server.stop.cancel();
    reader.ended().await;
}

#[tokio::test]
async fn a_slow_reader_is_dropped_and_nobody_waits_for_it() {
    let mut setup = Setup::default();
    setup.options.stream_stall = Duration::from_millis(50);
    let server = Server::start_with(setup).await;
    let owner = server.with_bot().await;
    let mut slow = Reader::open(&owner, "/events?botId=a-bot", &[]).await;
    let mut quick = Reader::open(&owner, "/events?botId=a-bot", &[]).await;
    assert!(quick.block().await.unwrap().comment);
    let bot: BotId = "a-bot".parse().unwrap();
    let project = server.ports.catalog.bot(&bot).await.unwrap().unwrap().project;
    // Enough to fill every buffer on the way to a reader that does not read.
    let reason = "x".repeat(32 * 1024);
    let total = 900;
    let writing = async {
        for _ in 0..total {
            let event = BotEvent::WebhookDrifted {
                reason: reason.clone(),
                findings: Vec::new(),
            };
            server
                .ports
                .events
                .append(project, &bot, server.ports.clock.now(), &event)
                .await
                .unwrap();
        }
    };
    let reading = async {
        for _ in 0..total {
            assert_eq!(quick.event().await.event, "WebhookDrifted");
        }
    };
    tokio::join!(writing, reading);
    let mut told = 0;
    loop {
        let block = slow
            .block()
            .await
            .expect("a slow reader is told why the stream ends");
        if block.event == "resync" {
            break;
        }
        told += usize::from(!block.comment);
    }
    assert!(told < total);
    slow.ended().await;
}

#[tokio::test]
async fn a_user_has_so_many_streams_and_no_more() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let mut open = Vec::new();
    for _ in 0..6 {
        open.push(Reader::open(&owner, "/events?botId=a-bot", &[]).await);
    }
    owner
        .get("/events?botId=a-bot")
        .await
        .refused(429, "too-many-streams");
    drop(open.pop());
    let mut tries = 0;
    loop {
        let response = owner.open(Method::GET, "/events?botId=a-bot", &[], "").await;
        if response.status() == 200 {
            break;
        }
        response.into_body().collect().await.unwrap();
        tries += 1;
        assert!(tries < 200, "the place of a closed stream is never given away");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn streams_are_for_those_who_may_read() {
    let server = Server::start().await;
    server.with_bot().await;
    server
        .nobody()
        .get("/events?botId=a-bot")
        .await
        .refused(401, "unauthenticated");
    server
        .stranger()
        .await
        .get("/events?botId=a-bot")
        .await
        .refused(404, "not-found");
    let mut reader = Reader::open(&server.member("viewer").await, "/events?botId=a-bot", &[]).await;
    assert!(reader.block().await.unwrap().comment);
}
