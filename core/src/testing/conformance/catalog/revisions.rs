//! Revisions.

use std::sync::Arc;

use super::{Subject, a_bot, pages, rev};
use crate::hash::Sha256Hash;
use crate::ids::BotId;
use crate::model::{ArtifactDigests, RevisionRow};
use crate::ports::StoreError;
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};

cases!(($) revisions_conformance, catalog::revisions, Subject, [
    revisions_are_read_as_they_were_stored,
    the_first_one_stays,
    of_concurrent_ones_the_first_stays,
    a_revision_needs_a_bot,
    lists_are_newest_first_and_come_in_pages,
    foreign_cursors_list_nothing,
]);

fn revision(bot: &BotId, name: &str) -> RevisionRow {
    RevisionRow {
        rev_hash: rev(name),
        bot: bot.clone(),
        spec_version: 3,
        digests: ArtifactDigests {
            bot_js: Sha256Hash::of("bot.js"),
            spec_json: Sha256Hash::of("spec.json"),
            rev_json: Sha256Hash::of("rev.json"),
        },
        rev_json: r#"{"notes":"🍕"}"#.to_owned(),
        created_at: T0,
    }
}

async fn revisions_are_read_as_they_were_stored(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let row = revision(&bot, "one");
    assert!(catalog.add_revision(&row).await?);
    assert_eq!(catalog.revision(&row.rev_hash).await?, Some(row));
    assert_eq!(catalog.revision(&rev("two")).await?, None);
    Ok(())
}

async fn the_first_one_stays(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let first = revision(&bot, "one");
    let second = RevisionRow {
        rev_json: "{}".to_owned(),
        created_at: T0.plus(1),
        ..first.clone()
    };
    assert!(catalog.add_revision(&first).await?);
    assert!(!catalog.add_revision(&second).await?);
    assert_eq!(catalog.revision(&first.rev_hash).await?, Some(first));
    Ok(())
}

async fn of_concurrent_ones_the_first_stays(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let rows: Vec<_> = (0..30)
        .map(|n| RevisionRow {
            rev_json: format!(r#"{{"notes":"{n}"}}"#),
            ..revision(&bot, "one")
        })
        .collect();
    let answers = race(rows.len(), |n| {
        let (catalog, row) = (Arc::clone(&catalog), rows[n].clone());
        async move { catalog.add_revision(&row).await }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let winners: Vec<_> = rows.iter().zip(answers).filter(|(_, stored)| *stored).collect();
    let [(winner, _)] = winners[..] else {
        panic!("one is stored: {winners:?}");
    };
    assert_eq!(catalog.revision(&rev("one")).await?.as_ref(), Some(winner));
    Ok(())
}

async fn a_revision_needs_a_bot(catalog: Subject) -> CaseResult {
    let answer = catalog
        .add_revision(&revision(&BotId::new("never-made")?, "one"))
        .await;
    assert!(matches!(answer, Err(StoreError::Missing("bot"))), "{answer:?}");
    Ok(())
}

async fn lists_are_newest_first_and_come_in_pages(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    for n in 0..9 {
        // Three at a time, so that pages also end between rows of the same moment.
        let row = RevisionRow {
            created_at: T0.plus(n / 3),
            ..revision(&bot, &n.to_string())
        };
        assert!(catalog.add_revision(&row).await?);
    }
    let (catalog, bot) = (&catalog, &bot);
    let whole = pages::all(100, |page| async move { catalog.revisions(bot, &page).await }).await?;
    assert_eq!(whole.len(), 9);
    assert!(whole.is_sorted_by(|a, b| a.created_at >= b.created_at));
    for limit in [1, 2, 3, 4, 8, 9] {
        let listed = pages::all(limit, |page| async move { catalog.revisions(bot, &page).await }).await?;
        assert_eq!(listed, whole, "pages of {limit}");
    }
    Ok(())
}

async fn foreign_cursors_list_nothing(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    assert!(catalog.add_revision(&revision(&bot, "one")).await?);
    let (catalog, bot) = (&catalog, &bot);
    pages::foreign_cursors_list_nothing(&[], |page| async move { catalog.revisions(bot, &page).await })
        .await?;
    Ok(())
}
