//! Two deployers race for a bot that people write to all the time, and a third of all published messages is lost. How long
//! flips and rollbacks take is told, and asserted only in the soak: beside other tests it depends on the machine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::percentile;
use crate::support::api::Api;
use crate::support::lossy::Lossy;
use crate::support::services::Services;
use crate::support::specs;
use crate::support::world::World;

const BOT: &str = "race-bot";
const FLIPS: usize = 300;
const ROLLBACKS: usize = 20;
const LOST_PERCENT: u32 = 30;
/// Revisions that take turns; more than flips can be under way, so that a mark tells which flip it came with.
const MARKS: usize = 16;
const PEOPLE: usize = 6;

/// Two replies in one flow, both marked: an update that ran half on each revision would show.
fn marked(mark: usize) -> Value {
    let mut spec = specs::chain(BOT, "");
    spec["flows"][1]["steps"] = json!([
        {"id": "first", "type": "reply", "text": format!("{mark} first {{{{context.args}}}}")},
        {"id": "second", "type": "reply", "text": format!("{mark} second {{{{context.args}}}}")},
    ]);
    spec
}

/// An update that was answered.
#[derive(Debug, Clone, Copy)]
struct Answered {
    /// The newest epoch that was reported as live when it was written.
    reported: u64,
    mark: usize,
    at: Instant,
}

/// A flip: which revision became live with which epoch, and when it was asked for.
#[derive(Debug, Clone, Copy)]
struct Flip {
    mark: usize,
    asked: Instant,
}

#[derive(Debug, Default)]
struct Seen {
    reported: AtomicU64,
    flips: Mutex<BTreeMap<u64, Flip>>,
    stop: AtomicBool,
}

impl Seen {
    /// Waits for the end of a deployment. Answers how long it took since `asked`; `None`: the other deployer won.
    async fn ended(
        &self,
        api: &Api,
        accepted: &Value,
        asked: Instant,
        revisions: &[String],
    ) -> Option<Duration> {
        let done = api
            .ended(&format!("/deployments/{}", accepted["taskId"].as_str().unwrap()))
            .await;
        let took = asked.elapsed();
        if done["status"] == "failed" {
            assert_eq!(done["error"]["code"], "superseded", "{done}");
            return None;
        }
        let epoch = done["epoch"].as_u64().unwrap();
        let mark = revisions
            .iter()
            .position(|rev| done["toRev"] == json!(rev))
            .expect("one of the revisions");
        let before = self.flips.lock().unwrap().insert(epoch, Flip { mark, asked });
        assert!(before.is_none(), "epoch {epoch} was given twice");
        self.reported.fetch_max(epoch, Ordering::Relaxed);
        Some(took)
    }
}

async fn talk(world: Arc<World>, bot: i64, seen: Arc<Seen>) -> Vec<Answered> {
    let person = world.person("Ada", "en");
    let mut answered = Vec::new();
    while !seen.stop.load(Ordering::Relaxed) {
        let (number, reported) = (answered.len(), seen.reported.load(Ordering::Relaxed));
        let texts = world.ask(bot, person, &format!("/n {number}"), 2).await;
        let mark: usize = texts[0].split(' ').next().unwrap().parse().unwrap();
        let whole = [
            format!("{mark} first {number}"),
            format!("{mark} second {number}"),
        ];
        assert_eq!(texts, whole, "an update ran half on each revision");
        answered.push(Answered {
            reported,
            mark,
            at: Instant::now(),
        });
    }
    answered
}

/// No chat ever goes back to an older epoch, and none starts on one that was replaced before the update was written.
fn check(chat: &[Answered], flips: &BTreeMap<u64, Flip>) {
    let mut last = 0;
    for answered in chat {
        let fits = |(epoch, flip): &(&u64, &Flip)| {
            **epoch >= last.max(answered.reported) && flip.mark == answered.mark && flip.asked <= answered.at
        };
        let Some((epoch, _)) = flips.iter().find(fits) else {
            panic!("{answered:?} after epoch {last} ran on a revision that was not live");
        };
        last = *epoch;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flips_of_two_racing_deployers_with_lost_messages() {
    let services = Services::new().await;
    let (lossy, redis) = Lossy::before(services.get("REDIS_URL"), LOST_PERCENT, 5).await;
    let world = Arc::new(World::alike(services.with("REDIS_URL", &redis), 2).await);
    let bot = world.bot(&marked(0), 7_100_000_150, "webhook").await;
    let mut revisions = Vec::new();
    for mark in 0..MARKS {
        revisions.push(world.api.build(&marked(mark)).await);
    }
    let seen = Arc::new(Seen::default());
    let first = Flip {
        mark: 0,
        asked: Instant::now(),
    };
    seen.flips.lock().unwrap().insert(1, first);
    seen.reported.store(1, Ordering::Relaxed);
    let people: Vec<_> = (0..PEOPLE)
        .map(|_| tokio::spawn(talk(Arc::clone(&world), bot, Arc::clone(&seen))))
        .collect();

    let apis = [world.api.clone(), world.api.at(&world.others[0])];
    let (mut times, mut refused, mut superseded) = (Vec::new(), 0, 0);
    let mut round = 0;
    while times.len() < FLIPS {
        let race = apis.each_ref().map(|api| {
            round += 1;
            let body = json!({ "botId": BOT, "revHash": revisions[round % MARKS], "strategy": "flip" });
            let (seen, revisions) = (&seen, &revisions);
            async move {
                let asked = Instant::now();
                let answer = api.post("/deploy", &body).await;
                if answer.status == 409 {
                    assert_eq!(
                        answer.json()["type"],
                        "/problems/deployment-in-progress",
                        "{answer:?}"
                    );
                    return Err(answer);
                }
                assert_eq!(answer.status, 202, "{answer:?}");
                Ok(seen.ended(api, &answer.json(), asked, revisions).await)
            }
        });
        let [left, right] = race;
        let (left, right) = tokio::join!(left, right);
        assert!(
            left.is_ok() || right.is_ok(),
            "both were refused: {left:?} {right:?}"
        );
        for end in [left, right] {
            match end {
                Ok(Some(took)) => times.push(took),
                Ok(None) => superseded += 1,
                Err(_) => refused += 1,
            }
        }
    }
    let mut back = Vec::new();
    for _ in 0..ROLLBACKS {
        let asked = Instant::now();
        let answer = world.api.post("/rollback", &json!({ "botId": BOT })).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        back.push(
            seen.ended(&world.api, &answer.json(), asked, &revisions)
                .await
                .expect("nobody races"),
        );
    }
    seen.stop.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for person in people {
        let chat = person.await.unwrap();
        answered += chat.len();
        check(&chat, &seen.flips.lock().unwrap());
    }

    times.sort_unstable();
    back.sort_unstable();
    let (longest, rollback) = (percentile(&times, 99), back[back.len() - 1]);
    eprintln!(
        "{} flips ({refused} refused, {superseded} superseded), {answered} updates, {} messages lost: flip {:?} (p50), \
         {longest:?} (p99); rollback {:?} (p50), {rollback:?} (longest)",
        times.len(),
        lossy.lost(),
        percentile(&times, 50),
        percentile(&back, 50),
    );
    assert!(lossy.lost() > 0, "no message was lost");
    assert!(refused + superseded > 0, "nobody raced");
    if std::env::var_os("BOTLOOM_SOAK_BOUNDS").is_some() {
        assert!(longest <= Duration::from_secs(2), "{longest:?}");
        assert!(rollback <= Duration::from_secs(1), "{rollback:?}");
    }
}
