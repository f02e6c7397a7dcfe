//! The audit log.

use super::pages::{all, foreign_cursors_list_nothing};
use super::{Subject, entry};
use crate::ids::{AuditId, ProjectId, TokenId, UserId};
use crate::model::{AuditActor, AuditEntry};
use crate::ports::{AuditQuery, PageRequest};
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases};

cases!(($) audit_conformance, catalog::audit, Subject, [
    entries_come_back_as_they_were,
    the_same_entry_twice_is_one,
    entries_are_listed_newest_first_in_pages,
    one_sees_ones_projects_and_ones_own_affairs,
    each_filter_narrows,
]);

fn seen_by(projects: &[ProjectId]) -> AuditQuery {
    AuditQuery {
        projects: projects.to_vec(),
        ..AuditQuery::default()
    }
}

async fn entries_come_back_as_they_were(catalog: Subject) -> CaseResult {
    let (project, user) = (ProjectId::generate(), UserId::generate());
    let actors = [
        AuditActor::User(user),
        AuditActor::Token {
            user,
            token: TokenId::generate(),
        },
        AuditActor::System,
    ];
    for (actor, address) in actors.into_iter().zip(["192.0.2.7", "2001:db8::", "::"]) {
        let whole = AuditEntry {
            actor,
            project: Some(project),
            address: Some(address.parse()?),
            request: Some(uuid::Uuid::now_v7()),
            before: Some("editor".to_owned()),
            after: Some("it's \"quoted\" ✓".to_owned()),
            ..entry("member.role-changed")
        };
        let bare = AuditEntry {
            actor,
            project: Some(project),
            ..entry("bot.created")
        };
        for one in [whole, bare] {
            catalog.record(&one).await?;
            let query = AuditQuery {
                verb: Some(one.verb.clone().into_owned()),
                ..seen_by(&[project])
            };
            let listed = catalog.audit(&query, &PageRequest::default()).await?.items;
            assert!(listed.contains(&one), "{one:?} in {listed:?}");
        }
    }
    Ok(())
}

async fn the_same_entry_twice_is_one(catalog: Subject) -> CaseResult {
    let project = ProjectId::generate();
    let one = AuditEntry {
        project: Some(project),
        ..entry("bot.created")
    };
    catalog.record(&one).await?;
    catalog.record(&one).await?;
    let listed = catalog
        .audit(&seen_by(&[project]), &PageRequest::default())
        .await?;
    assert_eq!(listed.items, [one]);
    Ok(())
}

async fn entries_are_listed_newest_first_in_pages(catalog: Subject) -> CaseResult {
    let project = ProjectId::generate();
    let mut written = Vec::new();
    for n in 0..7 {
        let one = AuditEntry {
            project: Some(project),
            at: T0.plus(n / 3),
            ..entry("bot.renamed")
        };
        catalog.record(&one).await?;
        written.push(one);
    }
    written.sort_by_key(|one| std::cmp::Reverse((one.at, one.id.to_string())));
    let query = seen_by(&[project]);
    let (catalog, query) = (&catalog, &query);
    for limit in [1, 2, 3, 7, 50] {
        let listed = all(limit, |page| async move { catalog.audit(query, &page).await }).await?;
        assert_eq!(listed, written, "limit {limit}");
    }
    foreign_cursors_list_nothing(&[], |page| async move { catalog.audit(query, &page).await }).await?;
    Ok(())
}

async fn one_sees_ones_projects_and_ones_own_affairs(catalog: Subject) -> CaseResult {
    let (ours, theirs) = (ProjectId::generate(), ProjectId::generate());
    let (me, other) = (UserId::generate(), UserId::generate());
    let mut ids = Vec::new();
    for (project, user) in [
        (Some(ours), me),
        (Some(ours), other),
        (Some(theirs), me),
        (Some(theirs), other),
        (None, me),
        (None, other),
    ] {
        let one = AuditEntry {
            project,
            actor: AuditActor::User(user),
            ..entry("bot.created")
        };
        catalog.record(&one).await?;
        ids.push(one.id);
    }
    for (projects, own, expected) in [
        (vec![], None, vec![]),
        (vec![ours], None, vec![0, 1]),
        (vec![ours, theirs], None, vec![0, 1, 2, 3]),
        (vec![], Some(me), vec![4]),
        (vec![ours], Some(me), vec![0, 1, 4]),
    ] {
        let query = AuditQuery {
            own,
            ..seen_by(&projects)
        };
        let listed = catalog.audit(&query, &PageRequest::default()).await?.items;
        let mut listed: Vec<AuditId> = listed.into_iter().map(|one| one.id).collect();
        listed.sort_unstable();
        let mut expected: Vec<_> = expected.into_iter().map(|n: usize| ids[n]).collect();
        expected.sort_unstable();
        assert_eq!(listed, expected, "{query:?}");
    }
    Ok(())
}

async fn each_filter_narrows(catalog: Subject) -> CaseResult {
    let project = ProjectId::generate();
    let user = UserId::generate();
    let told = AuditEntry {
        project: Some(project),
        actor: AuditActor::Token {
            user,
            token: TokenId::generate(),
        },
        object_kind: "bot".into(),
        object_id: "a-bot".to_owned(),
        at: T0.plus(50),
        ..entry("bot.deleted")
    };
    let others = [
        AuditEntry {
            actor: AuditActor::User(UserId::generate()),
            ..told.clone()
        },
        AuditEntry {
            verb: "bot.created".into(),
            ..told.clone()
        },
        AuditEntry {
            object_kind: "chat".into(),
            ..told.clone()
        },
        AuditEntry {
            object_id: "b-bot".to_owned(),
            ..told.clone()
        },
        AuditEntry {
            at: T0.plus(49),
            ..told.clone()
        },
        AuditEntry {
            at: T0.plus(60),
            ..told.clone()
        },
    ];
    catalog.record(&told).await?;
    for other in others {
        let id = AuditId::generate();
        catalog.record(&AuditEntry { id, ..other }).await?;
    }
    let narrow = AuditQuery {
        user: Some(user),
        verb: Some("bot.deleted".to_owned()),
        object_kind: Some("bot".to_owned()),
        object_id: Some("a-bot".to_owned()),
        since: Some(T0.plus(50)),
        until: Some(T0.plus(60)),
        ..seen_by(&[project])
    };
    let listed = catalog.audit(&narrow, &PageRequest::default()).await?;
    assert_eq!(listed.items, [told]);
    let wider = [
        AuditQuery {
            user: None,
            ..narrow.clone()
        },
        AuditQuery {
            verb: None,
            ..narrow.clone()
        },
        AuditQuery {
            object_kind: None,
            ..narrow.clone()
        },
        AuditQuery {
            object_id: None,
            ..narrow.clone()
        },
        AuditQuery {
            since: None,
            ..narrow.clone()
        },
        AuditQuery {
            until: None,
            ..narrow.clone()
        },
    ];
    for query in wider {
        let listed = catalog.audit(&query, &PageRequest::default()).await?.items;
        assert_eq!(listed.len(), 2, "{query:?}");
    }
    Ok(())
}
