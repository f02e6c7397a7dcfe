//! Revisions change under load.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, also in its helpers, a panic is the report"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use botloom_core::ports::Direction;
use serde_json::json;

use crate::support::{World, text_update};

/// Says which revision it is, twice, and remembers it.
fn tagged(tag: &str) -> String {
    format!(
        "export function handle({{ event, state, resume }}) {{
  const seen = [...(state === null ? [] : state.seen), '{tag}'];
  const say = (part) => ({{ method: 'sendMessage', params: {{ text: '{tag} ' + event.updateId + ' ' + part }} }});
  if (resume === undefined) return {{ state, actions: [say(1)], effect: {{ type: 'match', cont: '{tag}', tests: [] }} }};
  if (resume.cont !== '{tag}') throw new Error('half and half');
  return {{ state: {{ seen }}, actions: [say(2)], telemetry: [] }};
}}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn no_update_runs_half_on_each_and_none_on_an_old_one() {
    let world = Arc::new(World::new().await);
    let bot = Arc::new(world.bot("flipping", &tagged("even")).await);
    let done = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (world, bot, done) = (Arc::clone(&world), Arc::clone(&bot), Arc::clone(&done));
        async move {
            let mut id = 0;
            while !done.load(Ordering::SeqCst) {
                let batch: Vec<_> = (0..8).map(|chat| text_update(id + chat, chat + 1, "x")).collect();
                let answers =
                    futures_util::future::join_all(batch.iter().map(|update| world.deliver(&bot, update)))
                        .await;
                assert!(
                    answers.iter().all(|answer| answer.status == 200),
                    "a flip refused an update"
                );
                id += 8;
            }
            id
        }
    });
    for flip in 0..30 {
        let tag = if flip % 2 == 0 { "odd" } else { "even" };
        world.deploy(&bot.id, &tagged(tag)).await;
        // Reported live: what comes now runs on it, and on it alone.
        let chat = 1_000 + flip;
        world
            .deliver(&bot, &text_update(1_000_000 + flip, chat, "x"))
            .await;
        let id = 1_000_000 + flip;
        crate::support::eventually("it is answered", async || world.texts(&bot, chat).len() == 2).await;
        assert_eq!(
            world.texts(&bot, chat),
            [format!("{tag} {id} 1"), format!("{tag} {id} 2")]
        );
    }
    done.store(true, Ordering::SeqCst);
    let count = load.await.unwrap();
    world.settled().await;
    for chat in 1..=8_i64 {
        let texts = world.texts(&bot, chat);
        let ids: Vec<i64> = (0..count).filter(|id| id % 8 == chat - 1).collect();
        assert_eq!(texts.len(), ids.len() * 2, "chat {chat}");
        for (pair, id) in texts.chunks(2).zip(ids) {
            let tag = pair[0].split(' ').next().unwrap();
            assert_eq!(pair, [format!("{tag} {id} 1"), format!("{tag} {id} 2")]);
        }
    }
    assert!(world.dead_letters(&bot.id, Direction::In).await.is_empty());
}

#[tokio::test]
async fn a_corrupt_revision_is_never_run_and_loses_nothing() {
    let world = World::new().await;
    let bot = world.bot("tampered", &tagged("good")).await;
    let rev = world.store(&bot.id, &tagged("evil")).await;
    let folder = world.artifact_path(&bot.id, &rev);
    let text = std::fs::read_to_string(&folder).unwrap();
    make_writable(&folder);
    std::fs::write(&folder, text.replace("evil", "EVIL")).unwrap();
    world.activate(&bot.id, rev).await;
    world.deliver(&bot, &text_update(1, 5, "x")).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(world.texts(&bot, 5).is_empty());
    assert_eq!(world.state(&bot.id, 5).await, None);
    world.deploy(&bot.id, &tagged("good")).await;
    crate::support::eventually("it waited for a sound one", async || {
        world.texts(&bot, 5).len() == 2
    })
    .await;
    assert_eq!(world.state(&bot.id, 5).await, Some(json!({"seen": ["good"]})));
}

fn make_writable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
