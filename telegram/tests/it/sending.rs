//! Messages, keyboards, edits, deletions: what comes back and what is refused.

use botloom_telegram::simulator::Options;
use botloom_telegram::{Class, classify};
use serde_json::{Value, json};

use crate::{BOT, Scene, refusal};

#[tokio::test]
async fn a_message_and_what_the_person_sees() {
    let s = Scene::new().await;
    let keyboard = json!({ "keyboard": [["Yes", { "text": "No" }]], "one_time_keyboard": true });
    let sent = s
        .call(
            "sendMessage",
            json!({ "chat_id": s.ann.id, "text": " Hello 👋 ", "reply_markup": keyboard }),
        )
        .await;
    let sent = sent.unwrap();
    assert_eq!(sent["message_id"], 2, "the person's /start was the first");
    assert_eq!(
        (&sent["text"], &sent["chat"]["type"]),
        (&json!("Hello 👋"), &json!("private"))
    );
    assert_eq!(
        (&sent["from"]["id"], &sent["from"]["is_bot"]),
        (&json!(BOT), &json!(true))
    );
    assert!(sent["date"].as_i64().unwrap() < 10_000_000_000, "seconds");
    assert!(
        sent.get("reply_markup").is_none(),
        "messages carry inline keyboards only"
    );

    let seen = s.sim.messages(BOT, s.ann.id, 0, 10);
    assert_eq!(
        seen.iter().map(|m| (m.from_bot, m.text())).collect::<Vec<_>>(),
        [(false, "/start"), (true, "Hello 👋")]
    );
    assert_eq!(seen[1].keyboard, Some(keyboard));
    s.sim.tap(BOT, s.ann.id, s.ann.id, "No").unwrap();
    assert!(
        s.sim.tap(BOT, s.ann.id, s.ann.id, "Yes").is_err(),
        "gone after one press"
    );
    assert_eq!(s.sim.messages(BOT, s.ann.id, seen[1].seq, 10)[0].text(), "No");
}

#[tokio::test]
async fn texts_that_are_refused() {
    let s = Scene::new().await;
    let bad = |text: &str| (400, format!("Bad Request: {text}"));
    let long = "é".repeat(4096);
    assert_eq!(s.text(&long).await.unwrap()["text"], long.as_str());
    assert_eq!(refusal(s.text(&(long + "é")).await), bad("message is too long"));
    assert_eq!(refusal(s.text(" \n ").await), bad("message text is empty"));
    assert_eq!(
        refusal(s.call("sendMessage", json!({ "chat_id": s.ann.id })).await),
        bad("message text is empty")
    );
    assert_eq!(
        refusal(s.call("sendMessage", json!({ "text": "x" })).await),
        bad("chat_id is empty")
    );
    assert_eq!(
        refusal(s.call("sendMessage", json!({ "chat_id": 17, "text": "x" })).await),
        bad("chat not found")
    );
    assert_eq!(
        refusal(
            s.call("sendMessage", json!({ "chat_id": "@none", "text": "x" }))
                .await
        ),
        bad("chat not found")
    );
    let photo = json!({ "chat_id": s.ann.id });
    assert_eq!(
        refusal(s.call("sendPhoto", photo).await),
        bad("there is no photo in the request")
    );
    let photo = json!({ "chat_id": s.ann.id, "photo": "AgAC-never-seen" });
    assert_eq!(
        refusal(s.call("sendPhoto", photo).await),
        bad("wrong file identifier/HTTP URL specified")
    );
    let long =
        json!({ "chat_id": s.ann.id, "photo": "https://x.example/a.jpg", "caption": "x".repeat(1025) });
    assert_eq!(
        refusal(s.call("sendPhoto", long).await),
        bad("message caption is too long")
    );
    let marked = json!({ "chat_id": s.ann.id, "text": "<b>x</b>", "parse_mode": "HTML" });
    assert_eq!(
        refusal(s.call("sendMessage", marked).await),
        bad("unsupported parse_mode")
    );
    let reply = json!({ "chat_id": s.ann.id, "text": "x", "reply_parameters": { "message_id": 99 } });
    assert_eq!(
        refusal(s.call("sendMessage", reply).await),
        bad("message to be replied not found")
    );
    assert_eq!(
        refusal(s.call("banChatMember", json!({ "chat_id": -5 })).await),
        bad("invalid user_id specified")
    );
    assert_eq!(
        refusal(s.call("setMyCommands", json!({})).await),
        bad("parameter \"commands\" is required")
    );
    assert_eq!(
        refusal(
            s.call("sendGame", json!({ "chat_id": 1, "game_short_name": "x" }))
                .await
        )
        .0,
        400
    );
}

#[tokio::test]
async fn entities_move_with_the_trimmed_text() {
    let s = Scene::new().await;
    let params = json!({
        "chat_id": s.ann.id,
        "text": "\n\n😀bold ",
        "entities": [{ "type": "bold", "offset": 4, "length": 90 }, { "type": "italic", "offset": 0, "length": 2 }],
    });
    let sent = s.call("sendMessage", params).await.unwrap();
    assert_eq!(
        sent["entities"],
        json!([{ "type": "bold", "offset": 2, "length": 4 }])
    );
}

#[tokio::test]
async fn inline_keyboards() {
    let s = Scene::new().await;
    let send = |button: Value| {
        let markup = json!({ "inline_keyboard": [[button]] });
        s.call(
            "sendMessage",
            json!({ "chat_id": s.ann.id, "text": "x", "reply_markup": markup }),
        )
    };
    let words = |outcome| refusal(outcome).1;
    let data = |data: &str| json!({ "text": "a", "callback_data": data });
    send(data(&"x".repeat(64))).await.unwrap();
    assert_eq!(
        words(send(data(&"ж".repeat(33))).await),
        "Bad Request: BUTTON_DATA_INVALID"
    );
    assert_eq!(words(send(data("")).await), "Bad Request: BUTTON_DATA_INVALID");
    assert!(
        words(send(json!({ "text": "a" })).await)
            .ends_with("Text buttons are unallowed in the inline keyboard")
    );
    assert!(words(send(json!({ "text": "a", "url": "nowhere" })).await).contains("Wrong HTTP URL"));
    let many = json!({ "inline_keyboard": vec![vec![data("x"); 8]; 13] });
    let many = s
        .call(
            "sendMessage",
            json!({ "chat_id": s.ann.id, "text": "x", "reply_markup": many }),
        )
        .await;
    assert_eq!(words(many), "Bad Request: REPLY_MARKUP_TOO_LONG");
    let broken = s
        .call(
            "sendMessage",
            json!({ "chat_id": s.ann.id, "text": "x", "reply_markup": "{" }),
        )
        .await;
    assert!(words(broken).contains("can't parse reply_markup"));
}

#[tokio::test]
async fn a_press_and_its_answer() {
    let s = Scene::new().await;
    let markup = json!({ "inline_keyboard": [[{ "text": "Buy", "callback_data": "buy:1" }]] });
    let sent = s
        .call(
            "sendMessage",
            json!({ "chat_id": s.ann.id, "text": "x", "reply_markup": markup }),
        )
        .await
        .unwrap();
    assert_eq!(sent["reply_markup"], markup);
    let id = sent["message_id"].as_i64().unwrap();
    let pressed = s.sim.press(BOT, s.ann.id, s.ann.id, id, "Buy").unwrap();
    assert!(s.sim.press(BOT, s.ann.id, s.ann.id, id, "Sell").is_err());
    let query = pressed.query_id.unwrap();
    let answer = |text: &str| {
        s.call(
            "answerCallbackQuery",
            json!({ "callback_query_id": query, "text": text }),
        )
    };
    assert_eq!(refusal(answer(&"x".repeat(201)).await).0, 400);
    assert_eq!(answer("ok").await.unwrap(), json!(true));
    let again = s
        .client
        .call::<_, bool>(
            &s.token,
            "answerCallbackQuery",
            &json!({ "callback_query_id": query }),
        )
        .await;
    assert_eq!(
        classify(&again.unwrap_err(), "answerCallbackQuery"),
        Class::AlreadyDone
    );

    let updates = s.call("getUpdates", json!({})).await.unwrap();
    let press = &updates[1]["callback_query"];
    assert_eq!(
        (&press["data"], &press["message"]["message_id"]),
        (&json!("buy:1"), &json!(id))
    );
}

#[tokio::test]
async fn edits() {
    let s = Scene::new().await;
    let id = s.text("one").await.unwrap()["message_id"].clone();
    let edit = |method: &'static str, more: Value| {
        let mut params = json!({ "chat_id": s.ann.id, "message_id": id });
        params
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        s.call(method, params)
    };
    let position = s.sim.position();
    let edited = edit("editMessageText", json!({ "text": "two" })).await.unwrap();
    assert_eq!((&edited["text"], &edited["message_id"]), (&json!("two"), &id));
    assert!(edited["edit_date"].is_i64());
    let seen = s
        .sim
        .wait_messages(BOT, s.ann.id, position, 1, crate::PATIENCE)
        .await
        .unwrap();
    assert_eq!(seen[0].text(), "two", "an edit is news");

    let same = edit("editMessageText", json!({ "text": "two" }))
        .await
        .unwrap_err();
    assert_eq!(classify(&same, "editMessageText"), Class::AlreadyDone);
    let markup = json!({ "inline_keyboard": [[{ "text": "a", "callback_data": "b" }]] });
    let edited = edit("editMessageReplyMarkup", json!({ "reply_markup": markup }))
        .await
        .unwrap();
    assert_eq!(
        (&edited["reply_markup"], &edited["text"]),
        (&markup, &json!("two"))
    );
    let edited = edit(
        "editMessageReplyMarkup",
        json!({ "reply_markup": { "inline_keyboard": [] } }),
    )
    .await
    .unwrap();
    assert!(edited.get("reply_markup").is_none());

    let bad = |text: &str| (400, format!("Bad Request: {text}"));
    assert_eq!(
        refusal(edit("editMessageCaption", json!({ "caption": "x" })).await),
        bad("there is no caption in the message to edit")
    );
    let other = |id: Value| {
        s.call(
            "editMessageText",
            json!({ "chat_id": s.ann.id, "message_id": id, "text": "x" }),
        )
    };
    assert_eq!(refusal(other(json!(77)).await), bad("message to edit not found"));
    assert_eq!(refusal(other(json!(1)).await), bad("message can't be edited"));
    assert_eq!(
        refusal(other(Value::Null).await),
        bad("message identifier is not specified")
    );
    let inline = s
        .call(
            "editMessageText",
            json!({ "inline_message_id": "x", "text": "x" }),
        )
        .await;
    assert_eq!(inline.unwrap(), json!(true));
}

#[tokio::test]
async fn deletions() {
    let s = Scene::new().await;
    let id = s.text("one").await.unwrap()["message_id"].clone();
    let delete = |id: &Value| s.call("deleteMessage", json!({ "chat_id": s.ann.id, "message_id": id }));
    assert_eq!(delete(&id).await.unwrap(), json!(true));
    assert_eq!(
        refusal(delete(&id).await),
        (400, "Bad Request: message to delete not found".into())
    );
    let many = s
        .call(
            "deleteMessages",
            json!({ "chat_id": s.ann.id, "message_ids": [1, 2, 3] }),
        )
        .await;
    assert_eq!(many.unwrap(), json!(true));
    assert!(s.sim.messages(BOT, s.ann.id, 0, 10).is_empty());
}

#[tokio::test]
async fn other_things_to_send() {
    let s = Scene::new().await;
    let send = |method: &'static str, more: Value| {
        let mut params = json!({ "chat_id": s.ann.id.to_string() });
        params
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        s.call(method, params)
    };
    let place = send("sendLocation", json!({ "latitude": 52.5, "longitude": "13.4" }))
        .await
        .unwrap();
    assert_eq!(place["location"], json!({ "latitude": 52.5, "longitude": 13.4 }));
    let contact = send("sendContact", json!({ "phone_number": "+1", "first_name": "B" }))
        .await
        .unwrap();
    assert_eq!(contact["contact"]["phone_number"], "+1");
    let poll = send(
        "sendPoll",
        json!({ "question": "?", "options": [{ "text": "a" }, "b"] }),
    )
    .await
    .unwrap();
    assert_eq!(poll["poll"]["options"][1]["text"], "b");
    assert!(send("sendDice", json!({})).await.unwrap()["dice"]["value"].is_u64());
    assert_eq!(
        send("sendChatAction", json!({ "action": "typing" }))
            .await
            .unwrap(),
        json!(true)
    );
    let copy = send(
        "copyMessage",
        json!({ "from_chat_id": s.ann.id, "message_id": 1 }),
    )
    .await
    .unwrap();
    assert_eq!(copy, json!({ "message_id": 6 }));
    let forward = send(
        "forwardMessage",
        json!({ "from_chat_id": s.ann.id, "message_id": 1 }),
    )
    .await
    .unwrap();
    assert_eq!(forward["forward_origin"]["sender_user"]["first_name"], "Ann");
    let reply = send(
        "sendMessage",
        json!({ "text": "re", "reply_parameters": { "message_id": 1 } }),
    )
    .await
    .unwrap();
    assert_eq!(reply["reply_to_message"]["text"], "/start");
    assert_eq!(
        s.call("getChat", json!({ "chat_id": s.ann.id })).await.unwrap()["first_name"],
        "Ann"
    );
    let me = s
        .call("getChatMember", json!({ "chat_id": s.ann.id, "user_id": BOT }))
        .await
        .unwrap();
    assert_eq!(me["status"], "member");
}

#[tokio::test]
async fn strangers_are_accepted_on_request() {
    let s = Scene::with(Options {
        accept_unknown: true,
        ..Options::default()
    })
    .await;
    let to = |chat: i64| s.call("sendMessage", json!({ "chat_id": chat, "text": "x" }));
    assert_eq!(to(424_242).await.unwrap()["chat"]["type"], "private");
    assert_eq!(to(-77).await.unwrap()["chat"]["type"], "group");
    assert_eq!(
        to(-1_001_234_567_890).await.unwrap()["chat"]["type"],
        "supergroup"
    );
    let photo = s
        .call("sendPhoto", json!({ "chat_id": 424_242, "photo": "AgAC-any" }))
        .await
        .unwrap();
    assert!(photo["photo"][0]["file_id"].is_string());
    assert_eq!(
        s.call("answerCallbackQuery", json!({ "callback_query_id": "9" }))
            .await
            .unwrap(),
        json!(true)
    );
}
