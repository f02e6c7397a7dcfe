//! Suite of the bus. Each case gets a bus without listeners.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;

use super::CaseResult;
use super::cases::cases;
use crate::hash::{RevHash, Sha256Hash};
use crate::ids::{BotId, Epoch, ProjectId};
use crate::ports::{ActiveRevision, Bus, Notice};

/// What the suite is run against.
pub type Subject = Arc<dyn Bus>;

cases!(($) bus_conformance, bus, Subject, [
    every_listener_hears_every_kind_of_notice,
    nobody_needs_to_listen,
    listening_begins_with_subscribing,
    a_listener_that_sleeps_holds_nobody_up_and_goes_on_with_the_newest,
]);

async fn every_listener_hears_every_kind_of_notice(bus: Subject) -> CaseResult {
    let (bot, rev) = (BotId::new("a-bot")?, RevHash(Sha256Hash::of("rev")));
    let notices = [
        Notice::RevisionPrepare {
            bot: bot.clone(),
            rev,
        },
        Notice::RevisionSet {
            bot: bot.clone(),
            revision: ActiveRevision { epoch: Epoch(3), rev },
        },
        Notice::BotChanged { bot },
        Notice::EventLogged {
            project: ProjectId::generate(),
        },
        Notice::SessionEnded {
            session: Sha256Hash::of("session"),
        },
    ];
    let mut listeners = [bus.subscribe(), bus.subscribe()];
    for notice in &notices {
        bus.publish(notice.clone()).await;
        for listener in &mut listeners {
            assert_eq!(listener.recv().await?, *notice);
        }
    }
    Ok(())
}

fn numbered(number: usize) -> Result<Notice, crate::ids::InvalidId> {
    Ok(Notice::BotChanged {
        bot: BotId::new(format!("bot-{number}"))?,
    })
}

async fn nobody_needs_to_listen(bus: Subject) -> CaseResult {
    bus.publish(numbered(1)?).await;
    drop(bus.subscribe());
    bus.publish(numbered(2)?).await;
    Ok(())
}

async fn listening_begins_with_subscribing(bus: Subject) -> CaseResult {
    let mut early = bus.subscribe();
    bus.publish(numbered(1)?).await;
    let mut late = bus.subscribe();
    bus.publish(numbered(2)?).await;
    assert_eq!(early.recv().await?, numbered(1)?);
    assert_eq!(early.recv().await?, numbered(2)?);
    assert_eq!(late.recv().await?, numbered(2)?);
    Ok(())
}

async fn a_listener_that_sleeps_holds_nobody_up_and_goes_on_with_the_newest(bus: Subject) -> CaseResult {
    const MANY: usize = 100_000;
    let mut sleeper = bus.subscribe();
    for number in 0..MANY {
        bus.publish(numbered(number)?).await;
    }
    let lost = sleeper.recv().await;
    assert!(matches!(lost, Err(RecvError::Lagged(_))), "{lost:?}");
    let mut last = sleeper.recv().await?;
    while last != numbered(MANY - 1)? {
        last = sleeper.recv().await?;
    }
    Ok(())
}
