//! Making, naming and deleting projects.

use std::sync::Arc;

use super::members::joined;
use super::{Fixture, LOGGED, Subject, add_bot, entry, everything, owner, project};
use crate::hash::Sha256Hash;
use crate::ids::{BotId, InvitationId, ProjectId, TokenId, UserId};
use crate::model::{ApiToken, Invitation, Project, Role};
use crate::ports::{AuditQuery, NewProjectOutcome, PageRequest, ProjectRemoval, ProjectRename, StoreError};
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};

cases!(($) projects_conformance, catalog::projects, Subject, [
    a_project_is_made_with_its_owner,
    a_name_is_given_once,
    of_projects_made_at_once_no_more_than_allowed_are,
    a_project_is_renamed,
    of_two_who_want_one_name_one_gets_it,
    a_project_with_bots_stays,
    a_deleted_project_takes_everything_with_it,
    no_bot_gets_into_a_project_that_goes,
]);

const MOST: u32 = 5;

async fn make(catalog: &Subject, named: &Project, user: UserId) -> Fixture<NewProjectOutcome> {
    Ok(catalog
        .create_project(named, user, MOST, &entry("project.created"))
        .await?)
}

async fn verbs(catalog: &Subject) -> Fixture<Vec<String>> {
    let log = everything(catalog).await?;
    let mut verbs: Vec<_> = log.into_iter().map(|entry| entry.verb.into_owned()).collect();
    verbs.sort_unstable();
    Ok(verbs)
}

async fn a_project_is_made_with_its_owner(catalog: Subject) -> CaseResult {
    let (user, first) = owner(&catalog).await?;
    let second = Project {
        created_at: T0.plus(1),
        ..project("second")
    };
    assert_eq!(
        make(&catalog, &second, user.id).await?,
        NewProjectOutcome::Created
    );
    let mine = catalog.memberships(user.id).await?;
    let mine: Vec<_> = mine.into_iter().map(|one| (one.project, one.role)).collect();
    assert_eq!(mine, [(first, Role::Owner), (second, Role::Owner)]);
    assert_eq!(verbs(&catalog).await?, ["project.created"]);
    let nobody = catalog
        .create_project(
            &project("third"),
            UserId::generate(),
            MOST,
            &entry("project.created"),
        )
        .await;
    assert!(matches!(nobody, Err(StoreError::Missing("user"))), "{nobody:?}");
    Ok(())
}

async fn a_name_is_given_once(catalog: Subject) -> CaseResult {
    let (user, _) = owner(&catalog).await?;
    let other = project("default");
    assert_eq!(
        make(&catalog, &other, user.id).await?,
        NewProjectOutcome::NameTaken
    );
    assert_eq!(everything(&catalog).await?, []);
    assert_eq!(catalog.memberships(user.id).await?.len(), 1);
    Ok(())
}

async fn of_projects_made_at_once_no_more_than_allowed_are(catalog: Subject) -> CaseResult {
    let (user, _) = owner(&catalog).await?;
    let answers = race(12, |n| {
        let (catalog, named) = (Arc::clone(&catalog), project(&format!("p{n}")));
        async move {
            catalog
                .create_project(&named, user.id, MOST, &entry("project.created"))
                .await
        }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!(count(NewProjectOutcome::Created), 4, "{answers:?}");
    assert_eq!(count(NewProjectOutcome::TooMany), 8);
    assert_eq!(catalog.memberships(user.id).await?.len(), 5);
    assert_eq!(everything(&catalog).await?.len(), 4);
    Ok(())
}

async fn a_project_is_renamed(catalog: Subject) -> CaseResult {
    let (user, first) = owner(&catalog).await?;
    let second = project("second");
    make(&catalog, &second, user.id).await?;
    let rename = |id: ProjectId, name: &'static str| {
        let catalog = Arc::clone(&catalog);
        async move { catalog.rename_project(id, name, &entry("project.renamed")).await }
    };
    let before = "default".to_owned();
    assert_eq!(rename(first.id, "shop").await?, ProjectRename::Renamed { before });
    let before = "shop".to_owned();
    assert_eq!(rename(first.id, "shop").await?, ProjectRename::Renamed { before });
    assert_eq!(rename(first.id, "second").await?, ProjectRename::NameTaken);
    assert_eq!(rename(ProjectId::generate(), "x").await?, ProjectRename::Missing);
    let log = everything(&catalog).await?;
    let told: Vec<_> = log
        .iter()
        .filter(|entry| entry.verb == "project.renamed")
        .map(|entry| (entry.before.as_deref(), entry.after.as_deref()))
        .collect();
    assert_eq!(told, [(Some("default"), Some("shop"))]);
    assert_eq!(catalog.memberships(user.id).await?.len(), 2);
    Ok(())
}

async fn of_two_who_want_one_name_one_gets_it(catalog: Subject) -> CaseResult {
    let (user, first) = owner(&catalog).await?;
    let mut ids = vec![first.id];
    for n in 0..3 {
        let named = project(&format!("p{n}"));
        make(&catalog, &named, user.id).await?;
        ids.push(named.id);
    }
    let answers = race(ids.len(), |n| {
        let (catalog, id) = (Arc::clone(&catalog), ids[n]);
        async move {
            if n == 3 {
                let fresh = project("wanted");
                let made = catalog
                    .create_project(&fresh, user.id, MOST, &entry("project.created"))
                    .await?;
                return Ok(made == NewProjectOutcome::Created);
            }
            let renamed = catalog
                .rename_project(id, "wanted", &entry("project.renamed"))
                .await?;
            Ok(matches!(renamed, ProjectRename::Renamed { .. }))
        }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, StoreError>>()?;
    assert_eq!(answers.iter().filter(|got| **got).count(), 1, "{answers:?}");
    Ok(())
}

async fn a_project_with_bots_stays(catalog: Subject) -> CaseResult {
    let (user, first) = owner(&catalog).await?;
    add_bot(&catalog, first.id, "a-bot").await?;
    let delete = async || {
        catalog
            .delete_project(first.id, T0, &entry("project.deleted"))
            .await
    };
    assert_eq!(delete().await?, ProjectRemoval::HasBots);
    assert_eq!(catalog.memberships(user.id).await?.len(), 1);
    assert_eq!(everything(&catalog).await?, []);
    catalog.delete_bot(&BotId::new("a-bot")?, T0).await?;
    assert_eq!(delete().await?, ProjectRemoval::Removed);
    assert_eq!(delete().await?, ProjectRemoval::Missing);
    assert!(
        catalog.bot(&BotId::new("a-bot")?).await?.is_some(),
        "the id of a deleted bot stays taken"
    );
    Ok(())
}

async fn a_deleted_project_takes_everything_with_it(catalog: Subject) -> CaseResult {
    let (user, first) = owner(&catalog).await?;
    let ada = joined(&catalog, &user, &first, "ada", Role::Editor).await?;
    let token = ApiToken {
        id: TokenId::generate(),
        hash: Sha256Hash::of("token"),
        user: user.id,
        name: "CI".to_owned(),
        role: Role::Editor,
        project: first.id,
        created_at: T0,
        expires_at: T0.plus(1_000),
        last_used_at: None,
    };
    catalog.create_token(&token, &entry("token.created")).await?;
    let open = Invitation {
        id: InvitationId::generate(),
        hash: Sha256Hash::of("open"),
        project: first.id,
        role: Role::Viewer,
        created_by: user.id,
        created_at: T0,
        expires_at: T0.plus(1_000),
    };
    catalog
        .create_invitation(&open, &entry("invitation.created"))
        .await?;
    let removed = catalog
        .delete_project(first.id, T0, &entry("project.deleted"))
        .await?;
    assert_eq!(removed, ProjectRemoval::Removed);
    for one in [user.id, ada.id] {
        assert_eq!(catalog.memberships(one).await?, []);
    }
    assert_eq!(catalog.token(&token.hash).await?, None);
    assert_eq!(catalog.invitation(&open.hash).await?, None);
    let deleted = everything(&catalog).await?;
    let deleted = deleted.iter().find(|entry| entry.verb == "project.deleted");
    assert_eq!(deleted.and_then(|entry| entry.before.as_deref()), Some("default"));
    let inside = AuditQuery {
        projects: vec![first.id],
        ..AuditQuery::default()
    };
    let inside = catalog.audit(&inside, &PageRequest::default()).await?;
    let mut told: Vec<_> = inside.items.iter().map(|entry| &*entry.verb).collect();
    told.sort_unstable();
    let expected = [
        "invitation.revoked",
        "member.removed",
        "member.removed",
        "token.revoked",
    ];
    assert_eq!(told, expected);
    assert_ne!(first.id, LOGGED);
    // The name is free.
    assert_eq!(
        make(&catalog, &project("default"), user.id).await?,
        NewProjectOutcome::Created
    );
    let late = add_bot(&catalog, first.id, "late").await;
    assert!(matches!(late, Err(StoreError::Missing("project"))), "{late:?}");
    Ok(())
}

async fn no_bot_gets_into_a_project_that_goes(catalog: Subject) -> CaseResult {
    let (user, _) = owner(&catalog).await?;
    for round in 0..4 {
        let going = project(&format!("going {round}"));
        make(&catalog, &going, user.id).await?;
        let answers = race(4, |n| {
            let (catalog, going) = (Arc::clone(&catalog), going.id);
            async move {
                if n == 0 {
                    let removal = catalog
                        .delete_project(going, T0, &entry("project.deleted"))
                        .await?;
                    return Ok(removal == ProjectRemoval::Removed);
                }
                match add_bot(&catalog, going, &format!("bot-{round}-{n}")).await {
                    Err(StoreError::Missing("project")) => Ok(false),
                    made => made,
                }
            }
        })
        .await;
        let answers = answers.into_iter().collect::<Result<Vec<_>, StoreError>>()?;
        let bots = answers[1..].iter().any(|made| *made);
        assert!(answers[0] != bots, "the project went, or a bot came: {answers:?}");
    }
    Ok(())
}
