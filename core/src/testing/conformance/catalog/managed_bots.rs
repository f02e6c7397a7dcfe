//! Requests for managed Telegram bots, Telegram accounts, and leases.

use std::sync::Arc;

use uuid::Uuid;

use super::{Subject, a_bot, add_bot, owner};
use crate::ids::{BotId, UserId};
use crate::model::{ManagedBot, ManagedOutcome, ManagedRequest, TelegramAccount};
use crate::ports::StoreError;
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};

cases!(($) managed_bots_conformance, catalog::managed_bots, Subject, [
    a_request_comes_back_and_the_next_one_replaces_it,
    the_first_bot_that_was_made_stays,
    what_expired_is_not_noted_and_later_gone,
    a_request_ends_once,
    accounts_are_remembered_by_user,
    a_lease_has_one_holder_at_a_time,
]);

fn request(bot: &BotId, user: UserId, username: &str) -> ManagedRequest {
    ManagedRequest {
        bot: bot.clone(),
        user,
        request: Uuid::from_u128(7),
        username: username.to_owned(),
        link: format!("https://t.me/newbot/manager_bot/{username}"),
        created_at: T0,
        expires_at: T0.plus(1_000),
        made: None,
        outcome: None,
    }
}

fn made(id: i64, creator: i64) -> ManagedBot {
    ManagedBot {
        id,
        creator: TelegramAccount {
            id: creator,
            first_name: "Ann".to_owned(),
            username: Some("ann".to_owned()),
        },
    }
}

async fn a_request_comes_back_and_the_next_one_replaces_it(catalog: Subject) -> CaseResult {
    let (user, project) = owner(&catalog).await?;
    assert!(add_bot(&catalog, project.id, "a-bot").await?);
    let bot = BotId::new("a-bot")?;
    assert_eq!(catalog.managed_request(&bot).await?, None);
    let first = request(&bot, user.id, "first_bot");
    catalog.put_managed_request(&first).await?;
    assert_eq!(catalog.managed_request(&bot).await?, Some(first));
    catalog.note_managed_bot("first_bot", &made(1, 2), T0).await?;
    catalog
        .end_managed_request("first_bot", &ManagedOutcome::Failed("words".to_owned()))
        .await?;
    let second = request(&bot, user.id, "second_bot");
    catalog.put_managed_request(&second).await?;
    assert_eq!(catalog.managed_request(&bot).await?, Some(second));
    assert_eq!(
        catalog.note_managed_bot("first_bot", &made(1, 2), T0).await?,
        None
    );
    assert!(catalog.delete_managed_request(&bot).await?);
    assert!(!catalog.delete_managed_request(&bot).await?);
    catalog.delete_bot(&bot, T0).await?;
    let refused = catalog
        .put_managed_request(&request(&bot, user.id, "third_bot"))
        .await;
    assert!(matches!(refused, Err(StoreError::Missing("bot"))), "{refused:?}");
    Ok(())
}

async fn the_first_bot_that_was_made_stays(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let asked = request(&bot, UserId::generate(), "first_bot");
    catalog.put_managed_request(&asked).await?;
    assert_eq!(
        catalog.note_managed_bot("other_bot", &made(1, 2), T0).await?,
        None
    );
    let noted = ManagedRequest {
        made: Some(made(1, 2)),
        ..asked
    };
    for _ in 0..2 {
        assert_eq!(
            catalog
                .note_managed_bot("first_bot", &made(1, 2), T0)
                .await?
                .as_ref(),
            Some(&noted)
        );
    }
    for other in [made(1, 3), made(9, 2)] {
        assert_eq!(catalog.note_managed_bot("first_bot", &other, T0).await?, None);
    }
    assert_eq!(catalog.managed_request(&bot).await?, Some(noted));
    Ok(())
}

async fn what_expired_is_not_noted_and_later_gone(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    let asked = request(&bot, UserId::generate(), "first_bot");
    catalog.put_managed_request(&asked).await?;
    let late = asked.expires_at;
    assert_eq!(
        catalog.note_managed_bot("first_bot", &made(1, 2), late).await?,
        None
    );
    assert!(
        catalog
            .note_managed_bot("first_bot", &made(1, 2), late.plus(-1))
            .await?
            .is_some()
    );
    assert_eq!(catalog.expire_managed_requests(late).await?, 0);
    assert_eq!(catalog.expire_managed_requests(late.plus(1)).await?, 1);
    assert_eq!(catalog.managed_request(&bot).await?, None);
    Ok(())
}

async fn a_request_ends_once(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    catalog
        .put_managed_request(&request(&bot, UserId::generate(), "first_bot"))
        .await?;
    let attached = ManagedOutcome::Attached(T0.plus(5));
    assert!(catalog.end_managed_request("first_bot", &attached).await?);
    let failed = ManagedOutcome::Failed("words".to_owned());
    assert!(!catalog.end_managed_request("first_bot", &failed).await?);
    assert!(!catalog.end_managed_request("other_bot", &failed).await?);
    let ended = catalog
        .managed_request(&bot)
        .await?
        .ok_or("the request is there")?;
    assert_eq!(ended.outcome, Some(attached));
    Ok(())
}

async fn accounts_are_remembered_by_user(catalog: Subject) -> CaseResult {
    let (user, _) = owner(&catalog).await?;
    assert!(!catalog.knows_account(user.id, 5).await?);
    assert!(catalog.remember_account(user.id, 5, T0).await?);
    assert!(!catalog.remember_account(user.id, 5, T0).await?);
    assert!(catalog.knows_account(user.id, 5).await?);
    assert!(!catalog.knows_account(user.id, 6).await?);
    assert!(!catalog.knows_account(UserId::generate(), 5).await?);
    Ok(())
}

async fn a_lease_has_one_holder_at_a_time(catalog: Subject) -> CaseResult {
    let until = T0.plus(1_000);
    let answers = race(8, |n| {
        let catalog = Arc::clone(&catalog);
        let holder = Uuid::from_u128(u128::try_from(n).unwrap_or_default() + 1);
        async move { (holder, catalog.hold_lease("work", holder, T0, until).await) }
    })
    .await;
    let mut holders = Vec::new();
    for (holder, held) in answers {
        if held? {
            holders.push(holder);
        }
    }
    let [first] = holders[..] else {
        panic!("{} hold it", holders.len());
    };
    let other = Uuid::from_u128(99);
    assert!(catalog.hold_lease("other work", other, T0, until).await?);
    assert!(!catalog.hold_lease("work", other, until.plus(-1), until).await?);
    assert!(
        catalog
            .hold_lease("work", first, until, until.plus(1_000))
            .await?,
        "prolonged"
    );
    catalog.end_lease("work", other).await?;
    assert!(
        !catalog.hold_lease("work", other, until, until.plus(1)).await?,
        "not theirs to end"
    );
    assert!(
        catalog
            .hold_lease("work", other, until.plus(1_000), until.plus(2_000))
            .await?
    );
    catalog.end_lease("work", other).await?;
    assert!(catalog.hold_lease("work", first, until, until.plus(1)).await?);
    Ok(())
}
