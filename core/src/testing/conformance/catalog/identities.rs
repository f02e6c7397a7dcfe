//! Identities and logins under way.

use std::sync::Arc;

use super::{Fixture, Subject, entry, everything, owner, project, user};
use crate::hash::Sha256Hash;
use crate::ids::{InvitationId, ProjectId, UserId};
use crate::model::{
    AttemptPurpose, AuditEntry, Identity, Invitation, LoginAttempt, Membership, Newcomer, Project, Role, User,
};
use crate::ports::{
    Admission, Admittance, Linking, NewProjectOutcome, PasswordChange, ProjectKey, StoreError,
};
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};

cases!(($) identities_conformance, catalog::identities, Subject, [
    an_attempt_is_taken_once,
    of_20_who_take_an_attempt_one_gets_it,
    attempts_expire,
    an_identity_is_linked_with_one_account,
    an_account_has_one_identity_of_an_issuer,
    only_an_account_with_a_password_is_unlinked,
    a_newcomer_is_admitted_by_an_invitation,
    a_newcomer_is_admitted_by_a_rule,
    a_rule_names_a_project_by_its_id_or_by_the_name_it_has,
    whoever_joins_by_a_name_finds_the_project_that_has_it,
    a_refused_newcomer_changes_nothing,
    of_20_newcomers_with_one_identity_one_is_admitted,
    an_account_without_a_password_gets_one,
]);

const ISSUER: &str = "https://login.example.org";

fn attempt(name: &str, purpose: AttemptPurpose) -> LoginAttempt {
    LoginAttempt {
        hash: Sha256Hash::of(name),
        purpose,
        return_to: format!("/{name}"),
        expires_at: T0.plus(1_000),
    }
}

fn identity(subject: &str, user: UserId) -> Identity {
    Identity {
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        user,
        email: Some(format!("{subject}@example.org")),
        created_at: T0,
    }
}

fn newcomer(subject: &str, email: &str) -> Newcomer {
    let user = User {
        password_hash: None,
        ..user(email)
    };
    Newcomer {
        identity: identity(subject, user.id),
        user,
    }
}

fn entries() -> [AuditEntry; 2] {
    ["member.joined", "identity.linked"].map(entry)
}

async fn invited(catalog: &Subject, owner: &User, project: ProjectId) -> Fixture<Admittance> {
    let invitation = Invitation {
        id: InvitationId::generate(),
        hash: Sha256Hash::of("invitation"),
        project,
        role: Role::Editor,
        created_by: owner.id,
        created_at: T0,
        expires_at: T0.plus(1_000),
    };
    catalog
        .create_invitation(&invitation, &entry("invitation.created"))
        .await?;
    Ok(Admittance::Invitation(invitation.hash))
}

fn joined(project: &Project, role: Role) -> Admission {
    let project = project.clone();
    Admission::Admitted(Some(Membership { project, role }))
}

async fn an_attempt_is_taken_once(catalog: Subject) -> CaseResult {
    let purposes = [
        AttemptPurpose::LogIn,
        AttemptPurpose::Link(Sha256Hash::of("session")),
        AttemptPurpose::Join(Sha256Hash::of("invitation")),
    ];
    for (n, purpose) in purposes.into_iter().enumerate() {
        let attempt = attempt(&n.to_string(), purpose);
        catalog.start_attempt(&attempt).await?;
        let taken = catalog.take_attempt(&attempt.hash, T0.plus(999)).await?;
        assert_eq!(taken.as_ref(), Some(&attempt));
        assert_eq!(catalog.take_attempt(&attempt.hash, T0).await?, None);
    }
    assert_eq!(catalog.take_attempt(&Sha256Hash::of("none"), T0).await?, None);
    Ok(())
}

async fn of_20_who_take_an_attempt_one_gets_it(catalog: Subject) -> CaseResult {
    let attempt = attempt("one", AttemptPurpose::LogIn);
    catalog.start_attempt(&attempt).await?;
    let answers = race(20, |_| {
        let (catalog, hash) = (Arc::clone(&catalog), attempt.hash);
        async move { catalog.take_attempt(&hash, T0).await }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(answers.iter().flatten().count(), 1, "{answers:?}");
    Ok(())
}

async fn attempts_expire(catalog: Subject) -> CaseResult {
    let early = attempt("early", AttemptPurpose::LogIn);
    let late = LoginAttempt {
        expires_at: T0.plus(2_000),
        ..attempt("late", AttemptPurpose::LogIn)
    };
    catalog.start_attempt(&early).await?;
    catalog.start_attempt(&late).await?;
    assert_eq!(catalog.take_attempt(&early.hash, T0.plus(1_000)).await?, None);
    assert_eq!(catalog.expire_attempts(T0.plus(999)).await?, 0);
    assert_eq!(catalog.expire_attempts(T0.plus(1_000)).await?, 1);
    assert_eq!(
        catalog.take_attempt(&late.hash, T0.plus(1_000)).await?,
        Some(late)
    );
    Ok(())
}

async fn an_identity_is_linked_with_one_account(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let way = invited(&catalog, &owner, project.id).await?;
    let other = newcomer("other", "other@example.org");
    catalog.admit(&other, &way, T0, &entries()).await?;
    let before = everything(&catalog).await?.len();

    let mine = identity("ada", owner.id);
    let linked = entry("identity.linked");
    assert_eq!(catalog.identity(ISSUER, "ada").await?, None);
    assert_eq!(catalog.link_identity(&mine, &linked).await?, Linking::Linked);
    assert_eq!(catalog.identity(ISSUER, "ada").await?, Some(mine.clone()));
    assert_eq!(catalog.identity(ISSUER, "Ada").await?, None);
    assert_eq!(catalog.identity("https://other.example.org", "ada").await?, None);
    assert_eq!(catalog.identities(owner.id).await?, std::slice::from_ref(&mine));
    assert_eq!(
        catalog.link_identity(&mine, &entry("identity.linked")).await?,
        Linking::AlreadyTheirs
    );
    let theirs = identity("ada", other.user.id);
    assert_eq!(
        catalog.link_identity(&theirs, &entry("identity.linked")).await?,
        Linking::Taken
    );
    assert_eq!(catalog.identity(ISSUER, "ada").await?, Some(mine));
    assert_eq!(
        everything(&catalog).await?.len(),
        before + 1,
        "one change is logged"
    );
    Ok(())
}

async fn an_account_has_one_identity_of_an_issuer(catalog: Subject) -> CaseResult {
    let (owner, _) = owner(&catalog).await?;
    let first = identity("ada", owner.id);
    catalog.link_identity(&first, &entry("identity.linked")).await?;
    let second = identity("bob", owner.id);
    assert_eq!(
        catalog.link_identity(&second, &entry("identity.linked")).await?,
        Linking::HasAnother
    );
    assert_eq!(catalog.identity(ISSUER, "bob").await?, None);
    let elsewhere = Identity {
        issuer: "https://other.example.org".to_owned(),
        created_at: T0.plus(1),
        ..identity("ada", owner.id)
    };
    assert_eq!(
        catalog
            .link_identity(&elsewhere, &entry("identity.linked"))
            .await?,
        Linking::Linked
    );
    assert_eq!(catalog.identities(owner.id).await?, [first, elsewhere]);
    Ok(())
}

async fn only_an_account_with_a_password_is_unlinked(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let way = invited(&catalog, &owner, project.id).await?;
    let other = newcomer("other", "other@example.org");
    catalog.admit(&other, &way, T0, &entries()).await?;
    let mine = identity("ada", owner.id);
    catalog.link_identity(&mine, &entry("identity.linked")).await?;
    let before = everything(&catalog).await?.len();

    let unlinked = entry("identity.unlinked");
    assert_eq!(catalog.unlink_identities(other.user.id, &unlinked).await?, 0);
    assert_eq!(catalog.identities(other.user.id).await?, [other.identity]);
    assert_eq!(everything(&catalog).await?.len(), before);
    assert_eq!(catalog.unlink_identities(owner.id, &unlinked).await?, 1);
    assert_eq!(catalog.identities(owner.id).await?, []);
    assert_eq!(everything(&catalog).await?.len(), before + 1);
    assert_eq!(
        catalog
            .unlink_identities(owner.id, &entry("identity.unlinked"))
            .await?,
        0
    );
    Ok(())
}

async fn a_newcomer_is_admitted_by_an_invitation(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let way = invited(&catalog, &owner, project.id).await?;
    let ada = newcomer("ada", "ada@example.org");
    let admission = catalog.admit(&ada, &way, T0, &entries()).await?;
    assert_eq!(admission, joined(&project, Role::Editor));
    assert_eq!(catalog.user(ada.user.id).await?, Some(ada.user.clone()));
    assert_eq!(catalog.identity(ISSUER, "ada").await?, Some(ada.identity));
    assert_eq!(catalog.memberships(ada.user.id).await?.len(), 1);
    assert_eq!(everything(&catalog).await?.len(), 3);

    let bob = newcomer("bob", "bob@example.org");
    assert_eq!(catalog.admit(&bob, &way, T0, &entries()).await?, Admission::Gone);
    Ok(())
}

async fn a_newcomer_is_admitted_by_a_rule(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    let into = |text: &str| Admittance::Project {
        project: ProjectKey::from(text),
        role: Role::Viewer,
    };
    let ada = newcomer("ada", "ada@example.org");
    let unnamed = entries().map(|entry| AuditEntry {
        project: None,
        ..entry
    });
    let admission = catalog.admit(&ada, &into("default"), T0, &unnamed).await?;
    assert_eq!(admission, joined(&project, Role::Viewer));

    let bob = newcomer("bob", "bob@example.org");
    let gone = catalog.admit(&bob, &into("nowhere"), T0, &entries()).await?;
    assert_eq!(gone, Admission::Gone);
    assert_eq!(catalog.user(bob.user.id).await?, None);
    let alone = catalog.admit(&bob, &Admittance::Account, T0, &entries()).await?;
    assert_eq!(alone, Admission::Admitted(None));
    assert_eq!(catalog.memberships(bob.user.id).await?, []);
    // Entries of somebody who joined a project belong to it.
    let logged = everything(&catalog).await?.len();
    assert_eq!(logged, 2, "those of the project that the suites look at");
    Ok(())
}

async fn a_rule_names_a_project_by_its_id_or_by_the_name_it_has(catalog: Subject) -> CaseResult {
    let (owner, first) = owner(&catalog).await?;
    let second = project("second");
    let made = catalog
        .create_project(&second, owner.id, 10, &entry("project.created"))
        .await?;
    assert_eq!(made, NewProjectOutcome::Created);
    // The names change places.
    for (id, name) in [(first.id, "third"), (second.id, "default")] {
        catalog
            .rename_project(id, name, &entry("project.renamed"))
            .await?;
    }
    let deleted = project("fourth");
    catalog
        .create_project(&deleted, owner.id, 10, &entry("project.created"))
        .await?;
    catalog
        .delete_project(deleted.id, T0, &entry("project.deleted"))
        .await?;
    for (number, (text, expected)) in [
        (first.id.to_string(), Some(first.id)),
        (second.id.to_string(), Some(second.id)),
        ("default".to_owned(), Some(second.id)),
        ("second".to_owned(), None),
        (deleted.id.to_string(), None),
        (ProjectId::generate().to_string(), None),
    ]
    .into_iter()
    .enumerate()
    {
        let way = Admittance::Project {
            project: ProjectKey::from(&*text),
            role: Role::Viewer,
        };
        let somebody = newcomer(&format!("sub-{number}"), &format!("{number}@example.org"));
        let joined = match catalog.admit(&somebody, &way, T0, &entries()).await? {
            Admission::Admitted(membership) => membership.map(|membership| membership.project.id),
            _ => None,
        };
        assert_eq!(joined, expected, "{text}");
    }
    Ok(())
}

async fn whoever_joins_by_a_name_finds_the_project_that_has_it(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    let (id, names) = (project.id, ["default", "other"]);
    for round in 0..20 {
        let answers = race(2, |caller| {
            let catalog = Arc::clone(&catalog);
            let (old, new) = (names[round % 2], names[(round + 1) % 2]);
            let somebody = newcomer(&format!("sub-{round}"), &format!("{round}@example.org"));
            async move {
                if caller == 0 {
                    catalog.rename_project(id, new, &entry("project.renamed")).await?;
                    return Ok(None);
                }
                let way = Admittance::Project {
                    project: ProjectKey::Name(old.to_owned()),
                    role: Role::Viewer,
                };
                match catalog.admit(&somebody, &way, T0, &entries()).await? {
                    Admission::Admitted(membership) => Ok(membership.map(|it| (it.project.name, old))),
                    _ => Ok::<_, StoreError>(None),
                }
            }
        })
        .await;
        for answer in answers {
            if let Some((joined, wanted)) = answer? {
                assert_eq!(joined, wanted, "renamed between looking and joining");
            }
        }
    }
    Ok(())
}

async fn a_refused_newcomer_changes_nothing(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let way = invited(&catalog, &owner, project.id).await?;
    let before = everything(&catalog).await?.len();
    let thief = newcomer("thief", "OWNER@example.org");
    let refused = catalog.admit(&thief, &way, T0, &entries()).await?;
    assert_eq!(refused, Admission::EmailTaken);
    assert_eq!(catalog.identity(ISSUER, "thief").await?, None);
    assert_eq!(catalog.user(thief.user.id).await?, None);

    let mine = identity("ada", owner.id);
    catalog.link_identity(&mine, &entry("identity.linked")).await?;
    let again = newcomer("ada", "another@example.org");
    let refused = catalog.admit(&again, &way, T0, &entries()).await?;
    assert_eq!(refused, Admission::IdentityTaken);
    assert_eq!(catalog.user_by_email("another@example.org").await?, None);
    assert_eq!(everything(&catalog).await?.len(), before + 1);

    let ada = newcomer("new", "new@example.org");
    let late = catalog.admit(&ada, &way, T0.plus(1_000), &entries()).await?;
    assert_eq!(late, Admission::Gone);
    let admission = catalog.admit(&ada, &way, T0, &entries()).await?;
    assert_eq!(
        admission,
        joined(&project, Role::Editor),
        "the invitation was kept"
    );
    Ok(())
}

async fn of_20_newcomers_with_one_identity_one_is_admitted(catalog: Subject) -> CaseResult {
    owner(&catalog).await?;
    let answers = race(20, |_| {
        let (catalog, ada) = (Arc::clone(&catalog), newcomer("ada", "ada@example.org"));
        async move { catalog.admit(&ada, &Admittance::Account, T0, &entries()).await }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let taken = answers
        .iter()
        .filter(|answer| **answer == Admission::IdentityTaken);
    assert_eq!(taken.count(), 19, "{answers:?}");
    assert!(catalog.identity(ISSUER, "ada").await?.is_some());
    Ok(())
}

async fn an_account_without_a_password_gets_one(catalog: Subject) -> CaseResult {
    owner(&catalog).await?;
    let ada = newcomer("ada", "ada@example.org");
    catalog.admit(&ada, &Admittance::Account, T0, &entries()).await?;
    let id = ada.user.id;
    assert_eq!(catalog.user(id).await?.map(|user| user.password_hash), Some(None));
    let keep = Sha256Hash::of("session");
    let changed = |old: Option<&'static str>| {
        let catalog = Arc::clone(&catalog);
        async move {
            let change = PasswordChange {
                user: id,
                old,
                new: "new",
                keep: &keep,
                revoke_tokens: false,
            };
            catalog.change_password(change, &entry("password.changed")).await
        }
    };
    assert!(!changed(Some("old")).await?);
    assert!(changed(None).await?);
    assert!(!changed(None).await?, "it has one");
    let hash = catalog.user(id).await?.and_then(|user| user.password_hash);
    assert_eq!(hash.as_deref(), Some("new"));
    Ok(())
}
