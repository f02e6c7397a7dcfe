//! Members and invitations.

use std::sync::Arc;

use super::pages::{all, foreign_cursors_list_nothing};
use super::{Fixture, Subject, entry, everything, owner, user};
use crate::hash::Sha256Hash;
use crate::ids::{InvitationId, ProjectId, UserId};
use crate::model::{Invitation, Member, Membership, Project, Role, User};
use crate::ports::{Acceptance, MemberChange, PageRequest, StoreError};
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};

cases!(($) members_conformance, catalog::members, Subject, [
    members_are_listed_by_e_mail_in_pages,
    roles_change_and_the_change_is_logged,
    the_last_owner_stays,
    of_owners_who_demote_each_other_one_stays,
    a_removed_member_is_none,
    an_invitation_makes_an_account_once,
    an_invitation_makes_a_user_a_member_once,
    of_20_guests_with_one_invitation_one_joins,
    what_cannot_be_used_is_gone,
    a_refused_guest_leaves_the_invitation,
    invitations_are_listed_and_revoked,
    invitations_end_with_the_ownership_of_their_author,
    invitations_expire,
    an_invitation_needs_an_owner_of_the_project,
]);

fn invitation(project: ProjectId, by: UserId, secret: &str, role: Role) -> Invitation {
    Invitation {
        id: InvitationId::generate(),
        hash: Sha256Hash::of(secret),
        project,
        role,
        created_by: by,
        created_at: T0,
        expires_at: T0.plus(1_000),
    }
}

/// Somebody with a new account who joined the project with this role.
pub(super) async fn joined(
    catalog: &Subject,
    owner: &User,
    project: &Project,
    name: &str,
    role: Role,
) -> Fixture<User> {
    let guest = user(&format!("{name}@example.org"));
    let invitation = invitation(project.id, owner.id, name, role);
    catalog
        .create_invitation(&invitation, &entry("invitation.created"))
        .await?;
    let answer = catalog
        .register(&invitation.hash, &guest, T0, &entry("member.joined"))
        .await?;
    let project = project.clone();
    assert_eq!(answer, Acceptance::Joined(Membership { project, role }));
    Ok(guest)
}

async fn roles(catalog: &Subject, project: ProjectId) -> Fixture<Vec<(UserId, Role)>> {
    let members = catalog.members(project, &PageRequest::default()).await?.items;
    Ok(members
        .into_iter()
        .map(|member| (member.user, member.role))
        .collect())
}

async fn members_are_listed_by_e_mail_in_pages(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let mut people = vec![(owner.clone(), Role::Owner)];
    for (name, role) in [("Zoe", Role::Viewer), ("ada", Role::Editor), ("Bob", Role::Owner)] {
        people.push((joined(&catalog, &owner, &project, name, role).await?, role));
    }
    people.sort_by_key(|(person, _)| person.email.to_lowercase());
    let expected: Vec<_> = people
        .into_iter()
        .map(|(person, role)| Member {
            user: person.id,
            email: person.email,
            role,
        })
        .collect();
    for limit in [1, 2, 3, 4, 50] {
        let catalog = &catalog;
        let listed = all(
            limit,
            |page| async move { catalog.members(project.id, &page).await },
        )
        .await?;
        assert_eq!(listed, expected, "limit {limit}");
    }
    let one = PageRequest {
        cursor: None,
        limit: 1,
    };
    let other = catalog.members(project.id, &one).await?.next_cursor;
    let elsewhere = ProjectId::generate();
    let catalog = &catalog;
    foreign_cursors_list_nothing(
        &[other],
        |page| async move { catalog.members(elsewhere, &page).await },
    )
    .await?;
    Ok(())
}

async fn roles_change_and_the_change_is_logged(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let ada = joined(&catalog, &owner, &project, "ada", Role::Viewer).await?;
    for (role, was) in [
        (Role::Editor, Role::Viewer),
        (Role::Editor, Role::Editor),
        (Role::Owner, Role::Editor),
        (Role::Viewer, Role::Owner),
    ] {
        let changed = catalog
            .set_role(project.id, ada.id, role, &entry("member.role-changed"))
            .await?;
        assert_eq!(changed, MemberChange::Changed { before: was });
        assert_eq!(catalog.memberships(ada.id).await?[0].role, role);
    }
    let log = everything(&catalog).await?;
    let mut told: Vec<_> = log
        .iter()
        .filter(|entry| entry.verb == "member.role-changed")
        .map(|entry| (entry.before.as_deref(), entry.after.as_deref()))
        .collect();
    told.sort_unstable();
    let expected = [("editor", "owner"), ("owner", "viewer"), ("viewer", "editor")];
    assert_eq!(told, expected.map(|(was, is)| (Some(was), Some(is))));
    for (project, user) in [(project.id, UserId::generate()), (ProjectId::generate(), ada.id)] {
        let changed = catalog
            .set_role(project, user, Role::Editor, &entry("member.role-changed"))
            .await?;
        assert_eq!(changed, MemberChange::Missing);
    }
    assert_eq!(everything(&catalog).await?.len(), log.len());
    Ok(())
}

async fn the_last_owner_stays(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    joined(&catalog, &owner, &project, "ada", Role::Editor).await?;
    let before = everything(&catalog).await?;
    for role in [Role::Viewer, Role::Editor] {
        let changed = catalog
            .set_role(project.id, owner.id, role, &entry("member.role-changed"))
            .await?;
        assert_eq!(changed, MemberChange::LastOwner);
    }
    let kept = MemberChange::Changed { before: Role::Owner };
    let same = catalog
        .set_role(project.id, owner.id, Role::Owner, &entry("member.role-changed"))
        .await?;
    assert_eq!(same, kept);
    let removed = catalog
        .remove_member(project.id, owner.id, &entry("member.removed"))
        .await?;
    assert_eq!(removed, MemberChange::LastOwner);
    assert_eq!(catalog.memberships(owner.id).await?[0].role, Role::Owner);
    assert_eq!(everything(&catalog).await?, before, "nothing happened");

    joined(&catalog, &owner, &project, "bob", Role::Owner).await?;
    let removed = catalog
        .remove_member(project.id, owner.id, &entry("member.removed"))
        .await?;
    assert_eq!(removed, kept);
    Ok(())
}

async fn of_owners_who_demote_each_other_one_stays(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let mut owners = vec![owner.id];
    for n in 0..7 {
        let name = format!("o{n}");
        owners.push(joined(&catalog, &owner, &project, &name, Role::Owner).await?.id);
    }
    let answers = race(owners.len(), |n| {
        let (catalog, victim) = (Arc::clone(&catalog), owners[n]);
        async move {
            if n % 2 == 0 {
                catalog
                    .set_role(project.id, victim, Role::Viewer, &entry("member.role-changed"))
                    .await
            } else {
                catalog
                    .remove_member(project.id, victim, &entry("member.removed"))
                    .await
            }
        }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let refused = answers
        .iter()
        .filter(|answer| **answer == MemberChange::LastOwner);
    assert_eq!(refused.count(), 1, "{answers:?}");
    let left = roles(&catalog, project.id).await?;
    assert_eq!(left.iter().filter(|(_, role)| *role == Role::Owner).count(), 1);
    Ok(())
}

async fn a_removed_member_is_none(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let ada = joined(&catalog, &owner, &project, "ada", Role::Editor).await?;
    let removed = catalog
        .remove_member(project.id, ada.id, &entry("member.removed"))
        .await?;
    assert_eq!(removed, MemberChange::Changed { before: Role::Editor });
    assert_eq!(catalog.memberships(ada.id).await?, []);
    assert_eq!(roles(&catalog, project.id).await?, [(owner.id, Role::Owner)]);
    let again = catalog
        .remove_member(project.id, ada.id, &entry("member.removed"))
        .await?;
    assert_eq!(again, MemberChange::Missing);
    assert_eq!(catalog.user(ada.id).await?, Some(ada), "the account stays");
    let log = everything(&catalog).await?;
    let told: Vec<_> = log
        .iter()
        .filter(|entry| entry.verb == "member.removed")
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].before.as_deref(), Some("editor"));
    Ok(())
}

async fn an_invitation_makes_an_account_once(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let ada = joined(&catalog, &owner, &project, "ada", Role::Editor).await?;
    assert_eq!(catalog.user_by_email("ADA@example.org").await?, Some(ada));
    assert_eq!(catalog.invitation(&Sha256Hash::of("ada")).await?, None);
    let second = user("second@example.org");
    let answer = catalog
        .register(&Sha256Hash::of("ada"), &second, T0, &entry("member.joined"))
        .await?;
    assert_eq!(answer, Acceptance::Gone);
    assert_eq!(catalog.user(second.id).await?, None);
    Ok(())
}

async fn an_invitation_makes_a_user_a_member_once(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let ada = joined(&catalog, &owner, &project, "ada", Role::Editor).await?;
    catalog
        .remove_member(project.id, ada.id, &entry("member.removed"))
        .await?;
    let again = invitation(project.id, owner.id, "again", Role::Viewer);
    catalog
        .create_invitation(&again, &entry("invitation.created"))
        .await?;
    assert_eq!(catalog.invitation(&again.hash).await?.as_ref(), Some(&again));
    let role = Role::Viewer;
    for expected in [Acceptance::Joined(Membership { project, role }), Acceptance::Gone] {
        let answer = catalog
            .accept_invitation(&again.hash, ada.id, T0, &entry("member.joined"))
            .await?;
        assert_eq!(answer, expected);
    }
    Ok(())
}

async fn of_20_guests_with_one_invitation_one_joins(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let only = invitation(project.id, owner.id, "only", Role::Editor);
    catalog
        .create_invitation(&only, &entry("invitation.created"))
        .await?;
    let guests: Vec<_> = (0..20).map(|n| user(&format!("g{n}@example.org"))).collect();
    let answers = race(guests.len(), |n| {
        let (catalog, guest) = (Arc::clone(&catalog), guests[n].clone());
        async move {
            catalog
                .register(&only.hash, &guest, T0, &entry("member.joined"))
                .await
        }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let gone = answers.iter().filter(|answer| **answer == Acceptance::Gone);
    assert_eq!(gone.count(), 19, "{answers:?}");
    assert_eq!(roles(&catalog, project.id).await?.len(), 2);
    let log = everything(&catalog).await?;
    assert_eq!(
        log.iter().filter(|entry| entry.verb == "member.joined").count(),
        1
    );
    Ok(())
}

async fn what_cannot_be_used_is_gone(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let old = invitation(project.id, owner.id, "old", Role::Editor);
    catalog
        .create_invitation(&old, &entry("invitation.created"))
        .await?;
    let guest = user("guest@example.org");
    for (secret, at) in [("old", 1_000), ("old", 5_000), ("unknown", 0)] {
        let answer = catalog
            .register(
                &Sha256Hash::of(secret),
                &guest,
                T0.plus(at),
                &entry("member.joined"),
            )
            .await?;
        assert_eq!(answer, Acceptance::Gone, "{secret} at {at}");
    }
    let answer = catalog
        .register(&old.hash, &guest, T0.plus(999), &entry("member.joined"))
        .await?;
    assert!(matches!(answer, Acceptance::Joined(_)), "{answer:?}");
    Ok(())
}

async fn a_refused_guest_leaves_the_invitation(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let open = invitation(project.id, owner.id, "open", Role::Viewer);
    catalog
        .create_invitation(&open, &entry("invitation.created"))
        .await?;
    let before = everything(&catalog).await?;
    let same_address = user(&owner.email.to_uppercase());
    let answer = catalog
        .register(&open.hash, &same_address, T0, &entry("member.joined"))
        .await?;
    assert_eq!(answer, Acceptance::EmailTaken);
    let answer = catalog
        .accept_invitation(&open.hash, owner.id, T0, &entry("member.joined"))
        .await?;
    assert_eq!(answer, Acceptance::AlreadyMember);
    assert_eq!(catalog.invitation(&open.hash).await?, Some(open));
    assert_eq!(roles(&catalog, project.id).await?, [(owner.id, Role::Owner)]);
    assert_eq!(everything(&catalog).await?, before, "nothing happened");
    Ok(())
}

async fn invitations_are_listed_and_revoked(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let mut made = Vec::new();
    for n in 0..5 {
        let one = Invitation {
            created_at: T0.plus(n / 2),
            ..invitation(project.id, owner.id, &n.to_string(), Role::Editor)
        };
        catalog
            .create_invitation(&one, &entry("invitation.created"))
            .await?;
        made.push(one);
    }
    made.sort_by_key(|one| std::cmp::Reverse((one.created_at, one.id.to_string())));
    for limit in [1, 2, 5, 50] {
        let catalog = &catalog;
        let listed = all(limit, |page| async move {
            catalog.invitations(project.id, &page).await
        })
        .await?;
        assert_eq!(listed, made, "limit {limit}");
    }
    let elsewhere = ProjectId::generate();
    let revoke = |project, id| {
        let catalog = Arc::clone(&catalog);
        async move {
            catalog
                .revoke_invitation(project, id, &entry("invitation.revoked"))
                .await
        }
    };
    assert!(!revoke(elsewhere, made[0].id).await?);
    assert!(revoke(project.id, made[0].id).await?);
    assert!(!revoke(project.id, made[0].id).await?);
    assert_eq!(catalog.invitation(&made[0].hash).await?, None);
    let left = catalog.invitations(project.id, &PageRequest::default()).await?;
    assert_eq!(left.items, made[1..]);
    let log = everything(&catalog).await?;
    assert_eq!(
        log.iter()
            .filter(|entry| entry.verb == "invitation.revoked")
            .count(),
        1
    );
    let one = PageRequest {
        cursor: None,
        limit: 1,
    };
    let other = catalog.invitations(project.id, &one).await?.next_cursor;
    let catalog = &catalog;
    foreign_cursors_list_nothing(&[other], |page| async move {
        catalog.invitations(elsewhere, &page).await
    })
    .await?;
    Ok(())
}

async fn invitations_end_with_the_ownership_of_their_author(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let ada = joined(&catalog, &owner, &project, "ada", Role::Owner).await?;
    let bob = joined(&catalog, &owner, &project, "bob", Role::Owner).await?;
    for (by, secret) in [(owner.id, "of owner"), (ada.id, "of ada"), (bob.id, "of bob")] {
        let one = invitation(project.id, by, secret, Role::Owner);
        catalog
            .create_invitation(&one, &entry("invitation.created"))
            .await?;
    }
    catalog
        .set_role(project.id, ada.id, Role::Editor, &entry("member.role-changed"))
        .await?;
    catalog
        .remove_member(project.id, bob.id, &entry("member.removed"))
        .await?;
    let left = catalog
        .invitations(project.id, &PageRequest::default())
        .await?
        .items;
    assert_eq!(
        left.iter().map(|one| one.created_by).collect::<Vec<_>>(),
        [owner.id]
    );
    let log = everything(&catalog).await?;
    let mut told: Vec<_> = log
        .iter()
        .filter(|entry| entry.verb == "invitation.revoked")
        .map(|entry| (&*entry.object_kind, entry.before.as_deref()))
        .collect();
    told.sort_unstable();
    assert_eq!(told, [("invitation", Some("owner")); 2], "each is told by itself");
    Ok(())
}

async fn invitations_expire(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    for n in 0..3 {
        let one = Invitation {
            expires_at: T0.plus(n),
            ..invitation(project.id, owner.id, &n.to_string(), Role::Editor)
        };
        catalog
            .create_invitation(&one, &entry("invitation.created"))
            .await?;
    }
    assert_eq!(catalog.expire_invitations(T0.plus(1)).await?, 2);
    assert_eq!(catalog.expire_invitations(T0.plus(1)).await?, 0);
    let left = catalog
        .invitations(project.id, &PageRequest::default())
        .await?
        .items;
    assert_eq!(left.len(), 1);
    Ok(())
}

async fn an_invitation_needs_an_owner_of_the_project(catalog: Subject) -> CaseResult {
    let (owner, project) = owner(&catalog).await?;
    let ada = joined(&catalog, &owner, &project, "ada", Role::Editor).await?;
    for (project, user) in [
        (ProjectId::generate(), owner.id),
        (project.id, UserId::generate()),
        (project.id, ada.id),
    ] {
        let one = invitation(project, user, "nowhere", Role::Editor);
        let answer = catalog
            .create_invitation(&one, &entry("invitation.created"))
            .await;
        assert!(matches!(answer, Err(StoreError::Missing(_))), "{answer:?}");
    }
    Ok(())
}
