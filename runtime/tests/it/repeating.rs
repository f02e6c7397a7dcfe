//! Updates that are run more than once, counted by a server they call.

use botloom_core::model::IngressMode;
use botloom_core::ports::Direction;
use botloom_runtime::DevHosts;

use crate::support::{Canary, ECHO, Setup, World, eventually, text_update};

/// Answers, except to `boom`, which calls the server and then throws.
const LATE_THROW: &str = "export function handle({ event, resume }) {
  if (resume !== undefined) throw new Error('too late');
  if (event.text === 'boom') return { state: null, effect: { type: 'apiCall', cont: 0, method: 'GET',
    url: 'https://api.shop.example/', timeoutMs: 2000, retries: 0, backoff: { baseMs: 1, factor: 1 } } };
  return { state: null, actions: [{ method: 'sendMessage', params: { text: event.text } }], telemetry: [] };
}";

/// Calls a server again and again until it answers.
const PERSISTENT: &str = "export function handle({ state, resume }) {
  if (resume !== undefined) return { state, actions: [{ method: 'sendMessage', params: { text: 'old' } }], telemetry: [] };
  return { state, effect: { type: 'apiCall', cont: 0, method: 'GET',
    url: 'https://api.shop.example/', timeoutMs: 5000, retries: 3, backoff: { baseMs: 1, factor: 1 } } };
}";

async fn world_with(server: &Canary) -> World {
    let mut setup = Setup::default();
    let hosts = format!("api.shop.example=http://{}", server.address);
    setup.options.dev_hosts = DevHosts::parse(&hosts).expect("a proper setting");
    World::with(setup).await
}

#[tokio::test]
async fn three_tries_also_behind_others_of_one_turn() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec();
    let server = Canary::answering(vec![answer]).await;
    let world = world_with(&server).await;
    let bot = world.bare_bot("stumbling").await;
    world.connect(&bot, IngressMode::Webhook).await;
    // They wait for the first revision, so that they come in turns of several.
    for (id, text) in (1..).zip(["one", "two", "boom", "three"]) {
        assert_eq!(world.deliver(&bot, &text_update(id, 5, text)).await.status, 200);
    }
    world.deploy(&bot.id, LATE_THROW).await;
    world.settled().await;
    assert_eq!(world.texts(&bot, 5), ["one", "two", "three"]);
    assert_eq!(server.connections(), 3);
    let letters = world.dead_letters(&bot.id, Direction::In).await;
    assert_eq!(
        letters.iter().map(|letter| letter.attempts).collect::<Vec<_>>(),
        [3]
    );
}

#[tokio::test]
async fn an_old_revision_calls_nobody_after_the_flip() {
    let silent = Canary::answering(Vec::new()).await;
    let world = world_with(&silent).await;
    let bot = world.bot("overtaken", PERSISTENT).await;
    world.deliver(&bot, &text_update(1, 5, "hi")).await;
    eventually("the old revision calls", async || silent.connections() == 1).await;
    world.deploy(&bot.id, ECHO).await;
    eventually("the new one has the update", async || {
        world.texts(&bot, 5) == ["1 hi"]
    })
    .await;
    assert_eq!(silent.connections(), 1);
}
