//! Suite of the counts of outcomes. Each case gets an installation in which nothing was counted yet.

use std::sync::Arc;

use super::CaseResult;
use super::cases::{cases, race};
use crate::ids::{BotId, Epoch};
use crate::ports::{BotOutcomes, OutcomeCounts, Outcomes};

/// What the suite is run against: the port as every process of one installation has it, at least one.
pub type Subject = Vec<Arc<dyn Outcomes>>;

cases!(($) outcomes_conformance, outcomes, Subject, [
    what_all_processes_count_is_added_up,
    bots_and_epochs_are_counted_apart,
    concurrent_counts_are_all_added,
    the_epoch_before_the_newest_is_kept_and_older_ones_are_not,
]);

fn bot(name: &str) -> BotId {
    BotId::new(name).expect("the suite names bots rightly")
}

fn of(name: &str, epoch: u64, ok: u64, failed: u64) -> BotOutcomes {
    BotOutcomes {
        bot: bot(name),
        epoch: Epoch(epoch),
        counts: OutcomeCounts { ok, failed },
    }
}

async fn what_all_processes_count_is_added_up(members: Subject) -> CaseResult {
    let nothing = members[0].counts(&bot("a-bot"), Epoch(1)).await?;
    assert_eq!(nothing, OutcomeCounts::default());
    for member in &members {
        member.add(&[]).await?;
        member.add(&[of("a-bot", 1, 5, 0)]).await?;
        member.add(&[of("a-bot", 1, 0, 2)]).await?;
    }
    let each = members.len() as u64;
    for member in &members {
        let counts = member.counts(&bot("a-bot"), Epoch(1)).await?;
        assert_eq!((counts.ok, counts.failed), (5 * each, 2 * each));
        assert_eq!(counts.total(), 7 * each);
    }
    Ok(())
}

async fn bots_and_epochs_are_counted_apart(members: Subject) -> CaseResult {
    let counted = [of("a-bot", 8, 1, 2), of("a-bot", 9, 3, 4), of("b-bot", 8, 5, 6)];
    members[0].add(&counted).await?;
    for BotOutcomes { bot, epoch, counts } in &counted {
        assert_eq!(members[0].counts(bot, *epoch).await?, *counts);
    }
    let never = members[0].counts(&bot("b-bot"), Epoch(9)).await?;
    assert_eq!(never, OutcomeCounts::default());
    Ok(())
}

async fn concurrent_counts_are_all_added(members: Subject) -> CaseResult {
    const CALLERS: usize = 40;
    let answers = race(CALLERS, |caller| {
        let member = Arc::clone(&members[caller % members.len()]);
        async move {
            let many: Vec<_> = (0..150)
                .map(|number| of(&format!("bot-{number}"), 3, 1, 1))
                .collect();
            member.add(&many).await
        }
    })
    .await;
    for answer in answers {
        answer?;
    }
    for number in 0..150 {
        let counts = members[0]
            .counts(&bot(&format!("bot-{number}")), Epoch(3))
            .await?;
        assert_eq!((counts.ok, counts.failed), (CALLERS as u64, CALLERS as u64));
    }
    Ok(())
}

async fn the_epoch_before_the_newest_is_kept_and_older_ones_are_not(members: Subject) -> CaseResult {
    let subject = &members[0];
    for epoch in [9, 10, 11] {
        subject.add(&[of("a-bot", epoch, epoch, 1)]).await?;
    }
    // A node that tells late of the epoch before still counts, one that tells of an older one does not.
    subject
        .add(&[of("a-bot", 10, 1, 0), of("a-bot", 9, 100, 100)])
        .await?;
    for (epoch, ok, failed) in [(9, 0, 0), (10, 11, 1), (11, 11, 1)] {
        let counts = subject.counts(&bot("a-bot"), Epoch(epoch)).await?;
        assert_eq!((counts.ok, counts.failed), (ok, failed), "epoch {epoch}");
    }
    // Epochs may leave some out.
    subject.add(&[of("a-bot", 100, 1, 1)]).await?;
    assert_eq!(subject.counts(&bot("a-bot"), Epoch(11)).await?.total(), 0);
    Ok(())
}
