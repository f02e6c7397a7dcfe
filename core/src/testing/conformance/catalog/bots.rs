//! Bots.
//!
//! Longer than most files: every case of one port, with the few helpers that they share.

use std::sync::Arc;

use super::{Subject, a_bot, add_bot, entry, owner, pages, project, rev};
use crate::ids::{BotId, Epoch, ProjectId};
use crate::model::{BotRow, IngressMode, SealedToken, TelegramIdentity};
use crate::ports::{
    BotMark, Connection, NewProjectOutcome, PageRequest, StagingChange, StoreError, StoreResult, TokenChange,
};
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};

cases!(($) bots_conformance, catalog::bots, Subject, [
    a_new_bot_is_empty,
    an_id_is_given_once,
    a_bot_needs_a_project,
    a_token_lifts_the_suspension,
    a_token_is_replaced_while_it_is_the_one_that_was_seen,
    a_connected_bot_stays_the_telegram_bot_that_it_is,
    of_20_tokens_that_saw_the_same_one_is_stored,
    connecting_and_disconnecting,
    a_connection_is_replaced_while_it_is_the_one_that_was_seen,
    a_pause_keeps_its_beginning,
    renaming,
    every_change_counts_but_activations,
    a_deleted_bot_keeps_its_id_and_nothing_else,
    changes_need_a_bot,
    a_telegram_bot_belongs_to_one_bot,
    of_20_calls_for_two_bots_one_bot_gets_the_telegram_bot,
    activation_compares_the_epoch,
    of_two_activations_per_epoch_one_wins,
    an_epoch_that_lanes_are_past_is_overtaken,
    lists_hold_the_bots_of_the_projects_asked_for,
    lists_come_in_pages,
    foreign_cursors_list_nothing,
    live_bots_are_connected_or_active,
    every_change_of_a_bot_changes_the_mark_of_all,
    secrets_are_sealed_anew_unless_the_bot_changed,
    a_staging_bot_belongs_to_one_bot_of_its_project,
    of_bots_that_stage_each_other_one_does,
    a_deleted_bot_frees_its_staging_bots,
]);

fn token(text: &str) -> SealedToken {
    SealedToken([b"\x01\x00\xff", text.as_bytes()].concat())
}

fn identity(id: i64) -> TelegramIdentity {
    TelegramIdentity {
        id,
        username: format!("bot_{id}"),
    }
}

/// Stores a token in the place of whatever the bot has; answers whether the bot has the identity.
async fn give(catalog: &Subject, id: &BotId, text: &str, number: i64) -> StoreResult<bool> {
    loop {
        let seen = catalog.bot(id).await?.and_then(|bot| bot.token);
        let (new, identity) = (token(text), identity(number));
        match catalog.set_token(id, seen.as_ref(), &new, &identity).await? {
            TokenChange::Set => return Ok(true),
            TokenChange::Taken => return Ok(false),
            TokenChange::Stale => {}
            TokenChange::Connected => return Err(StoreError::Missing("a bot that is off")),
        }
    }
}

fn webhook() -> Connection {
    Connection {
        ingress: IngressMode::Webhook,
        webhook_secret: Some(token("secret")),
    }
}

async fn a_new_bot_is_empty(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    assert!(add_bot(&catalog, project.id, "a-bot").await?);
    let id = BotId::new("a-bot")?;
    let stored = catalog.bot(&id).await?.ok_or("stored")?;
    let expected = BotRow {
        id,
        project: project.id,
        name: "Bot a-bot".to_owned(),
        active_rev: None,
        epoch: Epoch(0),
        token: None,
        identity: None,
        ingress: None,
        webhook_secret: None,
        suspended: None,
        paused_at: None,
        staging_of: None,
        deleted_at: None,
        created_at: T0,
        version: stored.version,
    };
    assert_eq!(stored, expected);
    assert_eq!(catalog.bot(&BotId::new("b-bot")?).await?, None);
    Ok(())
}

async fn an_id_is_given_once(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    let answers = race(20, |_| {
        let catalog = Arc::clone(&catalog);
        async move { add_bot(&catalog, project.id, "a-bot").await }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(answers.iter().filter(|made| **made).count(), 1);
    Ok(())
}

async fn a_bot_needs_a_project(catalog: Subject) -> CaseResult {
    let answer = add_bot(&catalog, ProjectId::generate(), "a-bot").await;
    assert!(
        matches!(answer, Err(StoreError::Missing("project"))),
        "{answer:?}"
    );
    assert_eq!(catalog.bot(&BotId::new("a-bot")?).await?, None);
    Ok(())
}

async fn a_token_lifts_the_suspension(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    let before = catalog.bot(&id).await?.ok_or("stored")?;
    assert!(catalog.suspend(&id, before.version, "token-revoked").await?);
    let suspended = catalog.bot(&id).await?.ok_or("stored")?.suspended;
    assert_eq!(suspended.as_deref(), Some("token-revoked"));
    assert!(give(&catalog, &id, "new", 7_100_000_001).await?);
    let bot = catalog.bot(&id).await?.ok_or("stored")?;
    assert_eq!(bot.suspended, None);
    assert_eq!(bot.token, Some(token("new")));
    assert_eq!(bot.identity, Some(identity(7_100_000_001)));
    // Who saw the token before says nothing about this one.
    assert!(!catalog.suspend(&id, before.version, "token-revoked").await?);
    assert_eq!(catalog.bot(&id).await?.ok_or("stored")?, bot);
    Ok(())
}

async fn a_token_is_replaced_while_it_is_the_one_that_was_seen(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    let set = async |seen: Option<&str>, text: &str, number: i64| {
        let seen = seen.map(token);
        let (new, identity) = (token(text), identity(number));
        catalog.set_token(&id, seen.as_ref(), &new, &identity).await
    };
    assert_eq!(set(Some("none was"), "a", 1).await?, TokenChange::Stale);
    assert_eq!(set(None, "a", 1).await?, TokenChange::Set);
    let before = catalog.bot(&id).await?;
    for seen in [None, Some("b")] {
        assert_eq!(set(seen, "b", 2).await?, TokenChange::Stale);
        assert_eq!(catalog.bot(&id).await?, before, "{seen:?}");
    }
    // What else happens to the bot says nothing about its token.
    catalog.rename_bot(&id, "Renamed").await?;
    assert_eq!(set(Some("a"), "b", 2).await?, TokenChange::Set);
    let bot = catalog.bot(&id).await?.ok_or("stored")?;
    assert_eq!((bot.token, bot.identity), (Some(token("b")), Some(identity(2))));
    Ok(())
}

async fn a_connected_bot_stays_the_telegram_bot_that_it_is(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    let set = async |seen: &str, text: &str, number: i64| {
        let (seen, new, identity) = (token(seen), token(text), identity(number));
        catalog.set_token(&id, Some(&seen), &new, &identity).await
    };
    assert!(give(&catalog, &id, "a", 1).await?);
    catalog.set_connection(&id, Some(&webhook())).await?;
    let before = catalog.bot(&id).await?;
    assert_eq!(set("a", "b", 2).await?, TokenChange::Connected);
    assert_eq!(set("b", "c", 2).await?, TokenChange::Stale);
    assert_eq!(catalog.bot(&id).await?, before);
    assert_eq!(set("a", "b", 1).await?, TokenChange::Set);
    catalog.set_connection(&id, None).await?;
    assert_eq!(set("b", "c", 2).await?, TokenChange::Set);
    Ok(())
}

async fn of_20_tokens_that_saw_the_same_one_is_stored(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    let answers = race(20, |caller| {
        let (catalog, id) = (Arc::clone(&catalog), id.clone());
        let new = token(&format!("of {caller}"));
        async move {
            let change = catalog.set_token(&id, None, &new, &identity(1)).await;
            change.map(|change| (change, new))
        }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let set = answers.iter().filter(|(change, _)| *change == TokenChange::Set);
    let stored = catalog.bot(&id).await?.ok_or("stored")?.token.ok_or("given")?;
    assert_eq!(set.map(|(_, token)| token).collect::<Vec<_>>(), [&stored]);
    Ok(())
}

async fn connecting_and_disconnecting(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    catalog.set_connection(&id, Some(&webhook())).await?;
    let bot = catalog.bot(&id).await?.ok_or("stored")?;
    assert_eq!(
        (bot.ingress, bot.webhook_secret),
        (Some(IngressMode::Webhook), Some(token("secret")))
    );
    let polling = Connection {
        ingress: IngressMode::Polling,
        webhook_secret: None,
    };
    catalog.set_connection(&id, Some(&polling)).await?;
    let bot = catalog.bot(&id).await?.ok_or("stored")?;
    assert_eq!(
        (bot.ingress, bot.webhook_secret),
        (Some(IngressMode::Polling), None)
    );
    catalog.set_connection(&id, None).await?;
    let bot = catalog.bot(&id).await?.ok_or("stored")?;
    assert_eq!((bot.ingress, bot.webhook_secret), (None, None));
    Ok(())
}

async fn a_connection_is_replaced_while_it_is_the_one_that_was_seen(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    let polling = Connection {
        ingress: IngressMode::Polling,
        webhook_secret: None,
    };
    let resealed = Connection {
        webhook_secret: Some(token("sealed anew")),
        ..webhook()
    };
    let now = async || {
        let bot = catalog.bot(&id).await?.ok_or(StoreError::Missing("bot"))?;
        Ok::<_, StoreError>((bot.ingress, bot.webhook_secret, bot.version))
    };
    let seen = webhook();
    let states = [None, Some(&polling), Some(&resealed), Some(&seen)];
    for there in states {
        catalog.set_connection(&id, there).await?;
        let before = now().await?;
        for seen in states.into_iter().filter(|seen| *seen != there) {
            let replaced = catalog.replace_connection(&id, seen, Some(&polling)).await?;
            assert!(!replaced, "{there:?}, not {seen:?}");
        }
        assert_eq!(now().await?, before, "{there:?}");
    }
    catalog.set_connection(&id, Some(&webhook())).await?;
    catalog.rename_bot(&id, "Renamed").await?;
    let (.., version) = now().await?;
    assert!(
        catalog
            .replace_connection(&id, Some(&webhook()), Some(&polling))
            .await?
    );
    assert_eq!(now().await?, (Some(IngressMode::Polling), None, version + 1));
    assert!(catalog.replace_connection(&id, Some(&polling), None).await?);
    assert_eq!(now().await?, (None, None, version + 2));
    assert!(catalog.replace_connection(&id, None, Some(&webhook())).await?);
    assert_eq!(
        now().await?,
        (Some(IngressMode::Webhook), Some(token("secret")), version + 3)
    );
    catalog.delete_bot(&id, T0).await?;
    for seen in [None, Some(&webhook())] {
        assert!(!catalog.replace_connection(&id, seen, Some(&polling)).await?);
    }
    Ok(())
}

async fn a_pause_keeps_its_beginning(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    let before = catalog.bot(&id).await?.ok_or("stored")?;
    assert!(!catalog.set_paused(&id, None).await?);
    assert!(catalog.set_paused(&id, Some(T0)).await?);
    assert!(!catalog.set_paused(&id, Some(T0.plus(1))).await?);
    let paused = catalog.bot(&id).await?.ok_or("stored")?;
    assert_eq!(paused.paused_at, Some(T0));
    assert!(paused.version > before.version);
    assert!(catalog.set_paused(&id, None).await?);
    assert_eq!(catalog.bot(&id).await?.ok_or("stored")?.paused_at, None);
    assert!(catalog.set_paused(&id, Some(T0.plus(2))).await?);
    catalog.delete_bot(&id, T0).await?;
    for id in [id, BotId::new("never-made")?] {
        let answer = catalog.set_paused(&id, None).await;
        assert!(matches!(answer, Err(StoreError::Missing("bot"))), "{answer:?}");
    }
    Ok(())
}

async fn renaming(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    for name in ["Пицца 🍕", "'; DROP TABLE bots; --", ""] {
        catalog.rename_bot(&id, name).await?;
        assert_eq!(catalog.bot(&id).await?.ok_or("stored")?.name, name);
    }
    Ok(())
}

async fn every_change_counts_but_activations(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    let first = catalog.bot(&id).await?.ok_or("stored")?.version;
    give(&catalog, &id, "t", 1).await?;
    catalog.set_connection(&id, Some(&webhook())).await?;
    assert!(catalog.suspend(&id, first + 2, "token-revoked").await?);
    catalog.rename_bot(&id, "Other").await?;
    assert_eq!(catalog.bot(&id).await?.ok_or("stored")?.version, first + 4);
    catalog.activate(&id, Epoch(0), rev("one")).await?;
    assert_eq!(catalog.bot(&id).await?.ok_or("stored")?.version, first + 4);
    catalog.delete_bot(&id, T0).await?;
    assert_eq!(catalog.bot(&id).await?.ok_or("stored")?.version, first + 5);
    Ok(())
}

async fn a_deleted_bot_keeps_its_id_and_nothing_else(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    let project = catalog.bot(&id).await?.ok_or("stored")?.project;
    give(&catalog, &id, "t", 42).await?;
    catalog.set_connection(&id, Some(&webhook())).await?;
    catalog.activate(&id, Epoch(0), rev("one")).await?;
    assert!(catalog.delete_bot(&id, T0.plus(5)).await?);
    assert!(!catalog.delete_bot(&id, T0.plus(9)).await?, "deleted once");
    let bot = catalog.bot(&id).await?.ok_or("still there")?;
    assert_eq!(bot.deleted_at, Some(T0.plus(5)));
    assert_eq!((bot.token, bot.webhook_secret, bot.ingress), (None, None, None));
    assert!(!add_bot(&catalog, project, "a-bot").await?, "the id stays taken");
    assert_eq!(catalog.bots(&[project], &PageRequest::default()).await?.items, []);
    assert_eq!(catalog.live_bots().await?, []);
    assert!(add_bot(&catalog, project, "b-bot").await?);
    let heir = BotId::new("b-bot")?;
    assert!(give(&catalog, &heir, "t", 42).await?);
    Ok(())
}

async fn changes_need_a_bot(catalog: Subject) -> CaseResult {
    let deleted = a_bot(&catalog).await?;
    catalog.delete_bot(&deleted, T0).await?;
    for id in [deleted, BotId::new("never-made")?] {
        let answers = [
            give(&catalog, &id, "t", 1).await.map(drop),
            catalog.set_connection(&id, Some(&webhook())).await,
            catalog.set_connection(&id, None).await,
            catalog.rename_bot(&id, "x").await,
        ];
        for answer in answers {
            assert!(matches!(answer, Err(StoreError::Missing("bot"))), "{answer:?}");
        }
        assert!(!catalog.suspend(&id, 1, "token-revoked").await?);
        assert!(!catalog.delete_bot(&id, T0).await?);
        assert_eq!(catalog.activate(&id, Epoch(0), rev("one")).await?, None);
    }
    Ok(())
}

async fn a_telegram_bot_belongs_to_one_bot(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    for id in ["a-bot", "b-bot"] {
        assert!(add_bot(&catalog, project.id, id).await?);
    }
    let (a, b) = (BotId::new("a-bot")?, BotId::new("b-bot")?);
    assert!(give(&catalog, &a, "a", 1).await?);
    let before = catalog.bot(&b).await?;
    assert!(!give(&catalog, &b, "b", 1).await?);
    assert_eq!(catalog.bot(&b).await?, before, "nothing changes");
    assert!(give(&catalog, &a, "anew", 1).await?, "its own");
    assert!(give(&catalog, &a, "other", 3).await?);
    assert!(give(&catalog, &b, "b", 1).await?, "the old token is gone");
    Ok(())
}

async fn of_20_calls_for_two_bots_one_bot_gets_the_telegram_bot(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    let ids = [BotId::new("a-bot")?, BotId::new("b-bot")?];
    for id in &ids {
        assert!(add_bot(&catalog, project.id, id.as_str()).await?);
    }
    // A race shows what is wrong only sometimes.
    for round in 1..=5 {
        let answers = race(20, |caller| {
            let (catalog, id) = (Arc::clone(&catalog), ids[caller % 2].clone());
            async move { give(&catalog, &id, "t", round).await }
        })
        .await;
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut holders = Vec::new();
        for (id, other) in [(&ids[0], 0), (&ids[1], 1)] {
            let row = catalog.bot(id).await?.ok_or("stored")?;
            let holds = row.identity == Some(identity(round));
            let told: Vec<bool> = answers.iter().copied().skip(other).step_by(2).collect();
            assert_eq!(told, [holds; 10], "each is told what came of it");
            holders.extend(holds.then_some(id));
        }
        assert_eq!(holders.len(), 1, "{holders:?}");
    }
    Ok(())
}

async fn activation_compares_the_epoch(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    assert_eq!(catalog.activate(&id, Epoch(1), rev("early")).await?, None);
    assert_eq!(catalog.activate(&id, Epoch(0), rev("one")).await?, Some(Epoch(1)));
    assert_eq!(catalog.activate(&id, Epoch(0), rev("late")).await?, None);
    assert_eq!(catalog.activate(&id, Epoch(1), rev("two")).await?, Some(Epoch(2)));
    assert_eq!(
        catalog.activate(&id, Epoch(2), rev("one")).await?,
        Some(Epoch(3)),
        "back again"
    );
    let bot = catalog.bot(&id).await?.ok_or("stored")?;
    assert_eq!((bot.epoch, bot.active_rev), (Epoch(3), Some(rev("one"))));
    Ok(())
}

async fn an_epoch_that_lanes_are_past_is_overtaken(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    catalog.activate(&id, Epoch(0), rev("one")).await?;
    assert_eq!(
        catalog.overtake(&id, Epoch(0), Epoch(9)).await?,
        None,
        "seen too early"
    );
    assert_eq!(
        catalog.overtake(&id, Epoch(1), Epoch(0)).await?,
        None,
        "not behind"
    );
    assert_eq!(catalog.overtake(&id, Epoch(1), Epoch(9)).await?, Some(Epoch(10)));
    let bot = catalog.bot(&id).await?.ok_or("stored")?;
    assert_eq!((bot.epoch, bot.active_rev), (Epoch(10), Some(rev("one"))));
    assert_eq!(
        catalog.activate(&id, Epoch(10), rev("two")).await?,
        Some(Epoch(11))
    );
    Ok(())
}

async fn of_two_activations_per_epoch_one_wins(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    for epoch in 0..200 {
        let answers = race(2, |caller| {
            let (catalog, id) = (Arc::clone(&catalog), id.clone());
            async move {
                let revision = rev(&format!("{epoch} {caller}"));
                let answer = catalog.activate(&id, Epoch(epoch), revision).await;
                answer.map(|epoch| epoch.map(|epoch| (epoch, revision)))
            }
        })
        .await;
        let winners: Vec<_> = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let winners: Vec<_> = winners.into_iter().flatten().collect();
        let [(next, revision)] = winners[..] else {
            panic!("epoch {epoch}: {winners:?}");
        };
        let bot = catalog.bot(&id).await?.ok_or("stored")?;
        assert_eq!(next, Epoch(epoch + 1));
        assert_eq!((bot.epoch, bot.active_rev), (next, Some(revision)));
    }
    Ok(())
}

async fn lists_hold_the_bots_of_the_projects_asked_for(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    for id in ["c-bot", "a-bot", "b-bot"] {
        assert!(add_bot(&catalog, project.id, id).await?);
    }
    let list = async |projects: &[ProjectId]| {
        let page = catalog.bots(projects, &PageRequest::default()).await?;
        let ids = page.items.into_iter().map(|bot| bot.id.to_string());
        Ok::<_, StoreError>(ids.collect::<Vec<_>>())
    };
    let nobody = ProjectId::generate();
    assert_eq!(list(&[nobody, project.id]).await?, ["a-bot", "b-bot", "c-bot"]);
    assert_eq!(list(&[nobody]).await?, [""; 0]);
    assert_eq!(list(&[]).await?, [""; 0]);
    Ok(())
}

async fn lists_come_in_pages(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    let ids: Vec<String> = (0..7).map(|n| format!("bot-{n}")).collect();
    for id in &ids {
        assert!(add_bot(&catalog, project.id, id).await?);
    }
    for limit in [1, 2, 3, 6, 7, 8] {
        let catalog = &catalog;
        let bots = pages::all(
            limit,
            |page| async move { catalog.bots(&[project.id], &page).await },
        )
        .await?;
        let listed: Vec<_> = bots.iter().map(|bot| bot.id.as_str()).collect();
        assert_eq!(listed, ids, "pages of {limit}");
    }
    Ok(())
}

async fn foreign_cursors_list_nothing(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    assert!(add_bot(&catalog, project.id, "a-bot").await?);
    let catalog = &catalog;
    pages::foreign_cursors_list_nothing(
        &[],
        |page| async move { catalog.bots(&[project.id], &page).await },
    )
    .await?;
    Ok(())
}

async fn live_bots_are_connected_or_active(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    for id in ["active", "both", "connected", "idle"] {
        assert!(add_bot(&catalog, project.id, id).await?);
    }
    for id in ["both", "connected"] {
        catalog.set_connection(&BotId::new(id)?, Some(&webhook())).await?;
    }
    for id in ["active", "both"] {
        catalog.activate(&BotId::new(id)?, Epoch(0), rev(id)).await?;
    }
    let live = catalog.live_bots().await?;
    let marks = catalog.live_bot_marks().await?;
    let expected = live.iter().map(|bot| BotMark {
        id: bot.id.clone(),
        version: bot.version,
        epoch: bot.epoch,
    });
    assert_eq!(marks, expected.collect::<Vec<_>>());
    assert_eq!(marks[0].epoch, Epoch(1));
    let live: Vec<_> = live.iter().map(|bot| bot.id.as_str()).collect();
    assert_eq!(live, ["active", "both", "connected"]);
    Ok(())
}

async fn every_change_of_a_bot_changes_the_mark_of_all(catalog: Subject) -> CaseResult {
    let mut marks = vec![catalog.bots_mark().await?];
    let mut note = async |what: &str| -> CaseResult {
        let mark = catalog.bots_mark().await?;
        assert!(!marks.contains(&mark), "{what} is not seen");
        marks.push(mark);
        assert_eq!(catalog.bots_mark().await?, mark, "nothing has changed");
        Ok(())
    };
    let (_, project) = owner(&catalog).await?;
    for id in ["one", "two"] {
        assert!(add_bot(&catalog, project.id, id).await?);
        note("a new bot").await?;
    }
    let (one, two) = (BotId::new("one")?, BotId::new("two")?);
    assert!(give(&catalog, &one, "token", 1).await?);
    note("a token").await?;
    catalog.set_connection(&one, Some(&webhook())).await?;
    note("a connection").await?;
    let epoch = catalog
        .activate(&one, Epoch(0), rev("one"))
        .await?
        .ok_or("active")?;
    note("an activation").await?;
    // What one loses another gains: both versions grow all the same.
    catalog.set_connection(&one, None).await?;
    note("a disconnection").await?;
    catalog.set_connection(&two, Some(&webhook())).await?;
    note("a connection of another").await?;
    assert!(catalog.overtake(&one, epoch, Epoch(9)).await?.is_some());
    note("an epoch").await?;
    let version = catalog.bot(&one).await?.ok_or("stored")?.version;
    assert!(catalog.suspend(&one, version, "token-revoked").await?);
    note("a suspension").await?;
    assert!(catalog.set_paused(&one, Some(T0)).await?);
    note("a pause").await?;
    catalog.rename_bot(&one, "Other").await?;
    note("a name").await?;
    let read = catalog.bot(&one).await?.ok_or("stored")?;
    assert!(catalog.reseal(&read, Some(&token("new")), None).await?);
    note("a sealed token").await?;
    assert!(catalog.delete_bot(&one, T0).await?);
    note("a deletion").await?;
    assert!(!catalog.delete_bot(&one, T0).await?);
    assert_eq!(catalog.bots_mark().await?, *marks.last().ok_or("noted")?);
    Ok(())
}

async fn secrets_are_sealed_anew_unless_the_bot_changed(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    for number in 0..150 {
        let name = format!("bot-{number:03}");
        assert!(add_bot(&catalog, project.id, &name).await?);
        let id = BotId::new(&name)?;
        match number % 3 {
            0 => assert!(give(&catalog, &id, "old", number).await?),
            1 => catalog.set_connection(&id, Some(&webhook())).await?,
            _ => {}
        }
    }
    let first = catalog.sealed_bots(None).await?;
    assert!(first.len() <= 100 && first.windows(2).all(|pair| pair[0].id < pair[1].id));
    let mut sealed = first.clone();
    while let rest = catalog.sealed_bots(sealed.last().map(|bot| &bot.id)).await?
        && !rest.is_empty()
    {
        sealed.extend(rest);
    }
    assert_eq!(sealed.len(), 100);

    let (read, changed) = (&sealed[0], &sealed[1]);
    assert!(catalog.reseal(read, Some(&token("new")), None).await?);
    let row = catalog.bot(&read.id).await?.ok_or("stored")?;
    assert_eq!(row.token, Some(token("new")));
    assert_eq!(row.version, read.version + 1, "nodes read it again");
    catalog.set_connection(&changed.id, None).await?;
    assert!(!catalog.reseal(changed, None, Some(&token("new"))).await?);
    assert_eq!(
        catalog.bot(&changed.id).await?.ok_or("stored")?.webhook_secret,
        None
    );
    assert!(catalog.delete_bot(&read.id, T0).await?);
    assert!(!catalog.reseal(read, Some(&token("new")), None).await?);
    assert_eq!(catalog.bot(&read.id).await?.ok_or("kept")?.token, None);
    Ok(())
}

async fn a_staging_bot_belongs_to_one_bot_of_its_project(catalog: Subject) -> CaseResult {
    let (user, here) = owner(&catalog).await?;
    let there = project("there");
    let made = catalog
        .create_project(&there, user.id, 9, &entry("project.created"))
        .await?;
    assert_eq!(made, NewProjectOutcome::Created);
    for (project, id) in [
        (here.id, "shop"),
        (here.id, "trial"),
        (here.id, "other"),
        (there.id, "foreign"),
    ] {
        add_bot(&catalog, project, id).await?;
    }
    let id = |text: &str| BotId::new(text).expect("the suites name bots rightly");
    let link = async |staging: &str, production: Option<&str>| {
        catalog
            .set_staging_of(&id(staging), production.map(id).as_ref())
            .await
    };
    for nothing in ["foreign", "trial", "none"] {
        assert_eq!(
            link("trial", Some(nothing)).await?,
            StagingChange::Refused,
            "{nothing}"
        );
    }
    let version = catalog.bot(&id("trial")).await?.ok_or("stored")?.version;
    assert_eq!(link("trial", Some("shop")).await?, StagingChange::Changed);
    assert_eq!(link("trial", Some("shop")).await?, StagingChange::Unchanged);
    let trial = catalog.bot(&id("trial")).await?.ok_or("stored")?;
    assert_eq!((trial.staging_of, trial.version), (Some(id("shop")), version + 1));
    assert_eq!(
        link("other", Some("trial")).await?,
        StagingChange::Refused,
        "of a staging bot"
    );
    assert_eq!(
        link("shop", Some("other")).await?,
        StagingChange::Refused,
        "it has one"
    );
    assert_eq!(
        link("other", Some("shop")).await?,
        StagingChange::Changed,
        "a second one"
    );
    assert_eq!(link("trial", None).await?, StagingChange::Changed);
    assert_eq!(link("trial", None).await?, StagingChange::Unchanged);
    assert!(matches!(
        link("none", None).await,
        Err(StoreError::Missing("bot"))
    ));
    Ok(())
}

async fn of_bots_that_stage_each_other_one_does(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    let ids = ["one-bot", "two-bot"].map(|id| BotId::new(id).expect("rightly named"));
    for id in &ids {
        add_bot(&catalog, project.id, id.as_str()).await?;
    }
    let answers = race(2, |n| {
        let (catalog, me, other) = (Arc::clone(&catalog), ids[n].clone(), ids[1 - n].clone());
        async move { catalog.set_staging_of(&me, Some(&other)).await }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let changed = answers.iter().filter(|answer| **answer == StagingChange::Changed);
    assert_eq!(changed.count(), 1, "{answers:?}");
    Ok(())
}

async fn a_deleted_bot_frees_its_staging_bots(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    let [shop, trial] = ["shop", "trial"].map(|id| BotId::new(id).expect("rightly named"));
    for id in [&shop, &trial] {
        add_bot(&catalog, project.id, id.as_str()).await?;
    }
    catalog.set_staging_of(&trial, Some(&shop)).await?;
    assert!(catalog.delete_bot(&shop, T0).await?);
    let left = catalog.bot(&trial).await?.ok_or("stored")?;
    assert_eq!(left.staging_of, None);
    assert_eq!(
        catalog.set_staging_of(&trial, Some(&shop)).await?,
        StagingChange::Refused
    );
    Ok(())
}
