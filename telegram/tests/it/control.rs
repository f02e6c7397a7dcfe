//! The people's side over HTTP, as another process would use it.

use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use url::Url;

use crate::{BOT, Scene};

/// Status, head and body of a plain request.
pub(crate) async fn http(method: &str, url: &Url, body: &str) -> (u16, String, Value) {
    let pool = Pool::builder(TokioExecutor::new()).build_http();
    let request = http::Request::builder()
        .method(method)
        .uri(url.as_str())
        .header("content-type", "application/json")
        .body(Full::new(bytes::Bytes::from(body.to_owned())))
        .unwrap();
    let response = pool.request(request).await.unwrap();
    let status = response.status().as_u16();
    let lines = response
        .headers()
        .iter()
        .map(|(n, v)| format!("{n}: {}\r\n", v.to_str().unwrap()));
    let head: String = lines.collect();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, head, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_conversation() {
    let s = Scene::new().await;
    let ask = |method: &'static str, path: String, body: Value| {
        let url = s.sim.url().join(&format!("sim/{path}")).unwrap();
        async move {
            let body = if body.is_null() {
                String::new()
            } else {
                body.to_string()
            };
            let (status, _, answer) = http(method, &url, &body).await;
            (status, answer)
        }
    };
    let post = |path: String, body: Value| ask("POST", path, body);
    let get = |path: String| ask("GET", path, Value::Null);

    let (_, bot) = post(
        "bots".into(),
        json!({ "token": "77:abcdef", "username": "shop_bot" }),
    )
    .await;
    assert_eq!(
        bot,
        json!({ "id": 77, "username": "shop_bot", "webhook": null, "pending": 0 })
    );
    assert_eq!(get("bots".into()).await.1.as_array().unwrap().len(), 2);
    assert_eq!(get("bots/78".into()).await.0, 404);

    let (_, bea) = post(
        "people".into(),
        json!({ "first_name": "Bea", "language_code": "de" }),
    )
    .await;
    let bea = bea["id"].as_i64().unwrap();
    let (status, done) = post(
        format!("bots/{BOT}/send"),
        json!({ "person": bea, "text": "/start" }),
    )
    .await;
    assert_eq!((status, &done["message_id"]), (200, &json!(1)));
    let (_, done) = post(
        format!("bots/{BOT}/send"),
        json!({ "person": bea, "file": { "kind": "photo", "content": "x" } }),
    )
    .await;
    assert_eq!(done["message_id"], 2);

    let markup = json!({ "inline_keyboard": [[{ "text": "Buy", "callback_data": "b" }]] });
    s.call(
        "sendMessage",
        json!({ "chat_id": bea, "text": "hello", "reply_markup": markup }),
    )
    .await
    .unwrap();
    let (_, seen) = get(format!("bots/{BOT}/chats/{bea}/wait?n=1")).await;
    assert_eq!(seen[0]["message"]["text"], "hello");
    let press = json!({ "person": bea, "message_id": seen[0]["message"]["message_id"], "button": "Buy" });
    let (status, pressed) = post(format!("bots/{BOT}/press"), press).await;
    assert_eq!(status, 200);
    assert!(pressed["query_id"].is_string());
    let keyboard = json!({ "keyboard": [["Menu"]] });
    s.call(
        "sendMessage",
        json!({ "chat_id": bea, "text": "pick", "reply_markup": keyboard }),
    )
    .await
    .unwrap();
    assert_eq!(
        post(
            format!("bots/{BOT}/tap"),
            json!({ "person": bea, "label": "Menu" })
        )
        .await
        .0,
        200
    );
    let (_, view) = get(format!("bots/{BOT}/chats/{bea}/messages")).await;
    assert_eq!(view["messages"].as_array().unwrap().len(), 5);
    assert_eq!(view["keyboard"], keyboard);
    let after = view["messages"][4]["seq"].clone();
    let (status, _) = get(format!("bots/{BOT}/chats/{bea}/wait?after={after}&timeout_ms=50")).await;
    assert_eq!(status, 408);

    assert_eq!(
        post(format!("bots/{BOT}/block"), json!({ "person": bea }))
            .await
            .0,
        200
    );
    assert_eq!(
        post(format!("bots/{BOT}/send"), json!({ "person": bea, "text": "x" }))
            .await
            .0,
        422
    );
    assert_eq!(
        post(format!("bots/{BOT}/unblock"), json!({ "person": bea }))
            .await
            .0,
        200
    );

    let (_, group) = post(
        "chats".into(),
        json!({ "type": "group", "title": "G", "bots": [BOT] }),
    )
    .await;
    let (_, new) = post(format!("chats/{}/migrate", group["id"]), Value::Null).await;
    assert_eq!(new["type"], "supergroup");
    let path = format!("bots/{BOT}/chats/{}/access", new["id"]);
    let (_, place) = ask("PUT", path, json!({ "access": "kicked" })).await;
    assert_eq!(place["bots"][BOT.to_string()], "kicked");

    let update = json!({ "poll": { "id": "5" } });
    assert!(post(format!("bots/{BOT}/updates"), update).await.1["update_id"].is_i64());
    assert_eq!(
        ask("PUT", format!("bots/{BOT}/webhook"), json!({ "hold": true }))
            .await
            .0,
        200
    );

    let fault = json!({ "method": "getMe", "count": 1, "action": { "answer": { "code": 500 } } });
    assert_eq!(post("faults".into(), fault).await.1.as_array().unwrap().len(), 1);
    assert!(s.call("getMe", json!({})).await.is_err());
    assert_eq!(get("faults".into()).await.1, json!([]));
    assert_eq!(post("faults".into(), json!({ "action": "reset" })).await.0, 200);
    assert_eq!(ask("DELETE", "faults".into(), Value::Null).await.1, json!([]));
    assert_eq!(post("faults".into(), json!({ "action": "explode" })).await.0, 422);

    let (_, journal) = get(format!("journal?bot={BOT}&method=sendMessage&chat={bea}")).await;
    assert_eq!(journal[0]["params"]["text"], "hello");
    assert_eq!(get("counters".into()).await.1["calls"]["sendMessage"], 2);
    assert_eq!(post("reset".into(), Value::Null).await.0, 200);
    assert_eq!(get("bots".into()).await.1, json!([]));
}

#[tokio::test]
async fn every_form_of_a_call() {
    let s = Scene::new().await;
    let root = s.sim.url();
    let chat = s.ann.id;
    let call = |path: String| root.join(&path).unwrap();
    let token = crate::TOKEN;
    let (status, _, got) = http(
        "GET",
        &call(format!("/bot{token}/sendMessage?chat_id={chat}&text=a%20b")),
        "",
    )
    .await;
    assert_eq!((status, &got["result"]["text"]), (200, &json!("a b")));
    let (_, _, got) = http(
        "POST",
        &call(format!("/bot{token}/test/sendmessage?chat_id={chat}")),
        r#"{"text":"c"}"#,
    )
    .await;
    assert_eq!(got["result"]["text"], "c");
    let escaped = token.replace(':', "%3A");
    assert_eq!(
        http("GET", &call(format!("/bot{escaped}/getMe")), "").await.0,
        200
    );
    let file = json!({ "person": chat, "file": { "kind": "photo", "content": "pixels" } });
    let (_, _, sent) = http("POST", &call(format!("/sim/bots/{BOT}/send")), &file.to_string()).await;
    assert_eq!(sent["message_id"], 4);
    let id = "SimFile-photos-00000001";
    let (_, _, file) = http("GET", &call(format!("/bot{token}/getFile?file_id={id}")), "").await;
    let path = file["result"]["file_path"].as_str().unwrap().to_owned();
    for token in [token, &escaped] {
        let (status, head, _) = http("GET", &call(format!("/file/bot{token}/{path}")), "").await;
        assert_eq!(status, 200);
        assert!(head.contains("content-type: image/jpeg"), "{head}");
    }
    for (path, status, words) in [
        ("/bot1/getMe".to_owned(), 404, "Not Found"),
        ("/bot:/getMe".to_owned(), 404, "Not Found"),
        ("/nothing".to_owned(), 404, "Not Found"),
        (
            "/bot7100000001:wrong-secret/getMe".to_owned(),
            401,
            "Unauthorized",
        ),
        (
            format!("/bot{token}/getNothing"),
            404,
            "Not Found: method not found",
        ),
    ] {
        let (got, _, body) = http("GET", &call(path.clone()), "").await;
        assert_eq!(
            (got, body),
            (
                status,
                json!({ "ok": false, "error_code": status, "description": words })
            ),
            "{path}"
        );
    }
    let (status, _, _) = http("POST", &call(format!("/bot{token}/sendMessage")), "[1]").await;
    assert_eq!(status, 400);
    let huge = format!(r#"{{"chat_id":{chat},"text":"{}"}}"#, "x".repeat(1_100_000));
    assert_eq!(
        http("POST", &call(format!("/bot{token}/sendMessage")), &huge)
            .await
            .0,
        413
    );
}
