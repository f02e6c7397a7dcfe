//! Bots: made, connected, renamed, deleted.
//!
//! Longer than most files: every route of a bot, with the same bot and the same Telegram behind it.

use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ids::{BotId, Epoch};
use botloom_core::model::{IngressMode, SealedToken};
use botloom_core::ports::{Connection, Notice};
use botloom_telegram::Token;
use botloom_telegram::simulator::{Action, Event, Fault, Filter};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Client, Server, Setup, revision};

const TOKEN: &str = "7100000001:AA-a-token-of-a-bot";

async fn set_token(client: &Client, bot: &str, token: &str) -> crate::support::Answer {
    client
        .json(
            Method::PUT,
            &format!("/bots/{bot}/token"),
            &json!({ "token": token }),
        )
        .await
}

/// A server whose public address Telegram's simulator may deliver to.
async fn public() -> Server {
    let mut setup = Setup::default();
    setup.options.public_url = Some("http://bots.example:8080/base".parse().unwrap());
    Server::start_with(setup).await
}

fn fail(method: &str, code: u16) -> Fault {
    Fault {
        bot: None,
        method: Some(method.into()),
        chat: None,
        skip: 0,
        count: Some(1),
        executed: false,
        action: Action::Answer {
            code,
            description: Some("Bad Request: words".into()),
            retry_after: None,
            migrate_to_chat_id: None,
        },
    }
}

fn calls(server: &Server, method: &str) -> Vec<Value> {
    let filter = Filter {
        method: Some(method.into()),
        ..Filter::default()
    };
    let params = |entry: botloom_telegram::simulator::Entry| match entry.event {
        Event::Call { params, .. } => Some(Value::Object(params)),
        Event::Delivery { .. } => None,
    };
    server
        .telegram
        .journal(&filter)
        .into_iter()
        .filter_map(params)
        .collect()
}

#[tokio::test]
async fn a_bot_is_made_looked_at_renamed_and_deleted() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let made = owner
        .post("/bots", &json!({ "botId": "pizza-demo", "name": "Pizza" }))
        .await
        .expect(201);
    assert_eq!(made.header("location"), "/bots/pizza-demo");
    let expected = json!({
        "botId": "pizza-demo", "name": "Pizza", "projectId": made.json()["projectId"], "activeRevHash": null, "epoch": 0,
        "createdAt": made.json()["createdAt"], "pausedAt": null, "stagingOf": null,
        "telegram": {
            "tokenSet": false, "id": null, "username": null, "ingress": null, "suspended": null, "webhook": null,
        },
    });
    assert_eq!(made.json(), expected);

    let read = owner.get("/bots/pizza-demo").await.expect(200);
    assert_eq!(read.json(), expected);
    let tag = read.header("etag").to_owned();
    let same = owner
        .get_with("/bots/pizza-demo", &[("if-none-match", &tag)])
        .await
        .expect(304);
    assert!(same.body.is_empty());
    assert_eq!(same.header("etag"), tag);

    let renamed = owner
        .json(Method::PATCH, "/bots/pizza-demo", &json!({ "name": "Pasta" }))
        .await
        .expect(200);
    assert_eq!(renamed.json()["name"], "Pasta");
    owner
        .get_with("/bots/pizza-demo", &[("if-none-match", &tag)])
        .await
        .expect(200);

    owner.delete("/bots/pizza-demo").await.expect(204);
    owner.get("/bots/pizza-demo").await.refused(404, "not-found");
    owner.delete("/bots/pizza-demo").await.refused(404, "not-found");
    assert_eq!(owner.get("/bots").await.json()["items"], json!([]));
    let again = owner
        .post("/bots", &json!({ "botId": "pizza-demo", "name": "Pizza" }))
        .await;
    again.refused(409, "bot-exists");
}

#[tokio::test]
async fn bots_are_listed_page_by_page() {
    let server = Server::start().await;
    let owner = server.owner().await;
    for n in 0..5 {
        owner
            .post("/bots", &json!({ "botId": format!("bot-{n}"), "name": "Bot" }))
            .await
            .expect(201);
    }
    let mut seen = Vec::new();
    let mut path = "/bots?limit=2".to_owned();
    loop {
        let page = owner.get(&path).await.expect(200).json();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|bot| bot["botId"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("/bots?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["bot-0", "bot-1", "bot-2", "bot-3", "bot-4"]);
}

#[tokio::test]
async fn a_bot_goes_to_a_project_that_the_caller_may_use() {
    let server = Server::start().await;
    let owner = server.owner().await;
    let project = owner.get("/projects").await.json()["items"][0]["projectId"].clone();
    let body = json!({ "botId": "a-bot", "name": "A bot", "projectId": project });
    let (stranger, viewer) = (server.stranger().await, server.member("viewer").await);
    stranger.post("/bots", &body).await.refused(404, "not-found");
    viewer.post("/bots", &body).await.refused(403, "forbidden");
    let unnamed = json!({ "botId": "a-bot", "name": "A bot" });
    stranger
        .post("/bots", &unnamed)
        .await
        .refused(409, "project-required");
    viewer
        .post("/bots", &unnamed)
        .await
        .refused(409, "project-required");
    owner.post("/bots", &body).await.expect(201);
}

#[tokio::test]
async fn roles_decide_who_may_do_what_to_a_bot() {
    let server = Server::start().await;
    server.with_bot().await;
    let (viewer, editor) = (server.member("viewer").await, server.member("editor").await);
    viewer.get("/bots/a-bot").await.expect(200);
    let name = json!({ "name": "Renamed" });
    viewer
        .json(Method::PATCH, "/bots/a-bot", &name)
        .await
        .refused(403, "forbidden");
    editor.json(Method::PATCH, "/bots/a-bot", &name).await.expect(200);
    set_token(&editor, "a-bot", TOKEN).await.refused(403, "forbidden");
    editor.delete("/bots/a-bot").await.refused(403, "forbidden");
}

#[tokio::test]
async fn a_token_is_checked_sealed_and_never_shown() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let answer = set_token(&owner, "a-bot", TOKEN).await.expect(200);
    assert_eq!(answer.json()["telegram"]["tokenSet"], true);
    assert_eq!(answer.json()["telegram"]["id"], 7_100_000_001_i64);
    assert_eq!(answer.json()["telegram"]["username"], "bot7100000001_bot");
    let secret = TOKEN.split(':').nth(1).unwrap();
    assert!(!answer.text().contains(secret));
    assert!(!owner.get("/bots/a-bot").await.text().contains(secret));
    let id: BotId = "a-bot".parse().unwrap();
    let row = server.ports.catalog.bot(&id).await.unwrap().unwrap();
    let sealed = row.token.as_ref().unwrap();
    let opened = server.vault.open(&sealed.0, &row.token_context()).unwrap();
    assert_eq!(opened.expose(), TOKEN);
}

#[tokio::test]
async fn tokens_that_cannot_be_used_are_told_apart() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    for malformed in ["x", "7100000001", "7100000001:a b c d e f", "abc:AAAAAAAAAAAA"] {
        let answer = set_token(&owner, "a-bot", malformed).await;
        answer.refused(422, "token-invalid");
        assert!(
            !answer.text().contains(malformed) || malformed == "x",
            "the answer repeats the token"
        );
    }
    server.telegram.add_fault(fail("getMe", 401));
    set_token(&owner, "a-bot", TOKEN)
        .await
        .refused(422, "token-rejected");
    server.telegram.add_fault(fail("getMe", 502));
    let away = set_token(&owner, "a-bot", TOKEN).await;
    away.refused(503, "telegram-unavailable");
    assert_eq!(away.header("retry-after"), "1");
    assert_eq!(
        owner.get("/bots/a-bot").await.json()["telegram"]["tokenSet"],
        false
    );

    set_token(&owner, "a-bot", TOKEN).await.expect(200);
    owner
        .post("/bots", &json!({ "botId": "b-bot", "name": "B" }))
        .await
        .expect(201);
    set_token(&owner, "b-bot", TOKEN)
        .await
        .refused(409, "bot-already-registered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_bots_that_get_one_token_at_once_one_gets_it() {
    let server = public().await;
    let owner = server.with_bot().await;
    owner
        .post("/bots", &json!({ "botId": "b-bot", "name": "B" }))
        .await
        .expect(201);
    let names = ["a-bot", "b-bot"];
    let calls = (0..20).map(|number| set_token(&owner, names[number % 2], TOKEN));
    let answers = futures_util::future::join_all(calls).await;
    let mut holders = Vec::new();
    for (number, name) in names.into_iter().enumerate() {
        let view = owner.get(&format!("/bots/{name}")).await.json();
        let holds = view["telegram"]["tokenSet"] == true;
        for answer in answers.iter().skip(number).step_by(2) {
            if holds {
                assert_eq!(answer.status, 200, "{}", answer.text());
            } else {
                answer.refused(409, "bot-already-registered");
            }
        }
        holders.extend(holds.then_some(name));
    }
    assert_eq!(holders.len(), 1, "{holders:?}");
}

#[tokio::test]
async fn a_webhook_is_set_with_a_secret_that_was_stored_before() {
    let server = public().await;
    let owner = server.with_bot().await;
    let connect = json!({ "ingress": "webhook" });
    owner
        .post("/bots/a-bot/connect", &connect)
        .await
        .refused(409, "token-missing");
    set_token(&owner, "a-bot", TOKEN).await.expect(200);
    let mut bus = server.ports.bus.subscribe();
    let answer = owner
        .post("/bots/a-bot/connect", &connect)
        .await
        .expect(200)
        .json();
    assert_eq!(answer["telegram"]["ingress"], "webhook");
    assert_eq!(
        answer["telegram"]["webhook"]["url"],
        "http://bots.example:8080/base/wh/a-bot"
    );
    let id: BotId = "a-bot".parse().unwrap();
    assert_eq!(bus.try_recv().unwrap(), Notice::BotChanged { bot: id.clone() });

    let set = calls(&server, "setWebhook");
    assert_eq!(set.len(), 1);
    assert_eq!(set[0]["url"], "http://bots.example:8080/base/wh/a-bot");
    assert_eq!(set[0]["max_connections"], 40);
    let row = server.ports.catalog.bot(&id).await.unwrap().unwrap();
    let sealed = row.webhook_secret.as_ref().unwrap();
    let secret = server.vault.open(&sealed.0, &row.webhook_context()).unwrap();
    assert_eq!(set[0]["secret_token"], secret.expose());
    assert!(!owner.get("/bots/a-bot").await.text().contains(secret.expose()));

    // Connecting again keeps the secret under which Telegram may be delivering right now.
    owner.post("/bots/a-bot/connect", &connect).await.expect(200);
    assert_eq!(calls(&server, "setWebhook")[1]["secret_token"], secret.expose());

    // Also when a new master key takes over, and it is not put back under the old one.
    let catalog = &server.ports.catalog;
    let old = SealedToken(server.old_vault.seal(&secret, &row.webhook_context()));
    let connection = Connection {
        ingress: IngressMode::Webhook,
        webhook_secret: Some(old),
    };
    catalog.set_connection(&id, Some(&connection)).await.unwrap();
    for refused in [false, true] {
        if refused {
            server.telegram.add_fault(fail("setWebhook", 400));
        }
        owner.post("/bots/a-bot/connect", &connect).await;
        let row = catalog.bot(&id).await.unwrap().unwrap();
        let sealed = row.webhook_secret.as_ref().unwrap();
        assert_eq!(
            server.vault.open(&sealed.0, &row.webhook_context()).as_ref(),
            Ok(&secret)
        );
        assert_eq!(server.vault.renewed(&sealed.0, &row.webhook_context()), Ok(None));
        if !refused {
            catalog.set_connection(&id, Some(&connection)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_webhook_asks_for_the_updates_of_the_active_revision() {
    let server = public().await;
    let owner = server.with_bot().await;
    set_token(&owner, "a-bot", TOKEN).await.expect(200);
    let rev = revision(&server.ports, "a-bot", "1").await;
    server
        .ports
        .catalog
        .activate(&"a-bot".parse().unwrap(), Epoch(0), rev)
        .await
        .unwrap()
        .unwrap();
    owner
        .post("/bots/a-bot/connect", &json!({ "ingress": "webhook" }))
        .await
        .expect(200);
    let wanted = calls(&server, "setWebhook")[0]["allowed_updates"].clone();
    assert_eq!(wanted, json!(["message", "callback_query", "my_chat_member"]));
}

#[tokio::test]
async fn a_webhook_that_telegram_refuses_changes_nothing() {
    let server = public().await;
    let owner = server.with_bot().await;
    set_token(&owner, "a-bot", TOKEN).await.expect(200);
    owner
        .post("/bots/a-bot/connect", &json!({ "ingress": "polling" }))
        .await
        .expect(200);
    server.telegram.add_fault(fail("setWebhook", 400));
    let refused = owner
        .post("/bots/a-bot/connect", &json!({ "ingress": "webhook" }))
        .await;
    refused.refused(409, "telegram-refused");
    assert!(refused.json()["detail"].as_str().unwrap().contains("words"));
    let bot = owner.get("/bots/a-bot").await.json();
    assert_eq!(bot["telegram"]["ingress"], "polling");
    // It is told all the same, with how it ended.
    let log = owner
        .get("/audit?verb=bot.connect-failed")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&log["items"][0]["before"], &log["items"][0]["after"]),
        (
            &json!("polling"),
            &json!("polling, webhook failed: telegram-refused")
        )
    );
    assert_eq!(log["items"][0]["requestId"], refused.header("x-request-id"));
    server.telegram.add_fault(fail("setWebhook", 502));
    owner
        .post("/bots/a-bot/connect", &json!({ "ingress": "webhook" }))
        .await
        .refused(503, "telegram-unavailable");
    let log = owner
        .get("/audit?verb=bot.connect-failed")
        .await
        .expect(200)
        .json();
    assert_eq!(
        log["items"][0]["after"],
        "webhook, webhook failed: telegram-unavailable"
    );
}

#[tokio::test]
async fn polling_takes_the_webhook_away_first() {
    let server = public().await;
    let owner = server.with_bot().await;
    set_token(&owner, "a-bot", TOKEN).await.expect(200);
    let telegram_id = Token::new(TOKEN).unwrap().bot_id();
    owner
        .post("/bots/a-bot/connect", &json!({ "ingress": "webhook" }))
        .await
        .expect(200);
    assert!(server.telegram.bot_state(telegram_id).unwrap().webhook.is_some());
    owner
        .post("/bots/a-bot/connect", &json!({ "ingress": "polling" }))
        .await
        .expect(200);
    assert_eq!(server.telegram.bot_state(telegram_id).unwrap().webhook, None);
    let row = server
        .ports
        .catalog
        .bot(&"a-bot".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.ingress, row.webhook_secret),
        (Some(IngressMode::Polling), None)
    );

    let off = owner
        .post("/bots/a-bot/disconnect", &json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(off["telegram"]["ingress"], Value::Null);
    owner.post("/bots/a-bot/disconnect", &json!({})).await.expect(200);
}

#[tokio::test]
async fn a_bot_is_taken_off_also_when_telegram_is_away() {
    let server = public().await;
    let owner = server.with_bot().await;
    set_token(&owner, "a-bot", TOKEN).await.expect(200);
    owner
        .post("/bots/a-bot/connect", &json!({ "ingress": "webhook" }))
        .await
        .expect(200);
    server.telegram.add_fault(fail("deleteWebhook", 502));
    let half = owner.post("/bots/a-bot/disconnect", &json!({})).await;
    half.refused(503, "telegram-unavailable");
    assert!(
        half.json()["detail"]
            .as_str()
            .unwrap()
            .contains("disconnect again")
    );
    assert_eq!(
        owner.get("/bots/a-bot").await.json()["telegram"]["ingress"],
        Value::Null
    );
    owner.post("/bots/a-bot/disconnect", &json!({})).await.expect(200);
    let telegram_id = Token::new(TOKEN).unwrap().bot_id();
    assert_eq!(server.telegram.bot_state(telegram_id).unwrap().webhook, None);
}

#[tokio::test]
async fn a_webhook_needs_an_address_that_telegram_can_reach() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    set_token(&owner, "a-bot", TOKEN).await.expect(200);
    let connect = json!({ "ingress": "webhook" });
    owner
        .post("/bots/a-bot/connect", &connect)
        .await
        .refused(409, "public-url-missing");
    owner
        .post("/bots/a-bot/connect", &json!({ "ingress": "pigeon" }))
        .await
        .refused(422, "validation-failed");
}

#[tokio::test]
async fn a_connected_bot_may_get_its_token_anew_but_not_another_bots() {
    let server = public().await;
    let owner = server.with_bot().await;
    set_token(&owner, "a-bot", TOKEN).await.expect(200);
    owner
        .post("/bots/a-bot/connect", &json!({ "ingress": "webhook" }))
        .await
        .expect(200);
    set_token(&owner, "a-bot", "7100000002:AA-another-bot")
        .await
        .refused(409, "bot-connected");
    set_token(&owner, "a-bot", TOKEN).await.expect(200);
    let set = calls(&server, "setWebhook");
    assert_eq!(set.len(), 2, "the webhook was not set under the new token");
    assert_eq!(set[0]["secret_token"], set[1]["secret_token"]);
}

#[tokio::test]
async fn deleting_tells_telegram_and_forgets_the_chats() {
    let server = public().await;
    let owner = server.with_bot().await;
    set_token(&owner, "a-bot", TOKEN).await.expect(200);
    owner
        .post("/bots/a-bot/connect", &json!({ "ingress": "webhook" }))
        .await
        .expect(200);
    let id: BotId = "a-bot".parse().unwrap();
    let active = botloom_core::ports::ActiveRevision {
        epoch: Epoch(1),
        rev: RevHash(Sha256Hash::of("r")),
    };
    server.ports.lanes.set_revision(&id, active).await.unwrap();
    owner.delete("/bots/a-bot").await.expect(204);
    assert_eq!(server.telegram.bot_state(7_100_000_001).unwrap().webhook, None);
    assert_eq!(server.ports.lanes.revision(&id).await.unwrap(), None);
    let row = server.ports.catalog.bot(&id).await.unwrap().unwrap();
    assert_eq!((row.token, row.ingress), (None, None));
    assert!(row.deleted_at.is_some());
}

#[tokio::test]
async fn a_bot_of_a_token_that_was_revoked_can_be_deleted() {
    let server = public().await;
    let owner = server.with_bot().await;
    set_token(&owner, "a-bot", TOKEN).await.expect(200);
    owner
        .post("/bots/a-bot/connect", &json!({ "ingress": "webhook" }))
        .await
        .expect(200);
    server.telegram.add_fault(fail("deleteWebhook", 401));
    owner.delete("/bots/a-bot").await.expect(204);
}
