//! People, sessions, projects.

use std::sync::Arc;

use super::members::joined;
use super::pages::{all, foreign_cursors_list_nothing};
use super::{Subject, entry, everything, owner, project, user};
use crate::hash::Sha256Hash;
use crate::ids::{TokenId, UserId};
use crate::model::{ApiToken, AuditEntry, Membership, Role, Session};
use crate::ports::{AuditQuery, PageRequest, PasswordChange, StoreError};
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};

cases!(($) accounts_conformance, catalog::accounts, Subject, [
    of_100_first_owners_one_is_made,
    the_first_owner_owns_the_first_project,
    there_is_no_second_first_owner,
    e_mails_are_compared_in_lower_case,
    sessions_come_and_go,
    a_session_stored_twice_is_one,
    a_session_needs_a_user,
    seen_at_moves_forward_only,
    sessions_expire_by_either_age,
    sessions_of_a_user_are_listed_newest_first,
    a_user_ends_sessions_of_their_own,
    a_password_changes_for_who_knows_the_old_one,
    a_password_may_take_the_api_tokens_with_it,
]);

async fn of_100_first_owners_one_is_made(catalog: Subject) -> CaseResult {
    assert!(!catalog.has_users().await?);
    let people: Vec<_> = (0..100).map(|n| user(&format!("p{n}@example.org"))).collect();
    let answers = race(people.len(), |n| {
        let (catalog, user) = (Arc::clone(&catalog), people[n].clone());
        async move {
            catalog
                .create_first_owner(&user, &project(&format!("p{n}")))
                .await
        }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(answers.iter().filter(|made| **made).count(), 1);
    for (user, made) in people.iter().zip(answers) {
        assert_eq!(catalog.user(user.id).await?.is_some(), made);
        assert_eq!(catalog.memberships(user.id).await?.len(), usize::from(made));
    }
    Ok(())
}

async fn the_first_owner_owns_the_first_project(catalog: Subject) -> CaseResult {
    let (user, project) = owner(&catalog).await?;
    assert!(catalog.has_users().await?);
    assert_eq!(catalog.user(user.id).await?.as_ref(), Some(&user));
    let role = Role::Owner;
    assert_eq!(
        catalog.memberships(user.id).await?,
        [Membership { project, role }]
    );
    assert_eq!(catalog.memberships(UserId::generate()).await?, []);
    Ok(())
}

async fn there_is_no_second_first_owner(catalog: Subject) -> CaseResult {
    let (first, project_of_first) = owner(&catalog).await?;
    let second = user("second@example.org");
    assert!(!catalog.create_first_owner(&second, &project("second")).await?);
    assert!(!catalog.create_first_owner(&first, &project_of_first).await?);
    assert_eq!(catalog.user(second.id).await?, None);
    assert_eq!(catalog.user_by_email("second@example.org").await?, None);
    Ok(())
}

async fn e_mails_are_compared_in_lower_case(catalog: Subject) -> CaseResult {
    let user = user("Ada.Lovelace@Example.org");
    assert!(catalog.create_first_owner(&user, &project("default")).await?);
    for spelling in [
        "Ada.Lovelace@Example.org",
        "ada.lovelace@example.org",
        "ADA.LOVELACE@EXAMPLE.ORG",
    ] {
        assert_eq!(
            catalog.user_by_email(spelling).await?.as_ref(),
            Some(&user),
            "{spelling}"
        );
    }
    assert_eq!(catalog.user_by_email("ada@example.org").await?, None);
    Ok(())
}

fn session(user: UserId, name: &str) -> Session {
    Session {
        hash: Sha256Hash::of(name),
        user,
        csrf: Sha256Hash::of(format!("csrf of {name}")),
        created_at: T0,
        seen_at: T0,
        address: Some([192, 0, 2, 7].into()),
        agent: Some("A browser".to_owned()),
    }
}

async fn sessions_come_and_go(catalog: Subject) -> CaseResult {
    let (user, _) = owner(&catalog).await?;
    let (one, other) = (session(user.id, "one"), session(user.id, "other"));
    catalog.create_session(&one).await?;
    catalog.create_session(&other).await?;
    assert_eq!(catalog.session(&one.hash).await?.as_ref(), Some(&one));
    assert!(catalog.delete_session(&one.hash).await?);
    assert!(!catalog.delete_session(&one.hash).await?);
    assert_eq!(catalog.session(&one.hash).await?, None);
    assert_eq!(catalog.session(&other.hash).await?, Some(other));
    Ok(())
}

async fn a_session_stored_twice_is_one(catalog: Subject) -> CaseResult {
    let (user, _) = owner(&catalog).await?;
    let session = session(user.id, "one");
    catalog.create_session(&session).await?;
    catalog.create_session(&session).await?;
    assert!(catalog.delete_session(&session.hash).await?);
    assert_eq!(catalog.session(&session.hash).await?, None);
    Ok(())
}

async fn a_session_needs_a_user(catalog: Subject) -> CaseResult {
    let answer = catalog.create_session(&session(UserId::generate(), "one")).await;
    assert!(matches!(answer, Err(StoreError::Missing("user"))), "{answer:?}");
    Ok(())
}

async fn seen_at_moves_forward_only(catalog: Subject) -> CaseResult {
    let (user, _) = owner(&catalog).await?;
    let session = session(user.id, "one");
    catalog.create_session(&session).await?;
    for (touched, seen) in [(5_000, 5_000), (2_000, 5_000), (9_000, 9_000)] {
        catalog.touch_session(&session.hash, T0.plus(touched)).await?;
        let stored = catalog
            .session(&session.hash)
            .await?
            .map(|session| session.seen_at);
        assert_eq!(stored, Some(T0.plus(seen)));
    }
    catalog.touch_session(&Sha256Hash::of("none"), T0).await?;
    assert_eq!(catalog.session(&Sha256Hash::of("none")).await?, None);
    Ok(())
}

async fn sessions_expire_by_either_age(catalog: Subject) -> CaseResult {
    let (user, _) = owner(&catalog).await?;
    for (name, created, seen) in [("old", 0, 900), ("idle", 500, 600), ("alive", 500, 900)] {
        let session = Session {
            created_at: T0.plus(created),
            seen_at: T0.plus(seen),
            ..session(user.id, name)
        };
        catalog.create_session(&session).await?;
    }
    assert_eq!(catalog.expire_sessions(T0.plus(601), T0.plus(1)).await?, 2);
    assert_eq!(catalog.expire_sessions(T0.plus(900), T0.plus(500)).await?, 0);
    assert_eq!(catalog.session(&Sha256Hash::of("old")).await?, None);
    assert_eq!(catalog.session(&Sha256Hash::of("idle")).await?, None);
    assert!(catalog.session(&Sha256Hash::of("alive")).await?.is_some());
    Ok(())
}

async fn sessions_of_a_user_are_listed_newest_first(catalog: Subject) -> CaseResult {
    let (user, _) = owner(&catalog).await?;
    let mut made = Vec::new();
    for n in 0..5 {
        let one = Session {
            created_at: T0.plus(n / 2),
            agent: (n > 0).then(|| n.to_string()),
            address: (n > 1).then(|| [192, 0, 2, 1].into()),
            ..session(user.id, &n.to_string())
        };
        catalog.create_session(&one).await?;
        made.push(one);
    }
    made.sort_by_key(|one| std::cmp::Reverse((one.created_at, one.hash.to_string())));
    let catalog = &catalog;
    for limit in [1, 2, 5, 50] {
        let listed = all(
            limit,
            |page| async move { catalog.sessions(user.id, &page).await },
        )
        .await?;
        assert_eq!(listed, made, "limit {limit}");
    }
    let one = PageRequest {
        cursor: None,
        limit: 1,
    };
    let other = catalog.sessions(user.id, &one).await?.next_cursor;
    let nobody = UserId::generate();
    foreign_cursors_list_nothing(
        &[other],
        |page| async move { catalog.sessions(nobody, &page).await },
    )
    .await?;
    Ok(())
}

async fn a_user_ends_sessions_of_their_own(catalog: Subject) -> CaseResult {
    let (user, _) = owner(&catalog).await?;
    let made = ["one", "two", "three", "four"].map(|name| session(user.id, name));
    for one in &made {
        catalog.create_session(one).await?;
    }
    let stranger = UserId::generate();
    for (user, expected) in [(stranger, false), (user.id, true), (user.id, false)] {
        let ended = catalog
            .end_session(user, &made[0].hash, &entry("session.ended"))
            .await?;
        assert_eq!(ended, expected);
    }
    let others = catalog
        .end_other_sessions(user.id, &made[1].hash, &entry("sessions.ended"))
        .await?;
    assert_eq!(others, 2);
    let left = catalog.sessions(user.id, &PageRequest::default()).await?.items;
    assert_eq!(left, [made[1].clone()]);
    assert_eq!(everything(&catalog).await?.len(), 2);
    Ok(())
}

async fn a_password_changes_for_who_knows_the_old_one(catalog: Subject) -> CaseResult {
    let (user, _) = owner(&catalog).await?;
    let made = ["one", "two"].map(|name| session(user.id, name));
    for one in &made {
        catalog.create_session(one).await?;
    }
    let change = |old: &'static str, new: &'static str| {
        let (catalog, keep) = (Arc::clone(&catalog), made[0].hash);
        let old = if old.is_empty() {
            user.password_hash.clone()
        } else {
            Some(old.to_owned())
        };
        async move {
            catalog
                .change_password(
                    PasswordChange {
                        user: user.id,
                        old: old.as_deref(),
                        new,
                        keep: &keep,
                        revoke_tokens: false,
                    },
                    &entry("password.changed"),
                )
                .await
        }
    };
    assert!(!change("another", "new").await?);
    assert_eq!(everything(&catalog).await?, []);
    assert_eq!(
        catalog
            .sessions(user.id, &PageRequest::default())
            .await?
            .items
            .len(),
        2
    );
    assert!(change("", "new").await?);
    assert!(!change("", "newer").await?, "the old one is no more");
    let stored = catalog.user(user.id).await?.and_then(|user| user.password_hash);
    assert_eq!(stored.as_deref(), Some("new"));
    let left = catalog.sessions(user.id, &PageRequest::default()).await?.items;
    assert_eq!(left, [made[0].clone()]);
    assert_eq!(everything(&catalog).await?.len(), 1);
    Ok(())
}

async fn a_password_may_take_the_api_tokens_with_it(catalog: Subject) -> CaseResult {
    let (user, project) = owner(&catalog).await?;
    let bob = joined(&catalog, &user, &project, "bob", Role::Owner).await?;
    let token = |user: UserId, text: &str| ApiToken {
        id: TokenId::generate(),
        hash: Sha256Hash::of(text),
        user,
        name: text.to_owned(),
        role: Role::Editor,
        project: project.id,
        created_at: T0,
        expires_at: T0.plus(1_000),
        last_used_at: None,
    };
    let made = [
        token(user.id, "one"),
        token(user.id, "two"),
        token(bob.id, "bob's"),
    ];
    for one in &made {
        catalog.create_token(one, &entry("token.created")).await?;
    }
    let keep = Sha256Hash::of("session");
    let change = |old: &'static str, new: &'static str, revoke_tokens| {
        let (catalog, old) = (
            Arc::clone(&catalog),
            if old.is_empty() {
                user.password_hash.clone()
            } else {
                Some(old.to_owned())
            },
        );
        async move {
            let change = PasswordChange {
                user: user.id,
                old: old.as_deref(),
                new,
                keep: &keep,
                revoke_tokens,
            };
            // A person's own affair; the tokens are the project's.
            let entry = AuditEntry {
                project: None,
                ..entry("password.changed")
            };
            catalog.change_password(change, &entry).await
        }
    };
    assert!(!change("wrong", "new", true).await?);
    assert!(change("", "new", false).await?);
    assert!(catalog.token(&made[0].hash).await?.is_some());
    assert!(change("new", "newer", true).await?);
    let left = catalog.tokens(project.id, &PageRequest::default()).await?.items;
    assert_eq!(left, [made[2].clone()]);
    let query = AuditQuery {
        projects: vec![project.id],
        verb: Some("token.revoked".to_owned()),
        ..AuditQuery::default()
    };
    let told = catalog.audit(&query, &PageRequest::default()).await?.items;
    let mut ended: Vec<_> = told.into_iter().map(|entry| entry.object_id).collect();
    ended.sort_unstable();
    let mut expected = [made[0].id.to_string(), made[1].id.to_string()];
    expected.sort_unstable();
    assert_eq!(ended, expected);
    Ok(())
}
