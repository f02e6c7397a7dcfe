//! Immutable versions of specs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Subject, a_bot, add_bot, pages};
use crate::hash::{Sha256Hash, SpecHash};
use crate::ids::{BotId, UserId};
use crate::model::SpecVersion;
use crate::ports::{NewVersion, NewVersionOutcome, PageRequest, StoreError};
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};

cases!(($) versions_conformance, catalog::versions, Subject, [
    versions_are_read_as_they_were_stored,
    numbers_have_no_gaps_under_concurrency,
    the_same_content_is_the_same_version,
    the_same_content_at_the_same_time_is_one_version,
    an_edit_of_an_old_version_is_refused,
    of_concurrent_edits_of_one_version_one_is_stored,
    old_content_is_restored_as_a_version_of_its_own,
    of_concurrent_restores_one_is_stored,
    notes_are_kept_and_changed,
    bots_count_for_themselves,
    a_version_needs_a_bot,
    lists_are_newest_first_and_come_in_pages,
    foreign_cursors_list_nothing,
]);

fn version(bot: &BotId, content: &str) -> NewVersion {
    NewVersion {
        bot: bot.clone(),
        spec_hash: SpecHash(Sha256Hash::of(content)),
        canonical: format!(r#"{{"content":"{content}"}}"#),
        warnings: "[]".to_owned(),
        author: None,
        created_at: T0,
        edited: None,
        note: None,
        restores: None,
    }
}

/// The number under which it was created, or `None`.
fn created(outcome: &NewVersionOutcome) -> Option<u32> {
    match outcome {
        NewVersionOutcome::Created(summary) => Some(summary.version),
        _ => None,
    }
}

async fn versions_are_read_as_they_were_stored(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    assert_eq!(catalog.latest_version(&bot).await?, None);
    let new = NewVersion {
        warnings: r#"[{"code":"unused-flow"}]"#.to_owned(),
        author: Some(UserId::generate()),
        ..version(&bot, "Ünïcode 🍕")
    };
    let NewVersionOutcome::Created(summary) = catalog.add_version(&new).await? else {
        panic!("the first version is created");
    };
    assert_eq!(
        (summary.version, summary.author, summary.created_at),
        (1, new.author, T0)
    );
    let stored = catalog.version(&bot, 1).await?.ok_or("stored")?;
    assert_eq!(stored.summary, summary);
    assert_eq!(
        (&stored.canonical, &stored.warnings),
        (&new.canonical, &new.warnings)
    );
    assert_eq!(catalog.latest_version(&bot).await?, Some(stored));
    assert_eq!(catalog.version(&bot, 2).await?, None);
    assert_eq!(catalog.version(&bot, 0).await?, None);
    Ok(())
}

async fn numbers_have_no_gaps_under_concurrency(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let answers = race(50, |n| {
        let (catalog, new) = (Arc::clone(&catalog), version(&bot, &format!("content {n}")));
        async move { catalog.add_version(&new).await }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let numbers: BTreeSet<u32> = answers.iter().filter_map(created).collect();
    assert_eq!(numbers, (1..=50).collect());
    assert_eq!(
        catalog
            .latest_version(&bot)
            .await?
            .ok_or("stored")?
            .summary
            .version,
        50
    );
    Ok(())
}

async fn the_same_content_is_the_same_version(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let NewVersionOutcome::Created(first) = catalog.add_version(&version(&bot, "one")).await? else {
        panic!("the first version is created");
    };
    catalog.add_version(&version(&bot, "two")).await?;
    let again = NewVersion {
        author: Some(UserId::generate()),
        created_at: T0.plus(1),
        ..version(&bot, "one")
    };
    assert_eq!(
        catalog.add_version(&again).await?,
        NewVersionOutcome::Existing(first)
    );
    assert_eq!(
        catalog
            .latest_version(&bot)
            .await?
            .ok_or("stored")?
            .summary
            .version,
        2
    );
    Ok(())
}

async fn the_same_content_at_the_same_time_is_one_version(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let answers = race(50, |_| {
        let (catalog, new) = (Arc::clone(&catalog), version(&bot, "one"));
        async move { catalog.add_version(&new).await }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(answers.iter().filter_map(created).collect::<Vec<_>>(), [1]);
    let existing =
        |outcome: &&NewVersionOutcome| matches!(outcome, NewVersionOutcome::Existing(v) if v.version == 1);
    assert_eq!(answers.iter().filter(existing).count(), 49);
    Ok(())
}

async fn an_edit_of_an_old_version_is_refused(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let edit = |edited: u32, content: &str| NewVersion {
        edited: Some(edited),
        ..version(&bot, content)
    };
    assert_eq!(
        catalog.add_version(&edit(1, "one")).await?,
        NewVersionOutcome::Stale { latest: 0 }
    );
    assert_eq!(
        created(&catalog.add_version(&version(&bot, "one")).await?),
        Some(1)
    );
    assert_eq!(created(&catalog.add_version(&edit(1, "two")).await?), Some(2));
    assert_eq!(
        catalog.add_version(&edit(1, "three")).await?,
        NewVersionOutcome::Stale { latest: 2 }
    );
    // Judged before the content is compared.
    assert_eq!(
        catalog.add_version(&edit(1, "two")).await?,
        NewVersionOutcome::Stale { latest: 2 }
    );
    let same = catalog.add_version(&edit(2, "one")).await?;
    assert!(matches!(same, NewVersionOutcome::Existing(summary) if summary.version == 1));
    assert_eq!(
        catalog
            .latest_version(&bot)
            .await?
            .ok_or("stored")?
            .summary
            .version,
        2
    );
    Ok(())
}

async fn of_concurrent_edits_of_one_version_one_is_stored(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    catalog.add_version(&version(&bot, "base")).await?;
    let answers = race(30, |n| {
        let catalog = Arc::clone(&catalog);
        let edit = NewVersion {
            edited: Some(1),
            ..version(&bot, &format!("edit {n}"))
        };
        async move { catalog.add_version(&edit).await }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(answers.iter().filter_map(created).collect::<Vec<_>>(), [2]);
    let stale = answers
        .iter()
        .filter(|outcome| **outcome == NewVersionOutcome::Stale { latest: 2 });
    assert_eq!(stale.count(), 29);
    Ok(())
}

async fn old_content_is_restored_as_a_version_of_its_own(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    catalog.add_version(&version(&bot, "one")).await?;
    catalog.add_version(&version(&bot, "two")).await?;
    let restore = NewVersion {
        restores: Some(1),
        ..version(&bot, "one")
    };
    let NewVersionOutcome::Created(restored) = catalog.add_version(&restore).await? else {
        panic!("what is not the latest content is restored");
    };
    assert_eq!((restored.version, restored.restored_from), (3, Some(1)));
    let latest = catalog.latest_version(&bot).await?.ok_or("stored")?;
    assert_eq!(
        (&latest.summary, &latest.canonical),
        (&restored, &restore.canonical)
    );
    // What is the latest content already stays that version, for a restore and for a post.
    for again in [restore, version(&bot, "one")] {
        assert_eq!(
            catalog.add_version(&again).await?,
            NewVersionOutcome::Existing(restored.clone())
        );
    }
    let stale = NewVersion {
        restores: Some(2),
        edited: Some(2),
        ..version(&bot, "two")
    };
    assert_eq!(
        catalog.add_version(&stale).await?,
        NewVersionOutcome::Stale { latest: 3 }
    );
    Ok(())
}

async fn of_concurrent_restores_one_is_stored(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    catalog.add_version(&version(&bot, "one")).await?;
    catalog.add_version(&version(&bot, "two")).await?;
    let answers = race(30, |_| {
        let catalog = Arc::clone(&catalog);
        let restore = NewVersion {
            restores: Some(1),
            ..version(&bot, "one")
        };
        async move { catalog.add_version(&restore).await }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(answers.iter().filter_map(created).collect::<Vec<_>>(), [3]);
    Ok(())
}

async fn notes_are_kept_and_changed(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let noted = NewVersion {
        note: Some("Für Weihnachten 🎄".to_owned()),
        ..version(&bot, "one")
    };
    catalog.add_version(&noted).await?;
    let stored = catalog.version(&bot, 1).await?.ok_or("stored")?;
    assert_eq!(stored.summary.note, noted.note);
    for note in [Some("Another"), None] {
        let now = catalog.set_version_note(&bot, 1, note).await?.ok_or("stored")?;
        assert_eq!(now.note.as_deref(), note);
        let expected = SpecVersion {
            summary: now,
            ..stored.clone()
        };
        assert_eq!(catalog.version(&bot, 1).await?, Some(expected));
    }
    assert_eq!(catalog.set_version_note(&bot, 2, Some("x")).await?, None);
    Ok(())
}

async fn bots_count_for_themselves(catalog: Subject) -> CaseResult {
    let a = a_bot(&catalog).await?;
    let project = catalog.bot(&a).await?.ok_or("stored")?.project;
    assert!(add_bot(&catalog, project, "b-bot").await?);
    let b = BotId::new("b-bot")?;
    assert_eq!(created(&catalog.add_version(&version(&a, "one")).await?), Some(1));
    assert_eq!(created(&catalog.add_version(&version(&a, "two")).await?), Some(2));
    assert_eq!(created(&catalog.add_version(&version(&b, "two")).await?), Some(1));
    Ok(())
}

async fn a_version_needs_a_bot(catalog: Subject) -> CaseResult {
    let deleted = a_bot(&catalog).await?;
    catalog.delete_bot(&deleted, T0).await?;
    for bot in [deleted, BotId::new("never-made")?] {
        let answer = catalog.add_version(&version(&bot, "one")).await;
        assert!(matches!(answer, Err(StoreError::Missing("bot"))), "{answer:?}");
        assert_eq!(catalog.latest_version(&bot).await?, None);
    }
    Ok(())
}

async fn lists_are_newest_first_and_come_in_pages(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    for n in 1..=11 {
        catalog.add_version(&version(&bot, &n.to_string())).await?;
    }
    for limit in [1, 5, 10, 11, 12] {
        let (catalog, bot) = (&catalog, &bot);
        let listed = pages::all(limit, |page| async move { catalog.versions(bot, &page).await }).await?;
        let numbers: Vec<_> = listed.iter().map(|summary| summary.version).collect();
        assert_eq!(numbers, (1..=11).rev().collect::<Vec<_>>(), "pages of {limit}");
    }
    Ok(())
}

async fn foreign_cursors_list_nothing(catalog: Subject) -> CaseResult {
    let a = a_bot(&catalog).await?;
    let project = catalog.bot(&a).await?.ok_or("stored")?.project;
    assert!(add_bot(&catalog, project, "b-bot").await?);
    let b = BotId::new("b-bot")?;
    for content in ["one", "two"] {
        catalog.add_version(&version(&a, content)).await?;
        catalog.add_version(&version(&b, content)).await?;
    }
    let one = PageRequest {
        cursor: None,
        limit: 1,
    };
    let foreign = [
        catalog.versions(&b, &one).await?.next_cursor,
        catalog.bots(&[project], &one).await?.next_cursor,
    ];
    let (catalog, a) = (&catalog, &a);
    pages::foreign_cursors_list_nothing(&foreign, |page| async move { catalog.versions(a, &page).await })
        .await?;
    Ok(())
}
