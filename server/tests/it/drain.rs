//! SIGTERM: work under way ends, nothing is lost, the process leaves by itself.

use std::time::{Duration, Instant};

use crate::support::specs;
use crate::support::stories::{Storage, stories};
use crate::support::world::{PATIENCE, World, text_of};

stories!(
    a_drained_server_loses_nothing_and_leaves_by_itself,
    an_open_event_stream_does_not_hold_the_end_up
);

async fn a_drained_server_loses_nothing_and_leaves_by_itself(storage: Storage) {
    let mut world = World::start(storage, &[]).await;
    let bot = world
        .bot(&specs::chain("drain-bot", ""), 7_100_000_040, "webhook")
        .await;
    let people: Vec<i64> = (0..20).map(|_| world.person("Ada", "en")).collect();
    let after = world.telegram.position();
    for round in 1..=5 {
        for person in &people {
            world.telegram.say(bot, *person, &format!("/n {round}")).unwrap();
        }
    }
    world.server.signal("TERM");
    let told = Instant::now();
    assert_eq!(world.server.ended().await, Some(0), "{}", world.server.log_text());
    assert!(told.elapsed() < Duration::from_secs(12), "{:?}", told.elapsed());

    world.server.spawn(&[]);
    world.server.ready().await;
    for person in people {
        let seen = world
            .telegram
            .wait_messages(bot, person, after, 5, PATIENCE)
            .await
            .unwrap();
        let texts: Vec<String> = seen.iter().map(text_of).collect();
        assert_eq!(texts, ["->1", "1->2", "2->3", "3->4", "4->5"]);
    }
}

async fn an_open_event_stream_does_not_hold_the_end_up(storage: Storage) {
    let mut world = World::start(storage, &[]).await;
    let spec = specs::chain("stream-bot", "");
    world.api.create_bot(&spec).await;
    let api = world.api.clone();
    let watching = tokio::spawn(async move {
        // Ends with the server; nothing is ever said in it.
        api.stream("/events?botId=stream-bot", "never", Duration::from_mins(1))
            .await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.server.signal("TERM");
    assert_eq!(world.server.ended().await, Some(0), "{}", world.server.log_text());
    assert!(watching.await.is_err(), "the stream ended with the server");
}
