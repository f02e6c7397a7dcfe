//! A change of the installation's address: every bot is registered anew, at the pace that Telegram allows, whatever
//! happens in between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use botloom_core::ids::Epoch;
use botloom_core::ports::{ActiveRevision, Notice};
use botloom_telegram::simulator::{Action, Fault};

use super::{Clinic, eventually, fault, id, name, number};
use crate::support::revision;

const BOTS: usize = 45;
const NEW: &str = "http://new.example/";

/// Calls that set the new address, by bot.
fn moved(clinic: &Clinic) -> BTreeMap<i64, usize> {
    let mut by_bot = BTreeMap::new();
    for (bot, params) in clinic.set_calls(0) {
        if params["url"].as_str().unwrap().starts_with(NEW) {
            *by_bot.entry(bot).or_default() += 1;
        }
    }
    by_bot
}

/// Moves the clock in steps and keeps how many calls there had been at each.
#[derive(Default)]
struct Record(Vec<(i64, usize)>);

impl Record {
    const STEP_MS: i64 = 5_000;

    async fn step(&mut self, clinic: &Clinic) {
        clinic.pass(Self::STEP_MS).await;
        self.note(clinic, Self::STEP_MS);
    }

    fn note(&mut self, clinic: &Clinic, passed: i64) {
        let last = self.0.last().map_or(0, |(at, _)| *at);
        self.0.push((last + passed, moved(clinic).values().sum()));
    }

    /// Most calls within any minute, less a step: a call is noted at the next step after it was made.
    fn most_a_minute(&self) -> usize {
        let mut most = 0;
        for (at, calls) in &self.0 {
            let span = 60_000 - Self::STEP_MS;
            let before = self.0.iter().rfind(|(earlier, _)| *earlier <= at - span);
            most = most.max(calls - before.map_or(0, |(_, calls)| *calls));
        }
        most
    }
}

/// All bots are known to be well at the old address.
async fn settled() -> Clinic {
    let clinic = Clinic::with(BOTS).await;
    let node = clinic.node();
    clinic.idle().await;
    for bot in 0..BOTS {
        clinic.becomes(bot, "healthy", &[]).await;
    }
    node.stop().await;
    Clinic {
        public: Some(NEW.to_owned()),
        ..clinic
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_bots_move_at_the_pace_though_nodes_are_killed_and_none_moves_twice() {
    let clinic = Box::pin(settled()).await;
    // One call is executed, and whoever made it dies before an answer comes.
    let lost = Fault {
        skip: 20,
        executed: true,
        ..fault("setWebhook", Some(1), Action::Hang { ms: 20_000 })
    };
    clinic.server.telegram.add_fault(lost);
    let first = clinic.node();
    let mut record = Record::default();
    while moved(&clinic).len() < 16 {
        record.step(&clinic).await;
    }
    let progress = clinic.owner.get("/webhooks/progress").await.expect(200).json();
    let told = |field: &str| usize::try_from(progress[field].as_u64().unwrap()).unwrap();
    let there = moved(&clinic).len();
    assert_eq!(
        told("left") + there,
        BOTS,
        "also those that were not looked at since"
    );
    assert!(told("etaSeconds") >= 60, "{progress}");
    assert_eq!(told("lastHour"), there);
    while moved(&clinic).len() < 21 {
        clinic.server.clock.advance(1_000);
        // What hangs is not waited for.
        eventually("all checks are made, or the last call is", async || {
            moved(&clinic).len() > 20 || clinic.server.open_checks() == 0
        })
        .await;
        record.note(&clinic, 1_000);
        assert!(record.0.len() < 200, "it never went on");
    }
    first.kill().await;
    // Its claims end.
    clinic.server.clock.advance(30_001);
    record.note(&clinic, 30_001);

    let _nodes = [clinic.node(), clinic.node()];
    while moved(&clinic).len() < BOTS {
        record.step(&clinic).await;
        assert!(record.0.len() < 200, "some are forgotten: {:?}", moved(&clinic));
    }
    for _ in 0..12 {
        record.step(&clinic).await;
    }
    let all: BTreeMap<i64, usize> = (0..BOTS).map(|bot| (number(bot), 1)).collect();
    assert_eq!(moved(&clinic), all, "each once");
    assert!(record.most_a_minute() <= 20, "{:?}", record.0);
    for bot in 0..BOTS {
        assert!(clinic.is(bot, "healthy", &[]).await, "{bot}");
        assert_eq!(clinic.told(bot).await, [], "a move is no drift");
    }
    let progress = clinic.owner.get("/webhooks/progress").await.expect(200).json();
    assert_eq!(
        progress["left"], 0,
        "also the one whose answer was lost has arrived"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_need_not_wait_for_a_move() {
    let clinic = Box::pin(settled()).await;
    let _node = clinic.node();
    let mut record = Record::default();
    while moved(&clinic).len() < 16 {
        record.step(&clinic).await;
    }
    record.step(&clinic).await;
    let there = moved(&clinic);
    assert_eq!(there.len(), 16, "the move has used what it may");
    let bot = (0..BOTS).find(|bot| there.contains_key(&number(*bot))).unwrap();
    let ports = &clinic.server.ports;
    let rev = revision(ports, &name(bot), "1").await;
    let epoch = ports
        .catalog
        .activate(&id(bot), Epoch(0), rev)
        .await
        .unwrap()
        .unwrap();
    let revision = ActiveRevision { epoch, rev };
    ports
        .bus
        .publish(Notice::RevisionSet {
            bot: id(bot),
            revision,
        })
        .await;
    eventually("it is set at once", async || moved(&clinic)[&number(bot)] == 2).await;
    assert_eq!(moved(&clinic).len(), 16, "nobody else moved meanwhile");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_with_old_and_new_settings_do_not_fight() {
    let old = Clinic::with(3).await;
    let _before = old.node();
    old.idle().await;
    for bot in 0..3 {
        old.becomes(bot, "healthy", &[]).await;
    }
    let clinic = Clinic {
        public: Some(NEW.to_owned()),
        ..old
    };
    let _after = clinic.node();
    let mut steps = 0;
    while moved(&clinic).len() < 3 {
        clinic.pass(1_000).await;
        steps += 1;
        assert!(steps < 200, "some are forgotten: {:?}", moved(&clinic));
    }
    for _ in 0..5 {
        clinic.pass(super::ROUND_MS).await;
    }
    let urls: BTreeSet<String> = clinic
        .set_calls(3)
        .into_iter()
        .map(|(_, params)| params["url"].as_str().unwrap().to_owned())
        .collect();
    assert!(urls.iter().all(|url| url.starts_with(NEW)), "{urls:?}");
    assert_eq!(clinic.set_calls(3).len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_changes_of_the_address_in_a_row_lose_nobody() {
    let clinic = Box::pin(settled()).await;
    let first = clinic.node();
    let lost = Fault {
        executed: true,
        ..fault("setWebhook", None, Action::Hang { ms: 20_000 })
    };
    clinic.server.telegram.add_fault(lost);
    clinic.server.clock.advance(super::ROUND_MS);
    eventually("some are in the air", async || !moved(&clinic).is_empty()).await;
    first.kill().await;
    clinic.server.telegram.clear_faults();
    let between: Vec<i64> = moved(&clinic).into_keys().collect();
    let newest = Clinic {
        public: Some("http://newest.example/".to_owned()),
        ..clinic
    };
    let _second = newest.node();
    let bot = (0..BOTS).find(|bot| between.contains(&number(*bot))).unwrap();
    eventually("it is where it should be", async || {
        newest.server.clock.advance(5_000);
        tokio::time::sleep(Duration::from_millis(50)).await;
        newest.info(bot).await.url.starts_with("http://newest.example/")
    })
    .await;
    assert_eq!(newest.told(bot).await, [], "no address of ours is foreign");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_a_year_ahead_holds_up_no_move_once_it_is_right() {
    const YEAR_MS: i64 = 365 * 24 * 3_600_000;
    let clinic = Box::pin(settled()).await;
    let clock = &clinic.server.clock;
    clock.advance(YEAR_MS);
    let _node = clinic.node();
    let mut steps = 0;
    while moved(&clinic).len() < 16 {
        clinic.pass(2_000).await;
        steps += 1;
        assert!(steps < 200, "it never went on");
    }
    clinic.pass(2_000).await;
    let there = moved(&clinic);
    assert_eq!(there.len(), 16, "the others have asked in vain");
    clock.advance(-YEAR_MS);
    let bot = (0..BOTS).find(|bot| !there.contains_key(&number(*bot))).unwrap();
    let before = clinic.server.ports.clock.now();
    let catalog = &clinic.server.ports.catalog;
    eventually("it moves", async || {
        clock.advance(2_000);
        // Its check is due in a year as well.
        let now = clinic.server.ports.clock.now();
        catalog.hasten_webhook_check(&id(bot), now).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        moved(&clinic).contains_key(&number(bot))
    })
    .await;
    let took = clinic.server.ports.clock.now().since(before);
    assert!(took >= 60_000, "the minute was used up: {took}");
    assert!(took <= 3_600_000, "{took}");
}
