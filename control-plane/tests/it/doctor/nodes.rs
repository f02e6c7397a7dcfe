//! Several nodes share the checks, and what a dead one had goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use botloom_telegram::simulator::{Action, Fault};

use super::{Clinic, eventually, fault, id, number};

const BOTS: usize = 70;

fn checks(clinic: &Clinic) -> BTreeMap<i64, usize> {
    let mut by_bot = BTreeMap::new();
    for entry in clinic.calls("getWebhookInfo") {
        *by_bot.entry(entry.bot).or_default() += 1;
    }
    by_bot
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_check_every_bot_once_a_round() {
    let clinic = Clinic::with(BOTS).await;
    let slow = Action::Delay { ms: 100 };
    clinic
        .server
        .telegram
        .add_fault(fault("getWebhookInfo", None, slow));
    let _nodes = [clinic.node(), clinic.node()];
    clinic.idle().await;
    let expected: BTreeMap<i64, usize> = (0..BOTS).map(|bot| (number(bot), 1)).collect();
    assert_eq!(checks(&clinic), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_of_which_telegram_tells_nothing_holds_up_no_other() {
    let clinic = Clinic::patient(BOTS).await;
    let held = Fault {
        bot: Some(number(0)),
        ..fault("getWebhookInfo", None, Action::Hold)
    };
    clinic.server.telegram.add_fault(held);
    let _node = clinic.node();
    for bot in 1..BOTS {
        clinic.becomes(bot, "healthy", &[]).await;
    }
    assert!(clinic.is(0, "unknown", &[]).await);
    clinic.server.telegram.clear_faults();
    clinic.becomes(0, "healthy", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_node_had_claimed_goes_on_elsewhere() {
    let clinic = Clinic::patient(BOTS).await;
    // It hangs in all that it began.
    let held = fault("getWebhookInfo", None, Action::Hold);
    clinic.server.telegram.add_fault(held);
    let dead = clinic.node();
    eventually("it has claimed everything", async || {
        clinic.server.claimed_checks() == u32::try_from(BOTS).unwrap()
    })
    .await;
    dead.kill().await;
    clinic.server.telegram.clear_faults();
    let _living = clinic.node();
    let fence = async || {
        let check = clinic.server.ports.catalog.webhook_check(&id(0)).await.unwrap();
        check.unwrap().fence
    };
    let claimed = fence().await;
    // Time for several looks, in which nothing may happen.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(fence().await, claimed, "claims hold until their leases end");
    assert!(clinic.is(0, "unknown", &[]).await);
    clinic.pass(30_001).await;
    for bot in 0..BOTS {
        assert!(clinic.is(bot, "healthy", &[]).await, "{bot}");
    }
}
