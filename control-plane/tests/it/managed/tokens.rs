//! The token of a bot that was made by a link, replaced through the manager bot.

use std::time::Duration;

use botloom_telegram::Token;
use botloom_telegram::simulator::{Action, Fault};
use http::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{MANAGER_TOKEN, Story, calls, fault};
use crate::support::{Answer, PATIENCE, Server, Setup};

impl Story {
    /// `b-bot` has the token of a bot that Ann made.
    async fn attached(&self) -> i64 {
        self.known_without_node().await;
        let asked = self.owner.post("/bots/b-bot/managed", &Value::Null).await;
        let bot = self.make(&self.ann, &asked.expect(201).json());
        let _node = self.node();
        self.heard().await;
        assert_eq!(self.telegram("b-bot").await["id"], bot);
        bot
    }

    /// The token that is stored.
    async fn stored_token(&self) -> Token {
        let row = self.server.ports.catalog.bot(&"b-bot".parse().unwrap()).await;
        let row = row.unwrap().unwrap();
        let sealed = row.token.as_ref().unwrap();
        let text = self.server.vault.open(&sealed.0, &row.token_context()).unwrap();
        Token::new(text.expose()).unwrap()
    }

    async fn knows(&self, token: &Token) -> bool {
        self.server.deps.telegram.get_me(token).await.is_ok()
    }

    /// The next replacement is done, and nobody hears of it.
    fn loses_the_answer(&self) {
        self.server.telegram.add_fault(Fault {
            executed: true,
            ..fault("replaceManagedBotToken", 1, Action::Reset)
        });
    }

    async fn replace(&self) -> Answer {
        self.owner.post("/bots/b-bot/managed/token", &Value::Null).await
    }

    async fn put(&self, token: &Token) -> Answer {
        let body = json!({ "token": token.expose() });
        self.owner.json(Method::PUT, "/bots/b-bot/token", &body).await
    }

    /// Asks for a replacement that Telegram does when something else was done meanwhile. Answers what the replacement
    /// came to.
    async fn replace_and_meanwhile(&self, meanwhile: impl AsyncFnOnce()) -> Answer {
        self.fault("replaceManagedBotToken", Action::Hold);
        let meanwhile = async {
            self.met().await;
            meanwhile().await;
            self.server.telegram.clear_faults();
        };
        tokio::join!(self.replace(), meanwhile).0
    }
}

#[tokio::test]
async fn a_token_that_is_set_during_a_replacement_stays() {
    let story = Story::new().await;
    let bot = story.attached().await;
    let before = story.stored_token().await;
    // The same one, once more: it holds no longer when it is replaced.
    let answer = story
        .replace_and_meanwhile(async || {
            story.put(&before).await.expect(200);
        })
        .await;
    answer.expect(200);
    let after = story.stored_token().await;
    assert!(before.expose() != after.expose() && story.knows(&after).await);
    // That of another Telegram bot.
    let other = Token::new("7100000077:AA-token-of-another").unwrap();
    story.server.telegram.bot(&other);
    let answer = story
        .replace_and_meanwhile(async || {
            story.put(&other).await.expect(200);
        })
        .await;
    answer.refused(409, "token-being-replaced");
    assert_eq!(story.stored_token().await.expose(), other.expose());
    assert_eq!(story.telegram("b-bot").await["id"], 7_100_000_077_i64);
    // Telegram tells the one that was not stored again.
    let manager = Token::new(MANAGER_TOKEN).unwrap();
    let client = &story.server.deps.telegram;
    let unstored = client.get_managed_bot_token(&manager, bot).await.unwrap();
    story.put(&Token::new(unstored).unwrap()).await.expect(200);
    assert_eq!(story.telegram("b-bot").await["id"], bot);
}

#[tokio::test]
async fn a_replacement_during_the_setting_of_a_token_stays() {
    let story = Story::new().await;
    story.attached().await;
    let before = story.stored_token().await;
    // Only the look at the token that is to be set is held; the one that is stored is looked at after it.
    let other = Token::new("7100000077:AA-token-of-another").unwrap();
    story.server.telegram.bot(&other);
    story.server.telegram.add_fault(Fault {
        bot: Some(other.bot_id()),
        method: Some("getMe".into()),
        chat: None,
        skip: 0,
        count: Some(1),
        executed: false,
        action: Action::Hold,
    });
    let replaced = async {
        story.met().await;
        story.replace().await.expect(200);
        let after = story.stored_token().await;
        story.server.telegram.clear_faults();
        after
    };
    let (set, after) = tokio::join!(story.put(&other), replaced);
    set.refused(409, "token-being-replaced");
    assert_ne!(before.expose(), after.expose());
    assert_eq!(story.stored_token().await.expose(), after.expose());
    assert!(story.knows(&after).await);
}

#[tokio::test]
async fn who_lost_a_token_gets_no_other_one_by_the_manager_bot() {
    let story = Story::new().await;
    let bot = story.attached().await;
    let lost = story.stored_token().await;
    let manager = Token::new(MANAGER_TOKEN).unwrap();
    let client = &story.server.deps.telegram;
    // Its owner has another one made elsewhere.
    let present = client.replace_managed_bot_token(&manager, bot).await.unwrap();
    let present = Token::new(present).unwrap();
    story.replace().await.refused(409, "token-revoked");
    assert!(story.knows(&present).await, "Telegram was asked for nothing");
    assert_eq!(story.stored_token().await.expose(), lost.expose());
    story.put(&present).await.expect(200);
    story.replace().await.expect(200);
    assert!(!story.knows(&present).await);
}

#[tokio::test]
async fn a_replacement_is_found_out_in_the_same_call_however_often_telegram_fails() {
    let story = Story::new().await;
    story.attached().await;
    story.loses_the_answer();
    story.faults("getManagedBotToken", 2, Action::Reset);
    story.replace().await.expect(200);
    let after = story.stored_token().await;
    assert!(story.knows(&after).await);
}

#[tokio::test]
async fn a_token_is_stored_when_the_store_is_back() {
    let story = Story::new().await;
    story.attached().await;
    let before = story.stored_token().await;
    let other = Token::new("7100000077:AA-token-of-another").unwrap();
    story.server.telegram.bot(&other);
    story.server.refuse_tokens().await;
    story.put(&before).await.refused(503, "unavailable");
    let asked = calls(&story, "replaceManagedBotToken").len();
    let back = async {
        let replaced = async {
            while calls(&story, "replaceManagedBotToken").len() == asked {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, replaced).await.unwrap();
        // Each has a longer way to the store than the token that Telegram just gave: that one was refused by then.
        for _ in 0..3 {
            story.put(&other).await.refused(503, "unavailable");
        }
        story.server.take_tokens().await;
    };
    let (replaced, ()) = tokio::join!(story.replace(), back);
    replaced.expect(200);
    let after = story.stored_token().await;
    assert!(before.expose() != after.expose() && story.knows(&after).await);
}

#[tokio::test]
async fn a_node_that_stops_stores_the_token_first() {
    let story = Story::new().await;
    story.attached().await;
    let before = story.stored_token().await;
    let (api, stop) = (story.server.api.clone(), CancellationToken::new());
    let node = {
        let stop = stop.clone();
        tokio::spawn(async move { api.run(stop).await })
    };
    story.fault("replaceManagedBotToken", Action::Hold);
    tokio::select! {
        answer = story.replace() => panic!("it is held: {}", answer.text()),
        () = story.met() => {}
    }
    stop.cancel();
    // Far more than a node needs that waits for nobody.
    for _ in 0..20 {
        assert!(story.knows(&before).await);
    }
    assert!(!node.is_finished(), "a token would be lost");
    story.server.telegram.clear_faults();
    node.await.unwrap();
    let after = story.stored_token().await;
    assert!(before.expose() != after.expose() && story.knows(&after).await);
}

#[tokio::test]
async fn a_token_is_replaced_in_one_call_and_the_bot_goes_on() {
    let mut setup = Setup::patient();
    setup.options.public_url = Some("http://bots.example:8080".parse().unwrap());
    let story = Story::with(setup).await;
    story.attached().await;
    let (webhook, polling) = (json!({ "ingress": "webhook" }), json!({ "ingress": "polling" }));
    for ingress in [&webhook, &polling] {
        story.owner.post("/bots/b-bot/connect", ingress).await.expect(200);
        let (before, set) = (story.stored_token().await, calls(&story, "setWebhook").len());
        let answer = story.replace().await.expect(200).json();
        assert_eq!(answer["telegram"]["ingress"], ingress["ingress"]);
        let after = story.stored_token().await;
        assert_ne!(before.expose(), after.expose());
        assert!(!story.knows(&before).await && story.knows(&after).await);
        // Telegram has the webhook under the new token; nobody needs one to be asked.
        let again = calls(&story, "setWebhook").len() - set;
        assert_eq!(again, usize::from(ingress == &webhook));
    }
    let noted = story.audit("bot.token-replaced").await;
    assert_eq!(noted.len(), 2, "{noted:?}");
    let secret = story.stored_token().await;
    assert!(!json!(noted).to_string().contains(secret.expose()));
}

#[tokio::test]
async fn a_replacement_whose_answer_is_lost_is_found_out() {
    let story = Story::new().await;
    story.attached().await;
    let before = story.stored_token().await;
    story.loses_the_answer();
    story.replace().await.expect(200);
    let after = story.stored_token().await;
    assert!(before.expose() != after.expose() && story.knows(&after).await);
    // Telegram did not do it.
    story.fault("replaceManagedBotToken", Action::Reset);
    story.replace().await.refused(503, "telegram-unavailable");
    assert_eq!(story.stored_token().await.expose(), after.expose());
    assert!(story.knows(&after).await);
    // One at a time.
    let catalog = &story.server.ports.catalog;
    let (other, now) = (Uuid::new_v4(), story.server.ports.clock.now());
    assert!(
        catalog
            .hold_lease("token-of-b-bot", other, now, now.plus(60_000))
            .await
            .unwrap()
    );
    story.replace().await.refused(409, "token-being-replaced");
    catalog.end_lease("token-of-b-bot", other).await.unwrap();
    story.replace().await.expect(200);
    assert!(!story.knows(&after).await);
}

#[tokio::test]
async fn only_managed_bots_have_their_tokens_replaced() {
    let story = Story::new().await;
    let path = "/bots/a-bot/managed/token";
    story
        .owner
        .post(path, &Value::Null)
        .await
        .refused(409, "token-missing");
    let own = Token::new("7100000077:AA-token-of-botfather").unwrap();
    story.server.telegram.bot(&own);
    let body = json!({ "token": own.expose() });
    story
        .owner
        .json(Method::PUT, "/bots/a-bot/token", &body)
        .await
        .expect(200);
    story
        .owner
        .post(path, &Value::Null)
        .await
        .refused(409, "telegram-refused");
    assert!(story.knows(&own).await);
    let editor = story.server.member("editor").await;
    editor.post(path, &Value::Null).await.refused(403, "forbidden");
    let server = Server::start().await;
    let owner = server.with_bot().await;
    server.telegram.bot(&own);
    owner
        .json(Method::PUT, "/bots/a-bot/token", &body)
        .await
        .expect(200);
    owner
        .post(path, &Value::Null)
        .await
        .refused(409, "manager-bot-missing");
}

#[tokio::test]
async fn a_token_that_was_set_is_used_though_the_caller_went() {
    let mut setup = Setup::patient();
    setup.options.public_url = Some("http://bots.example:8080".parse().unwrap());
    let story = Story::with(setup).await;
    let bot = story.attached().await;
    let webhook = json!({ "ingress": "webhook" });
    story
        .owner
        .post("/bots/b-bot/connect", &webhook)
        .await
        .expect(200);
    let manager = Token::new(MANAGER_TOKEN).unwrap();
    let client = &story.server.deps.telegram;
    let present = client.replace_managed_bot_token(&manager, bot).await.unwrap();
    let present = Token::new(present).unwrap();
    let set = calls(&story, "setWebhook").len();
    story.fault("setWebhook", Action::Hold);
    tokio::select! {
        answer = story.put(&present) => panic!("it is held: {}", answer.text()),
        () = story.met() => {}
    }
    story.server.telegram.clear_faults();
    let noted = async {
        while story
            .server
            .ports
            .catalog
            .webhook_check(&"b-bot".parse().unwrap())
            .await
            .unwrap()
            .unwrap()
            .registration
            .registering
            .is_some()
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, noted).await.unwrap();
    assert_eq!(calls(&story, "setWebhook").len(), set + 1);
    assert_eq!(story.stored_token().await.expose(), present.expose());
}
