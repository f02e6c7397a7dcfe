//! Blocking, groups, migration, tokens.

use botloom_telegram::simulator::{
    Access, Content, Filter, NewBot, NewPlace, Options, Person, SimError, Tokens,
};
use botloom_telegram::{Class, Client, Token, classify};
use serde_json::{Value, json};

use crate::{BOT, Scene, refusal};

#[tokio::test]
async fn who_has_not_written_cannot_be_written_to() {
    let s = Scene::new().await;
    let bea = s.sim.person("Bea");
    let to = |id: i64| s.call("sendMessage", json!({ "chat_id": id, "text": "x" }));
    assert_eq!(
        refusal(to(bea.id).await),
        (
            403,
            "Forbidden: bot can't initiate conversation with a user".into()
        )
    );
    s.sim.say(BOT, bea.id, "hi").unwrap();
    to(bea.id).await.unwrap();
    s.sim.put_person(Person {
        deactivated: true,
        ..bea.clone()
    });
    assert_eq!(
        refusal(to(bea.id).await),
        (403, "Forbidden: user is deactivated".into())
    );
}

#[tokio::test]
async fn blocked_and_back() {
    let s = Scene::new().await;
    s.sim.block(BOT, s.ann.id).unwrap();
    let error = s.text("x").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the Bot API answered 403: Forbidden: bot was blocked by the user"
    );
    assert_eq!(classify(&error, "sendMessage"), Class::ChatGone);
    assert!(matches!(s.sim.say(BOT, s.ann.id, "x"), Err(SimError::Invalid(_))));
    s.sim.unblock(BOT, s.ann.id).unwrap();
    assert_eq!(s.sim.unblock(BOT, s.ann.id).unwrap().update_id, None, "no news");
    s.text("x").await.unwrap();
    let updates = s.call("getUpdates", json!({})).await.unwrap();
    let statuses: Vec<_> = updates.as_array().unwrap()[1..]
        .iter()
        .map(|u| &u["my_chat_member"]["new_chat_member"]["status"])
        .collect();
    assert_eq!(statuses, ["kicked", "member"]);
}

#[tokio::test]
async fn groups() {
    let s = Scene::new().await;
    let new = |kind: &str, username: Option<&str>| NewPlace {
        kind: kind.into(),
        title: "Plants".into(),
        id: None,
        username: username.map(Into::into),
        bots: vec![BOT],
    };
    let group = s.sim.add_place(new("supergroup", Some("plants"))).unwrap();
    let sent = s
        .call("sendMessage", json!({ "chat_id": "@Plants", "text": "x" }))
        .await
        .unwrap();
    assert_eq!(
        (&sent["chat"]["id"], &sent["chat"]["title"]),
        (&json!(group), &json!("Plants"))
    );
    s.sim
        .send(
            BOT,
            group,
            s.ann.id,
            Content::Text("/help@bot7100000001_bot now".into()),
        )
        .unwrap();
    let to = |chat: i64| s.call("sendMessage", json!({ "chat_id": chat, "text": "x" }));
    s.sim.set_access(group, BOT, Access::Kicked).unwrap();
    assert_eq!(
        refusal(to(group).await),
        (403, "Forbidden: bot was kicked from the supergroup chat".into())
    );
    s.sim.set_access(group, BOT, Access::Member).unwrap();
    assert_eq!(
        s.call("leaveChat", json!({ "chat_id": group })).await.unwrap(),
        json!(true)
    );
    assert_eq!(
        refusal(to(group).await),
        (
            403,
            "Forbidden: bot is not a member of the supergroup chat".into()
        )
    );

    let channel = s.sim.add_place(new("channel", None)).unwrap();
    let post = to(channel).await.unwrap();
    assert!(post.get("from").is_none() && post["sender_chat"]["id"] == json!(channel));
    s.sim
        .send(BOT, channel, s.ann.id, Content::Text("news".into()))
        .unwrap();
    let updates = s.call("getUpdates", json!({})).await.unwrap();
    let entity = &updates[1]["message"]["entities"][0];
    assert_eq!(
        (&entity["type"], &entity["length"]),
        (&json!("bot_command"), &json!(23))
    );
    assert_eq!(updates[2]["channel_post"]["text"], "news");
    assert!(s.sim.add_place(new("club", None)).is_err());
}

#[tokio::test]
async fn a_group_becomes_a_supergroup() {
    let s = Scene::new().await;
    let group = NewPlace {
        kind: "group".into(),
        title: "G".into(),
        id: None,
        username: None,
        bots: vec![BOT],
    };
    let old = s.sim.add_place(group).unwrap();
    let new = s.sim.migrate(old).unwrap();
    let to = |chat: i64| s.call("sendMessage", json!({ "chat_id": chat, "text": "x" }));
    assert_eq!(
        classify(&to(old).await.unwrap_err(), "sendMessage"),
        Class::Migrated { to: new }
    );
    assert_eq!(to(new).await.unwrap()["chat"]["type"], "supergroup");
    assert!(s.sim.migrate(old).is_err());
    let updates = s.call("getUpdates", json!({})).await.unwrap();
    assert_eq!(updates[1]["message"]["migrate_to_chat_id"], json!(new));
    assert_eq!(updates[2]["message"]["migrate_from_chat_id"], json!(old));
}

#[tokio::test]
async fn tokens() {
    let s = Scene::new().await;
    let call = |client: Client, token: &str| {
        let token = Token::new(token).unwrap();
        async move { client.get_me(&token).await }
    };
    assert_eq!(
        call(s.client.clone(), "55:any-token").await.unwrap().username,
        "bot55_bot"
    );
    assert_eq!(
        refusal(call(s.client.clone(), "55:other-token").await),
        (401, "Unauthorized".into())
    );
    s.sim
        .add_bot(&NewBot {
            token: "55:other-token".into(),
            username: Some("new_bot".into()),
            name: None,
        })
        .unwrap();
    assert_eq!(
        call(s.client.clone(), "55:other-token").await.unwrap().username,
        "new_bot"
    );
    let revoked = call(s.client.clone(), "55:any-token").await.unwrap_err();
    assert_eq!(classify(&revoked, "getMe"), Class::Unauthorized);

    let listed = NewBot {
        token: crate::TOKEN.into(),
        username: Some("shop_bot".into()),
        name: Some("Shop".into()),
    };
    let s = Scene::with(Options {
        tokens: Tokens::Listed,
        bots: vec![listed],
        ..Options::default()
    })
    .await;
    let me = s.client.get_me(&s.token).await.unwrap();
    assert_eq!(
        (me.username.as_str(), me.first_name.as_str()),
        ("shop_bot", "Shop")
    );
    assert_eq!(refusal(call(s.client.clone(), "56:any-token").await).0, 401);
}

#[tokio::test]
async fn any_update_can_be_injected() {
    let s = Scene::new().await;
    let from = json!({ "id": 4_444_444_444_i64, "is_bot": false, "first_name": "Cid" });
    let update = |update: Value| s.sim.inject(BOT, update.as_object().unwrap().clone());
    let inline = json!({ "inline_query": { "id": "77", "from": from, "query": "q", "offset": "" } });
    let id = update(inline).unwrap().unwrap();
    let given = json!({ "update_id": id + 100, "from_the_future": { "x": 1 } });
    assert_eq!(update(given.clone()).unwrap(), Some(id + 100));
    assert!(
        matches!(update(given), Err(SimError::Invalid(_))),
        "this number waits already"
    );
    let chat = json!({ "id": 4_444_444_444_i64, "type": "private", "first_name": "Cid" });
    let message = json!({ "message_id": 5, "from": from, "chat": chat, "date": 1, "text": "raw" });
    assert_eq!(update(json!({ "message": message })).unwrap(), Some(id + 101));
    let reaction = json!({ "message_reaction": { "chat": chat, "message_id": 5, "date": 1, "old_reaction": [], "new_reaction": [] } });
    assert_eq!(
        update(reaction.clone()).unwrap(),
        None,
        "nobody asked for reactions"
    );

    let answer = json!({ "inline_query_id": "77", "results": [] });
    assert_eq!(s.call("answerInlineQuery", answer).await.unwrap(), json!(true));
    s.call(
        "sendMessage",
        json!({ "chat_id": 4_444_444_444_i64, "text": "known now" }),
    )
    .await
    .unwrap();
    let updates = s
        .call("getUpdates", json!({ "allowed_updates": ["message_reaction"] }))
        .await
        .unwrap();
    assert_eq!(updates.as_array().unwrap().len(), 4, "with /start");
    assert_eq!(update(reaction).unwrap(), Some(id + 102));
    let polls = s.sim.journal(&Filter {
        method: Some("getUpdates".into()),
        ..Filter::default()
    });
    assert_eq!(polls.len(), 1);
}
