//! What operators do by hand while nodes run: health, repair, spreading a bot.

use crate::support::process::{Ran, run};
use crate::support::specs;
use crate::support::stories::Storage;
use crate::support::world::World;

fn botloom(world: &World, args: &[&str]) -> Ran {
    let services = world.services.as_ref().unwrap();
    let settings = services.settings.iter();
    let env: Vec<(&str, &str)> = settings
        .map(|(key, text)| (key.as_str(), text.as_str()))
        .collect();
    run(args, &env, &std::env::temp_dir(), "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_is_spread_and_brought_back_and_keeps_its_documents() {
    let world = World::start(Storage::Services, &[]).await;
    let bot = world
        .bot(&specs::chain("busy-bot", ""), 7_100_000_090, "webhook")
        .await;
    let people: Vec<i64> = (0..12).map(|_| world.person("Ada", "en")).collect();
    for (round, shards) in [(1, "4"), (2, "1"), (3, "8")] {
        for person in &people {
            let before = if round == 1 {
                String::new()
            } else {
                (round - 1).to_string()
            };
            assert_eq!(
                world.ask(bot, *person, &format!("/n {round}"), 1).await,
                [format!("{before}->{round}")]
            );
        }
        // The last answer may still be on its way to being acknowledged.
        let spread = loop {
            let ran = botloom(&world, &["spread", "busy-bot", shards]);
            if !ran.err.contains("wait") {
                break ran;
            }
        };
        assert_eq!(spread.code, Some(0), "{spread:?}");
        assert!(
            spread.out.contains(&format!("over {shards} shards")),
            "{spread:?}"
        );
    }
    let repaired = botloom(&world, &["repair"]);
    assert_eq!(
        repaired.out.trim(),
        "0 places were missing and are there again",
        "{repaired:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_what_readyz_says() {
    let mut world = World::start(Storage::Services, &[]).await;
    let url = world.server.url("");
    let ready = botloom(&world, &["health", "--server", &url]);
    assert_eq!((ready.code, ready.out.trim()), (Some(0), "ready"), "{ready:?}");
    world.server.kill();
    assert_eq!(botloom(&world, &["health", "--server", &url]).code, Some(1));
}
