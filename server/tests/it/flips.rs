//! Flips under load: every answer is whole, from one revision or the other, and flips refuse nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::support::specs;
use crate::support::stories::{Storage, stories};
use crate::support::world::World;

stories!(two_hundred_flips_under_load);

const FLIPS: usize = 200;
const PEOPLE: usize = 8;

/// Two replies in one flow, both marked: an update that ran half on each revision would show.
fn marked(mark: &str) -> serde_json::Value {
    let mut spec = specs::chain("flip-bot", "");
    spec["flows"][1]["steps"] = json!([
        {"id": "first", "type": "reply", "text": format!("{mark} first {{{{context.args}}}}")},
        {"id": "second", "type": "reply", "text": format!("{mark} second {{{{context.args}}}}")},
    ]);
    spec
}

async fn two_hundred_flips_under_load(storage: Storage) {
    let world = Arc::new(World::start(storage, &[]).await);
    let bot = world.bot(&marked("A"), 7_100_000_020, "webhook").await;
    let revisions = [
        world.api.build(&marked("B")).await,
        world.api.build(&marked("A")).await,
    ];

    let stop = Arc::new(AtomicBool::new(false));
    let people: Vec<_> = (0..PEOPLE)
        .map(|_| {
            let (world, stop) = (Arc::clone(&world), Arc::clone(&stop));
            tokio::spawn(async move {
                let person = world.person("Ada", "en");
                let mut answered = 0usize;
                while !stop.load(Ordering::Relaxed) {
                    let answers = world.ask(bot, person, &format!("/n {answered}"), 2).await;
                    let mark = &answers[0][..1];
                    let whole = [
                        format!("{mark} first {answered}"),
                        format!("{mark} second {answered}"),
                    ];
                    assert_eq!(answers, whole, "an update ran half on each revision");
                    answered += 1;
                }
                answered
            })
        })
        .collect();

    let mut epoch = 1;
    for flip in 0..FLIPS {
        let done = world.api.deploy("flip-bot", &revisions[flip % 2]).await;
        assert_eq!(done["status"], "succeeded", "{done}");
        epoch += 1;
        assert_eq!(done["epoch"], json!(epoch));
        if flip % 20 == 0 {
            // After a flip is reported no update starts on the old revision.
            let person = world.person("Eve", "en");
            let mark = if flip % 2 == 0 { "B" } else { "A" };
            assert_eq!(
                world.ask(bot, person, "/n x", 2).await[0],
                format!("{mark} first x")
            );
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for person in people {
        answered += person.await.unwrap();
    }
    assert!(answered > FLIPS, "only {answered} updates met {FLIPS} flips");
    let mut deliveries = world.telegram.counters().deliveries;
    // The door refuses an update that is not stored in 300 ms, and is sent it again: a machine that stalls does that now
    // and then, a flip that refuses does it every time.
    let refused = deliveries.remove(&503).unwrap_or(0);
    let taken = deliveries.get(&200).copied().unwrap_or(0);
    assert!(
        refused * 10 < FLIPS as u64 && refused * 100 < taken,
        "{refused} updates were refused, {taken} taken"
    );
    assert_eq!(deliveries.keys().copied().collect::<Vec<_>>(), [200]);
}
