use serde_json::{Value, json};

use crate::support::{Server, spec};

#[tokio::test]
async fn a_spec_becomes_a_version_and_the_same_content_stays_that_version() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let first = owner.post("/spec", &spec("a-bot", "Hello")).await.expect(201);
    assert_eq!(first.header("etag"), "\"specVersion-1\"");
    assert_eq!(first.header("location"), "/spec/1?botId=a-bot");
    let body = first.json();
    assert_eq!((&body["botId"], &body["version"]), (&json!("a-bot"), &json!(1)));
    assert!(body["specHash"].as_str().unwrap().starts_with("sha256:"));
    assert!(body["warnings"].is_array());

    // The same content, spelled otherwise.
    let text = spec("a-bot", "Hello")
        .to_string()
        .replace("Hello", "\\u0048ello")
        .replace(':', " : ");
    let headers = [("content-type", "application/json; charset=utf-8")];
    let again = owner
        .send(http::Method::POST, "/spec", &headers, text)
        .await
        .expect(200);
    assert_eq!(again.json()["version"], 1);
    assert_eq!(again.json()["specHash"], body["specHash"]);
    let second = owner.post("/spec", &spec("a-bot", "Hi")).await.expect(201);
    assert_eq!(second.json()["version"], 2);
}

#[tokio::test]
async fn versions_are_read_with_tags_and_listed() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    owner
        .get("/spec/latest?botId=a-bot")
        .await
        .refused(404, "not-found");
    owner.post("/spec", &spec("a-bot", "one")).await.expect(201);
    owner.post("/spec", &spec("a-bot", "two")).await.expect(201);
    let latest = owner.get("/spec/latest?botId=a-bot").await.expect(200);
    assert_eq!(latest.header("etag"), "\"specVersion-2\"");
    assert_eq!(latest.header("content-type"), "application/json");
    assert_eq!(latest.json()["flows"][0]["steps"][0]["text"], "two");
    let known = [("if-none-match", "\"specVersion-2\"")];
    let same = owner
        .get_with("/spec/latest?botId=a-bot", &known)
        .await
        .expect(304);
    assert!(same.body.is_empty());
    let first = owner.get_with("/spec/1?botId=a-bot", &known).await.expect(200);
    assert_eq!(first.json()["flows"][0]["steps"][0]["text"], "one");
    let list = owner.get("/spec?botId=a-bot").await.expect(200).json();
    let numbers: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["version"].clone())
        .collect();
    assert_eq!(numbers, [json!(2), json!(1)]);
    for absent in [
        "/spec/3?botId=a-bot",
        "/spec/0?botId=a-bot",
        "/spec/01?botId=a-bot",
        "/spec/x?botId=a-bot",
    ] {
        owner.get(absent).await.refused(404, "not-found");
    }
    owner.get("/spec/latest").await.refused(400, "invalid-parameter");
    owner
        .get("/spec/latest?botId=NOT-A-BOT")
        .await
        .refused(404, "not-found");
}

#[tokio::test]
async fn all_mistakes_are_told_with_their_places() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let mut bad = spec("a-bot", "Hello");
    let steps: Vec<Value> = (0..40)
        .map(|n| json!({ "id": format!("s{n}"), "type": "goto", "flow": format!("nowhere-{n}") }))
        .collect();
    bad["flows"][0]["steps"] = steps.into();
    let answer = owner.post("/spec", &bad).await;
    answer.refused(400, "invalid-spec");
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    for n in 0..40 {
        let pointer = format!("/flows/0/steps/{n}/flow");
        let found = errors
            .iter()
            .any(|error| error["pointer"] == pointer && error["severity"] == "error");
        assert!(found, "nothing at {pointer}");
    }
    owner
        .get("/spec/latest?botId=a-bot")
        .await
        .refused(404, "not-found");

    let checked = owner.post("/spec/validate", &bad).await.expect(200).json();
    assert_eq!(checked["findings"].as_array().unwrap().len(), errors.len());
    let fine = owner
        .post("/spec/validate", &spec("a-bot", "Hello"))
        .await
        .expect(200)
        .json();
    assert!(
        fine["findings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|finding| finding["severity"] == "warning")
    );
}

#[tokio::test]
async fn a_text_that_is_no_json_gets_findings_too() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let headers = [("content-type", "application/json")];
    for bad in ["{", "{\"meta\":1,\"meta\":2}", "\u{feff}{}", ""] {
        let answer = owner.send(http::Method::POST, "/spec", &headers, bad).await;
        answer.refused(400, "invalid-spec");
        assert!(!answer.json()["errors"].as_array().unwrap().is_empty(), "{bad:?}");
    }
}

#[tokio::test]
async fn a_lost_update_is_refused() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    let on = |tag: &'static str| [("if-match", tag)];
    let none = owner.post_with("/spec", &spec("a-bot", "one"), &on("*")).await;
    none.refused(412, "precondition-failed");
    let first = [("if-none-match", "*")];
    owner
        .post_with("/spec", &spec("a-bot", "one"), &first)
        .await
        .expect(201);
    let second = owner.post_with("/spec", &spec("a-bot", "two"), &first).await;
    second.refused(412, "precondition-failed");
    assert_eq!(second.header("etag"), "\"specVersion-1\"");
    for malformed in [
        &[("if-none-match", "\"specVersion-1\"")][..],
        &[("if-none-match", "*"), ("if-match", "*")],
    ] {
        owner
            .post_with("/spec", &spec("a-bot", "two"), malformed)
            .await
            .refused(400, "malformed-header");
    }
    owner
        .post_with("/spec", &spec("a-bot", "two"), &on("\"specVersion-1\""))
        .await
        .expect(201);
    let stale = owner
        .post_with("/spec", &spec("a-bot", "three"), &on("\"specVersion-1\""))
        .await;
    stale.refused(412, "precondition-failed");
    assert_eq!(stale.header("etag"), "\"specVersion-2\"");
    for never in ["W/\"specVersion-2\"", "\"specVersion-02\"", "\"rev-2\""] {
        owner
            .post_with("/spec", &spec("a-bot", "three"), &on(never))
            .await
            .refused(412, "precondition-failed");
    }
    for malformed in ["specVersion-2", "\"specVersion-2", "\"a\" \"b\""] {
        owner
            .post_with("/spec", &spec("a-bot", "three"), &on(malformed))
            .await
            .refused(400, "malformed-header");
    }
    let several = on("\"specVersion-1\", \"specVersion-2\"");
    owner
        .post_with("/spec", &spec("a-bot", "three"), &several)
        .await
        .expect(201);
    owner
        .post_with("/spec", &spec("a-bot", "four"), &on("*"))
        .await
        .expect(201);
}

#[tokio::test]
async fn of_two_edits_of_one_version_one_wins() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    owner.post("/spec", &spec("a-bot", "one")).await.expect(201);
    let mut edits = tokio::task::JoinSet::new();
    for n in 0..20 {
        let owner = owner.clone();
        edits.spawn(async move {
            let edited = spec("a-bot", &format!("edit {n}"));
            owner
                .post_with("/spec", &edited, &[("if-match", "\"specVersion-1\"")])
                .await
                .status
                .as_u16()
        });
    }
    let mut statuses = edits.join_all().await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1], statuses[19]), (201, 412, 412));
}

#[tokio::test]
async fn the_difference_is_told_in_words_and_as_a_patch() {
    let server = Server::start().await;
    let owner = server.with_bot().await;
    owner.post("/spec", &spec("a-bot", "one")).await.expect(201);
    owner.post("/spec", &spec("a-bot", "two")).await.expect(201);
    let diff = owner
        .get("/spec/diff?botId=a-bot&from=1&to=2")
        .await
        .expect(200)
        .json();
    assert_eq!((&diff["from"], &diff["to"]), (&json!(1), &json!(2)));
    assert_eq!(diff["changes"].as_array().unwrap().len(), 1);
    assert_eq!(
        diff["patch"],
        json!([{ "op": "replace", "path": "/flows/0/steps/0/text", "value": "two" }])
    );
    owner
        .get("/spec/diff?botId=a-bot&from=1&to=9")
        .await
        .refused(404, "not-found");
    owner
        .get("/spec/diff?botId=a-bot&from=1&to=x")
        .await
        .refused(400, "invalid-parameter");
    owner
        .get("/spec/diff?botId=a-bot&from=1")
        .await
        .refused(400, "invalid-parameter");
}

#[tokio::test]
async fn a_spec_goes_to_a_bot_that_the_caller_may_edit() {
    let server = Server::start().await;
    server.with_bot().await;
    let (stranger, viewer) = (server.stranger().await, server.member("viewer").await);
    stranger
        .post("/spec", &spec("a-bot", "x"))
        .await
        .refused(404, "not-found");
    viewer
        .post("/spec", &spec("a-bot", "x"))
        .await
        .refused(403, "forbidden");
    server
        .owner()
        .await
        .post("/spec", &spec("no-bot", "x"))
        .await
        .refused(404, "not-found");
}
