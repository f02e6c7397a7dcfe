//! The scripted conversations of the example bots.

use botloom_spec::script::{ApiAnswer, Entry, Media, Message};
use serde_json::{Value, json};

use crate::examples;
use crate::support::chat::{Bot, Outcome};

#[test]
fn examples_behave_as_their_scripts_say() {
    for example in examples::all() {
        let name = &example.name;
        let mut bot = Bot::new(example.spec);
        let mut sent: Vec<Message> = Vec::new();
        let mut calls: Vec<ApiAnswer> = example.script.script.iter().filter_map(api).collect();
        bot.answers = calls.iter().map(resume).collect();
        for (at, entry) in example.script.script.iter().enumerate() {
            match entry {
                Entry::User(user) => bot.user = speaker(user),
                Entry::Send { text, user } => {
                    let usual = bot.user.clone();
                    bot.user = user.as_ref().map_or(usual.clone(), speaker);
                    let outcome = bot.send(text);
                    check_requests(&outcome, &mut calls, &format!("{name}, entry {at}"));
                    sent.extend(outcome.actions.iter().map(message));
                    bot.user = usual;
                }
                Entry::Expect(expected) => {
                    assert_eq!(&std::mem::take(&mut sent), expected, "{name}, entry {at}");
                }
                Entry::Api(_) => {}
                Entry::Wait(seconds) => bot.wait(i64::try_from(*seconds).unwrap()),
                Entry::State(values) => {
                    for (key, value) in values {
                        assert_eq!(&bot.value(key), value, "{name}, entry {at}, {key}");
                    }
                }
            }
        }
        assert!(calls.is_empty(), "{name}: calls that were not made: {calls:?}");
    }
}

fn speaker(user: &botloom_spec::script::User) -> Value {
    json!({
        "id": user.id, "firstName": user.first_name, "lastName": user.last_name, "username": user.username,
        "languageCode": user.language_code,
    })
}

fn api(entry: &Entry) -> Option<ApiAnswer> {
    match entry {
        Entry::Api(answer) => Some(answer.clone()),
        _ => None,
    }
}

fn resume(answer: &ApiAnswer) -> Value {
    if let Some(error) = answer.error {
        return json!({"ok": false, "error": error.as_str()});
    }
    if !(200..300).contains(&answer.status) {
        return json!({"ok": false, "error": "status", "status": answer.status});
    }
    json!({"ok": true, "status": answer.status, "body": answer.body})
}

fn check_requests(outcome: &Outcome, calls: &mut Vec<ApiAnswer>, at: &str) {
    for request in &outcome.requests {
        let expected = calls.remove(0);
        assert_eq!(request["method"], expected.method.as_str(), "{at}");
        assert_eq!(
            request["url"].as_str().unwrap().split('?').next(),
            Some(expected.url.as_str()),
            "{at}"
        );
        if let Some(body) = &expected.expect_body {
            assert_eq!(&request["body"], body, "{at}");
        }
        let mut url = url::Url::parse(request["url"].as_str().unwrap()).unwrap();
        for (name, value) in request["query"].as_object().unwrap() {
            url.query_pairs_mut().append_pair(name, value.as_str().unwrap());
        }
        for (name, value) in &expected.expect_query {
            assert!(
                url.query_pairs().any(|(n, v)| n == *name && v == *value),
                "{at}: {name}={value} in {url}"
            );
        }
        for (name, value) in &expected.expect_headers {
            let headers = request["headers"].as_object().unwrap();
            let found = headers
                .iter()
                .find(|(header, _)| header.eq_ignore_ascii_case(name));
            assert_eq!(
                found.and_then(|(_, value)| value.as_str()),
                Some(value.as_str()),
                "{at}"
            );
        }
    }
}

fn message(action: &Value) -> Message {
    let params = &action["params"];
    let method = action["method"].as_str().unwrap();
    let kind = method.strip_prefix("send").unwrap().to_lowercase();
    let media = params.get(&kind).and_then(Value::as_str).map(|file| Media {
        kind: serde_json::from_value(json!(kind)).unwrap(),
        url: file.starts_with("https://").then(|| file.to_owned()),
        file_id: (!file.starts_with("https://")).then(|| file.to_owned()),
    });
    let rows = params["reply_markup"]["keyboard"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    Message {
        text: params
            .get("text")
            .or_else(|| params.get("caption"))
            .and_then(Value::as_str)
            .map(str::to_owned),
        buttons: rows
            .iter()
            .map(|row| row[0]["text"].as_str().unwrap().to_owned())
            .collect(),
        media,
    }
}
