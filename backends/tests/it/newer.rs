//! What a newer version of the platform wrote into the catalog, read by this one: words that it does not know stop no list.

use std::sync::Arc;

use botloom_backends::{Database, SqlCatalog};
use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ids::{AuditId, BotId, Epoch, ProjectId, TaskId, UserId};
use botloom_core::model::{
    AuditActor, AuditEntry, Deployment, Found, IngressMode, Project, Stage, TaskStatus, User, WebhookFinding,
    WebhookState, WebhookStatus, WebhookTally,
};
use botloom_core::ports::{AuditQuery, Catalog, Connection, NewBot, Page, PageRequest, SettledWebhook};
use botloom_core::time::TimestampMs;

use crate::support::postgres::TestDatabase;

const NOW: TimestampMs = TimestampMs(1_795_200_000_000);
const BOTS: [&str; 3] = ["a-bot", "b-bot", "c-bot"];

/// A catalog, and the way past its ports.
struct World<H> {
    catalog: Arc<dyn Catalog>,
    by_hand: H,
    user: UserId,
    project: ProjectId,
    _keep: Box<dyn std::any::Any>,
}

/// Connected bots, each with a deployment that is under way and watched.
async fn world<H: AsyncFn(&str)>(db: &Database, by_hand: H, keep: impl std::any::Any) -> World<H> {
    let catalog: Arc<dyn Catalog> = Arc::new(SqlCatalog::new(db));
    let user = User {
        id: UserId::generate(),
        email: "owner@example.org".to_owned(),
        password_hash: Some("hash".to_owned()),
        created_at: NOW,
    };
    let project = Project {
        id: ProjectId::generate(),
        name: "default".to_owned(),
        created_at: NOW,
    };
    catalog.create_first_owner(&user, &project).await.unwrap();
    for id in BOTS {
        let id: BotId = id.parse().unwrap();
        let bot = NewBot {
            id: id.clone(),
            project: project.id,
            name: "A bot".to_owned(),
            created_at: NOW,
        };
        catalog.create_bot(&bot).await.unwrap();
        let polling = Connection {
            ingress: IngressMode::Polling,
            webhook_secret: None,
        };
        catalog.set_connection(&id, Some(&polling)).await.unwrap();
        catalog.create_deployment(&deployment(&id)).await.unwrap();
    }
    World {
        catalog,
        by_hand,
        user: user.id,
        project: project.id,
        _keep: Box::new(keep),
    }
}

fn deployment(bot: &BotId) -> Deployment {
    Deployment {
        task: TaskId::generate(),
        bot: bot.clone(),
        status: TaskStatus::Queued,
        stage: Stage::Preflight,
        stages: Vec::new(),
        from_rev: None,
        to_rev: RevHash(Sha256Hash::of("rev")),
        seen_epoch: Epoch(0),
        epoch: None,
        rollback: false,
        min_sandboxes: 0,
        error: None,
        watch_until: Some(NOW),
        reason: None,
        author: None,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

/// Runs a story on both databases.
macro_rules! on_both {
    ($sqlite:ident, $postgres:ident, $story:path) => {
        #[tokio::test]
        async fn $sqlite() {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("control.db");
            let db = Database::open_sqlite(&path).await.unwrap();
            let by_hand = async move |sql: &str| {
                let file = rusqlite::Connection::open(&path).unwrap();
                file.execute_batch(sql).unwrap();
            };
            $story(&world(&db, by_hand, dir).await).await;
        }

        #[tokio::test]
        async fn $postgres() {
            let database = Arc::new(TestDatabase::create().await);
            let db = database.open().await;
            let hand = Arc::clone(&database);
            let by_hand = async move |sql: &str| hand.by_hand(sql).await;
            $story(&world(&db, by_hand, database).await).await;
        }
    };
}

on_both! {
    sqlite_checks_go_on_past_a_finding_of_a_newer_version,
    postgres_checks_go_on_past_a_finding_of_a_newer_version,
    checks_go_on
}
on_both! {
    sqlite_lists_go_on_past_a_row_of_a_newer_version,
    postgres_lists_go_on_past_a_row_of_a_newer_version,
    lists_go_on
}
on_both! {
    sqlite_the_audit_log_goes_on_past_an_actor_of_a_newer_version,
    postgres_the_audit_log_goes_on_past_an_actor_of_a_newer_version,
    the_audit_log_goes_on
}

async fn checks_go_on<H: AsyncFn(&str)>(world: &World<H>) {
    let catalog = &world.catalog;
    assert_eq!(catalog.enrol_webhook_checks(NOW).await.unwrap(), 3);
    (world.by_hand)(
        "UPDATE webhook_checks SET status = 'drifted', codes = 'webhook-foreign moon-phase', findings = \
         '[{\"finding\":\"webhook-foreign\",\"detail\":\"x.example\"},{\"finding\":\"moon-phase\",\"phase\":3}]' \
         WHERE bot_id = 'a-bot'; \
         UPDATE webhook_checks SET status = 'eclipsed', codes = 'moon-phase', findings = \
         '[{\"finding\":\"moon-phase\",\"detail\":\"full\"},{\"finding\":\"moon-phase\",\"detail\":{\"at\":1}}]' \
         WHERE bot_id = 'b-bot'; \
         UPDATE webhook_checks SET findings = 'none of our words', tried = 'nor that', secret = 'nor that', tried_at = 1 \
         WHERE bot_id = 'c-bot'",
    )
    .await;
    let found = |finding, detail: Option<&str>| Found {
        finding,
        detail: detail.map(str::to_owned),
    };
    let expected = [
        (
            WebhookStatus::Drifted,
            vec![
                found(WebhookFinding::WebhookForeign, Some("x.example")),
                found(WebhookFinding::Unknown, None),
            ],
        ),
        (
            WebhookStatus::Unknown,
            vec![
                found(WebhookFinding::Unknown, Some("full")),
                found(WebhookFinding::Unknown, None),
            ],
        ),
        (WebhookStatus::Unknown, Vec::new()),
    ];
    let page = catalog
        .webhook_checks(&[world.project], None, &PageRequest::default())
        .await
        .unwrap();
    let claimed = catalog
        .claim_webhook_checks(NOW, NOW.plus(30_000), 10)
        .await
        .unwrap();
    for checks in [&page.items, &claimed] {
        let states = checks
            .iter()
            .map(|check| (check.state.status, check.state.findings.clone()));
        assert!(states.eq(expected.clone()), "{checks:?}");
    }
    let tally = catalog.webhook_tally(None).await.unwrap();
    assert_eq!(tally.len(), 3);
    let of_a = WebhookTally {
        elsewhere: false,
        status: WebhookStatus::Drifted,
        findings: vec![WebhookFinding::WebhookForeign, WebhookFinding::Unknown],
        bots: 1,
    };
    assert!(tally.contains(&of_a), "{tally:?}");

    // What this version finds replaces it.
    let settled: Vec<_> = claimed
        .iter()
        .map(|claim| SettledWebhook {
            claim: claim.clone(),
            state: WebhookState {
                status: WebhookStatus::Healthy,
                ..WebhookState::unchecked(NOW)
            },
            seen: None,
            next_at: NOW,
        })
        .collect();
    let held = catalog.settle_webhook_checks(&settled).await.unwrap();
    assert_eq!(held, [true; 3]);
    let well = WebhookTally {
        elsewhere: false,
        status: WebhookStatus::Healthy,
        findings: Vec::new(),
        bots: 3,
    };
    assert_eq!(catalog.webhook_tally(None).await.unwrap(), [well]);
}

async fn lists_go_on<H: AsyncFn(&str)>(world: &World<H>) {
    let catalog = &world.catalog;
    (world.by_hand)(
        "UPDATE bots SET ingress = 'pigeon' WHERE id = 'b-bot'; \
         UPDATE deployments SET stage = 'ponder' WHERE bot_id = 'b-bot'",
    )
    .await;
    let names = |bots: Vec<BotId>| -> Vec<String> { bots.iter().map(ToString::to_string).collect() };
    let others = ["a-bot", "c-bot"];
    let live = catalog.live_bots().await.unwrap();
    assert_eq!(names(live.into_iter().map(|bot| bot.id).collect()), others);
    for deployments in [
        catalog.unfinished_deployments().await.unwrap(),
        catalog.watched_deployments().await.unwrap(),
    ] {
        let mut bots = names(deployments.into_iter().map(|row| row.bot).collect());
        bots.sort();
        assert_eq!(bots, others);
    }
    for limit in [2, 3, 10] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let request = PageRequest { cursor, limit };
            let Page { items, next_cursor } = catalog.bots(&[world.project], &request).await.unwrap();
            seen.extend(items.into_iter().map(|bot| bot.id));
            cursor = next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(names(seen), others, "pages of {limit}");
    }
    // A page of which nothing can be read has no end to go on behind, and says so.
    let bot: BotId = "b-bot".parse().unwrap();
    assert!(catalog.deployments(&bot, &PageRequest::default()).await.is_err());

    (world.by_hand)("UPDATE members SET role = 'oracle'").await;
    assert_eq!(
        catalog.memberships(world.user).await.unwrap(),
        [],
        "a role that is not known allows nothing"
    );
}

async fn the_audit_log_goes_on<H: AsyncFn(&str)>(world: &World<H>) {
    let catalog = &world.catalog;
    let entry = AuditEntry {
        id: AuditId::generate(),
        at: NOW,
        actor: AuditActor::User(world.user),
        verb: "bot.teleported".into(),
        object_kind: "planet".into(),
        object_id: "mars".to_owned(),
        project: Some(world.project),
        address: None,
        request: None,
        before: None,
        after: None,
    };
    catalog.record(&entry).await.unwrap();
    let (id, user, project) = (AuditId::generate(), world.user, world.project);
    (world.by_hand)(&format!(
        "INSERT INTO audit_log (id, at, actor, user_id, verb, object_kind, object_id, project_id) \
         VALUES ('{id}', {}, 'robot', '{user}', 'bot.created', 'bot', 'a-bot', '{project}')",
        NOW.0 + 1
    ))
    .await;
    let wanted = AuditQuery {
        projects: vec![project],
        ..AuditQuery::default()
    };
    let page = catalog.audit(&wanted, &PageRequest::default()).await.unwrap();
    let [robot, known] = &page.items[..] else {
        panic!("{page:?}");
    };
    assert_eq!(robot.actor, AuditActor::Unknown { user: Some(user) });
    assert_eq!(robot.actor.kind(), "unknown");
    assert_eq!(known, &entry);
}
