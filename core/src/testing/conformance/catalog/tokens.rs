//! API tokens.

use super::pages::{all, foreign_cursors_list_nothing};
use super::{Subject, entry, everything, owner};
use crate::hash::Sha256Hash;
use crate::ids::{ProjectId, TokenId, UserId};
use crate::model::{ApiToken, Role};
use crate::ports::{MemberChange, PageRequest, StoreError};
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases};

cases!(($) tokens_conformance, catalog::tokens, Subject, [
    tokens_come_back_as_they_were,
    tokens_are_listed_newest_first_in_pages,
    last_use_moves_forward_only,
    a_revoked_token_is_gone,
    tokens_expire,
    a_token_needs_an_owner_of_its_project,
    tokens_end_with_the_membership,
]);

fn token(user: UserId, text: &str, project: ProjectId) -> ApiToken {
    ApiToken {
        id: TokenId::generate(),
        hash: Sha256Hash::of(text),
        user,
        name: format!("for {text}"),
        role: Role::Editor,
        project,
        created_at: T0,
        expires_at: T0.plus(1_000),
        last_used_at: None,
    }
}

async fn tokens_come_back_as_they_were(catalog: Subject) -> CaseResult {
    let (user, project) = owner(&catalog).await?;
    for text in ["one", "two"] {
        let token = token(user.id, text, project.id);
        catalog.create_token(&token, &entry("token.created")).await?;
        assert_eq!(catalog.token(&token.hash).await?, Some(token));
    }
    assert_eq!(catalog.token(&Sha256Hash::of("none")).await?, None);
    assert_eq!(everything(&catalog).await?.len(), 2);
    Ok(())
}

async fn tokens_are_listed_newest_first_in_pages(catalog: Subject) -> CaseResult {
    let (user, project) = owner(&catalog).await?;
    let mut made = Vec::new();
    for n in 0..5 {
        let one = ApiToken {
            created_at: T0.plus(n / 2),
            ..token(user.id, &n.to_string(), project.id)
        };
        catalog.create_token(&one, &entry("token.created")).await?;
        made.push(one);
    }
    made.sort_by_key(|one| std::cmp::Reverse((one.created_at, one.id.to_string())));
    let catalog = &catalog;
    for limit in [1, 2, 5, 50] {
        let listed = all(
            limit,
            |page| async move { catalog.tokens(project.id, &page).await },
        )
        .await?;
        assert_eq!(listed, made, "limit {limit}");
    }
    let one = PageRequest {
        cursor: None,
        limit: 1,
    };
    let other = catalog.tokens(project.id, &one).await?.next_cursor;
    let nowhere = ProjectId::generate();
    foreign_cursors_list_nothing(
        &[other],
        |page| async move { catalog.tokens(nowhere, &page).await },
    )
    .await?;
    Ok(())
}

async fn last_use_moves_forward_only(catalog: Subject) -> CaseResult {
    let (user, project) = owner(&catalog).await?;
    let token = token(user.id, "one", project.id);
    catalog.create_token(&token, &entry("token.created")).await?;
    for (used, last) in [(5_000, 5_000), (2_000, 5_000), (9_000, 9_000)] {
        catalog.touch_token(token.id, T0.plus(used)).await?;
        let stored = catalog
            .token(&token.hash)
            .await?
            .and_then(|token| token.last_used_at);
        assert_eq!(stored, Some(T0.plus(last)));
    }
    catalog.touch_token(TokenId::generate(), T0).await?;
    Ok(())
}

async fn a_revoked_token_is_gone(catalog: Subject) -> CaseResult {
    let (user, project) = owner(&catalog).await?;
    let token = token(user.id, "one", project.id);
    catalog.create_token(&token, &entry("token.created")).await?;
    let elsewhere = ProjectId::generate();
    for (project, expected) in [(elsewhere, false), (project.id, true), (project.id, false)] {
        let revoked = catalog
            .revoke_token(project, token.id, &entry("token.revoked"))
            .await?;
        assert_eq!(revoked, expected);
    }
    assert_eq!(catalog.token(&token.hash).await?, None);
    let log = everything(&catalog).await?;
    assert_eq!(
        log.iter().filter(|entry| entry.verb == "token.revoked").count(),
        1
    );
    Ok(())
}

async fn tokens_expire(catalog: Subject) -> CaseResult {
    let (user, project) = owner(&catalog).await?;
    for n in 0..3 {
        let one = ApiToken {
            expires_at: T0.plus(n),
            ..token(user.id, &n.to_string(), project.id)
        };
        catalog.create_token(&one, &entry("token.created")).await?;
    }
    assert_eq!(catalog.expire_tokens(T0.plus(1)).await?, 2);
    assert_eq!(
        catalog
            .tokens(project.id, &PageRequest::default())
            .await?
            .items
            .len(),
        1
    );
    Ok(())
}

async fn a_token_needs_an_owner_of_its_project(catalog: Subject) -> CaseResult {
    let (user, project) = owner(&catalog).await?;
    let ada = super::members::joined(&catalog, &user, &project, "ada", Role::Editor).await?;
    for (user, project) in [
        (UserId::generate(), project.id),
        (user.id, ProjectId::generate()),
        (ada.id, project.id),
    ] {
        let answer = catalog
            .create_token(&token(user, "one", project), &entry("token.created"))
            .await;
        assert!(matches!(answer, Err(StoreError::Missing(_))), "{answer:?}");
    }
    let log = everything(&catalog).await?;
    assert!(log.iter().all(|entry| entry.verb != "token.created"));
    Ok(())
}

async fn tokens_end_with_the_membership(catalog: Subject) -> CaseResult {
    let (user, project) = owner(&catalog).await?;
    let ada = super::members::joined(&catalog, &user, &project, "ada", Role::Owner).await?;
    let tokens = [
        token(ada.id, "of ada", project.id),
        token(user.id, "of the owner", project.id),
    ];
    for token in &tokens {
        catalog.create_token(token, &entry("token.created")).await?;
    }
    let removed = catalog
        .remove_member(project.id, ada.id, &entry("member.removed"))
        .await?;
    assert_eq!(removed, MemberChange::Changed { before: Role::Owner });
    let mut left = Vec::new();
    for token in &tokens {
        left.push(catalog.token(&token.hash).await?.is_some());
    }
    assert_eq!(left, [false, true]);
    Ok(())
}
